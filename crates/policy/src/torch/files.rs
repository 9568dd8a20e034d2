//! The files of a model folder, each there whole or not at all, and what they held when they were written.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result, io_fault};

/// What every other file of the folder held when it was written, by name.
const CHECKSUMS: &str = "checksums.json";

/// Writes files of one folder under names of their own; they get theirs, with a list of their checksums, when all are there.
pub(super) struct FolderWriter<'f> {
    folder: &'f Path,
    files: BTreeMap<String, PartialFile>,
}

impl<'f> FolderWriter<'f> {
    /// A writer into an existing folder.
    pub(super) fn new(folder: &'f Path) -> Self {
        Self {
            folder,
            files: BTreeMap::new(),
        }
    }

    pub(super) fn json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|e| Error::InvalidFile {
            path: self.folder.join(name),
            what: e.to_string(),
        })?;
        self.text(name, &text)
    }

    pub(super) fn text(&mut self, name: &str, text: &str) -> Result<()> {
        self.write(name, |file| file.put(text.as_bytes()))
    }

    /// Lets `fill` write a file, which will take the place of any other of that name. A name may lead into a folder within.
    pub(super) fn write(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut PartialFile) -> Result<()>,
    ) -> Result<()> {
        let mut file = PartialFile::create(self.folder.join(name))?;
        fill(&mut file)?;
        file.sync()?;
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    /// Gives the files their names and lists their checksums beside those of other writers. The list comes last, so that a
    /// mixture of two saves is not taken for either.
    pub(super) fn finish(self) -> Result<()> {
        // A list that cannot be read is of no use to anybody.
        let mut checksums: BTreeMap<String, Checksum> =
            read_json(&self.folder.join(CHECKSUMS)).unwrap_or_default();
        checksums.retain(|name, _| self.folder.join(name).exists());
        for (name, file) in self.files {
            checksums.insert(name, file.complete()?);
        }
        let mut list = Self::new(self.folder);
        list.json(CHECKSUMS, &checksums)?;
        list.files
            .into_values()
            .try_for_each(|list| list.complete().map(drop))
    }
}

/// A file under a name of its own until it is complete; dropped before, it is removed.
pub(super) struct PartialFile {
    path: PathBuf,
    partial: PathBuf,
    writer: BufWriter<Hashing<File>>,
}

impl PartialFile {
    fn create(path: PathBuf) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!(".{name}.partial"));
        let file = File::create(&partial).map_err(io_fault(&path))?;
        Ok(Self {
            path,
            partial,
            writer: BufWriter::new(Hashing::new(file)),
        })
    }

    /// Where the file will be.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(io_fault(&self.path))
    }

    /// Waits until its bytes are on the disk.
    fn sync(&mut self) -> Result<()> {
        let flushed = self.writer.flush();
        flushed
            .and_then(|()| self.writer.get_ref().inner.sync_all())
            .map_err(io_fault(&self.path))
    }

    /// Gives the file its name. The name itself is on the disk when its folder is.
    fn complete(self) -> Result<Checksum> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::rename(&self.partial, &self.path)
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(io_fault(&self.path))?;
        Ok(self.writer.get_ref().checksum())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // Gone already when the file was completed; what cannot be removed does no harm.
        let _ = fs::remove_file(&self.partial);
    }
}

/// Size and sha256 of a file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checksum {
    bytes: u64,
    sha256: String,
}

impl Checksum {
    fn of(path: &Path) -> io::Result<Self> {
        let mut hashing = Hashing::new(io::sink());
        io::copy(&mut File::open(path)?, &mut hashing)?;
        Ok(hashing.checksum())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with sha256 {}", self.bytes, self.sha256)
    }
}

