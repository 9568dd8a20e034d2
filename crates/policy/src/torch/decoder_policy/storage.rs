//! Checkpoints and adapter files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::{DecoderPolicy, Own, kind, trained_tensors};
use crate::{
    Precision,
    error::{Error, Result, io_fault},
    torch::{
        adapters::Adapters,
        checkpoint::{self, StoredTensors},
        decoder::Weights,
        files::{FolderWriter, read_json, verify},
        peft,
        tokenizer::Tokenizer,
    },
};

/// What `training.json` of a checkpoint says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingState {
    optimizer_steps: u32,
    has_reference: bool,
}

/// Files of a checkpoint that a model is not read from.
const TRAINING_FILES: [&str; 3] = [
    "reference.safetensors",
    "optimizer.safetensors",
    "training.json",
];

/// Folders of a checkpoint that hold adapters: the policy's, and the reference's.
const ADAPTER: &str = "adapter";
const REFERENCE_ADAPTER: &str = "reference_adapter";

impl DecoderPolicy {
    /// Writes the adapters as PEFT has them: `adapter_config.json` and `adapter_model.safetensors`, into an existing folder.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] without adapters; [`Error::Io`].
    pub fn save_adapter(&self, folder: &Path) -> Result<()> {
        let adapters = self.adapters.as_ref().ok_or(Error::NoAdapter)?;
        let mut files = FolderWriter::new(folder);
        peft::put(&mut files, "", adapters)?;
        files.finish()
    }

    /// Takes the values of adapters that PEFT or [`DecoderPolicy::save_adapter`] wrote. Rank, alpha and targets must be those of
    /// this policy's; the optimiser is left as it is.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] for a policy without adapters; names the file and what is wrong with it.
    pub fn load_adapter(&mut self, folder: &Path) -> Result<()> {
        let adapters = self.adapters.as_ref().ok_or(Error::NoAdapter)?;
        let tensors = self.read_adapters(folder, adapters)?;
        adapters.copy_from(&tensors)?;
        self.refresh()
    }

    /// Takes the adapters of a checkpoint, of which a model alone would be without what was trained.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a checkpoint with adapters and a policy without.
    pub(super) fn take_adapter_of(&mut self, checkpoint: &Path) -> Result<()> {
        let folder = checkpoint.join(ADAPTER);
        match (&self.adapters, folder.exists()) {
            (_, false) => Ok(()),
            (Some(_), true) => self.load_adapter(&folder),
            (None, true) => Err(adapter_without_lora(folder)),
        }
    }

