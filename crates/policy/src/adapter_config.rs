//! The settings of adapters as PEFT writes them.

use std::path::Path;

use rerec_files::read_json;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::{LoraConfig, Projection};

/// The settings that this crate has too.
#[derive(Deserialize)]
struct AdapterConfig {
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    target_modules: Targets,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Targets {
    All(String),
    Named(Vec<String>),
}

impl LoraConfig {
    /// The settings under which adapters in PEFT's files can be loaded: rank, alpha, dropout and targets of `adapter_config.json`.
    /// Loading checks all of the file.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a target that is none of the seven projections; a file that cannot be read.
    pub fn from_adapter(folder: &Path) -> Result<Self> {
        let path = folder.join("adapter_config.json");
        let config: AdapterConfig = read_json(&path)?;
        let fault = |what: String| Error::InvalidFile {
            path: path.clone(),
            what,
        };
        let projection = |name: &String| {
            let known = Projection::ALL.into_iter().find(|one| one.name() == name);
            known.ok_or_else(|| {
                fault(format!(
                    "target_modules: {name:?} is no projection of these decoders"
                ))
            })
        };
        let targets = match &config.target_modules {
            // PEFT's word for every linear layer but the output head.
            Targets::All(all) if all == "all-linear" => Projection::ALL.to_vec(),
            Targets::All(name) => vec![projection(name)?],
            Targets::Named(names) => names.iter().map(projection).collect::<Result<_>>()?,
        };
        Ok(Self {
            rank: config.r,
            alpha: config.lora_alpha,
            dropout: config.lora_dropout,
            targets,
            seed: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<LoraConfig, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("adapter_config.json"), json).unwrap();
        LoraConfig::from_adapter(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_settings_of_the_file_are_those_of_the_adapters() {
        let config = read(
            r#"{"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"], "bias": "none"}"#,
        )
        .unwrap();
        assert_eq!((config.rank, config.alpha, config.dropout), (8, 16.0, 0.0));
        assert_eq!(config.targets, [Projection::QProj, Projection::VProj]);
        let all = read(
            r#"{"r": 8, "lora_alpha": 16, "lora_dropout": 0.1, "target_modules": "all-linear"}"#,
        )
        .unwrap();
        assert_eq!((all.targets.len(), all.dropout), (7, 0.1));
        let other =
            read(r#"{"r": 8, "lora_alpha": 16, "target_modules": ["lm_head"]}"#).unwrap_err();
        assert!(
            other.ends_with("target_modules: \"lm_head\" is no projection of these decoders"),
            "{other}"
        );
    }
}
