//! A model out of a GGUF file: configuration, weights and tokenizer under the names of Hugging Face.

mod known;
mod meta;
mod rope;
mod tokenizer;

use std::collections::BTreeMap;

use serde_json::Map;
use tch::{Kind, Tensor};

use self::meta::Meta;
pub(super) use self::rope::DIVISORS;
pub(super) use self::tokenizer::{ADDED, CONTROL, NORMAL, UNUSED, pre_tokenizer_names, tokenizer};
use super::{placement::Placement, weights::Weights};
use crate::{Architecture, GgufFile, ModelConfig, error::Result};

/// The shape of the file's model.
pub(super) fn config(file: &GgufFile) -> Result<ModelConfig> {
    let meta = Meta(file);
    let family = family(&meta)?;
    let architecture = family.name();
    known::check(&meta, architecture)?;
    let own = |key: &str| format!("{architecture}.{key}");
    let has = |name: &str| file.tensors().contains_key(name);
    let heads = meta.number(&own("attention.head_count"))?;
    let vocab_size = file
        .tensors()
        .get("token_embd.weight")
        .and_then(|t| t.shape.first().copied())
        .ok_or_else(|| file.fault("token_embd.weight", "is missing"))?;
    let mut config = ModelConfig {
        model_type: family,
        vocab_size,
        hidden_size: meta.number(&own("embedding_length"))?,
        intermediate_size: meta.number(&own("feed_forward_length"))?,
        num_hidden_layers: meta.number(&own("block_count"))?,
        num_attention_heads: heads,
        num_key_value_heads: meta
            .optional(&own("attention.head_count_kv"))?
            .unwrap_or(heads),
        head_dim: meta.optional(&own("attention.key_length"))?,
        rms_norm_eps: meta.float(&own("attention.layer_norm_rms_epsilon"))?,
        rope_theta: meta
            .optional_float(&own("rope.freq_base"))?
            .unwrap_or(10_000.0),
        rope_scaling: None,
        attention_bias: has("blk.0.attn_output.bias"),
        mlp_bias: has("blk.0.ffn_down.bias"),
        no_rope_layers: None,
        multipliers: Default::default(),
        tie_word_embeddings: !file.tensors().contains_key("output.weight"),
        max_position_embeddings: meta.number(&own("context_length"))?,
        // The file does not say it, and no weight of a loaded model is drawn.
        initializer_range: 0.02,
        rest: Map::new(),
    };
    config.validate()?;
    let (head, theta) = (config.head_width(), config.rope_theta);
    config.rope_scaling = rope::scaling(&meta, architecture, head, theta)?;
    config.validate()?;
    check_shape_of(&meta, &config)?;
    Ok(config)
}

/// The family, and that the file holds a whole dense model of it, before anything else is asked of it.
fn family(meta: &Meta<'_>) -> Result<Architecture> {
    let name = meta.text("general.architecture")?;
    let known = FAMILIES.into_iter().find(|one| one.name() == name);
    let family = known.ok_or_else(|| {
        let supported = FAMILIES.map(Architecture::name).join(", ");
        let allowed = format!("one of {supported}, got {name:?}");
        meta.fault("general.architecture", &allowed)
    })?;
    match meta.optional_text("general.type")? {
        None | Some("model") => {}
        Some(other) => return Err(meta.fault("general.type", &format!("model, got {other:?}"))),
    }
    let experts = format!("{name}.expert_count");
    for (key, most, allowed) in [
        (experts.as_str(), 0, "0: mixtures of experts are not read"),
        (
            "split.count",
            1,
            "1: files of a split model are not read; merge them into one",
        ),
    ] {
        if let Some(count) = meta.optional(key)?.filter(|count| *count > most) {
            return Err(meta.fault(key, &format!("{allowed}, got {count}")));
        }
    }
    Ok(family)
}

/// Those whose tensors llama.cpp's converter is known to keep or to permute in the ways that are undone here.
const FAMILIES: [Architecture; 3] = [
    Architecture::Llama,
    Architecture::Qwen2,
    Architecture::Qwen3,
];

