//! The files of a run.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::error::{Error, Result};

/// `runs/<name>`: metrics, rollouts, timings, pictures and checkpoints.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

/// A file of one JSON value a line.
#[derive(Debug)]
pub(crate) struct JsonLines {
    path: PathBuf,
    file: File,
    len: u64,
}

impl RunFolder {
    /// Makes the folder of a new run.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        if fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::RunExists { path });
        }
        fs::create_dir_all(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        Ok(Self { path })
    }

    /// The folder of a run that was begun.
    pub(crate) fn open(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a small text file, whole or not at all.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let (path, draft) = (
            self.path.join(name),
            self.path.join(format!(".{name}.draft")),
        );
        let fault = |source| Error::Io {
            path: path.clone(),
            source,
        };
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(fault)
    }

    /// Opens `name` for appending and cuts it to its first `len` bytes: what stands behind them belongs to
    /// steps that will be made again.
    pub(crate) fn lines(&self, name: &str, len: u64) -> Result<JsonLines> {
        let path = self.path.join(name);
        let fault = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(fault)?;
        let got = file.metadata().map_err(fault)?.len();
        if got < len {
            let what = format!("has {got} bytes, but the checkpoint counts {len}");
            return Err(Error::InvalidFile { path, what });
        }
        file.set_len(len).map_err(fault)?;
        Ok(JsonLines { path, file, len })
    }
}

impl JsonLines {
    /// Appends one line.
    pub(crate) fn push(&mut self, value: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_string(value).map_err(|e| Error::InvalidFile {
            path: self.path.clone(),
            what: e.to_string(),
        })?;
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .map_err(|source| Error::Io {
                path: self.path.clone(),
                source,
            })?;
        self.len += line.len() as u64;
        Ok(())
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}
