//! A model out of a GGUF file: configuration, weights and tokenizer under the names of Hugging Face.

use serde_json::{Map, Value, json};
use tch::{Kind, Tensor};
use tokenizers::Tokenizer as HfTokenizer;

use super::{
    placement::Placement,
    tokenizer::{Tokenizer, tokenizer_class},
    weights::Weights,
};
use crate::{
    Architecture, GgufFile, GgufValue, ModelConfig, RopeScaling,
    error::{Error, Result},
};

/// The shape of the file's model.
pub(super) fn config(file: &GgufFile) -> Result<ModelConfig> {
    let meta = Meta(file);
    let architecture = meta.text("general.architecture")?;
    let own = |key: &str| format!("{architecture}.{key}");
    let heads = meta.number(&own("attention.head_count"))?;
    let vocab_size = file
        .tensors()
        .get("token_embd.weight")
        .and_then(|t| t.shape.first().copied())
        .ok_or_else(|| file.fault("token_embd.weight", "is missing"))?;
    let config = ModelConfig {
        model_type: Architecture::from_name(architecture).ok_or_else(|| {
            meta.fault(
                "general.architecture",
                &format!("llama, qwen2 or qwen3, got {architecture:?}"),
            )
        })?,
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
        rope_theta: match file.metadata().contains_key(&own("rope.freq_base")) {
            true => meta.float(&own("rope.freq_base"))?,
            false => 10_000.0,
        },
        rope_scaling: rope_scaling(&meta, &own("rope.scaling"))?,
        tie_word_embeddings: !file.tensors().contains_key("output.weight"),
        max_position_embeddings: meta.number(&own("context_length"))?,
        // The file does not say it, and no weight of a loaded model is drawn.
        initializer_range: 0.02,
        rest: Map::new(),
    };
    config.validate()?;
    Ok(config)
}

/// Llama 3's stretching is stored as one divisor for each frequency; the largest is its factor. The other settings are those of
/// every model of that family. Other kinds are named under `key`.
fn rope_scaling(meta: &Meta<'_>, key: &str) -> Result<Option<RopeScaling>> {
    const NAME: &str = "rope_freqs.weight";
    if meta.0.tensors().contains_key(NAME) {
        let factor = meta.0.read(NAME)?.into_iter().fold(1.0f32, f32::max);
        return Ok(Some(RopeScaling::Llama3 {
            factor: factor.into(),
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192.0,
        }));
    }
    let kind = format!("{key}.type");
    match meta.optional_text(&kind)? {
        None | Some("none") => Ok(None),
        Some("linear") => Ok(Some(RopeScaling::Linear {
            factor: meta.float(&format!("{key}.factor"))?,
        })),
        Some(other) => Err(meta.fault(&kind, &format!("none or linear, got {other:?}"))),
    }
}

