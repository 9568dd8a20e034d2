//! Adapters in the files of PEFT.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rerec_files::{FileSet, read_json, verify};
use serde_json::{Map, Value, json};
use tch::Tensor;

use super::{adapters::Adapters, checkpoint};
use crate::{
    LoraConfig, Projection,
    error::{Error, Result},
};

const CONFIG: &str = "adapter_config.json";
const TENSORS: &str = "adapter_model.safetensors";

/// PEFT's names begin with the path to the model within its wrappers.
const PREFIX: &str = "base_model.model.";

/// Settings of PEFT that would compute something else, with the values that mean the same as here.
fn fixed() -> [(&'static str, Vec<Value>); 9] {
    let off = || vec![Value::Null, json!(false)];
    let empty = || vec![Value::Null, json!({})];
    [
        ("peft_type", vec![json!("LORA")]),
        ("bias", vec![json!("none")]),
        ("use_rslora", off()),
        ("use_dora", off()),
        ("fan_in_fan_out", off()),
        ("modules_to_save", vec![Value::Null, json!([])]),
        ("layers_to_transform", vec![Value::Null]),
        ("rank_pattern", empty()),
        ("alpha_pattern", empty()),
    ]
}

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
    files.json(&format!("{folder}{CONFIG}"), &config)?;
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
    verify(folder, |name| [CONFIG, TENSORS].contains(&name))?;
    check(&folder.join(CONFIG), expected)?;
    let prefixed = shapes
        .iter()
        .map(|(name, shape)| (format!("{PREFIX}{name}"), shape.clone()))
        .collect();
    let tensors = checkpoint::read(&folder.join(TENSORS), &prefixed)?;
    // Every name has the prefix: exactly those asked for are returned.
    let plain = |(name, t): (String, Tensor)| (name[PREFIX.len()..].to_owned(), t);
    Ok(tensors.into_iter().map(plain).collect())
}

/// Checks that the file describes adapters like those of `expected`.
fn check(path: &Path, expected: &LoraConfig) -> Result<()> {
    let json: Map<String, Value> = read_json(path)?;
    let fault = |name: &str, allowed: &str| {
        let value = json.get(name).unwrap_or(&Value::Null);
        Err(Error::InvalidFile {
            path: path.to_owned(),
            what: format!("{name} must be {allowed}, got {value}"),
        })
    };
    // Absent keys pass, since older versions of PEFT do not write all of them.
    for (name, allowed) in fixed() {
        if !allowed.contains(json.get(name).unwrap_or(&allowed[0])) {
            return fault(name, &allowed[0].to_string());
        }
    }
    let number = |name: &str| json.get(name).and_then(Value::as_f64);
    if number("r") != Some(expected.rank as f64) {
        return fault("r", &expected.rank.to_string());
    }
    if number("lora_alpha") != Some(expected.alpha) {
        return fault("lora_alpha", &expected.alpha.to_string());
    }
    let expected: BTreeSet<&str> = expected.targets.iter().map(|t| t.name()).collect();
    if targets(json.get("target_modules")) != expected {
        let expected: Vec<&str> = expected.into_iter().collect();
        return fault("target_modules", &format!("{expected:?}"));
    }
    Ok(())
}

fn targets(value: Option<&Value>) -> BTreeSet<&str> {
    match value {
        // PEFT's word for every linear layer but the output head, which are the seven projections.
        Some(Value::String(all)) if all == "all-linear" => {
            Projection::ALL.map(Projection::name).into()
        }
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}
