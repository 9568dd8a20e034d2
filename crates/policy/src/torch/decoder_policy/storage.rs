//! Checkpoints and adapter files.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{DecoderPolicy, kind, trained_tensors};
use crate::{
    Precision,
    error::{Error, Result},
    torch::{
        adapters::Adapters,
        checkpoint,
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
    optimizer_steps: i32,
    has_reference: bool,
}

/// Files of a checkpoint that a model is not read from.
const TRAINING_FILES: [&str; 3] = [
    "reference.safetensors",
    "optimizer.safetensors",
    "training.json",
];

/// Folder of a checkpoint that holds its adapters.
const ADAPTER: &str = "adapter";

impl DecoderPolicy {
    /// Writes the adapters as PEFT has them: `adapter_config.json` and `adapter_model.safetensors`, into an existing folder.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] without adapters; [`Error::Io`].
    pub fn save_adapter(&self, folder: &Path) -> Result<()> {
        let adapters = self.adapters.as_ref().ok_or(Error::NoAdapter)?;
        peft::write(folder, adapters)
    }

    /// Takes the values of adapters that PEFT or [`DecoderPolicy::save_adapter`] wrote. Rank, alpha and targets must be those of
    /// this policy's; the optimiser is left as it is.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] for a policy without adapters; names the file and what is wrong with it.
    pub fn load_adapter(&mut self, folder: &Path) -> Result<()> {
        let adapters = self.adapters.as_ref().ok_or(Error::NoAdapter)?;
        let shapes = Adapters::shapes(adapters.config(), self.model());
        let tensors = peft::read(folder, adapters.config(), &shapes)?;
        self.restore_adapters(&tensors)
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

    pub(super) fn restore_adapters(&mut self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        if let Some(adapters) = &self.adapters {
            adapters.copy_from(tensors)?;
        }
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
        let reference = self.reference.as_ref().and_then(|r| r.weights.as_ref());
        if let Some(weights) = reference {
            put_tensors(&mut files, "reference.safetensors", &weights.named()?)?;
        }
        if let Some(adapters) = &self.adapters {
            let folder = folder.join(ADAPTER);
            fs::create_dir_all(&folder).map_err(|source| Error::Io {
                path: folder.clone(),
                source,
            })?;
            peft::write(&folder, adapters)?;
        }
        let moments: Vec<(String, &Tensor)> = self.optimizer.moments().collect();
        let moments = moments.iter().map(|(name, t)| (name.as_str(), *t));
        files.tensors("optimizer.safetensors", moments)?;
        let state = TrainingState {
            optimizer_steps: self.optimizer.steps(),
            has_reference: reference.is_some(),
        };
        files.json("training.json", &state)?;
        files.finish()
    }

    pub(super) fn read_folder(&mut self, folder: &Path) -> Result<()> {
        verify(folder, |_| true)?;
        let shapes = Weights::shapes(self.model());
        let place = (self.weights.kind(), self.decoder.place().1);
        let read = |name: &str, place| {
            let tensors = checkpoint::read(&folder.join(name), &shapes)?;
            Weights::from_map(self.model(), tensors, place)
        };
        let state: TrainingState = read_json(&folder.join("training.json"))?;
        let tokenizer = Tokenizer::from_folder(folder)?;
        let weights = read("model.safetensors", place)?;
        let reference = state
            .has_reference
            .then(|| read("reference.safetensors", self.decoder.place()))
            .transpose()?;
        let adapters = match &self.adapters {
            Some(own) => {
                let shapes = Adapters::shapes(own.config(), self.model());
                Some(peft::read(&folder.join(ADAPTER), own.config(), &shapes)?)
            }
            None => None,
        };
        let moments = match state.optimizer_steps {
            0 => BTreeMap::new(),
            _ => self.read_moments(folder)?,
        };
        let reference = reference.map(|w| self.reference_of(w)).transpose()?;
        // Everything was read and checked: only now does anything change.
        self.tokenizer = tokenizer;
        self.weights.copy_from(&weights)?;
        if self.adapters.is_none() {
            self.reference = reference;
        }
        self.restore_adapters(&adapters.unwrap_or_default())?;
        self.optimizer.restore(state.optimizer_steps, moments);
        Ok(())
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