/// The file's weights, dequantised.
pub(super) fn weights(
    file: &GgufFile,
    config: &ModelConfig,
    placement: Placement,
) -> Result<Weights> {
    for (name, shape) in Weights::shapes(config) {
        check_shape(file, &stored_name(&name), &shape)?;
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
fn stored_name(name: &str) -> String {
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

/// Heads of a tensor whose rows alternate between the two halves of the rotary embedding, as Llama's queries and keys do there.
fn interleaved_heads(name: &str, config: &ModelConfig) -> Option<usize> {
    match name {
        _ if config.model_type != Architecture::Llama => None,
        _ if name.contains(".q_proj.") => Some(config.num_attention_heads),
        _ if name.contains(".k_proj.") => Some(config.num_key_value_heads),
        _ => None,
    }
}

/// Rows (head, pair, half) as (head, half, pair).
fn halves(tensor: &Tensor, heads: usize) -> Result<Tensor> {
    // llama.cpp turns neighbouring rows as pairs, Hugging Face rows half a head apart: its converter permuted Llama's queries and
    // keys, and this undoes it.
    let size = tensor.size();
    let rest = size[1..].iter().product::<i64>();
    let pairs = size[0] / heads as i64 / 2;
    let turned = tensor
        .f_view([heads as i64, pairs, 2, rest])?
        .f_transpose(1, 2)?
        .f_contiguous()?;
    Ok(turned.f_view(size.as_slice())?.f_to_kind(Kind::Float)?)
}

/// The file's tokenizer with its chat template.
pub(super) fn tokenizer(file: &GgufFile) -> Result<Tokenizer> {
    let meta = Meta(file);
    let model = meta.text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(meta.fault(
            "tokenizer.ggml.model",
            &format!("gpt2, a byte-level BPE, got {model:?}"),
        ));
    }
    let tokens = meta.texts("tokenizer.ggml.tokens")?;
    let json = tokenizer_json(&meta, &tokens)?;
    let inner: HfTokenizer = json.to_string().parse().map_err(Error::Tokenizer)?;
    let token = |key: &str| -> Result<Option<&str>> {
        let id = meta.optional(key)?;
        let text = |id: usize| {
            let text = tokens.get(id).copied();
            text.ok_or_else(|| meta.fault(key, &format!("below {}, got {id}", tokens.len())))
        };
        id.map(text).transpose()
    };
    let eos = token("tokenizer.ggml.eos_token_id")?
        .ok_or_else(|| meta.fault("tokenizer.ggml.eos_token_id", "given"))?;
    // A turn of a conversation may end otherwise than a text.
    let end_of_turn = token("tokenizer.ggml.eot_token_id")?.unwrap_or(eos);
    let template = meta.optional_text("tokenizer.chat_template")?;
    let bos = token("tokenizer.ggml.bos_token_id")?;
    let mut side_car = tokenizer_class(token("tokenizer.ggml.padding_token_id")?.unwrap_or(eos));
    side_car.insert("chat_template".to_owned(), template.into());
    side_car.insert("eos_token".to_owned(), end_of_turn.into());
    side_car.insert("bos_token".to_owned(), bos.into());
    let end_of_text = inner.token_to_id(eos);
    Tokenizer::from_parts(inner, side_car.into(), end_of_text.as_slice(), file.path())
}

/// What `tokenizer.json` says of these tokens.
fn tokenizer_json(meta: &Meta<'_>, tokens: &[&str]) -> Result<Value> {
    let pre = meta
        .optional_text("tokenizer.ggml.pre")?
        .unwrap_or("default");
    let vocabulary: Map<String, Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), id.into()))
        .collect();
    let merges: Vec<&str> = meta.texts("tokenizer.ggml.merges")?;
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(meta, tokens)?,
        "normalizer": (pre == "qwen2").then(|| json!({ "type": "NFC" })),
        "pre_tokenizer": pre_tokenizer(meta, pre)?,
        // The chat template writes every special token; a post-processor would add another at the beginning.
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": merges,
            // Llama 3 takes a word that is a token as it is, whatever the merges would make of it.
            "ignore_merges": matches!(pre, "llama-bpe" | "llama3")
        }
    }))
}

/// Control tokens (type 3), which no text stands for, and tokens a user added (type 4).
fn added_tokens(meta: &Meta<'_>, tokens: &[&str]) -> Result<Vec<Value>> {
    let kinds = meta.array("tokenizer.ggml.token_type")?;
    let added = tokens.iter().zip(kinds).enumerate();
    Ok(added
        .filter_map(|(id, (token, kind))| {
            let special = match kind {
                GgufValue::Signed(3) | GgufValue::Unsigned(3) => true,
                GgufValue::Signed(4) | GgufValue::Unsigned(4) => false,
                _ => return None,
            };
            Some(json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                "special": special
            }))
        })
        .collect())
}

/// How text is cut before the merges, by the name llama.cpp gives it.
fn pre_tokenizer(meta: &Meta<'_>, name: &str) -> Result<Value> {
    let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
    let split = |digits: &str| {
        // Llama 3 and Qwen2 share the pattern but for how many digits stand together.
        let pattern = format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        );
        let split = json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
        json!({ "type": "Sequence", "pretokenizers": [split, byte_level(false)] })
    };
    Ok(match name {
        "llama-bpe" | "llama3" => split(r"\p{N}{1,3}"),
        "qwen2" => split(r"\p{N}"),
        "smollm" => {
            let digits = json!({ "type": "Digits", "individual_digits": true });
            json!({ "type": "Sequence", "pretokenizers": [digits, byte_level(true)] })
        }
        "gpt-2" | "default" => byte_level(true),
        other => {
            let allowed = "llama-bpe, qwen2, smollm or gpt-2";
            return Err(meta.fault("tokenizer.ggml.pre", &format!("{allowed}, got {other:?}")));
        }
    })
}

/// The metadata, with errors that name the key.
struct Meta<'f>(&'f GgufFile);

