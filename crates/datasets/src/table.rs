//! Tables in files: JSONL, CSV, TSV, RecBole's atomic files, `::`-parted lines and Parquet, read row by row.
//!
//! A reader names the columns it wants and gets each row's cells under them. One row is held at a time, whatever the size
//! of the file.

mod cell;
mod delimited;
mod json_lines;
mod json_list;
#[cfg(feature = "parquet")]
mod parquet;
mod plain_lines;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

pub(crate) use cell::Cell;
pub(crate) use json_lines::{for_each_line, line_fault};
pub(crate) use json_list::read_list;

use crate::error::{Error, Result};
use crate::load_context::{LoadContext, Progress};

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line of a text file, from 1.
    Line(u64),
    /// A row of a Parquet file or of a JSON list, from 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Row(number) => write!(f, "row {number}"),
        }
    }
}

/// A column that a reader asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    name: &'a str,
    need: Need,
}

/// A name that no column has; the empty one is that of the index that pandas writes.
const NOBODYS: &str = "\0";

/// What becomes of a table without a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// It is refused.
    Required,
    /// It is refused where it has a header.
    InHeader,
    /// The cells are empty.
    Optional,
    /// It is no column, but all that nobody asked for.
    Rest,
}

impl<'a> Column<'a> {
    pub(crate) fn required(name: &'a str) -> Self {
        Self {
            name,
            need: Need::Required,
        }
    }

    pub(crate) fn optional(name: &'a str) -> Self {
        Self {
            name,
            need: Need::Optional,
        }
    }

    /// All other columns, as a record; of JSONL and Parquet alone. Values of types that no cell has are left out of it.
    pub(crate) fn rest() -> Self {
        Self {
            name: NOBODYS,
            need: Need::Rest,
        }
    }

    /// A column that a setting names or not; where it does, each row has it.
    pub(crate) fn if_named(name: Option<&'a str>) -> Self {
        name.map_or(Self::optional(NOBODYS), Self::required)
    }

    /// The same, and rows may lack it.
    pub(crate) fn if_named_for_some(name: Option<&'a str>) -> Self {
        name.map_or(Self::optional(NOBODYS), |name| Self {
            name,
            need: Need::InHeader,
        })
    }
}

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Jsonl,
    /// With a header; quotes count.
    Delimited(u8),
    /// RecBole's: tabs, a header of `name:type`, quotes are characters.
    Atomic,
    /// No header: the columns by their places.
    Plain {
        separator: &'static str,
        names: &'static [&'static str],
    },
    Parquet,
}

/// A table in a file.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    path: &'a Path,
    layout: Layout,
    context: LoadContext<'a>,
}

/// What each row is handed to.
type Each<'e> = dyn FnMut(Row<'_>) -> Result<()> + 'e;

impl<'a> Table<'a> {
    /// A table whose layout the ending names.
    pub(crate) fn open(path: &'a Path) -> Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let layout = match ending.unwrap_or_default() {
            "jsonl" | "ndjson" => Layout::Jsonl,
            "csv" => Layout::Delimited(b','),
            "tsv" => Layout::Delimited(b'\t'),
            "inter" | "item" | "user" => Layout::Atomic,
            "parquet" => Layout::Parquet,
            _ => {
                return Err(Error::UnknownFormat {
                    path: path.to_owned(),
                });
            }
        };
        Ok(Self::new(path, layout))
    }

    /// Lines without a header; `names` are the columns in their order.
    pub(crate) fn plain(
        path: &'a Path,
        separator: &'static str,
        names: &'static [&'static str],
    ) -> Self {
        Self::new(path, Layout::Plain { separator, names })
    }

    fn new(path: &'a Path, layout: Layout) -> Self {
        Self {
            path,
            layout,
            context: LoadContext::default(),
        }
    }

    /// The same, telling how far the reading is.
    pub(crate) fn watched(self, context: LoadContext<'a>) -> Self {
        Self { context, ..self }
    }

    /// Hands each row to `each`, the cells in the order of `columns`.
    pub(crate) fn rows(
        &self,
        columns: &[Column<'_>],
        mut each: impl FnMut(Row<'_>) -> Result<()>,
    ) -> Result<()> {
        match self.layout {
            Layout::Jsonl => json_lines::rows(self, columns, &mut each),
            Layout::Delimited(separator) => {
                delimited::rows(self, Some(separator), columns, &mut each)
            }
            Layout::Atomic => delimited::rows(self, None, columns, &mut each),
            Layout::Plain { separator, names } => {
                plain_lines::rows(self, separator, names, columns, &mut each)
            }
            #[cfg(feature = "parquet")]
            Layout::Parquet => parquet::rows(self, columns, &mut each),
            #[cfg(not(feature = "parquet"))]
            Layout::Parquet => Err(Error::WithoutParquet {
                path: self.path.to_owned(),
            }),
        }
    }

    fn text(&self) -> Result<Watched<'a>> {
        Watched::open(self.path, self.context)
    }
}

/// A file that tells how much of it was read.
struct Watched<'a> {
    file: File,
    path: &'a Path,
    context: LoadContext<'a>,
    done: u64,
    total: u64,
}

