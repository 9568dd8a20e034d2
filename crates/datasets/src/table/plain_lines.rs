//! Lines without a header, as MovieLens-1M and RecBench+ have them: `id::title::genres`.

use std::borrow::Cow;
use std::io::{BufRead, BufReader};

use super::{BUFFER, Cell, Column, Each, Place, Row, Table, places};
use crate::error::{Error, Result};

/// Lines are UTF-8; one that is not is Latin-1, the encoding in which these files were first published.
pub(super) fn rows(
    table: &Table<'_>,
    separator: &str,
    names: &[&str],
    columns: &[Column<'_>],
    each: &mut Each<'_>,
) -> Result<()> {
    let path = table.path;
    let places = places(path, columns, names)?;
    let (mut file, mut line) = (BufReader::with_capacity(BUFFER, table.text()?), Vec::new());
    for number in 1.. {
        line.clear();
        let read = file.read_until(b'\n', &mut line);
        if read.map_err(Error::reading(path))? == 0 {
            break;
        }
        // Line by line: a single accent in `movies.dat` must not change how the rest is decoded.
        let text = decode(&line);
        // Only the line ending: a tab or blanks at the end may be an empty last field.
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() {
            continue;
        }
        let place = Place::Line(number);
        let fields: Vec<&str> = text.split(separator).collect();
        // Without a header the count is the only sign that a title holds the separator or a line is
        // cut off.
        if fields.len() != names.len() {
            return Err(Error::FieldCount {
                path: path.to_owned(),
                place,
                expected: names.len() as u64,
                got: fields.len() as u64,
            });
        }
        let cell = |place: &Option<usize>| {
            let field = place.and_then(|place| fields.get(place).copied());
            field.map_or(Cell::Missing, Cell::of_field)
        };
        let cells: Vec<Cell<'_>> = places.iter().map(cell).collect();
        each(Row {
            path,
            place,
            columns,
            cells: &cells,
        })?;
    }
    Ok(())
}

fn decode(line: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text.trim_start_matches('\u{feff}')),
        // Every byte of Latin-1 is the character of that number.
        Err(_) => line.iter().copied().map(char::from).collect(),
    }
}
