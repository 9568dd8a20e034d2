//! Checkpoints that are there whole or not at all.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const PREFIX: &str = "checkpoint-";
const DRAFT: &str = "checkpoint.draft";
const MANIFEST: &str = "manifest.json";

/// Lets `write` fill a folder, then makes it the run's newest checkpoint and removes the older ones.
///
/// The folder gets its name by one rename after everything in it has reached the disk, so a crash at any
/// moment leaves the last whole checkpoint in place.
pub(crate) fn save(run: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let draft = run.join(DRAFT);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(io(&draft))?;
    }
    fs::create_dir_all(&draft).map_err(io(&draft))?;
    write(&draft)?;
    write_manifest(&draft)?;
    let older = list(run)?;
    let number = older.last().map_or(1, |(number, _)| number + 1);
    let path = run.join(format!("{PREFIX}{number:06}"));
    fs::rename(&draft, &path).map_err(io(&path))?;
    sync(run)?;
    older
        .iter()
        .try_for_each(|(_, path)| fs::remove_dir_all(path).map_err(io(path)))
}

/// The newest checkpoint, every file of it checked against its manifest.
pub(crate) fn newest(run: &Path) -> Result<PathBuf> {
    let (_, path) = list(run)?.pop().ok_or_else(|| Error::NoCheckpoint {
        path: run.to_owned(),
    })?;
    let manifest = path.join(MANIFEST);
    let text = fs::read_to_string(&manifest).map_err(|source| Error::Io {
        path: manifest.clone(),
        source,
    })?;
    let expected: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|e| Error::InvalidFile {
            path: manifest,
            what: e.to_string(),
        })?;
    for (name, sum) in expected {
        let file = path.join(&name);
        if checksum(&file)? != sum {
            return Err(Error::InvalidFile {
                path: file,
                what: "does not match its checksum".to_owned(),
            });
        }
    }
    Ok(path)
}

fn list(run: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let fault = |source| Error::Io {
        path: run.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(run).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|n| n.strip_prefix(PREFIX)?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort();
    Ok(found)
}

/// Checksums of all files below `folder`, each of which is on disk when this returns.
fn write_manifest(folder: &Path) -> Result<()> {
    let mut sums = BTreeMap::new();
    for path in files(folder)? {
        sync(&path)?;
        let name = path
            .strip_prefix(folder)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        sums.insert(name, checksum(&path)?);
    }
    let path = folder.join(MANIFEST);
    let text = serde_json::to_string_pretty(&sums).map_err(|e| Error::InvalidFile {
        path: path.clone(),
        what: e.to_string(),
    })?;
    fs::write(&path, text).map_err(|source| Error::Io {
        path: path.clone(),
        source,
    })?;
    sync(&path)?;
    sync(folder)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let fault = |source| Error::Io {
        path: folder.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn checksum(path: &Path) -> Result<String> {
    let fault = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let mut hash = Sha256::new();
    io::copy(
        &mut File::open(path).map_err(fault)?,
        &mut HashWriter(&mut hash),
    )
    .map_err(fault)?;
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Feeds what is written to it to a hash.
struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sync(path: &Path) -> Result<()> {
    let fault = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &'static str) -> impl FnOnce(&Path) -> Result<()> {
        move |folder| {
            fs::create_dir(folder.join("policy")).unwrap();
            fs::write(folder.join("policy/a.txt"), text).unwrap();
            Ok(())
        }
    }

    #[test]
    fn the_newest_replaces_the_older() {
        let run = tempfile::tempdir().unwrap();
        assert!(matches!(
            newest(run.path()),
            Err(Error::NoCheckpoint { .. })
        ));
        save(run.path(), write("one")).unwrap();
        save(run.path(), write("two")).unwrap();
        let path = newest(run.path()).unwrap();
        assert_eq!(
            fs::read_to_string(path.join("policy/a.txt")).unwrap(),
            "two"
        );
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_save_leaves_the_last_one() {
        let run = tempfile::tempdir().unwrap();
        save(run.path(), write("one")).unwrap();
        let broken = save(run.path(), |folder| {
            fs::write(folder.join("half"), "").unwrap();
            Err(Error::NoCheckpoint {
                path: folder.to_owned(),
            })
        });
        assert!(broken.is_err());
        assert!(newest(run.path()).unwrap().join("policy/a.txt").exists());
        save(run.path(), write("two")).unwrap();
        assert!(!newest(run.path()).unwrap().join("half").exists());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let run = tempfile::tempdir().unwrap();
        save(run.path(), write("one")).unwrap();
        let file = newest(run.path()).unwrap().join("policy/a.txt");
        fs::write(&file, "onf").unwrap();
        let refused = newest(run.path());
        assert!(
            matches!(&refused, Err(Error::InvalidFile { path, .. }) if *path == file),
            "{refused:?}"
        );
    }
}
