//! RecBole's atomic files: tab-separated, with a header of `name:type` columns.

use std::path::{Path, PathBuf};

use csv::{ErrorKind, StringRecord};

use crate::error::{Error, Result};

/// The columns of interest of an atomic file, held whole; the files are small.
#[derive(Debug)]
pub(super) struct Table<const COLUMNS: usize> {
    path: PathBuf,
    names: [&'static str; COLUMNS],
    places: [usize; COLUMNS],
    records: Vec<StringRecord>,
}

/// One line of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a, const COLUMNS: usize> {
    table: &'a Table<COLUMNS>,
    record: &'a StringRecord,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Reads a file that must have the named columns.
    pub(super) fn read(path: &Path, names: [&'static str; COLUMNS]) -> Result<Self> {
        let text = rerec_files::read_text(path)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b'\t')
            .quoting(false)
            .from_reader(text.as_bytes());
        let fault = |error| table_error(path, &error);
        let header = reader.headers().map_err(fault)?.clone();
        let mut places = [0; COLUMNS];
        for (place, name) in places.iter_mut().zip(names) {
            let is_named = |column: &str| column.split(':').next() == Some(name);
            *place = header
                .iter()
                .position(is_named)
                .ok_or_else(|| Error::Field {
                    path: path.to_owned(),
                    line: 1,
                    field: "header",
                    allowed: format!("have a column {name}"),
                    value: header.iter().collect::<Vec<_>>().join(" "),
                })?;
        }
        let records = reader.records().collect::<Result<_, _>>().map_err(fault)?;
        Ok(Self {
            path: path.to_owned(),
            names,
            places,
            records,
        })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_, COLUMNS>> {
        self.records.iter().map(|record| Row {
            table: self,
            record,
        })
    }
}

impl<'a, const COLUMNS: usize> Row<'a, COLUMNS> {
    /// The text of a column, by its place among the asked columns.
    pub(super) fn text(&self, column: usize) -> &'a str {
        self.record
            .get(self.table.places[column])
            .unwrap_or_default()
    }

    /// The text of a column that must not be blank.
    pub(super) fn required(&self, column: usize) -> Result<&'a str> {
        let text = self.text(column);
        if text.trim().is_empty() {
            Err(self.fault(column, "not be blank"))
        } else {
            Ok(text)
        }
    }

    /// A column that must be a number that `is_allowed`.
    pub(super) fn number<N: std::str::FromStr>(
        &self,
        column: usize,
        allowed: &str,
        is_allowed: impl Fn(&N) -> bool,
    ) -> Result<N> {
        let number = self.text(column).parse().ok().filter(is_allowed);
        number.ok_or_else(|| self.fault(column, allowed))
    }

    /// The error that names this line and column.
    pub(super) fn fault(&self, column: usize, allowed: &str) -> Error {
        Error::Field {
            path: self.table.path.clone(),
            line: self
                .record
                .position()
                .map_or(0, |position| position.line() as usize),
            field: self.table.names[column],
            allowed: allowed.to_owned(),
            value: self.text(column).to_owned(),
        }
    }
}

/// Of text in memory, read without quoting, csv refuses nothing but lines of another length.
fn table_error(path: &Path, error: &csv::Error) -> Error {
    let (expected, got) = match error.kind() {
        &ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => (expected_len, len),
        _ => (0, 0),
    };
    Error::FieldCount {
        path: path.to_owned(),
        line: error
            .position()
            .map_or(0, |position| position.line() as usize),
        expected,
        got,
    }
}
