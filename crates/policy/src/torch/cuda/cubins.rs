//! Compiled kernels on disk, from one run to the next.

use std::{env, fs, path::PathBuf};

use sha2::{Digest, Sha256};

use crate::Result;

/// Length of the checksum that a file starts with.
const DIGEST: usize = 32;

/// A folder of machine code by name.
#[derive(Debug)]
pub(super) struct Cubins {
    folder: Option<PathBuf>,
}

impl Cubins {
    /// `$XDG_CACHE_HOME/rerec/kernels`, else `~/.cache/rerec/kernels`, else nothing is kept.
    pub(super) fn of_user() -> Self {
        let home = || env::home_dir().map(|home| home.join(".cache"));
        let cache = env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .or_else(home);
        Self {
            folder: cache.map(|cache| cache.join("rerec/kernels")),
        }
    }

    /// The code of this name: a whole file's, else what `make` gives, which is kept. A folder that cannot be written costs
    /// time and nothing else.
    pub(super) fn get(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        if let Some(code) = self.read(name) {
            return Ok(code);
        }
        let code = make()?;
        let _ = self.write(name, &code);
        Ok(code)
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.folder.as_ref()?.join(name)).ok()?;
        // A file shorter than a checksum leaves no code, and what it holds equals no checksum.
        let code = bytes.split_off(DIGEST.min(bytes.len()));
        (bytes == Sha256::digest(&code).as_slice()).then_some(code)
    }

    /// Whole or not at all: two runs may compile the same kernel at once.
    fn write(&self, name: &str, code: &[u8]) -> Option<()> {
        let folder = self.folder.as_ref()?;
        fs::create_dir_all(folder).ok()?;
        let written = rerec_files::write(&folder.join(name), |file| {
            file.put(&Sha256::digest(code))?;
            file.put(code)
        });
        written.ok().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn a_kernel_is_compiled_once_and_again_when_its_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cubins = Cubins {
            folder: Some(folder.path().join("kernels")),
        };
        let get = |code: &[u8]| cubins.get("a", || Ok(code.to_vec())).unwrap();
        assert_eq!(get(b"first"), b"first");
        assert_eq!(get(b"second"), b"first");
        let file = folder.path().join("kernels/a");
        let whole = fs::read(&file).unwrap();
        let flipped: Vec<u8> = whole.iter().map(|byte| byte ^ 1).collect();
        for damaged in [&whole[..whole.len() - 1], &whole[..7], &[], &flipped] {
            fs::write(&file, damaged).unwrap();
            assert_eq!(get(b"third"), b"third");
            assert_eq!(get(b"fourth"), b"third");
        }
        assert_eq!(
            fs::read_dir(folder.path().join("kernels")).unwrap().count(),
            1
        );
    }

    #[test]
    fn a_failure_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cubins = Cubins {
            folder: Some(folder.path().to_owned()),
        };
        assert!(cubins.get("a", || Err(Error::Cancelled)).is_err());
        assert_eq!(cubins.get("a", || Ok(vec![1])).unwrap(), [1]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_does_no_harm() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for folder in [None, Some(file.path().join("kernels"))] {
            let cubins = Cubins { folder };
            assert_eq!(cubins.get("a", || Ok(vec![1])).unwrap(), [1]);
        }
    }
}
