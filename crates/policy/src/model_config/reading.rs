//! From `config.json` to a [`ModelConfig`]: what cannot be computed here is named first, then the gaps are filled.

use serde_json::{Map, Value};

use super::{ModelConfig, known};
use crate::{Architecture, rope_scaling};

/// Keys that count experts, or size them.
const EXPERTS: [&str; 6] = [
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "moe_intermediate_size",
    "num_experts_per_tok",
    "moe_num_experts",
];

/// Reads the object of a `config.json`.
///
/// # Errors
/// Names the key and what it may be.
pub(super) fn read(json: Value) -> Result<ModelConfig, String> {
    let mut json = json;
    if let Some(config) = json.as_object_mut() {
        let architecture = architecture(config)?;
        check_weights(config)?;
        rope_scaling::unify(config)?;
        fill(config, architecture);
        known::check(config, architecture)?;
        check_window(config, architecture)?;
        fill_no_rope_layers(config, architecture)?;
    }
    serde_path_to_error::deserialize(json).map_err(|e| e.to_string())
}

/// The family, before anything else is asked of a file that may be of another.
fn architecture(config: &Map<String, Value>) -> Result<Architecture, String> {
    let supported = Architecture::names();
    let Some(name) = config.get("model_type").filter(|name| !name.is_null()) else {
        return Err(format!("model_type is missing; supported are {supported}"));
    };
    let known = name.as_str().and_then(Architecture::from_name);
    let architecture =
        known.ok_or_else(|| format!("model_type must be one of {supported}, got {name}"))?;
    let class = architecture.family().class;
    match config.get("architectures") {
        None | Some(Value::Null) => {}
        Some(Value::Array(classes)) if classes.is_empty() => {}
        Some(Value::Array(classes)) if classes.iter().any(|one| one == class) => {}
        Some(other) => return Err(format!("architectures must be [{class:?}], got {other}")),
    }
    Ok(architecture)
}

/// Kinds of weights that are not read at all.
fn check_weights(config: &Map<String, Value>) -> Result<(), String> {
    let counts = |value: &Value| !value.is_null() && value.as_f64().is_none_or(|count| count > 1.0);
    for key in EXPERTS {
        if let Some(value) = config.get(key).filter(|value| counts(value)) {
            return Err(format!(
                "{key} is {value}: mixtures of experts are not read; supported are dense models of {}",
                Architecture::names()
            ));
        }
    }
    for key in ["quantization_config", "compression_config"] {
        if let Some(value) = config.get(key).filter(|value| !value.is_null()) {
            let method = &value["quant_method"];
            return Err(format!(
                "{key} asks for weights quantised by {method}, which are not read; supported are f32, bf16 and f16, and GGUF \
                 files: load the model that was not quantised"
            ));
        }
    }
    Ok(())
}

/// Fills in what transformers would. Null means absent, as it does there for the keys that may be null.
fn fill(config: &mut Map<String, Value>, architecture: Architecture) {
    let Value::Object(defaults) = architecture.defaults() else {
        return;
    };
    for (key, value) in defaults {
        let has = match key.as_str() {
            // A null that is written means something: no window, a width that follows from the others.
            "sliding_window" | "head_dim" | "num_key_value_heads" => config.contains_key(&key),
            _ => config.get(&key).is_some_and(|value| !value.is_null()),
        };
        if !has && !value.is_null() {
            config.insert(key, value);
        }
    }
    if config.get("num_key_value_heads").is_none_or(Value::is_null)
        && let Some(heads) = config.get("num_attention_heads").cloned()
    {
        config.insert("num_key_value_heads".to_owned(), heads);
    }
}

/// Sliding windows are not computed, so one that is in use has to be too wide to bind.
fn check_window(config: &Map<String, Value>, architecture: Architecture) -> Result<(), String> {
    let window = &config.get("sliding_window").unwrap_or(&Value::Null);
    let number = |key: &str| config.get(key).and_then(Value::as_f64);
    let positions = number("max_position_embeddings").unwrap_or(f64::INFINITY);
    let binds = match window {
        Value::Null => false,
        window => window.as_f64().is_none_or(|window| window < positions),
    };
    if !uses_window(config, architecture)? || !binds {
        return Ok(());
    }
    Err(format!(
        "sliding_window must be null or at least max_position_embeddings {positions}, got {window}: windows are not computed; \
         with max_position_embeddings of {window} the model reads no more than its window, and is the same"
    ))
}

fn uses_window(config: &Map<String, Value>, architecture: Architecture) -> Result<bool, String> {
    let by_default = architecture.family().window_by_default;
    let number = |key: &str| config.get(key).and_then(Value::as_f64);
    let some_slide = match config.get("layer_types") {
        None | Some(Value::Null) => None,
        Some(kinds) => Some(some_slide(kinds)?),
    };
    match config.get("use_sliding_window") {
        // Where the layers are listed, the list decides; Llama and Mistral do not read it.
        _ if some_slide.is_some() && !by_default => Ok(some_slide == Some(true)),
        None | Some(Value::Null) => Ok(by_default),
        Some(Value::Bool(used)) => {
            // The first layers of Qwen see everything.
            let full = number("max_window_layers").zip(number("num_hidden_layers"));
            Ok(*used && (by_default || full.is_none_or(|(full, layers)| full < layers)))
        }
        Some(other) => Err(format!(
            "use_sliding_window must be true or false, got {other}"
        )),
    }
}

/// Whether a layer has a sliding window.
fn some_slide(kinds: &Value) -> Result<bool, String> {
    let kinds_of = |kind: &Value| kind == "full_attention" || kind == "sliding_attention";
    match kinds.as_array() {
        Some(list) if list.iter().all(kinds_of) => {
            Ok(list.iter().any(|kind| kind == "sliding_attention"))
        }
        _ => Err(format!(
            "layer_types must be \"full_attention\" or \"sliding_attention\" for each layer, got {kinds}"
        )),
    }
}

/// SmolLM3 says for each layer whether it knows positions, or leaves it out of every so many layers.
fn fill_no_rope_layers(
    config: &mut Map<String, Value>,
    architecture: Architecture,
) -> Result<(), String> {
    let is_given = config
        .get("no_rope_layers")
        .is_some_and(|list| !list.is_null());
    if !architecture.family().no_rope_layers || is_given {
        return Ok(());
    }
    let interval = match config.get("no_rope_layer_interval") {
        None | Some(Value::Null) => 4,
        Some(value) => value
            .as_u64()
            .filter(|interval| *interval >= 1)
            .ok_or_else(|| {
                format!("no_rope_layer_interval must be a whole number above 0, got {value}")
            })?,
    };
    let layers = config["num_hidden_layers"].as_u64().unwrap_or_default();
    // More than can be is refused later, before memory is set aside for it.
    let layers = layers.min(super::MAX_LAYERS as u64);
    let knows = (1..=layers).map(|layer| u8::from(!layer.is_multiple_of(interval)));
    config.insert("no_rope_layers".to_owned(), knows.collect());
    Ok(())
}
