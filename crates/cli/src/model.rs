//! The model that a command works with.

use std::path::{Path, PathBuf};

use rerec_policy::{
    DecoderPolicy, DecoderPolicyConfig, Device, LoraConfig, ModelSource, Precision,
};
use rerec_trainer::{Kept, Run, TrainConfig};
use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;

use crate::error::Failure;

/// Where a model comes from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ModelArgs {
    /// A run's folder: its best checkpoint where it keeps one, else its last
    #[arg(long, value_name = "RUN", conflicts_with = "model")]
    run: Option<PathBuf>,
    /// Which checkpoint of the run
    #[arg(long, value_name = "best|last", value_parser = kept, requires = "run")]
    checkpoint: Option<Kept>,
    /// A model in a Hugging Face folder or a GGUF file
    #[arg(long, value_name = "FOLDER|FILE.gguf")]
    model: Option<PathBuf>,
    /// Adapters for it, in PEFT's files
    #[arg(long, value_name = "FOLDER", requires = "model")]
    adapters: Option<PathBuf>,
    /// Where to compute: cpu or cuda:0 [default: the run's, or cpu]
    #[arg(long, value_parser = named::<Device>)]
    device: Option<Device>,
    /// In what to compute: f32, bf16 or auto [default: the run's, or f32]
    #[arg(long, value_parser = named::<Precision>)]
    precision: Option<Precision>,
}

/// A model and, where it is that of a run, the run's settings.
pub(crate) struct Opened {
    pub(crate) policy: DecoderPolicy,
    pub(crate) run: Option<TrainConfig>,
}

impl ModelArgs {
    /// The model in another folder or file, computed where this one is.
    pub(crate) fn at(&self, path: PathBuf) -> Self {
        let is_run = path.join("config.toml").is_file();
        let (run, model) = if is_run {
            (Some(path), None)
        } else {
            (None, Some(path))
        };
        Self {
            run,
            model,
            checkpoint: None,
            adapters: None,
            ..*self
        }
    }

    /// Whether something is set that only a model has.
    pub(crate) fn is_set(&self) -> bool {
        self.is_given() || self.device.is_some() || self.precision.is_some()
    }

    /// Whether a model is named.
    pub(crate) fn is_given(&self) -> bool {
        self.run.is_some() || self.model.is_some()
    }

    /// The settings of the run that is named.
    pub(crate) fn run(&self) -> Result<Option<TrainConfig>, Failure> {
        let config = |run| Ok(Run::open(run)?.config().clone());
        self.run.as_ref().map(config).transpose()
    }

    /// Reads the model.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let (source, mut config, run) = match (&self.run, &self.model) {
            (Some(folder), _) => {
                let run = Run::open(folder)?;
                let source = run.model(self.checkpoint.unwrap_or_default())?;
                (
                    source,
                    run.config().policy.clone(),
                    Some(run.config().clone()),
                )
            }
            (None, Some(path)) => self.source(path.clone())?,
            (None, None) => return Err(Failure::NoModel),
        };
        config.device = self.device.unwrap_or(config.device);
        config.precision = self.precision.unwrap_or(config.precision);
        let policy = DecoderPolicy::open(&source, config, std::iter::empty(), 0)?;
        Ok(Opened { policy, run })
    }

    fn source(
        &self,
        path: PathBuf,
    ) -> Result<(ModelSource, DecoderPolicyConfig, Option<TrainConfig>), Failure> {
        let adapters = self.adapters.clone();
        let lora = adapters.as_deref().map(LoraConfig::from_peft).transpose()?;
        let source = if has_ending(&path, "gguf") {
            ModelSource::Gguf { path, adapters }
        } else {
            ModelSource::Folder { path, adapters }
        };
        Ok((
            source,
            DecoderPolicyConfig {
                lora,
                ..Default::default()
            },
            None,
        ))
    }
}

/// Whether a file's name ends so, in capitals or not.
pub(crate) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

fn kept(name: &str) -> Result<Kept, String> {
    match name {
        "best" => Ok(Kept::Best),
        "last" => Ok(Kept::Last),
        _ => Err("best or last is expected".to_owned()),
    }
}

/// Reads a value by the name that it has in files.
pub(crate) fn named<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    let value = T::deserialize(StrDeserializer::<serde::de::value::Error>::new(name));
    value.map_err(|error| error.to_string())
}
