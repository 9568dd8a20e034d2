//! JSONL: one object a line.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::cell::Key;
use super::{BUFFER, Cell, Column, Each, Need, Place, Row, Table, Watched};
use crate::error::{Error, Result};
use crate::load_context::LoadContext;

pub(super) fn rows(table: &Table<'_>, columns: &[Column<'_>], each: &mut Each<'_>) -> Result<()> {
    let path = table.path;
    for_each_line(path, table.context, &mut |place, line| {
        let mut json = serde_json::Deserializer::from_str(line);
        let cells = Asked(columns).deserialize(&mut json);
        // A complete object may be followed by another on the same line, which would be lost.
        let cells = cells.and_then(|cells| json.end().map(|()| cells));
        let cells = cells.map_err(|fault| line_fault(path, place, line, &fault))?;
        let row = Row {
            path,
            place,
            columns,
            cells: &cells,
        };
        for (number, column) in columns.iter().enumerate() {
            // JSONL has no header to check once: each line has keys of its own. `null` counts as
            // missing.
            if column.need == Need::Required && cells[number] == Cell::Missing {
                return Err(row.fault(number, "be given"));
            }
        }
        each(row)
    })
}

/// Every line that is not blank, without its mark.
pub(crate) fn for_each_line(
    path: &Path,
    context: LoadContext<'_>,
    each: &mut dyn FnMut(Place, &str) -> Result<()>,
) -> Result<()> {
    let file = Watched::open(path, context)?;
    let (mut file, mut line) = (BufReader::with_capacity(BUFFER, file), Vec::new());
    for number in 1.. {
        line.clear();
        let read = file.read_until(b'\n', &mut line);
        if read.map_err(Error::reading(path))? == 0 {
            break;
        }
        let place = Place::Line(number);
        let text =
            rerec_files::text(&line).map_err(|fault| Error::not_text(path, number, fault))?;
        if !text.trim().is_empty() {
            each(place, text)?;
        }
    }
    Ok(())
}

/// Why a line is no record.
pub(crate) fn line_fault(
    path: &Path,
    place: Place,
    line: &str,
    fault: &serde_json::Error,
) -> Error {
    // Pretty-printed JSON: the first line opens what later ones close.
    let cause = match fault.is_eof() && ["{", "["].contains(&line.trim()) {
        true => {
            "the record goes on in the next line, need one record a line; `jq -c .` writes it so"
                .to_owned()
        }
        false => rerec_files::json_cause(fault, line.as_bytes()),
    };
    Error::Json {
        path: path.to_owned(),
        place,
        cause,
    }
}

/// The cells of an object under the columns; other keys are passed over without being kept, unless the rest is asked for.
struct Asked<'c>(&'c [Column<'c>]);

impl<'de> DeserializeSeed<'de> for Asked<'_> {
    type Value = Vec<Cell<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Asked<'_> {
    type Value = Vec<Cell<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut cells = vec![None; self.0.len()];
        let rest = self.0.iter().position(|column| column.need == Need::Rest);
        let mut others = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            let mut asked = (0..).zip(self.0).filter(|(_, column)| column.name == key);
            let Some((place, _)) = asked.next() else {
                match rest {
                    Some(_) => others.push((key, map.next_value()?)),
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
                continue;
            };
            let value: Cell<'de> = map.next_value()?;
            // One column may be asked for twice, as for an id that is the title too.
            for (other, _) in asked {
                cells[other] = Some(value.clone());
            }
            // JSON allows a key twice and parsers differ in which one counts, so that neither is
            // taken.
            if cells[place].replace(value).is_some() {
                return Err(serde::de::Error::custom(format!("duplicate field `{key}`")));
            }
        }
        if let Some(rest) = rest {
            cells[rest] = Some(Cell::Record(others));
        }
        Ok(cells.into_iter().map(Option::unwrap_or_default).collect())
    }
}
