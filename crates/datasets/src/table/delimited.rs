//! CSV, TSV and RecBole's atomic files: a header, then one record a line.

use std::io::{BufRead, BufReader};
use std::path::Path;

use csv::{ByteRecord, ErrorKind};
use rerec_files::NotText;

use super::{BUFFER, Cell, Column, Each, Place, Row, Table, places};
use crate::error::{Error, Result};

/// Without a separator: RecBole's atomic file.
pub(super) fn rows(
    table: &Table<'_>,
    separator: Option<u8>,
    columns: &[Column<'_>],
    each: &mut Each<'_>,
) -> Result<()> {
    let path = table.path;
    let mut file = BufReader::with_capacity(BUFFER, table.text()?);
    let start = file.fill_buf().map_err(Error::reading(path))?;
    check_encoding(path, start)?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator.unwrap_or(b'\t'))
        // RecBole does not quote. A quotation mark at the start of a title would swallow the lines
        // up to the next one.
        .quoting(separator.is_some())
        .from_reader(file);
    let header = reader.byte_headers().map_err(|error| fault(path, error))?;
    let names = header.iter().map(String::from_utf8_lossy);
    let names: Vec<String> = names
        .map(|name| column_name(&name, separator.is_none()))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let places = find_columns(path, columns, &names)?;
    let mut record = ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| fault(path, error))?
    {
        let line = record.position().map_or(1, csv::Position::line);
        // Only what is asked for is checked to be text: a stray byte in another column does no harm.
        let cell = |place: &Option<usize>| {
            let Some(field) = place.and_then(|place| record.get(place)) else {
                return Ok(Cell::Missing);
            };
            match std::str::from_utf8(field) {
                Ok(text) => Ok(Cell::of_field(text)),
                Err(error) => Err(Error::not_text(
                    path,
                    line,
                    NotText::Byte {
                        line: 1,
                        byte: field[error.valid_up_to()],
                    },
                )),
            }
        };
        let cells = places.iter().map(cell).collect::<Result<Vec<_>>>()?;
        each(Row {
            path,
            place: Place::Line(line),
            columns,
            cells: &cells,
        })?;
    }
    Ok(())
}

/// A header's name without a byte order mark; `user_id:token` is `user_id`.
fn column_name(name: &str, is_typed: bool) -> String {
    let name = name.trim_start_matches('\u{feff}').trim();
    let name = match name.split_once(':') {
        Some((name, _)) if is_typed => name,
        _ => name,
    };
    name.to_owned()
}

/// A header in which nothing is parted was written with another separator.
fn find_columns(path: &Path, columns: &[Column<'_>], names: &[&str]) -> Result<Vec<Option<usize>>> {
    let found = places(path, columns, names);
    match (&found, names) {
        // Only when the wanted column is missing: a table of one column may have a separator in its
        // name.
        (Err(Error::NoColumn { .. }), [header]) => {
            let other = [",", ";", "\t", "|", "::"];
            match other
                .into_iter()
                .find(|separator| header.contains(separator))
            {
                Some(separator) => Err(Error::OtherSeparator {
                    path: path.to_owned(),
                    separator,
                }),
                None => found,
            }
        }
        _ => found,
    }
}

/// UTF-16 is no CSV, and would be reported as a header without the columns.
fn check_encoding(path: &Path, start: &[u8]) -> Result<()> {
    // Only the encoding counts here. Bytes that are not UTF-8 are judged field by field, and the
    // buffer may end in the middle of a character.
    match rerec_files::text(start) {
        Err(fault @ NotText::Encoding { .. }) => Err(Error::not_text(path, 1, fault)),
        _ => Ok(()),
    }
}

fn fault(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(source) => Error::reading(path)(source),
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => Error::FieldCount {
            path: path.to_owned(),
            place: Place::Line(line),
            expected: expected_len,
            got: len,
        },
        kind => Error::Unreadable {
            path: path.to_owned(),
            cause: format!("line {line}: {kind:?}"),
        },
    }
}