/// Passes bytes on and keeps account of them.
struct Hashing<W> {
    inner: W,
    bytes: u64,
    hash: Sha256,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            bytes: 0,
            hash: Sha256::new(),
        }
    }

    fn checksum(&self) -> Checksum {
        let digest = self.hash.clone().finalize();
        Checksum {
            bytes: self.bytes,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Checks those listed files of a folder that are about to be read. A folder without a list, from elsewhere, passes.
///
/// # Errors
/// [`Error::Io`] for a listed file that is not there, [`Error::Checksum`] for one that holds something else.
pub(super) fn verify(folder: &Path, is_read: impl Fn(&str) -> bool) -> Result<()> {
    let list = folder.join(CHECKSUMS);
    if !list.exists() {
        return Ok(());
    }
    let listed: BTreeMap<String, Checksum> = read_json(&list)?;
    for (name, expected) in listed.into_iter().filter(|(name, _)| is_read(name)) {
        let path = folder.join(name);
        let found = Checksum::of(&path).map_err(io_fault(&path))?;
        if found != expected {
            return Err(Error::Checksum {
                path,
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }
    Ok(())
}

pub(super) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(io_fault(path))?;
    serde_json::from_str(&text).map_err(|e| Error::InvalidFile {
        path: path.to_owned(),
        what: e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn written() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut files = FolderWriter::new(folder.path());
        files.text("a.txt", "abc").unwrap();
        files.json("b.json", &[1]).unwrap();
        files.finish().unwrap();
        folder
    }

    #[test]
    fn checksums_are_those_of_sha256() {
        let folder = written();
        assert_eq!(names(folder.path()), ["a.txt", "b.json", CHECKSUMS]);
        let listed: BTreeMap<String, Checksum> = read_json(&folder.path().join(CHECKSUMS)).unwrap();
        let abc = Checksum {
            bytes: 3,
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
        };
        assert_eq!(listed["a.txt"], abc);
        assert_eq!(listed.len(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_finished_leaves_the_one_before() {
        let folder = written();
        let refused = FolderWriter::new(folder.path()).write("a.txt", |file| {
            file.put(b"abcdef")?;
            Err(Error::Cancelled)
        });
        assert!(matches!(refused, Err(Error::Cancelled)));
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"abc");
        assert_eq!(names(folder.path()), ["a.txt", "b.json", CHECKSUMS]);
    }

    #[test]
    fn a_changed_file_is_named_with_both_digests() {
        let folder = written();
        verify(folder.path(), |_| true).unwrap();
        fs::write(folder.path().join("a.txt"), "abd").unwrap();
        verify(folder.path(), |name| name != "a.txt").unwrap();
        let refused = verify(folder.path(), |_| true).unwrap_err().to_string();
        for part in [
            "a.txt: holds 3 bytes with sha256 a52d15",
            "says 3 bytes with sha256 ba7816",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
        fs::remove_file(folder.path().join("a.txt")).unwrap();
        assert!(
            matches!(verify(folder.path(), |_| true), Err(Error::Io { path, .. }) if path.ends_with("a.txt"))
        );
    }

    #[test]
    fn a_save_broken_off_leaves_the_one_before() {
        let folder = written();
        let mut files = FolderWriter::new(folder.path());
        files.text("a.txt", "newer").unwrap();
        drop(files);
        verify(folder.path(), |_| true).unwrap();
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"abc");
        assert_eq!(names(folder.path()), ["a.txt", "b.json", CHECKSUMS]);
    }

    #[test]
    fn writers_of_one_folder_share_its_list() {
        let folder = written();
        fs::create_dir(folder.path().join("within")).unwrap();
        fs::remove_file(folder.path().join("b.json")).unwrap();
        let mut files = FolderWriter::new(folder.path());
        files.text("within/c.txt", "abc").unwrap();
        files.finish().unwrap();
        let listed: BTreeMap<String, Checksum> = read_json(&folder.path().join(CHECKSUMS)).unwrap();
        assert_eq!(Vec::from_iter(listed.keys()), ["a.txt", "within/c.txt"]);
        verify(folder.path(), |_| true).unwrap();
    }

    #[test]
    fn a_folder_from_elsewhere_passes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), "{}").unwrap();
        verify(folder.path(), |_| true).unwrap();
    }
}