/// What the file says a second time has to agree.
fn check_shape_of(meta: &Meta<'_>, config: &ModelConfig) -> Result<()> {
    let head = config.head_width();
    for (key, expected) in [
        ("vocab_size", config.vocab_size),
        ("attention.value_length", head),
        ("rope.dimension_count", head),
    ] {
        let key = format!("{}.{key}", config.model_type.name());
        if let Some(got) = meta.optional(&key)?.filter(|got| *got != expected) {
            return Err(meta.fault(&key, &format!("{expected}, got {got}")));
        }
    }
    let (key, context) = (
        format!("{}.attention.sliding_window", config.model_type.name()),
        config.max_position_embeddings,
    );
    match meta.optional(&key)? {
        // A window of 0 is none.
        Some(window) if window != 0 && window < context => {
            Err(meta.fault(&key, &format!("at least {context}, got {window}")))
        }
        _ => Ok(()),
    }
}

/// The file's weights, dequantised.
pub(super) fn weights(
    file: &GgufFile,
    config: &ModelConfig,
    placement: Placement,
) -> Result<Weights> {
    let shapes: BTreeMap<String, Vec<i64>> = Weights::shapes(config)
        .into_iter()
        .map(|(name, shape)| (stored_name(&name), shape))
        .collect();
    let is_used = |name: &String| shapes.contains_key(name) || name == rope::DIVISORS;
    if let Some(name) = file.tensors().keys().find(|name| !is_used(name)) {
        return Err(file.fault(name, "is not part of the model that the metadata describes"));
    }
    for (name, shape) in &shapes {
        check_shape(file, name, shape)?;
    }
    Weights::fill(config, placement, |name, shape| {
        let tensor = Tensor::f_from_slice(&file.read(&stored_name(name))?)?.f_view(shape)?;
        match interleaved_heads(name, config) {
            Some(heads) => halves(&tensor, heads),
            None => Ok(tensor),
        }
    })
}

/// Before memory is set aside for what a configuration claims.
fn check_shape(file: &GgufFile, stored: &str, shape: &[i64]) -> Result<()> {
    let tensor = file.tensors().get(stored);
    let tensor = tensor.ok_or_else(|| file.fault(stored, "is missing"))?;
    let got: Vec<i64> = tensor.shape.iter().map(|&d| d as i64).collect();
    if got != shape {
        return Err(file.fault(stored, format!("is {got:?}, expected {shape:?}")));
    }
    Ok(())
}

