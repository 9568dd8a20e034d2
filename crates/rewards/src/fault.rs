use std::fmt;
use std::path::Path;

use crate::{Error, Result};

/// Where in a file something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A line, from 1.
    Line(usize),
    /// What stands before the data.
    Header,
    /// The data behind the header.
    Data,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Header => f.write_str("header"),
            Self::Data => f.write_str("data"),
        }
    }
}

/// What a parser found, before it is known which file it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(place: Place, reason: impl Into<String>) -> Self {
        Self {
            place,
            reason: reason.into(),
        }
    }

    pub(crate) fn in_file(self, file: &Path) -> Error {
        Error::Malformed {
            file: file.to_owned(),
            place: self.place,
            reason: self.reason,
        }
    }
}

/// The text of a file whose bytes were read.
pub(crate) fn text<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str> {
    let text = rerec_files::text(bytes).map_err(|source| rerec_files::Error::NotText {
        path: path.to_owned(),
        source,
    });
    Ok(text?)
}