impl<'a> Watched<'a> {
    fn open(path: &'a Path, context: LoadContext<'a>) -> Result<Self> {
        let file = open(path)?;
        let total = file.metadata().map_err(Error::reading(path))?.len();
        Ok(Self {
            file,
            path,
            context,
            done: 0,
            total,
        })
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done += read as u64;
        (self.context.progress)(Progress::Reading {
            path: self.path,
            done: self.done,
            total: self.total,
        });
        Ok(read)
    }
}

/// Bytes that a reader of a text file asks for at once.
const BUFFER: usize = 1 << 16;

fn open(path: &Path) -> Result<File> {
    let mut start = [0; 2];
    let mut file = File::open(path).map_err(Error::reading(path))?;
    let read = file.read(&mut start).map_err(Error::reading(path))?;
    file.rewind().map_err(Error::reading(path))?;
    // Downloads come packed; without this their bytes would be taken for a header.
    let packed = match &start[..read] {
        b"\x1f\x8b" => Some("it is packed by gzip; unpack it first"),
        b"PK" => Some("it is a ZIP archive; unpack it first"),
        b"\x89P" => Some("it is a PNG image, need a table"),
        b"%P" => Some("it is a PDF document, need a table"),
        _ => None,
    };
    match packed {
        Some(cause) => Err(Error::Unreadable {
            path: path.to_owned(),
            cause: cause.to_owned(),
        }),
        None => Ok(file),
    }
}

/// The places of the columns among `found`, or the one that is required and not there.
fn places(path: &Path, columns: &[Column<'_>], found: &[&str]) -> Result<Vec<Option<usize>>> {
    let place = |column: &Column<'_>| {
        let mut places = (0..).zip(found).filter(|(_, name)| **name == column.name);
        let first = places.next().map(|(place, _)| place);
        if places.next().is_some() {
            return Err(Error::DuplicateColumn {
                path: path.to_owned(),
                column: column.name.to_owned(),
            });
        }
        // Before the missing column: the header of an empty file has no names to list in that
        // message.
        let is_required = matches!(column.need, Need::Required | Need::InHeader);
        if first.is_none() && is_required && found.iter().all(|name| name.is_empty()) {
            return Err(Error::Empty {
                path: path.to_owned(),
                what: "header",
            });
        }
        if first.is_none() && is_required {
            return Err(Error::NoColumn {
                path: path.to_owned(),
                column: column.name.to_owned(),
                found: found.iter().map(|&name| name.to_owned()).collect(),
            });
        }
        Ok(first)
    };
    columns.iter().map(place).collect()
}

/// One row: its cells under the columns that were asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'r> {
    path: &'r Path,
    place: Place,
    columns: &'r [Column<'r>],
    cells: &'r [Cell<'r>],
}

impl<'r> Row<'r> {
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.to_owned()
    }

    pub(crate) fn cell(&self, column: usize) -> &'r Cell<'r> {
        &self.cells[column]
    }

    /// The text of a cell that must not be blank; whole numbers are texts too, as ids often are.
    pub(crate) fn text(&self, column: usize) -> Result<std::borrow::Cow<'r, str>> {
        match self.cells[column].text() {
            Some(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(self.fault(column, "be a text that is not blank")),
        }
    }

    /// As [`text`](Self::text), where the cell may be empty.
    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<std::borrow::Cow<'r, str>>> {
        match &self.cells[column] {
            cell if cell.is_blank() => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// A cell that must be a number that `is_allowed`.
    pub(crate) fn number(
        &self,
        column: usize,
        allowed: &str,
        is_allowed: impl Fn(f64) -> bool,
    ) -> Result<f64> {
        let number = self.cells[column].number().filter(|&x| is_allowed(x));
        number.ok_or_else(|| self.fault(column, allowed))
    }

    /// A cell that is empty or a whole number, as times are.
    pub(crate) fn time(&self, column: usize) -> Result<Option<i64>> {
        let cell = &self.cells[column];
        match cell {
            cell if cell.is_blank() => Ok(None),
            cell => cell
                .whole()
                .map(Some)
                .ok_or_else(|| self.fault(column, "be a time, a whole number")),
        }
    }

    /// The texts of a cell: a list, or one text that `separator` parts; blank ones are left out.
    pub(crate) fn texts(&self, column: usize, separator: &str) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        self.for_each_text(column, separator, |text| {
            texts.push(text.to_owned());
            Ok(())
        })?;
        Ok(texts)
    }

    /// Hands the texts of a cell to `each`, without a copy.
    pub(crate) fn for_each_text(
        &self,
        column: usize,
        separator: &str,
        each: impl FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        match self.cells[column].for_each_text(separator, each)? {
            true => Ok(()),
            false => Err(self.fault(column, "be a text or a list of texts")),
        }
    }

    /// The error that names this cell.
    pub(crate) fn fault(&self, column: usize, allowed: impl Into<String>) -> Error {
        self.fault_of(column, allowed, self.cells[column].to_string())
    }

    /// As [`fault`](Self::fault), where a part of the cell is to blame.
    pub(crate) fn fault_of(
        &self,
        column: usize,
        allowed: impl Into<String>,
        got: impl Into<String>,
    ) -> Error {
        Error::Field {
            path: self.path.to_owned(),
            place: self.place,
            field: self.columns[column].name.to_owned(),
            allowed: allowed.into(),
            got: got.into(),
        }
    }
}