/// `model.layers.3.self_attn.q_proj.weight` is `blk.3.attn_q.weight` there.
pub(super) fn stored_name(name: &str) -> String {
    let renamed = [
        ("model.embed_tokens.", "token_embd."),
        ("model.norm.", "output_norm."),
        ("lm_head.", "output."),
        ("model.layers.", "blk."),
        ("input_layernorm.", "attn_norm."),
        ("post_attention_layernorm.", "ffn_norm."),
        ("self_attn.o_proj.", "attn_output."),
        ("self_attn.q_norm.", "attn_q_norm."),
        ("self_attn.k_norm.", "attn_k_norm."),
        ("self_attn.q_proj.", "attn_q."),
        ("self_attn.k_proj.", "attn_k."),
        ("self_attn.v_proj.", "attn_v."),
        ("mlp.gate_proj.", "ffn_gate."),
        ("mlp.up_proj.", "ffn_up."),
        ("mlp.down_proj.", "ffn_down."),
    ];
    renamed
        .iter()
        .fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// Heads of a tensor whose rows alternate between the two halves of the rotary embedding, as Llama's queries and keys do there;
/// Mistral is Llama to llama.cpp.
pub(super) fn interleaved_heads(name: &str, config: &ModelConfig) -> Option<usize> {
    let is_llama = matches!(
        config.model_type,
        Architecture::Llama | Architecture::Mistral
    );
    match name {
        _ if !is_llama => None,
        _ if name.contains(".q_proj.") => Some(config.num_attention_heads),
        _ if name.contains(".k_proj.") => Some(config.num_key_value_heads),
        _ => None,
    }
}

/// Rows (head, pair, half) as (head, half, pair).
fn halves(tensor: &Tensor, heads: usize) -> Result<Tensor> {
    // llama.cpp turns neighbouring rows as pairs, Hugging Face rows half a head apart: its converter permuted Llama's queries and
    // keys, and this undoes it.
    let pairs = tensor.size()[0] / heads as i64 / 2;
    turned(tensor, [heads as i64, pairs, 2])
}

/// Rows (head, half, pair) as (head, pair, half): what [`halves`] undoes.
pub(super) fn interleaved(tensor: &Tensor, heads: usize) -> Result<Tensor> {
    let pairs = tensor.size()[0] / heads as i64 / 2;
    turned(tensor, [heads as i64, 2, pairs])
}

/// The rows, numbered by three indices, with the last two exchanged.
fn turned(tensor: &Tensor, [first, second, third]: [i64; 3]) -> Result<Tensor> {
    let size = tensor.size();
    let rest = size[1..].iter().product::<i64>();
    let turned = tensor
        .f_view([first, second, third, rest])?
        .f_transpose(1, 2)?
        .f_contiguous()?;
    Ok(turned.f_view(size.as_slice())?.f_to_kind(Kind::Float)?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::RopeScaling;

    fn put_text(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }

    /// Type and value; lists of texts and of i32 only.
    fn put(bytes: &mut Vec<u8>, value: &Value) {
        let mut put = |kind: u32, value: &[u8]| {
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        };
        match value {
            Value::String(text) => {
                put(8, &[]);
                put_text(bytes, text);
            }
            Value::Number(number) if number.is_f64() => {
                put(12, &number.as_f64().unwrap().to_le_bytes());
            }
            Value::Number(number) => put(10, &number.as_u64().unwrap().to_le_bytes()),
            Value::Array(values) => {
                let kind = if values[0].is_string() { 8u32 } else { 5 };
                put(9, &kind.to_le_bytes());
                bytes.extend((values.len() as u64).to_le_bytes());
                for value in values {
                    match value {
                        Value::String(text) => put_text(bytes, text),
                        other => bytes.extend((other.as_i64().unwrap() as i32).to_le_bytes()),
                    }
                }
            }
            other => panic!("{other} is not written"),
        }
    }

    /// A file without tensors.
    pub(super) fn file(metadata: &Value) -> GgufFile {
        let entries = metadata.as_object().unwrap();
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend((entries.len() as u64).to_le_bytes());
        for (key, value) in entries {
            put_text(&mut bytes, key);
            put(&mut bytes, value);
        }
        let on_disk = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(on_disk.path(), bytes).unwrap();
        GgufFile::open(on_disk.path()).unwrap()
    }

    #[test]
    fn stretched_rotary_frequencies_are_read_or_refused() {
        let read = |metadata: Value| rope::scaling(&Meta(&file(&metadata)), "llama", 8, 1e4);
        assert_eq!(read(json!({ "other": 1 })).unwrap(), None);
        let linear = Some(RopeScaling::Linear { factor: 4.0 });
        for metadata in [
            json!({ "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0 }),
            json!({ "llama.rope.scaling.factor": 4.0 }),
            json!({ "llama.rope.scale_linear": 4.0 }),
        ] {
            assert_eq!(read(metadata).unwrap(), linear);
        }
        let none = json!({ "llama.rope.scaling.type": "none", "llama.rope.scaling.factor": 4.0 });
        assert_eq!(read(none).unwrap(), None);
        let refused = read(json!({ "llama.rope.scaling.type": "longrope" })).unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused
                .contains("llama.rope.scaling.type must be none, linear or yarn, got \"longrope\""),
            "{refused}"
        );
    }
}
