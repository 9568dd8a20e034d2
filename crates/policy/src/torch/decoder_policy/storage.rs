//! Checkpoints and adapter files.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use rerec_files::{FileSet, read_json, verify};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{
    DecoderPolicy, Own,
    base::{Base, POINTER},
    trained_tensors,
};
use crate::{
    Precision, Tokenizer,
    adapter_config::ADAPTER_CONFIG,
    error::{Error, Result, io_fault},
    torch::{
        adapters::Adapters,
        checkpoint::{self, StoredTensors},
        peft,
        placement::{Placement, kind},
        weights::Weights,
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
pub(super) const TRAINING_FILES: [&str; 3] = [
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
    /// [`Error::NoAdapter`] without adapters; [`Error::File`].
    pub fn save_adapter(&self, folder: &Path) -> Result<()> {
        let adapters = self.adapters.as_ref().ok_or(Error::NoAdapter)?;
        let mut files = FileSet::new(folder);
        peft::put(&mut files, "", adapters, self.base())?;
        Ok(files.finish()?)
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

    /// Takes the adapters of a checkpoint, or those that lie beside a model's own files: without them the model would be without
    /// what was trained.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a folder with adapters and a policy without.
    pub(super) fn take_adapter_of(&mut self, folder: &Path) -> Result<()> {
        let inner = folder.join(ADAPTER);
        let found = match (inner.exists(), folder.join(ADAPTER_CONFIG).exists()) {
            (true, _) => inner,
            (false, true) => folder.to_owned(),
            (false, false) => return Ok(()),
        };
        match &self.adapters {
            Some(_) => self.load_adapter(&found),
            None => Err(adapter_without_lora(found)),
        }
    }

    /// Writes a Hugging Face folder in which the adapters have become part of the weights, into an existing folder.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::InvalidFile`] for a folder with adapters, which readers would apply to the merged weights.
    pub fn save_merged(&self, folder: &Path) -> Result<()> {
        let path = folder.join(ADAPTER_CONFIG);
        if path.exists() {
            let what = "lies in the folder, and would be applied once more to the merged weights: take another folder";
            return Err(Error::InvalidFile {
                path,
                what: what.to_owned(),
            });
        }
        let weights = self.merged_weights()?;
        let mut files = FileSet::new(folder);
        self.put_model(&mut files, &weights)?;
        Ok(files.finish()?)
    }

    /// The weights with the adapters in them: a copy, since merging must leave the weights of the policy as they are.
    pub(in crate::torch) fn merged_weights(&self) -> Result<Weights> {
        let weights = self.weights.frozen_copy(kind(self.config.precision))?;
        if let Some(adapters) = &self.adapters {
            adapters.merge_into(&weights)?;
        }
        Ok(weights)
    }

    /// Writes the model without its adapters as a Hugging Face folder, into an existing folder. From then on checkpoints hold the
    /// adapters and a pointer to it, path and checksums, instead of the model once more.
    ///
    /// A policy that was loaded from a folder has its base there already.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] without adapters; [`Error::File`].
    pub fn save_base(&mut self, folder: &Path) -> Result<()> {
        if self.adapters.is_none() {
            return Err(Error::NoAdapter);
        }
        let mut files = FileSet::new(folder);
        self.put_model(&mut files, &self.weights)?;
        files.finish()?;
        self.base = Some(Base::written(folder)?);
        Ok(())
    }

    /// The folder of the model that checkpoints point to; none where they hold the model themselves.
    pub fn base(&self) -> Option<&Path> {
        self.base.as_ref().map(|base| &*base.folder)
    }

    /// Lets the decoder compute with the present values of what is trained.
    fn refresh(&self) -> Result<()> {
        self.decoder
            .refresh(&trained_tensors(&self.weights, &self.adapters))
    }

    fn put_model(&self, files: &mut FileSet<'_>, weights: &Weights) -> Result<()> {
        let precision = match weights.kind() {
            Kind::BFloat16 => Precision::Bf16,
            _ => Precision::F32,
        };
        files.json("config.json", &self.model().for_transformers(precision))?;
        self.tokenizer.save(files)?;
        put_tensors(files, "model.safetensors", &weights.named()?)
    }

    pub(super) fn write_folder(&self, folder: &Path) -> Result<()> {
        let mut files = FileSet::new(folder);
        match &self.base {
            // Beside adapters no weight ever changes.
            Some(base) => files.json(POINTER, &base.seen_from(folder)?)?,
            None => {
                self.put_model(&mut files, &self.weights)?;
                remove(&folder.join(POINTER))?;
            }
        }
        if let Some(adapters) = &self.adapters {
            self.put_adapters(&mut files, folder, ADAPTER, adapters)?;
        }
        let reference = self.reference.as_ref().map(|r| &r.own);
        match reference {
            Some(Own::Weights(weights)) => {
                put_tensors(&mut files, "reference.safetensors", &weights.named()?)?;
            }
            Some(Own::Adapters(adapters)) => {
                self.put_adapters(&mut files, folder, REFERENCE_ADAPTER, adapters)?;
            }
            Some(Own::Nothing) | None => {}
        }
        let moments: Vec<(String, &Tensor)> = self.optimizer.moments().collect();
        let moments = moments.iter().map(|(name, t)| (name.as_str(), *t));
        checkpoint::put(&mut files, "optimizer.safetensors", moments)?;
        // The reference is what KL was measured against: without it a resumed run would be pulled to other weights.
        let state = TrainingState {
            optimizer_steps: self.optimizer.steps(),
            has_reference: !matches!(reference, Some(Own::Nothing) | None),
        };
        files.json("training.json", &state)?;
        Ok(files.finish()?)
    }

    fn put_adapters(
        &self,
        files: &mut FileSet<'_>,
        folder: &Path,
        name: &str,
        adapters: &Adapters,
    ) -> Result<()> {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(io_fault(&path))?;
        peft::put(files, &format!("{name}/"), adapters, self.base())
    }

    pub(super) fn read_folder(&mut self, folder: &Path) -> Result<()> {
        verify(folder, |_| true)?;
        // From here on nothing is hashed again: what is listed is what is read.
        let state: TrainingState = read_json(&folder.join("training.json"))?;
        let adapters = match &self.adapters {
            Some(own) => Some(self.read_adapters(&folder.join(ADAPTER), own)?),
            None if folder.join(ADAPTER).exists() => {
                return Err(adapter_without_lora(folder.join(ADAPTER)));
            }
            None => None,
        };
        let base = Base::pointed_to(folder)?;
        let model = self.read_model(folder, base.as_ref())?;
        // Before the first step there are no moments, and an empty file would say nothing.
        let moments = match state.optimizer_steps {
            0 => BTreeMap::new(),
            _ => self.read_moments(folder)?,
        };
        let own = match state.has_reference {
            true => self.read_reference(folder)?,
            false => Own::Nothing,
        };
        // Everything was read and checked: only now does anything change.
        if let Some((tokenizer, weights)) = model {
            self.tokenizer = tokenizer.with_template(self.config.template.clone())?;
            self.weights.copy_from(&weights)?;
        }
        self.base = base;
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

    /// Tokenizer and weights of a checkpoint, or of the base that it points to; none where they are the policy's own already.
    fn read_model(
        &self,
        folder: &Path,
        base: Option<&Base>,
    ) -> Result<Option<(Tokenizer, Weights)>> {
        let placement = Placement {
            kind: self.weights.kind(),
            ..self.decoder.placement()
        };
        let Some(base) = base else {
            let weights = self.read_weights(&folder.join("model.safetensors"), placement)?;
            return Ok(Some((Tokenizer::from_folder(folder)?, weights)));
        };
        // Beside adapters weights never change, so those in memory are what the checkpoint points to: nothing is read.
        if self.base.as_ref().is_some_and(|own| own.is_same(base)) {
            return Ok(None);
        }
        base.verify(folder)?;
        let stored = StoredTensors::open_model(&base.folder, &Weights::shapes(self.model()))?;
        let read = |name: &str, shape: &[i64]| stored.read(name, shape);
        let weights = Weights::fill(self.model(), placement, read)?;
        Ok(Some((Tokenizer::from_folder(&base.folder)?, weights)))
    }

    fn read_reference(&self, folder: &Path) -> Result<Own> {
        let Some(adapters) = &self.adapters else {
            let path = folder.join("reference.safetensors");
            return Ok(Own::Weights(
                self.read_weights(&path, self.decoder.placement())?,
            ));
        };
        let tensors = self.read_adapters(&folder.join(REFERENCE_ADAPTER), adapters)?;
        // Of its own memory: the adapters of the policy go on training.
        let frozen = adapters.frozen_copy()?;
        frozen.copy_from(&tensors)?;
        Ok(Own::Adapters(frozen))
    }

    fn read_weights(&self, path: &Path, placement: Placement) -> Result<Weights> {
        let stored = StoredTensors::open(path, &Weights::shapes(self.model()))?;
        Weights::fill(self.model(), placement, |name, shape| {
            stored.read(name, shape)
        })
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
        let device = self.decoder.placement().device;
        checkpoint::read(&folder.join("optimizer.safetensors"), &shapes)?
            .into_iter()
            .map(|(name, t)| Ok((name, t.f_to_device(device)?)))
            .collect()
    }
}

fn adapter_without_lora(path: PathBuf) -> Error {
    let what = "holds adapters (adapter_config.json), but the policy has none: its configuration needs lora as it was in \
                training, or save_merged writes a model that needs none";
    Error::InvalidFile {
        path,
        what: what.to_owned(),
    }
}

fn put_tensors(
    files: &mut FileSet<'_>,
    name: &str,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<()> {
    checkpoint::put(
        files,
        name,
        tensors.iter().map(|(name, t)| (name.as_str(), t)),
    )
}

/// A pointer that an earlier checkpoint left would be followed. It goes before the new files get their names: without it and
/// with the old list, the folder is refused.
fn remove(pointer: &Path) -> Result<()> {
    match fs::remove_file(pointer) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_fault(pointer)(error)),
        _ => Ok(()),
    }
}

/// Checks the files that a model is read from, each once, and says where its weights are: the base of adapters. None for a
/// model that is trained whole.
pub(super) fn verified_base(folder: &Path, has_adapters: bool) -> Result<Option<Base>> {
    if let Some(base) = Base::pointed_to(folder)? {
        verify(folder, |name| !TRAINING_FILES.contains(&name))?;
        base.verify(folder)?;
        return Ok(Some(base));
    }
    if has_adapters {
        // `Base::of` hashes the files of the model itself and compares them with the list; only the adapters are left to check.
        verify(folder, |name| Path::new(name).starts_with(ADAPTER))?;
        return Base::of(folder).map(Some);
    }
    verify(folder, |name| !TRAINING_FILES.contains(&name))?;
    Ok(None)
}
