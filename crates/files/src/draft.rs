use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::checksum::Hashing;
use crate::{Checksum, Error, Result};

/// Bytes hashed and written at once.
const BUFFER: usize = 1 << 16;

/// Lets `fill` write a file, which appears whole or not at all; whatever the path held before stays until then.
///
/// The bytes are on the disk when this returns, and were hashed on their way there.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("abc.txt");
/// let checksum = rerec_files::write(&path, |file| file.put(b"abc"))?;
/// assert_eq!((checksum.bytes, &checksum.sha256[..6]), (3, "ba7816"));
///
/// let failed = rerec_files::write(&path, |file| {
///     file.put(b"half of it, then a fault")?;
///     rerec_files::read(&folder.path().join("missing")).map(drop)
/// });
/// assert!(failed.is_err());
/// assert_eq!(rerec_files::read(&path)?, b"abc");
/// # Ok::<(), rerec_files::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`], and whatever `fill` returns.
pub fn write<E: From<Error>>(
    path: &Path,
    fill: impl FnOnce(&mut HashedFile) -> Result<(), E>,
) -> Result<Checksum, E> {
    let mut file = HashedFile::create(path)?;
    fill(&mut file)?;
    let (draft, checksum) = file.sync()?;
    draft.rename()?;
    Ok(checksum)
}

/// Fails where [`write()`](write()) would fail at once: before long work whose result goes to this path.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let error = rerec_files::check_output(&folder.path().join("missing/items.tsv")).unwrap_err();
/// assert!(error.to_string().starts_with("cannot write "));
/// assert!(rerec_files::check_output(folder.path()).is_err());
/// assert!(rerec_files::check_output(&folder.path().join("items.tsv")).is_ok());
/// ```
///
/// # Errors
/// [`Error::Io`]: the folder is missing or not writable, or something other than a file has the name.
pub fn check_output(path: &Path) -> Result<()> {
    Draft::create(path).map(drop)
}

/// A file under another name until it is finished, without buffer; dropped before, it is removed.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    /// `path` without links, so that a link goes on pointing to what was written.
    target: PathBuf,
    file: NamedTempFile,
}

impl Draft {
    /// An empty file beside the path.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path) -> Result<Self> {
        let create = || {
            let target = target(path)?;
            let mut builder = tempfile::Builder::new();
            builder.prefix(".draft-");
            // As for any other file, the user's mask decides who may read it; temporary files are private otherwise.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            // Beside the target, since a rename is atomic only within one file system.
            let file = builder.tempfile_in(folder_of(&target))?;
            Ok((target, file))
        };
        let (target, file) = create().map_err(Error::writing(path))?;
        let path = path.to_owned();
        Ok(Self { path, target, file })
    }

    /// Where the file will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the bytes are on the disk, then gives the file its name.
    ///
    /// # Errors
    /// [`Error::Io`]; whatever the path held before is still there.
    pub fn finish(self) -> Result<()> {
        self.sync()?;
        self.rename()
    }

    fn sync(&self) -> Result<()> {
        let synced = self.file.as_file().sync_all();
        synced.map_err(Error::writing(&self.path))
    }

    pub(crate) fn rename(self) -> Result<()> {
        let renamed = self.file.persist(&self.target);
        renamed.map_err(|error| Error::writing(&self.path)(error.error))?;
        // The new name is stored in the folder, which is synced separately from the file.
        sync_folder(folder_of(&self.target));
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Draft {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// A [`Draft`] behind a buffer, hashed while it is written.
#[derive(Debug)]
pub struct HashedFile(BufWriter<Hashing<Draft>>);

impl HashedFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let hashing = Hashing::new(Draft::create(path)?);
        Ok(Self(BufWriter::with_capacity(BUFFER, hashing)))
    }

    /// Where the file will be.
    pub fn path(&self) -> &Path {
        self.0.get_ref().inner.path()
    }

    /// Writes all the bytes; the error names the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let put = self.0.write_all(bytes);
        put.map_err(|source| Error::writing(self.path())(source))
    }

    /// Waits until the bytes are on the disk, still under the other name.
    pub(crate) fn sync(mut self) -> Result<(Draft, Checksum)> {
        let flushed = self.0.flush();
        flushed.map_err(|source| Error::writing(self.path())(source))?;
        // The buffer is empty, so that nothing is lost with it.
        let (hashing, _) = self.0.into_parts();
        hashing.inner.sync()?;
        let checksum = hashing.checksum();
        Ok((hashing.inner, checksum))
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The path without links, if a file may have this name.
fn target(path: &Path) -> io::Result<PathBuf> {
    // `a/` and `a/.` name a folder, but a path drops what tells.
    let written = path.as_os_str().as_encoded_bytes();
    let is_folder = written.ends_with(b"/") || written.ends_with(b"/.");
    if is_folder || path.file_name() == Some(OsStr::new("")) || path.file_name().is_none() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "names a folder, need a file",
        ));
    }
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path),
        Ok(found) if found.is_dir() => Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "is a folder, need a file",
        )),
        // A rename would put a plain file in the place of the device.
        Ok(_) => Err(io::Error::other("is a device or a pipe, need a file")),
        // The file does not exist yet. A missing folder is reported when the draft is created in
        // it.
        Err(_) => Ok(path.to_owned()),
    }
}

/// The folder that a path lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    let parent = path.parent();
    let named = parent.filter(|folder| !folder.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

/// Brings a new name to the disk. Where folders cannot be synced, only a power cut could still undo it.
pub(crate) fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut draft = Draft::create(&path).unwrap();
        draft.write_all(b"half").unwrap();
        drop(draft);
        check_output(&path).unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_draft_may_be_written_out_of_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut draft = Draft::create(&path).unwrap();
        draft.write_all(b"????-body").unwrap();
        draft.rewind().unwrap();
        draft.write_all(b"head").unwrap();
        draft.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"head-body");
    }

    #[test]
    fn what_is_no_file_is_refused_first() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for name in ["", "/", "..", "new/", "missing/new", "file/new", "a/.."] {
            let path = PathBuf::from(format!("{}/{name}", folder.path().display()));
            let refused = check_output(&path).unwrap_err().to_string();
            assert!(refused.starts_with("cannot write "), "{refused}");
        }
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[cfg(unix)]
    #[test]
    fn devices_stay_and_links_keep_pointing() {
        assert!(check_output(Path::new("/dev/null")).is_err());
        let folder = tempfile::tempdir().unwrap();
        let [old, link] = ["old", "link"].map(|name| folder.path().join(name));
        fs::write(&old, "old").unwrap();
        std::os::unix::fs::symlink("old", &link).unwrap();
        write(&link, |file| file.put(b"new")).unwrap();
        assert_eq!(fs::read(&old).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[cfg(unix)]
    #[test]
    fn the_mask_of_the_user_decides_who_reads() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
        write(&ours, |file| file.put(b"")).unwrap();
        fs::write(&plain, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn large_files_are_hashed_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let bytes = vec![7; 3 * BUFFER + 1];
        let written = write(&path, |file| {
            bytes.chunks(1000).try_for_each(|part| file.put(part))
        });
        assert_eq!(written.unwrap(), Checksum::of(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}
