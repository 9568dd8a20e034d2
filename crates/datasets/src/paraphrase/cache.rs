//! The replies that were given, by what was asked.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ParaphraseConfig, Request};
use crate::error::{Error, Result};
use crate::table::Place;

/// A file of replies, one a line; each is written as soon as it is there.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
    file: File,
    replies: HashMap<String, Option<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// What was asked.
    key: String,
    /// None where no reply held what it must.
    phrase: Option<String>,
}

impl Cache {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let replies = match std::fs::read_to_string(path) {
            Ok(text) => read(path, &text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => HashMap::new(),
            Err(error) => return Err(Error::reading(path)(error)),
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            path: path.to_owned(),
            file: file.map_err(writing(path))?,
            replies,
        })
    }

    pub(super) fn put(&mut self, key: String, phrase: Option<String>) -> Result<()> {
        let line = Line { key, phrase };
        let mut text = serde_json::to_string(&line).map_err(|error| Error::Unwritable {
            path: self.path.clone(),
            cause: error.to_string(),
        })?;
        text.push('\n');
        // In one call: a build that is broken off leaves no half line behind one that was begun.
        self.file
            .write_all(text.as_bytes())
            .map_err(writing(&self.path))?;
        self.replies.insert(line.key, line.phrase);
        Ok(())
    }

    /// Whether a request was answered.
    pub(super) fn has(&self, config: &ParaphraseConfig, request: &Request) -> bool {
        self.replies.contains_key(&key(config, request))
    }

    /// The words for a request, where a reply held what it must.
    pub(super) fn phrase(&self, config: &ParaphraseConfig, request: &Request) -> Option<String> {
        let phrase = self.replies.get(&key(config, request))?.as_deref()?;
        // Asked again of each request: the same sentence may hide something else in another query.
        request.accept(phrase)
    }
}

/// What was asked of whom, as a name.
pub(super) fn key(config: &ParaphraseConfig, request: &Request) -> String {
    let mut hash = Sha256::new();
    for part in [&config.model, &config.instruction, &request.sentence] {
        // The length keeps one part and the next apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path, text: &str) -> Result<HashMap<String, Option<String>>> {
    let mut replies = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line: Line = serde_json::from_str(line).map_err(|error| Error::Json {
            path: path.to_owned(),
            place: Place::Line(number),
            cause: error.to_string(),
        })?;
        replies.insert(line.key, line.phrase);
    }
    Ok(replies)
}

fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    |source| {
        Error::File(rerec_files::Error::Io {
            action: "write",
            path,
            source,
        })
    }
}
