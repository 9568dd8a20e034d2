//! Adapters as PEFT describes them: `adapter_config.json`.

use std::path::Path;

use rerec_files::read_json;
use serde_json::{Map, Value};

use crate::{
    LoraConfig, Projection,
    error::{Error, Result},
};

pub(crate) const ADAPTER_CONFIG: &str = "adapter_config.json";

/// What a key of `adapter_config.json` means here.
enum Meaning {
    /// It is read.
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

impl LoraConfig {
    /// Reads rank, alpha, dropout and targets of the adapters in a folder that PEFT wrote, for a policy that is to load them.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::InvalidFile`] with the key of what is not supported or not known.
    pub fn from_peft(folder: &Path) -> Result<Self> {
        let path = folder.join(ADAPTER_CONFIG);
        let json: Map<String, Value> = read_json(&path)?;
        let fault = |what: String| Error::InvalidFile {
            path: path.clone(),
            what,
        };
        check_keys(&json).map_err(fault)?;
        Self::of_keys(&json).map_err(fault)
    }

    fn of_keys(json: &Map<String, Value>) -> Result<Self, String> {
        let default = Self::default();
        let rank = required(json, "r", Value::as_u64)?;
        Ok(Self {
            rank: usize::try_from(rank).map_err(|_| format!("r is too large, got {rank}"))?,
            alpha: required(json, "lora_alpha", Value::as_f64)?,
            dropout: match json.get("lora_dropout") {
                None | Some(Value::Null) => 0.0,
                Some(_) => required(json, "lora_dropout", Value::as_f64)?,
            },
            targets: targets(json.get("target_modules").unwrap_or(&Value::Null))?,
            ..default
        })
    }
}

fn required<T>(
    json: &Map<String, Value>,
    key: &str,
    read: fn(&Value) -> Option<T>,
) -> Result<T, String> {
    let value = json.get(key).unwrap_or(&Value::Null);
    read(value).ok_or_else(|| format!("{key} must be a number, got {value}"))
}

/// Refuses what is not known to be harmless. Absent keys pass, since older versions of PEFT do not write all of them.
fn check_keys(json: &Map<String, Value>) -> Result<(), String> {
    for (key, value) in json.iter().filter(|(_, value)| !value.is_null()) {
        let allowed = match KEYS.iter().find(|(name, _)| name == key) {
            Some((_, Used | Harmless)) => continue,
            Some((_, Only(allowed))) => allowed,
            None => {
                return Err(format!(
                    "{key} must be a key that is known here, got {value}; take it out if it changes no number of the adapters"
                ));
            }
        };
        let allowed: Vec<Value> = serde_json::from_str(allowed).unwrap_or_default();
        if !allowed.contains(value) {
            return Err(format!("{key} must be {}, got {value}", meant(&allowed)));
        }
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

/// In the order of [`Projection::ALL`].
fn targets(value: &Value) -> Result<Vec<Projection>, String> {
    let names: Vec<&str> = match value {
        // PEFT's word for every linear layer but the output head, which are the seven projections.
        Value::String(all) if all == "all-linear" => return Ok(Projection::ALL.to_vec()),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let named = |one: &Projection| names.contains(&one.name());
    let targets: Vec<Projection> = Projection::ALL.into_iter().filter(named).collect();
    let is_known = |name: &&str| targets.iter().any(|one| one.name() == *name);
    let count = value.as_array().map_or(0, Vec::len);
    if targets.is_empty() || names.len() != count || !names.iter().all(is_known) {
        let all = Projection::ALL.map(Projection::name);
        return Err(format!(
            "target_modules must be \"all-linear\" or some of {all:?}, got {value}"
        ));
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: Value) -> Result<LoraConfig, String> {
        let json: Map<String, Value> = serde_json::from_value(json).unwrap();
        check_keys(&json)?;
        LoraConfig::of_keys(&json)
    }

    #[test]
    fn settings_are_read_and_others_refused_by_name() {
        let plain = json!({
            "peft_type": "LORA", "r": 4, "lora_alpha": 6, "target_modules": ["v_proj", "q_proj"], "lora_dropout": 0.1,
            "loftq_config": {}, "rank_pattern": {}, "modules_to_save": null, "task_type": "CAUSAL_LM"
        });
        let lora = read(plain.clone()).unwrap();
        assert_eq!((lora.rank, lora.alpha, lora.dropout), (4, 6.0, 0.1));
        assert_eq!(lora.targets, [Projection::QProj, Projection::VProj]);
        for (key, value, expected) in [
            ("r", json!(-1), "r must be a number, got -1"),
            (
                "peft_type",
                json!("LOHA"),
                "peft_type must be \"LORA\", got \"LOHA\"",
            ),
            (
                "use_rslora",
                json!(true),
                "use_rslora must be false, got true",
            ),
            (
                "init_lora_weights",
                json!("pissa_niter_4"),
                "init_lora_weights must be true or",
            ),
            (
                "alora_invocation_tokens",
                json!([1]),
                "alora_invocation_tokens must be null, got [1]",
            ),
            (
                "rank_pattern",
                json!({ "q_proj": 8 }),
                "rank_pattern must be {}, got",
            ),
            (
                "task_type",
                json!("SEQ_CLS"),
                "task_type must be \"CAUSAL_LM\"",
            ),
            (
                "new_key",
                json!(1),
                "new_key must be a key that is known here, got 1",
            ),
            (
                "target_modules",
                json!(["q_proj", "lm_head"]),
                "or some of [\"q_proj\", \"k_proj\"",
            ),
            (
                "target_modules",
                json!(".*q_proj"),
                "target_modules must be \"all-linear\"",
            ),
        ] {
            let mut changed = plain.clone();
            changed[key] = value;
            let refused = read(changed).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
