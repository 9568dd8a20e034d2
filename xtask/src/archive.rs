//! Reading a downloaded wheel, which is a zip archive.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use zip::ZipArchive;
use zip::result::{ZipError, ZipResult};

use crate::disk;
use crate::error::{Error, Result};
use crate::wheel::{Wheel, covers};

/// A wheel, opened.
pub(crate) struct Archive<'a> {
    wheel: &'a Wheel,
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
}

impl<'a> Archive<'a> {
    pub(crate) fn open(wheel: &'a Wheel, path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        match ZipArchive::new(BufReader::new(file)) {
            Ok(zip) => Ok(Self { wheel, path, zip }),
            Err(source) => Err(damaged(wheel, &path, source)),
        }
    }

    /// Names of the files to unpack.
    pub(crate) fn taken(&self) -> Result<Vec<String>> {
        let names = self.zip.file_names().map(|name| Ok(name?.into_owned()));
        let names = names.collect::<ZipResult<Vec<_>>>();
        let names = names.map_err(|source| damaged(self.wheel, &self.path, source))?;
        let mut take = self.wheel.take.iter();
        match take.find(|wanted| !names.iter().any(|name| covers(wanted, name))) {
            None => Ok(names
                .into_iter()
                .filter(|name| self.wheel.takes(name))
                .collect()),
            Some(&wanted) => Err(Error::NotInWheel {
                wheel: self.wheel.file,
                path: wanted.to_owned(),
            }),
        }
    }

    /// Writes one file to `path`.
    pub(crate) fn unpack(&mut self, name: &str, path: &Path, bar: &ProgressBar) -> Result<()> {
        let entry = self.zip.by_name(name);
        let entry = entry.map_err(|source| damaged(self.wheel, &self.path, source))?;
        write(&mut bar.wrap_read(entry), path)
    }
}

fn damaged(wheel: &Wheel, path: &Path, source: ZipError) -> Error {
    Error::Archive {
        wheel: wheel.file,
        path: path.to_owned(),
        source,
    }
}

/// Writes a file and creates the folders above it.
pub(crate) fn write(contents: &mut impl Read, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        disk::create_folder(folder)?;
    }
    let mut file = File::create(path).map_err(Error::io("create", path))?;
    io::copy(contents, &mut file).map_err(Error::io("write", path))?;
    Ok(())
}
