//! Free space and durable writes.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Checks that each of the existing folders has room for its bytes; folders on one disk share its space.
pub(crate) fn ensure_free(needs: &[(&Path, u64)]) -> Result<()> {
    let disks = needs
        .iter()
        .map(|(place, _)| disk(place))
        .collect::<Result<Vec<_>>>()?;
    for ((place, _), this) in needs.iter().zip(&disks) {
        let same = needs.iter().zip(&disks).filter(|(_, other)| *other == this);
        let needed = same.map(|((_, bytes), _)| bytes).sum();
        let free = free(place)?;
        if needed > free {
            return Err(Error::DiskFull {
                place: place.to_path_buf(),
                needed,
                free,
            });
        }
    }
    Ok(())
}

/// Bytes that this user may still write to the disk of `place`.
fn free(place: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(place).map_err(io::Error::from);
    let stat = stat.map_err(Error::io("read the free space of", place))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn disk(place: &Path) -> Result<u64> {
    let metadata = fs::metadata(place).map_err(Error::io("read", place))?;
    Ok(metadata.dev())
}

/// Puts `new` in the place of `target`, of whatever kind that is: it is there whole or not at all.
pub(crate) fn replace(new: &Path, target: &Path) -> Result<()> {
    flush(new)?;
    let old = beside(target, "old");
    remove(&old)?;
    match fs::rename(target, &old) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {}
        outcome => outcome.map_err(Error::io("move away", target))?,
    }
    fs::rename(new, target).map_err(Error::io("create", target))?;
    remove(&old)
}

/// A folder beside `target`: `data/ml-100k` and `partial` give `data/ml-100k.partial`.
pub(crate) fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Removes a file, a link or a folder with all in it; a link's target stays.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let outcome = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    outcome.map_err(Error::io("remove", path))
}

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io("create", path))
}

/// Waits until all that was written to the file system of `path` is on the disk: one call for thousands of files.
fn flush(path: &Path) -> Result<()> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&file)
        .map_err(io::Error::from)
        .map_err(Error::io("write", path))?;
    #[cfg(not(target_os = "linux"))]
    file.sync_all().map_err(Error::io("write", path))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_on_one_disk_share_its_space() -> Result<()> {
        let scratch = tempfile::tempdir().unwrap();
        let (a, b) = (scratch.path(), scratch.path().parent().unwrap());
        let free = free(a)?;
        ensure_free(&[(a, free / 2)])?;
        let refused = ensure_free(&[(a, free / 3 * 2), (b, free / 3 * 2)]).unwrap_err();
        assert!(refused.to_string().starts_with("disk full: "), "{refused}");
        Ok(())
    }

    #[test]
    fn replace_swaps_folders_and_spares_what_a_link_points_to() -> Result<()> {
        let scratch = tempfile::tempdir().unwrap();
        let [target, new, elsewhere] =
            ["target", "new", "elsewhere"].map(|name| scratch.path().join(name));
        for folder in [&new, &elsewhere] {
            create_folder(folder)?;
            fs::write(folder.join("file"), folder.as_os_str().as_encoded_bytes()).unwrap();
        }
        symlink(&elsewhere, &target).unwrap();
        replace(&new, &target)?;
        assert_eq!(
            fs::read(target.join("file")).unwrap(),
            new.as_os_str().as_encoded_bytes()
        );
        assert!(elsewhere.join("file").exists());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2);
        Ok(())
    }
}
