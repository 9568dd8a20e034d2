//! JSON files, with errors that name them.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::InvalidFile {
        path: path.to_owned(),
        what: e.to_string(),
    })?;
    fs::write(path, text).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|e| Error::InvalidFile {
        path: path.to_owned(),
        what: e.to_string(),
    })
}