    /// Writes a Hugging Face folder in which the adapters have become part of the weights, into an existing folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save_merged(&self, folder: &Path) -> Result<()> {
        let weights = self.weights.frozen_copy(kind(self.config.precision))?;
        if let Some(adapters) = &self.adapters {
            adapters.merge_into(&weights)?;
        }
        let mut files = FolderWriter::new(folder);
        self.put_model(&mut files, &weights)?;
        files.finish()
    }

    /// Lets the decoder compute with the present values of what is trained.
    fn refresh(&self) -> Result<()> {
        self.decoder
            .refresh(&trained_tensors(&self.weights, &self.adapters))
    }

    fn put_model(&self, files: &mut FolderWriter<'_>, weights: &Weights) -> Result<()> {
        let precision = match weights.kind() {
            Kind::BFloat16 => Precision::Bf16,
            _ => Precision::F32,
        };
        files.json("config.json", &self.model().for_transformers(precision))?;
        self.tokenizer.save(files)?;
        put_tensors(files, "model.safetensors", &weights.named()?)
    }

    pub(super) fn write_folder(&self, folder: &Path) -> Result<()> {
        let mut files = FolderWriter::new(folder);
        self.put_model(&mut files, &self.weights)?;
        if let Some(adapters) = &self.adapters {
            put_adapters(&mut files, folder, ADAPTER, adapters)?;
        }
        let reference = self.reference.as_ref().map(|r| &r.own);
        match reference {
            Some(Own::Weights(weights)) => {
                put_tensors(&mut files, "reference.safetensors", &weights.named()?)?;
            }
            Some(Own::Adapters(adapters)) => {
                put_adapters(&mut files, folder, REFERENCE_ADAPTER, adapters)?;
            }
            Some(Own::Nothing) | None => {}
        }
        let moments: Vec<(String, &Tensor)> = self.optimizer.moments().collect();
        let moments = moments.iter().map(|(name, t)| (name.as_str(), *t));
        files.tensors("optimizer.safetensors", moments)?;
        let state = TrainingState {
            optimizer_steps: self.optimizer.steps(),
            has_reference: !matches!(reference, Some(Own::Nothing) | None),
        };
        files.json("training.json", &state)?;
        files.finish()
    }

    pub(super) fn read_folder(&mut self, folder: &Path) -> Result<()> {
        verify(folder, |_| true)?;
        let state: TrainingState = read_json(&folder.join("training.json"))?;
        let tokenizer = Tokenizer::from_folder(folder)?;
        let place = (self.weights.kind(), self.decoder.place().1);
        let weights = self.read_weights(&folder.join("model.safetensors"), place)?;
        let adapters = match &self.adapters {
            Some(own) => Some(self.read_adapters(&folder.join(ADAPTER), own)?),
            None if folder.join(ADAPTER).exists() => {
                return Err(adapter_without_lora(folder.join(ADAPTER)));
            }
            None => None,
        };
        let moments = match state.optimizer_steps {
            0 => BTreeMap::new(),
            _ => self.read_moments(folder)?,
        };
        let own = match state.has_reference {
            true => self.read_reference(folder)?,
            false => Own::Nothing,
        };
        // Everything was read and checked: only now does anything change.
        self.tokenizer = tokenizer;
        self.weights.copy_from(&weights)?;
        if let (Some(own), Some(read)) = (&self.adapters, &adapters) {
            own.copy_from(read)?;
        }
        self.refresh()?;
        self.reference = match own {
            Own::Nothing if self.adapters.is_none() => None,
            own => Some(self.reference_of(own)?),
        };
        self.optimizer.restore(state.optimizer_steps, moments);
        Ok(())
    }

    fn read_reference(&self, folder: &Path) -> Result<Own> {
        let Some(adapters) = &self.adapters else {
            let path = folder.join("reference.safetensors");
            return Ok(Own::Weights(
                self.read_weights(&path, self.decoder.place())?,
            ));
        };
        let tensors = self.read_adapters(&folder.join(REFERENCE_ADAPTER), adapters)?;
        let frozen = adapters.frozen_copy()?;
        frozen.copy_from(&tensors)?;
        Ok(Own::Adapters(frozen))
    }

    fn read_weights(&self, path: &Path, place: (Kind, Device)) -> Result<Weights> {
        let stored = StoredTensors::open(path, &Weights::shapes(self.model()))?;
        Weights::fill(self.model(), place, |name, shape| stored.read(name, shape))
    }

    fn read_adapters(&self, folder: &Path, like: &Adapters) -> Result<BTreeMap<String, Tensor>> {
        let shapes = Adapters::shapes(like.config(), self.model());
        peft::read(folder, like.config(), &shapes)
    }

    fn read_moments(&self, folder: &Path) -> Result<BTreeMap<String, Tensor>> {
        let trained = trained_tensors(&self.weights, &self.adapters);
        let shapes = trained
            .iter()
            .flat_map(|(name, t)| ["m", "v"].map(|k| (format!("{k}.{name}"), t.size())))
            .collect();
        let device = self.decoder.place().1;
        checkpoint::read(&folder.join("optimizer.safetensors"), &shapes)?
            .into_iter()
            .map(|(name, t)| Ok((name, t.f_to_device(device)?)))
            .collect()
    }
}

fn put_adapters(
    files: &mut FolderWriter<'_>,
    folder: &Path,
    name: &str,
    adapters: &Adapters,
) -> Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(&path).map_err(io_fault(&path))?;
    peft::put(files, &format!("{name}/"), adapters)
}

fn adapter_without_lora(path: PathBuf) -> Error {
    let what = "holds adapters, but the policy has none: its configuration needs lora as it was in training, or \
                save_merged writes a model that needs none";
    Error::InvalidFile {
        path,
        what: what.to_owned(),
    }
}

fn put_tensors(
    files: &mut FolderWriter<'_>,
    name: &str,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<()> {
    files.tensors(name, tensors.iter().map(|(name, t)| (name.as_str(), t)))
}

/// Checks the files that a model is read from, where the folder lists what they held.
pub(super) fn verify_model(folder: &Path) -> Result<()> {
    verify(folder, |name| !TRAINING_FILES.contains(&name))
}
