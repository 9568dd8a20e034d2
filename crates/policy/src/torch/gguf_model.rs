//! A model out of a GGUF file: configuration, weights and tokenizer under the names of Hugging Face.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};
use tokenizers::Tokenizer as HfTokenizer;

use super::{decoder::Weights, tokenizer::Tokenizer};
use crate::{
    GgufFile, GgufValue, ModelConfig, RopeScaling,
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
        model_type: architecture.to_owned(),
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
        rope_scaling: rope_scaling(file)?,
        tie_word_embeddings: !file.tensors().contains_key("output.weight"),
        max_position_embeddings: meta.number(&own("context_length"))?,
        initializer_range: 0.02,
        rest: Map::new(),
    };
    config.validate()?;
    Ok(config)
}

/// Llama 3's stretching is stored as one divisor for each frequency; the largest is its factor. The other settings are those of
/// every model of that family.
fn rope_scaling(file: &GgufFile) -> Result<Option<RopeScaling>> {
    const NAME: &str = "rope_freqs.weight";
    if !file.tensors().contains_key(NAME) {
        return Ok(None);
    }
    let factor = file.read(NAME)?.into_iter().fold(1.0f32, f32::max);
    Ok(Some(RopeScaling::Llama3 {
        factor: factor.into(),
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192.0,
    }))
}

/// The file's weights, dequantised.
pub(super) fn weights(
    file: &GgufFile,
    config: &ModelConfig,
    place: (Kind, Device),
) -> Result<Weights> {
    let one = |(name, shape): (String, Vec<i64>)| {
        let stored = stored_name(&name);
        let got: Vec<i64> = file
            .tensors()
            .get(&stored)
            .ok_or_else(|| file.fault(&stored, "is missing"))?
            .shape
            .iter()
            .map(|&d| d as i64)
            .collect();
        if got != shape {
            return Err(file.fault(&stored, format!("is {got:?}, expected {shape:?}")));
        }
        let tensor = Tensor::f_from_slice(&file.read(&stored)?)?.f_view(shape.as_slice())?;
        let heads = interleaved_heads(&name, config);
        Ok((
            name,
            heads.map_or(Ok(tensor.shallow_clone()), |heads| halves(&tensor, heads))?,
        ))
    };
    let tensors: BTreeMap<String, Tensor> = Weights::shapes(config)
        .into_iter()
        .map(one)
        .collect::<Result<_>>()?;
    Weights::from_map(config, tensors, place)
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
        _ if config.model_type != "llama" => None,
        _ if name.contains(".q_proj.") => Some(config.num_attention_heads),
        _ if name.contains(".k_proj.") => Some(config.num_key_value_heads),
        _ => None,
    }
}

/// Rows (head, pair, half) as (head, half, pair).
fn halves(tensor: &Tensor, heads: usize) -> Result<Tensor> {
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
    let vocabulary: Map<String, Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), id.into()))
        .collect();
    let merges: Vec<&str> = meta.texts("tokenizer.ggml.merges")?;
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(&meta, &tokens)?,
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer(&meta)?,
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": merges
        }
    });
    let inner: HfTokenizer = tokenizer.to_string().parse().map_err(Error::Tokenizer)?;
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
    let side_car = json!({
        "chat_template": meta.text("tokenizer.chat_template").ok(),
        "eos_token": eos,
        "bos_token": token("tokenizer.ggml.bos_token_id")?,
        "pad_token": token("tokenizer.ggml.padding_token_id")?.unwrap_or(eos),
        "tokenizer_class": "PreTrainedTokenizerFast",
        // That class would hand out `token_type_ids` too, which transformers' decoders refuse.
        "model_input_names": ["input_ids", "attention_mask"],
    });
    Tokenizer::from_parts(inner, side_car, file.path())
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
fn pre_tokenizer(meta: &Meta<'_>) -> Result<Value> {
    let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
    let split = |digits: &str| {
        let pattern = format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        );
        let split = json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
        json!({ "type": "Sequence", "pretokenizers": [split, byte_level(false)] })
    };
    let name = meta.text("tokenizer.ggml.pre").unwrap_or("default");
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
            GgufValue::Unsigned(number) if *number <= i64::MAX as u64 => Ok(*number as usize),
            other => Err(self.fault(key, &format!("a whole number, got {other:?}"))),
        }
    }

    fn optional(&self, key: &str) -> Result<Option<usize>> {
        let is_there = self.0.metadata().contains_key(key);
        is_there.then(|| self.number(key)).transpose()
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
