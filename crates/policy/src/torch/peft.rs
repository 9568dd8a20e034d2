//! Adapters in the files of PEFT.

use std::{collections::BTreeMap, path::Path};

use rerec_files::{FileSet, verify};
use serde_json::json;
use tch::Tensor;

use super::{adapters::Adapters, checkpoint};
use crate::{
    LoraConfig, Projection,
    adapter_config::ADAPTER_CONFIG,
    error::{Error, Result},
};

pub(super) const TENSORS: &str = "adapter_model.safetensors";

/// PEFT's names begin with the path to the model within its wrappers.
const PREFIX: &str = "base_model.model.";

/// Writes both files, their names behind `folder`, which is empty or ends with a slash. `base` is where the model lies that they
/// belong to, if that is known.
pub(super) fn put(
    files: &mut FileSet<'_>,
    folder: &str,
    adapters: &Adapters,
    base: Option<&Path>,
) -> Result<()> {
    let config = adapters.config();
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "lora_dropout": config.dropout,
        "target_modules": config.targets,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "modules_to_save": null,
        "use_dora": false,
        "use_rslora": false,
    });
    files.json(&format!("{folder}{ADAPTER_CONFIG}"), &config)?;
    let named: Vec<(String, &Tensor)> = adapters
        .by_name()
        .into_iter()
        .map(|(name, t)| (format!("{PREFIX}{name}"), t))
        .collect();
    let named = named.iter().map(|(name, t)| (name.as_str(), *t));
    checkpoint::put(files, &format!("{folder}{TENSORS}"), named)
}

/// Tensors of the given names and shapes, written for adapters like those of `expected`.
pub(super) fn read(
    folder: &Path,
    expected: &LoraConfig,
    shapes: &BTreeMap<String, Vec<i64>>,
) -> Result<BTreeMap<String, Tensor>> {
    verify(folder, |name| [ADAPTER_CONFIG, TENSORS].contains(&name))?;
    check(folder, expected)?;
    let prefixed = shapes
        .iter()
        .map(|(name, shape)| (format!("{PREFIX}{name}"), shape.clone()))
        .collect();
    let tensors = checkpoint::read(&folder.join(TENSORS), &prefixed)?;
    // Every name has the prefix: exactly those asked for are returned.
    let plain = |(name, t): (String, Tensor)| (name[PREFIX.len()..].to_owned(), t);
    Ok(tensors.into_iter().map(plain).collect())
}

/// Checks that the folder's file describes adapters like those of `expected`.
fn check(folder: &Path, expected: &LoraConfig) -> Result<()> {
    let got = LoraConfig::from_peft(folder)?;
    let names = |targets: &[Projection]| {
        let mut targets = targets.to_vec();
        targets.sort();
        targets
            .into_iter()
            .map(Projection::name)
            .collect::<Vec<_>>()
    };
    let (asked, targets) = (names(&expected.targets), names(&got.targets));
    let differs = if got.rank != expected.rank {
        format!("r must be {}, got {}", expected.rank, got.rank)
    } else if got.alpha != expected.alpha {
        format!("lora_alpha must be {}, got {}", expected.alpha, got.alpha)
    } else if asked != targets {
        format!("target_modules must be {asked:?}, got {targets:?}")
    } else {
        return Ok(());
    };
    Err(Error::InvalidFile {
        path: folder.join(ADAPTER_CONFIG),
        what: differs,
    })
}
