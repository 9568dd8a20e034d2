use std::io;
use std::path::{Path, PathBuf};

use crate::{CHECKSUMS, Checksum, NotText};

/// Everything that can go wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not text in UTF-8.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        source: NotText,
    },
    /// A file is not JSON, or not of the expected form.
    #[error("{} does not hold the JSON expected", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped.
        source: serde_json::Error,
    },
    /// A file is not the one whose checksum was listed.
    #[error("{} holds {found}, but {CHECKSUMS} says {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What it held when it was written.
        expected: Checksum,
        /// What it holds now.
        found: Checksum,
    },
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io("read", path)
    }

    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io("write", path)
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
