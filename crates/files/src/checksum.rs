use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Size and sha256 of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checksum {
    /// Size in bytes.
    pub bytes: u64,
    /// sha256 in 64 lowercase hexadecimal digits.
    pub sha256: String,
}

impl Checksum {
    /// Reads a file and computes its checksum.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of(path: &Path) -> Result<Self> {
        let sum = || {
            let mut hashing = Hashing::new(io::sink());
            io::copy(&mut File::open(path)?, &mut hashing)?;
            Ok(hashing.checksum())
        };
        sum().map_err(Error::reading(path))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with sha256 {}", self.bytes, self.sha256)
    }
}

/// Passes bytes on and hashes them.
#[derive(Debug)]
pub(crate) struct Hashing<W> {
    pub(crate) inner: W,
    bytes: u64,
    hash: Sha256,
}

impl<W> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            bytes: 0,
            hash: Sha256::new(),
        }
    }

    pub(crate) fn checksum(&self) -> Checksum {
        let digest = self.hash.clone().finalize();
        Checksum {
            bytes: self.bytes,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Only what was taken: the writer above offers the rest again.
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
