use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::draft::{folder_of, sync_folder};
use crate::{Error, Result};

/// A folder under another name until it is finished; dropped before, it is removed.
///
/// ```
/// # use rerec_files::FolderDraft;
/// # let place = tempfile::tempdir().unwrap();
/// let path = place.path().join("checkpoint-000001");
/// let draft = FolderDraft::create(&path)?;
/// rerec_files::write(&draft.folder().join("weights.bin"), |file| file.put(b"abc"))?;
/// assert!(!path.exists());
/// draft.finish()?;
/// assert_eq!(rerec_files::read(&path.join("weights.bin"))?, b"abc");
/// // A folder is never put in the place of another.
/// assert!(FolderDraft::create(&path).is_err());
/// # Ok::<(), rerec_files::Error>(())
/// ```
#[derive(Debug)]
pub struct FolderDraft {
    path: PathBuf,
    draft: PathBuf,
}

impl FolderDraft {
    /// An empty folder beside the path, in the place of one that a crash may have left.
    ///
    /// # Errors
    /// [`Error::Io`], also if the path exists.
    pub fn create(path: &Path) -> Result<Self> {
        let create = || {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            if path.exists() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            // Always the same name: a folder of gigabytes that a crash left is found again and removed.
            let draft = path.with_file_name(format!(".{}.draft", name.to_string_lossy()));
            if draft.exists() {
                fs::remove_dir_all(&draft)?;
            }
            fs::create_dir(&draft)?;
            Ok(draft)
        };
        let draft = create().map_err(Error::writing(path))?;
        let path = path.to_owned();
        Ok(Self { path, draft })
    }

    /// The folder to fill.
    pub fn folder(&self) -> &Path {
        &self.draft
    }

    /// Waits until all that is in the folder is on the disk, then gives it its name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<()> {
        let finished = sync_below(&self.draft).and_then(|()| fs::rename(&self.draft, &self.path));
        finished.map_err(Error::writing(&self.path))?;
        sync_folder(folder_of(&self.path));
        Ok(())
    }
}

impl Drop for FolderDraft {
    fn drop(&mut self) {
        // Gone already when it was finished; what cannot be removed now is removed by the next draft.
        let _ = fs::remove_dir_all(&self.draft);
    }
}

/// Files first, then the folders that name them.
fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_below(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    sync_folder(folder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("c");
        let draft = FolderDraft::create(&path).unwrap();
        fs::write(draft.folder().join("half"), "").unwrap();
        std::mem::forget(draft);
        let draft = FolderDraft::create(&path).unwrap();
        fs::create_dir(draft.folder().join("within")).unwrap();
        fs::write(draft.folder().join("within/whole"), "").unwrap();
        draft.finish().unwrap();
        assert!(path.join("within/whole").exists() && !path.join("half").exists());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let draft = FolderDraft::create(&place.path().join("c")).unwrap();
        fs::write(draft.folder().join("half"), "").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
        assert!(FolderDraft::create(&place.path().join("missing/c")).is_err());
    }
}
