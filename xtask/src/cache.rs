//! The folder where downloaded wheels are kept.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::disk;
use crate::error::{Error, Result};
use crate::progress::say;
use crate::wheel::Wheel;

const PARTIAL: &str = "partial-";

/// The cache, held by one process at a time.
pub(crate) struct Cache<'a> {
    folder: &'a Path,
    /// Locked until dropped, also when the process is killed.
    _lock: File,
}

impl<'a> Cache<'a> {
    /// Waits for other set-ups to end and removes what killed ones left behind.
    pub(crate) fn open(folder: &'a Path) -> Result<Self> {
        disk::create_folder(folder)?;
        let cache = Self {
            folder,
            _lock: lock(&folder.join("lock"))?,
        };
        cache.remove_partial_downloads()?;
        Ok(cache)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder
    }

    pub(crate) fn path(&self, wheel: &Wheel) -> PathBuf {
        self.folder.join(wheel.file)
    }

    /// The wheels that have to be downloaded.
    pub(crate) fn missing<'w>(&self, wheels: &'w [Wheel]) -> Result<Vec<&'w Wheel>> {
        let mut missing = Vec::new();
        for wheel in wheels {
            if !self.holds(wheel)? {
                missing.push(wheel);
            }
        }
        Ok(missing)
    }

    /// Whether the wheel is there with the pinned bytes.
    fn holds(&self, wheel: &Wheel) -> Result<bool> {
        let path = self.path(wheel);
        let size = fs::metadata(&path).map(|metadata| metadata.len());
        Ok(size.is_ok_and(|size| size == wheel.bytes) && sha256(&path)? == wheel.sha256)
    }

    /// A folder for a download, on the disk of the cache, removed when dropped.
    pub(crate) fn partial_download(&self) -> Result<TempDir> {
        let builder = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempdir_in(self.folder);
        builder.map_err(Error::io("create a folder in", self.folder))
    }

    /// Keeps a finished download, once its bytes are the pinned ones.
    pub(crate) fn keep(&self, download: &Path, wheel: &Wheel) -> Result<()> {
        let got = sha256(download)?;
        if got != wheel.sha256 {
            return Err(Error::Checksum {
                wheel: wheel.file,
                expected: wheel.sha256,
                got,
            });
        }
        let path = self.path(wheel);
        fs::rename(download, &path).map_err(Error::io("create", &path))
    }

    fn remove_partial_downloads(&self) -> Result<()> {
        for entry in fs::read_dir(self.folder).map_err(Error::io("read", self.folder))? {
            let entry = entry.map_err(Error::io("read", self.folder))?;
            if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                disk::remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).map_err(Error::io("create", path))?;
    let outcome = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {
            say("Waiting for another set-up to end");
            flock(&file, FlockOperation::LockExclusive)
        }
        outcome => outcome,
    };
    outcome
        .map_err(io::Error::from)
        .map_err(Error::io("lock", path))?;
    Ok(file)
}

/// sha256 of a file, in hexadecimal.
fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        let (bytes, _) = buffer.split_at(read);
        if bytes.is_empty() {
            return Ok(hexadecimal(&hasher.finalize()));
        }
        hasher.update(bytes);
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
