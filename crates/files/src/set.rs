use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::{Checksum, Draft, Error, HashedFile, Result, read_json};

/// Name of the list of what every other file of a folder held when it was written.
pub const CHECKSUMS: &str = "checksums.json";

/// Files of one folder that get their names together when all are there, and the list of their checksums last.
///
/// ```
/// # use rerec_files::{FileSet, verify};
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let mut files = FileSet::new(folder);
/// files.text("a.txt", "abc")?;
/// files.json("b.json", &[1, 2])?;
/// assert!(!folder.join("a.txt").exists());
/// files.finish()?;
/// verify(folder, |_| true)?;
///
/// std::fs::write(folder.join("a.txt"), "abd").unwrap();
/// let damaged = verify(folder, |_| true).unwrap_err().to_string();
/// assert!(damaged.contains("a.txt holds 3 bytes with sha256 a52d15"));
/// # Ok::<(), rerec_files::Error>(())
/// ```
#[derive(Debug)]
pub struct FileSet<'f> {
    folder: &'f Path,
    files: BTreeMap<String, (Draft, Checksum)>,
}

impl<'f> FileSet<'f> {
    /// Files for an existing folder.
    pub fn new(folder: &'f Path) -> Self {
        let files = BTreeMap::new();
        Self { folder, files }
    }

    /// A value as indented JSON.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`] for a value that JSON cannot hold.
    pub fn json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec_pretty(value).map_err(|source| Error::Json {
            path: self.folder.join(name),
            source,
        })?;
        self.write(name, |file| file.put(&text))
    }

    /// A text.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn text(&mut self, name: &str, text: &str) -> Result<()> {
        self.write(name, |file| file.put(text.as_bytes()))
    }

    /// Lets `fill` write a file, which will take the place of any other of that name. A name may lead into a folder within.
    ///
    /// # Errors
    /// [`Error::Io`], and whatever `fill` returns.
    pub fn write<E: From<Error>>(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut HashedFile) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut file = HashedFile::create(&self.folder.join(name))?;
        fill(&mut file)?;
        // Synced now, named at the end: between the renames of a set there is no slow disk to be cut off at.
        self.files.insert(name.to_owned(), file.sync()?);
        Ok(())
    }

    /// Gives the files their names and lists their checksums beside those of earlier sets in the folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<()> {
        // A list that cannot be read is of no use to anybody.
        let list = self.folder.join(CHECKSUMS);
        let mut checksums: BTreeMap<String, Checksum> = read_json(&list).unwrap_or_default();
        // `verify` refuses a folder that lacks a listed file: those removed on purpose leave the
        // list.
        checksums.retain(|name, _| self.folder.join(name).exists());
        for (name, (draft, checksum)) in self.files {
            draft.rename()?;
            checksums.insert(name, checksum);
        }
        // The list comes last, so that a mixture of two sets is not taken for either.
        let mut last = Self::new(self.folder);
        last.json(CHECKSUMS, &checksums)?;
        last.files
            .into_values()
            .try_for_each(|(list, _)| list.rename())
    }
}

/// Checks the listed files of a folder for which `is_read` is true. A folder without a list, as from another program, passes.
///
/// # Errors
/// [`Error::Io`] for a listed file that is missing, [`Error::Checksum`] for one that changed, [`Error::Json`] for a
/// list that cannot be read.
pub fn verify(folder: &Path, is_read: impl Fn(&str) -> bool) -> Result<()> {
    let list = folder.join(CHECKSUMS);
    if !list.exists() {
        return Ok(());
    }
    let listed: BTreeMap<String, Checksum> = read_json(&list)?;
    for (name, expected) in listed.into_iter().filter(|(name, _)| is_read(name)) {
        let path = folder.join(name);
        let found = Checksum::of(&path)?;
        if found != expected {
            return Err(Error::Checksum {
                path,
                expected,
                found,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn written() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut files = FileSet::new(folder.path());
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
    fn a_set_broken_off_leaves_the_one_before() {
        let folder = written();
        let mut files = FileSet::new(folder.path());
        files.text("a.txt", "newer").unwrap();
        let failed = files.write("b.json", |file| {
            file.put(b"half")?;
            crate::read(&folder.path().join("missing")).map(drop)
        });
        assert!(failed.is_err());
        drop(files);
        verify(folder.path(), |_| true).unwrap();
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"abc");
        assert_eq!(names(folder.path()), ["a.txt", "b.json", CHECKSUMS]);
    }

    #[test]
    fn only_what_is_read_is_checked() {
        let folder = written();
        fs::write(folder.path().join("a.txt"), "abd").unwrap();
        verify(folder.path(), |name| name != "a.txt").unwrap();
        fs::remove_file(folder.path().join("a.txt")).unwrap();
        let missing = verify(folder.path(), |_| true);
        assert!(matches!(missing, Err(Error::Io { path, .. }) if path.ends_with("a.txt")));
    }

    #[test]
    fn sets_of_one_folder_share_its_list() {
        let folder = written();
        fs::create_dir(folder.path().join("within")).unwrap();
        fs::remove_file(folder.path().join("b.json")).unwrap();
        let mut files = FileSet::new(folder.path());
        files.text("within/c.txt", "abc").unwrap();
        files.finish().unwrap();
        let listed: BTreeMap<String, Checksum> = read_json(&folder.path().join(CHECKSUMS)).unwrap();
        assert_eq!(Vec::from_iter(listed.keys()), ["a.txt", "within/c.txt"]);
        verify(folder.path(), |_| true).unwrap();
    }

    #[test]
    fn a_folder_without_a_list_passes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), "{}").unwrap();
        verify(folder.path(), |_| true).unwrap();
    }
}
