use std::path::Path;

pub(crate) use crate::Place;
use crate::{Error, Result};

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
