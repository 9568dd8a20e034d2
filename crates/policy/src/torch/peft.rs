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

pub(super) const CONFIG: &str = "adapter_config.json";
pub(super) const TENSORS: &str = "adapter_model.safetensors";

/// PEFT's names begin with the path to the model within its wrappers.
const PREFIX: &str = "base_model.model.";

/// What a key of `adapter_config.json` means here.
enum Meaning {
    /// It is compared with the adapters that are asked for.
    Used,
    /// It changes no number of trained adapters, whatever it says.
    Harmless,
    /// It changes nothing at these values, or null.
    Only(&'static str),
}

use Meaning::{Harmless, Only, Used};

/// Every key of PEFT 0.21.2 and of older versions; one that is not listed may change a number, so it is refused. Values are JSON.
const KEYS: &[(&str, Meaning)] = &[
    ("peft_type", Only(r#"["LORA"]"#)),
    ("r", Used),
    ("lora_alpha", Used),
    ("target_modules", Used),
    ("task_type", Only(r#"["CAUSAL_LM"]"#)),
    ("bias", Only(r#"["none"]"#)),
    // The others change the weights of the model beside which they are trained; PEFT can convert their adapters to plain ones.
    (
        "init_lora_weights",
        Only(r#"[true, false, "gaussian", "eva", "orthogonal"]"#),
    ),
    ("use_rslora", Only("[false]")),
    ("use_dora", Only("[false]")),
    ("use_qalora", Only("[false]")),
    ("use_bdlora", Only("[false]")),
    ("lora_bias", Only("[false]")),
    ("fan_in_fan_out", Only("[false]")),
    ("modules_to_save", Only("[[]]")),
    ("layers_to_transform", Only("[]")),
    ("layers_pattern", Only("[[]]")),
    ("exclude_modules", Only("[[]]")),
    ("rank_pattern", Only("[{}]")),
    ("alpha_pattern", Only("[{}]")),
    ("layer_replication", Only("[]")),
    ("alora_invocation_tokens", Only("[]")),
    ("trainable_token_indices", Only("[]")),
    ("target_parameters", Only("[[]]")),
    ("loftq_config", Only("[{}]")),
    ("corda_config", Only("[{}]")),
    ("lora_ga_config", Only("[{}]")),
    ("kasa_config", Only("[{}]")),
    ("arrow_config", Only("[{}]")),
    ("monteclora_config", Only("[{}]")),
    ("velora_config", Only("[{}]")),
    ("megatron_config", Only("[{}]")),
    ("enable_lora", Only("[]")),
    ("merge_weights", Only("[false]")),
    // Only where the settings above are used, or in training.
    ("eva_config", Harmless),
    ("qalora_group_size", Harmless),
    ("megatron_core", Harmless),
    ("ensure_weight_tying", Harmless),
    ("lora_dropout", Harmless),
    ("inference_mode", Harmless),
    ("runtime_config", Harmless),
    ("auto_mapping", Harmless),
    ("base_model_name_or_path", Harmless),
    ("revision", Harmless),
    ("peft_version", Harmless),
];

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
    for (key, value) in json.iter().filter(|(_, value)| !value.is_null()) {
        match KEYS.iter().find(|(name, _)| name == key) {
            Some((_, Used | Harmless)) => {}
            Some((_, Only(allowed))) => {
                let list: Vec<Value> = serde_json::from_str(allowed).unwrap_or_default();
                if !list.contains(value) {
                    return fault(key, &meant(&list));
                }
            }
            None => {
                let allowed = "a key that is known here; take it out if it changes no number of the adapters";
                return fault(key, allowed);
            }
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

/// The values that a key may have, for a message.
fn meant(values: &[Value]) -> String {
    let values: Vec<String> = values.iter().map(Value::to_string).collect();
    match values.is_empty() {
        true => "null".to_owned(),
        false => values.join(" or "),
    }
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
