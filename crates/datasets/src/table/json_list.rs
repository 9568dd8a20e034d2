//! A JSON file that is one list.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use super::{Cell, Place};
use crate::error::{Error, Result};

/// Hands each element of the list to `each`, one at a time; the text of the file is held whole.
pub(crate) fn read_list(
    path: &Path,
    each: impl FnMut(Place, &Cell<'_>) -> Result<()>,
) -> Result<()> {
    let text = rerec_files::read_text(path)?;
    let mut refused = None;
    let mut json = serde_json::Deserializer::from_str(&text);
    let list = List {
        each,
        refused: &mut refused,
    };
    let read = list.deserialize(&mut json).and_then(|()| json.end());
    // `refused` first: then `read` is the placeholder error by which the parser was stopped.
    match (refused, read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(Error::Json {
            path: path.to_owned(),
            place: Place::Line(error.line() as u64),
            cause: error.to_string(),
        }),
        (None, Ok(())) => Ok(()),
    }
}

struct List<'r, F> {
    each: F,
    /// What `each` refused: serde's own errors cannot carry it.
    refused: &'r mut Option<Error>,
}

impl<'de, F: FnMut(Place, &Cell<'_>) -> Result<()>> DeserializeSeed<'de> for List<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Place, &Cell<'_>) -> Result<()>> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        for number in 1.. {
            let Some(cell) = list.next_element::<Cell<'de>>()? else {
                break;
            };
            if let Err(error) = (self.each)(Place::Row(number), &cell) {
                *self.refused = Some(error);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}
