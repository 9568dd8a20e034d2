//! The list of what an installed folder holds, by which it is known to be whole.
//!
//! The file `.manifest` starts with the identity of what was installed; every further line is the size of a file
//! (of a link: the length of its target), a tab, and its path.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

const NAME: &str = ".manifest";

/// Lists what `folder` holds, as the installation `identity`.
pub(crate) fn write(folder: &Path, identity: &str) -> Result<()> {
    let mut lines = format!("{identity}\n");
    list(folder, folder, &mut lines)?;
    let path = folder.join(NAME);
    fs::write(&path, lines).map_err(Error::io("write", &path))
}

fn list(root: &Path, folder: &Path, lines: &mut String) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let metadata = fs::symlink_metadata(&path).map_err(Error::io("read", &path))?;
        if metadata.is_dir() {
            list(root, &path, lines)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{}\t{}", metadata.len(), relative.display());
        }
    }
    Ok(())
}

/// Whether `folder` has a manifest, of any installation.
pub(crate) fn exists(folder: &Path) -> bool {
    folder.join(NAME).exists()
}

/// Whether `folder` is the installation `identity` and every file has its size.
pub(crate) fn is_whole(folder: &Path, identity: &str) -> bool {
    let Ok(text) = fs::read_to_string(folder.join(NAME)) else {
        return false;
    };
    let mut lines = text.lines();
    lines.next() == Some(identity) && lines.all(|line| has_its_size(folder, line))
}

fn has_its_size(folder: &Path, line: &str) -> bool {
    let Some((size, path)) = line.split_once('\t') else {
        return false;
    };
    let metadata = fs::symlink_metadata(folder.join(path));
    metadata.is_ok_and(|metadata| size.parse() == Ok(metadata.len()))
}