impl<'f> Meta<'f> {
    fn get(&self, key: &str) -> Result<&'f GgufValue> {
        let value = self.0.metadata().get(key);
        value.ok_or_else(|| self.fault(key, "given"))
    }

    fn text(&self, key: &str) -> Result<&'f str> {
        match self.get(key)? {
            GgufValue::Text(text) => Ok(text),
            other => Err(self.fault(key, &format!("text, got {other:?}"))),
        }
    }

    fn number(&self, key: &str) -> Result<usize> {
        match self.get(key)? {
            // Sizes become i64 for libtorch, so what does not fit is rejected here.
            GgufValue::Unsigned(number) if *number <= i64::MAX as u64 => Ok(*number as usize),
            other => Err(self.fault(key, &format!("a whole number, got {other:?}"))),
        }
    }

    fn optional(&self, key: &str) -> Result<Option<usize>> {
        let is_there = self.0.metadata().contains_key(key);
        is_there.then(|| self.number(key)).transpose()
    }

    fn optional_text(&self, key: &str) -> Result<Option<&'f str>> {
        let is_there = self.0.metadata().contains_key(key);
        is_there.then(|| self.text(key)).transpose()
    }

    fn float(&self, key: &str) -> Result<f64> {
        match self.get(key)? {
            GgufValue::Float(number) => Ok(*number),
            other => Err(self.fault(key, &format!("a number, got {other:?}"))),
        }
    }

    fn array(&self, key: &str) -> Result<&'f [GgufValue]> {
        match self.get(key)? {
            GgufValue::Array(values) => Ok(values),
            _ => Err(self.fault(key, "an array")),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<&'f str>> {
        let text = |value: &'f GgufValue| match value {
            GgufValue::Text(text) => Ok(text.as_str()),
            other => Err(self.fault(key, &format!("an array of texts, got {other:?}"))),
        };
        self.array(key)?.iter().map(text).collect()
    }

    fn fault(&self, key: &str, allowed: &str) -> Error {
        Error::InvalidFile {
            path: self.0.path().to_owned(),
            what: format!("{key} must be {allowed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn file(metadata: &Value) -> GgufFile {
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
        let read = |metadata: Value| rope_scaling(&Meta(&file(&metadata)), "llama.rope.scaling");
        assert_eq!(read(json!({ "other": 1 })).unwrap(), None);
        let linear =
            json!({ "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0 });
        assert_eq!(
            read(linear).unwrap(),
            Some(RopeScaling::Linear { factor: 4.0 })
        );
        let refused = read(json!({ "llama.rope.scaling.type": "yarn" })).unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.contains("llama.rope.scaling.type must be none or linear, got \"yarn\""),
            "{refused}"
        );
    }

    fn vocabulary(pre: &str) -> Value {
        json!({
            "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre,
            "tokenizer.ggml.tokens": ["a", "b", "c", "ab", "abc", "\u{00c3}", "\u{00a9}", "e", "<end>", "<turn>"],
            "tokenizer.ggml.token_type": [1, 1, 1, 1, 1, 1, 1, 1, 3, 3],
            "tokenizer.ggml.merges": ["a b"],
            "tokenizer.ggml.eos_token_id": 8, "tokenizer.ggml.eot_token_id": 9
        })
    }

    #[test]
    fn a_turn_ends_a_response_and_so_does_the_text() {
        let mut metadata = vocabulary("gpt-2");
        let tokenizer = |metadata: &Value| tokenizer(&file(metadata)).unwrap();
        assert_eq!(tokenizer(&metadata).stops(), [9, 8]);
        assert_eq!(
            tokenizer(&metadata).encode_response("abc").unwrap(),
            [3, 2, 9]
        );
        metadata
            .as_object_mut()
            .unwrap()
            .remove("tokenizer.ggml.eot_token_id");
        assert_eq!(tokenizer(&metadata).stops(), [8]);
    }

    #[test]
    fn families_differ_in_merges_and_normal_forms() {
        let ids = |pre: &str, text: &str| {
            let tokenizer = tokenizer(&file(&vocabulary(pre))).unwrap();
            tokenizer.encode_prompt(crate::Prompt::Text(text)).unwrap()
        };
        // No merge leads to "abc".
        assert_eq!(ids("qwen2", "abc"), [3, 2]);
        assert_eq!(ids("llama-bpe", "abc"), [4]);
        // An e with an accent of its own: the bytes of the composed letter are 5 and 6.
        assert_eq!(ids("qwen2", "e\u{301}"), [5, 6]);
        assert_eq!(ids("llama-bpe", "e\u{301}")[0], 7);
    }
}
