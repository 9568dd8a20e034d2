//! The model that adapters belong to, which checkpoints point to instead of repeating it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use rerec_files::{CHECKSUMS, Checksum, read_json};
use serde::{Deserialize, Serialize};

use super::storage::TRAINING_FILES;
use crate::{
    adapter_config::ADAPTER_CONFIG,
    error::{Error, Result, io_fault},
    torch::peft,
};

/// The pointer in a checkpoint.
pub(super) const POINTER: &str = "base.json";

/// A model folder and what its files hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Base {
    /// In a checkpoint relative to it, where the model lies beside it or beside a folder that it is in.
    pub(super) folder: PathBuf,
    files: BTreeMap<String, Checksum>,
}

impl Base {
    /// Computes the checksums of a model folder's files, and checks those that the folder lists.
    ///
    /// # Errors
    /// Names the file that cannot be read or is not what was written.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let list = folder.join(CHECKSUMS);
        let listed: BTreeMap<String, Checksum> = match list.exists() {
            true => read_json(&list)?,
            false => BTreeMap::new(),
        };
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(io_fault(folder))? {
            let name = entry.map_err(io_fault(folder))?.file_name();
            let name = name.to_string_lossy().into_owned();
            if !is_of_model(&name) {
                continue;
            }
            let path = folder.join(&name);
            let found = Checksum::of(&path)?;
            if let Some(expected) = listed.get(&name).filter(|expected| **expected != found) {
                let expected = expected.clone();
                return Err(rerec_files::Error::Checksum {
                    path,
                    expected,
                    found,
                }
                .into());
            }
            files.insert(name, found);
        }
        Self::in_folder(folder, files)
    }

    /// A model folder just written: its list says what its files hold.
    ///
    /// # Errors
    /// A list that cannot be read.
    pub(super) fn written(folder: &Path) -> Result<Self> {
        let mut files: BTreeMap<String, Checksum> = read_json(&folder.join(CHECKSUMS))?;
        files.retain(|name, _| is_of_model(name));
        Self::in_folder(folder, files)
    }

    fn in_folder(folder: &Path, files: BTreeMap<String, Checksum>) -> Result<Self> {
        let folder = folder.canonicalize().map_err(io_fault(folder))?;
        Ok(Self { folder, files })
    }

    /// What a checkpoint points to; none where it holds its model itself.
    ///
    /// # Errors
    /// A pointer that cannot be read.
    pub(super) fn pointed_to(checkpoint: &Path) -> Result<Option<Self>> {
        let path = checkpoint.join(POINTER);
        if !path.exists() {
            return Ok(None);
        }
        let mut base: Self = read_json(&path)?;
        // An absolute pointer replaces the checkpoint in the join. A folder that is missing stays as written: `verify` names it.
        let folder = checkpoint.join(base.folder);
        base.folder = folder.canonicalize().unwrap_or(folder);
        Ok(Some(base))
    }

    /// Checks that the model is where `checkpoint` says, and the one it says.
    ///
    /// # Errors
    /// [`Error::BaseMissing`], [`Error::BaseChanged`].
    pub(super) fn verify(&self, checkpoint: &Path) -> Result<()> {
        for (name, expected) in &self.files {
            let file = self.folder.join(name);
            if !file.is_file() {
                return Err(Error::BaseMissing {
                    checkpoint: checkpoint.to_owned(),
                    file,
                });
            }
            let found = Checksum::of(&file)?;
            if found != *expected {
                return Err(Error::BaseChanged {
                    checkpoint: checkpoint.to_owned(),
                    file,
                    expected: expected.clone(),
                    found,
                });
            }
        }
        Ok(())
    }

    /// Whether it is the same model, wherever it lies.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.files == other.files
    }

    /// As `checkpoint`, an existing folder, points to it: a run that is moved takes its own model along.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn seen_from(&self, checkpoint: &Path) -> Result<Self> {
        let checkpoint = checkpoint.canonicalize().map_err(io_fault(checkpoint))?;
        // Relative only where the checkpoint lies below the folder that holds the model's, so that both can move with it;
        // elsewhere the pointer stays absolute.
        let mut seen = self.clone();
        if let (Some(parent), Some(name)) = (self.folder.parent(), self.folder.file_name())
            && let Ok(below) = checkpoint.strip_prefix(parent)
        {
            let up = below.components().map(|_| Component::ParentDir);
            seen.folder = up.chain([Component::Normal(name)]).collect();
        }
        Ok(seen)
    }
}

/// Whether a model is read from a file of that name: weights, configuration, tokenizer, chat template.
fn is_of_model(name: &str) -> bool {
    let kind = Path::new(name).extension().and_then(|e| e.to_str());
    let is_read = matches!(kind, Some("safetensors" | "json" | "jinja"));
    // Adapters that lie beside a model are no part of it.
    let is_adapter = [ADAPTER_CONFIG, peft::TENSORS].contains(&name);
    is_read
        && !is_adapter
        && !name.contains('/')
        && name != CHECKSUMS
        && !TRAINING_FILES.contains(&name)
}
