//! The shape of a decoder, as in Hugging Face's `config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Architecture, Multipliers, Precision, RopeScaling,
    error::{Error, Result, check},
};

mod known;
mod reading;

/// The shape of a Llama-like decoder; field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// The family.
    pub model_type: Architecture,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of a head; `hidden_size / num_attention_heads` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Epsilon of RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched for long contexts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeScaling>,
    /// Whether query, key, value and output projections carry a bias, in families that may: Llama, Qwen3, SmolLM3. Elsewhere it
    /// says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attention_bias: bool,
    /// Whether the feed-forward layer's projections carry a bias, in families that may: Llama, SmolLM3.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mlp_bias: bool,
    /// SmolLM3: for each layer 1 where it knows positions, else 0. Default all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_rope_layers: Option<Vec<u8>>,
    /// Whether the output head is the embedding.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Longest sequence, prompt and response together.
    pub max_position_embeddings: usize,
    /// Standard deviation of freshly drawn weights.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
    /// Granite's multipliers.
    #[serde(flatten)]
    pub multipliers: Multipliers,
    /// Whatever else `config.json` says; kept, so that it is written back.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Sizes stay below it, so that the product of two is a number of weights that can be counted.
const MAX_SIZE: usize = 1 << 31;
/// All tensors of a model are listed before any is read, so a file's claim has to be bounded.
const MAX_LAYERS: usize = 4096;

fn default_initializer_range() -> f64 {
    0.02
}

/// What transformers assumes.
fn default_rope_theta() -> f64 {
    10_000.0
}

impl ModelConfig {
    /// Reads `config.json` of a model folder. Keys that it leaves out are what transformers takes them for.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::InvalidFile`] for what is not computed here and for every key that is not known;
    /// [`Error::InvalidSetting`] for a shape that cannot be.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let text = rerec_files::read_text(&path)?;
        let fault = |what: String| Error::InvalidFile {
            path: path.clone(),
            what,
        };
        let json = serde_json::from_str(&text).map_err(|e| fault(e.to_string()))?;
        let config = reading::read(json).map_err(fault)?;
        config.validate()?;
        Ok(config)
    }

    /// What `config.json` says for transformers beside weights of that precision.
    #[cfg(feature = "torch")]
    pub(crate) fn for_transformers(&self, precision: Precision) -> Self {
        let mut config = self.clone();
        // Qwen3's default is another.
        config.head_dim = Some(self.head_width());
        let name = self.model_type.family().class;
        let mut add = |key: &str, value: Value| {
            config.rest.entry(key).or_insert(value);
        };
        add("architectures", Value::from([name].as_slice()));
        add("hidden_act", Value::from("silu"));
        let dtype = match precision {
            Precision::Bf16 => "bfloat16",
            _ => "float32",
        };
        // Newer configurations say it under another name, and would contradict the weights.
        config.rest.remove("dtype");
        config
            .rest
            .insert("torch_dtype".to_owned(), Value::from(dtype));
        config
    }

    /// Checks that the numbers fit together.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] names the field, its value and what it may be.
    pub fn validate(&self) -> Result<()> {
        self.check_sizes()?;
        self.check_heads()?;
        self.check_numbers()
    }

    fn check_sizes(&self) -> Result<()> {
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            check((1..MAX_SIZE).contains(&value), name, value, "in [1, 2^31)")?;
        }
        check(
            self.num_hidden_layers <= MAX_LAYERS,
            "num_hidden_layers",
            self.num_hidden_layers,
            "in [1, 4096]",
        )
    }

    fn check_heads(&self) -> Result<()> {
        check(
            self.num_attention_heads
                .is_multiple_of(self.num_key_value_heads),
            "num_key_value_heads",
            self.num_key_value_heads,
            "a divisor of num_attention_heads",
        )?;
        check(
            // A head of its own width need not divide the hidden size: the query projection is then not square.
            self.head_dim.is_some() || self.hidden_size.is_multiple_of(self.num_attention_heads),
            "num_attention_heads",
            self.num_attention_heads,
            "a divisor of hidden_size",
        )?;
        let head = self.head_width();
        check(
            // Even, since the rotary embedding turns pairs of dimensions.
            (2..MAX_SIZE).contains(&head) && head.is_multiple_of(2),
            "head_dim",
            head,
            "even and in [2, 2^31)",
        )
    }

    fn check_numbers(&self) -> Result<()> {
        check(
            self.rms_norm_eps > 0.0 && self.rms_norm_eps.is_finite(),
            "rms_norm_eps",
            self.rms_norm_eps,
            "above 0 and finite",
        )?;
        check(
            self.rope_theta > 1.0 && self.rope_theta.is_finite(),
            "rope_theta",
            self.rope_theta,
            "above 1 and finite",
        )?;
        self.rope_scaling
            .as_ref()
            .map_or(Ok(()), RopeScaling::validate)?;
        self.multipliers
            .validate(self.model_type.family().multipliers)?;
        let (layers, listed) = (self.num_hidden_layers, self.no_rope_layers.as_ref());
        check(
            listed.is_none_or(|list| list.len() == layers && list.iter().all(|said| *said <= 1)),
            "no_rope_layers",
            format!("{listed:?}"),
            "0 or 1 for each layer",
        )?;
        check(
            self.initializer_range > 0.0 && self.initializer_range.is_finite(),
            "initializer_range",
            self.initializer_range,
            "above 0",
        )
    }

    /// Number of weights in matrices; norms and biases, a few in ten thousand, are left out.
    pub fn parameters(&self) -> usize {
        let queries = self.num_attention_heads * self.head_width();
        let keys = self.num_key_value_heads * self.head_width();
        let attention = 2 * self.hidden_size * (queries + keys);
        let layer = attention + 3 * self.hidden_size * self.intermediate_size;
        let ends = if self.tie_word_embeddings { 1 } else { 2 };
        ends * self.vocab_size * self.hidden_size + self.num_hidden_layers * layer
    }

    /// Width of one attention head.
    pub fn head_width(&self) -> usize {
        self.head_dim
            .unwrap_or(self.hidden_size / self.num_attention_heads)
    }

    /// Memory of the keys and values of so many tokens, in bytes.
    ///
    /// Sampling keeps those of each prompt that is being answered once, whatever the size of its group, each in room for the
    /// longest of them, and those of every response under way; room for responses grows by 64 tokens, or by half of what there is.
    ///
    /// ```
    /// use rerec_policy::{ModelConfig, Precision};
    ///
    /// // SmolLM2-135M: 30 layers, 3 key and value heads of 64 numbers each.
    /// let model: ModelConfig = serde_json::from_str(
    ///     r#"{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
    ///         "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "rms_norm_eps": 1e-5,
    ///         "max_position_embeddings": 8192}"#,
    /// )?;
    /// assert_eq!(model.kv_cache_bytes(1, Precision::F32), 2 * 30 * 3 * 64 * 4);
    /// assert_eq!(model.kv_cache_bytes(1000, Precision::Bf16), 23_040_000);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn kv_cache_bytes(&self, tokens: usize, precision: Precision) -> usize {
        let numbers = 2 * self.num_hidden_layers * self.num_key_value_heads * self.head_width();
        tokens * numbers * precision.bytes()
    }

    /// Whether query, key and value projections carry a bias.
    #[cfg(feature = "torch")]
    pub(crate) fn has_qkv_bias(&self) -> bool {
        self.model_type.family().qkv_bias || self.has_output_bias()
    }

    /// Whether attention's output projection carries a bias.
    #[cfg(feature = "torch")]
    pub(crate) fn has_output_bias(&self) -> bool {
        self.model_type.family().attention_bias && self.attention_bias
    }

    /// Whether the feed-forward layer's projections carry a bias.
    #[cfg(feature = "torch")]
    pub(crate) fn has_mlp_bias(&self) -> bool {
        self.model_type.family().mlp_bias && self.mlp_bias
    }

    /// Whether each head's query and key are normalised.
    #[cfg(feature = "torch")]
    pub(crate) fn has_query_key_norm(&self) -> bool {
        self.model_type.family().query_key_norm
    }

    /// Whether that layer turns queries and keys by their positions.
    #[cfg(feature = "torch")]
    pub(crate) fn knows_positions(&self, layer: usize) -> bool {
        let said = self
            .no_rope_layers
            .as_ref()
            .and_then(|layers| layers.get(layer));
        !self.model_type.family().no_rope_layers || said != Some(&0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(changes: Value) -> Result<ModelConfig> {
        let mut json = serde_json::json!({
            "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "max_position_embeddings": 64,
            "bos_token_id": 1
        });
        let (json_map, changes) = (json.as_object_mut().unwrap(), changes);
        json_map.extend(changes.as_object().unwrap().clone());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), json.to_string()).unwrap();
        ModelConfig::from_folder(folder.path())
    }

    #[test]
    fn both_spellings_of_rope_are_read() {
        let llama3 = serde_json::json!({
            "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192
        });
        let old = read(serde_json::json!({ "rope_theta": 5e5, "rope_scaling": llama3 })).unwrap();
        let mut parameters = llama3;
        parameters["rope_theta"] = 5e5.into();
        let new = read(serde_json::json!({ "rope_parameters": parameters })).unwrap();
        assert_eq!(old, new);
        assert!(matches!(
            new.rope_scaling,
            Some(RopeScaling::Llama3 { factor: 32.0, .. })
        ));
        let linear = serde_json::json!({ "rope_scaling": { "type": "linear", "factor": 2.0 } });
        let linear = read(linear).unwrap();
        assert_eq!(
            linear.rope_scaling,
            Some(RopeScaling::Linear { factor: 2.0 })
        );
        assert_eq!(linear.rope_theta, 10_000.0);
    }

    #[test]
    fn what_is_not_computed_here_is_refused() {
        for (changes, expected) in [
            (
                serde_json::json!({ "logit_scale": 0.5 }),
                "logit_scale must be 1 for llama, got 0.5",
            ),
            (
                serde_json::json!({ "hidden_act": "gelu" }),
                "hidden_act must be \"silu\" for llama, got \"gelu\"",
            ),
            (
                serde_json::json!({ "rope_scaling": { "rope_type": "longrope" } }),
                "longrope",
            ),
            (
                serde_json::json!({ "rope_scaling": { "rope_type": "linear", "factor": 2.0, "mscale": 1.0 } }),
                "unknown field `mscale`",
            ),
            (
                serde_json::json!({ "mup_scale": 2.0 }),
                "mup_scale is not known for llama, and may ask for something else than is computed here (it is 2.0)",
            ),
            (
                serde_json::json!({ "model_type": "mistral", "sliding_window": 32 }),
                "sliding_window must be null or at least max_position_embeddings 64, got 32",
            ),
            (
                // As transformers fills it in, the window is 4096.
                serde_json::json!({ "model_type": "mistral", "max_position_embeddings": 8192 }),
                "sliding_window must be null or at least max_position_embeddings 8192, got 4096",
            ),
            (
                serde_json::json!({ "model_type": "qwen2", "use_sliding_window": true, "sliding_window": 8, "max_window_layers": 0 }),
                "sliding_window must be null or at least",
            ),
            (
                serde_json::json!({ "attention_multiplier": 0.5 }),
                "attention_multiplier must be null for llama, got 0.5",
            ),
            (
                serde_json::json!({ "model_type": "granite", "logits_scaling": 0.0 }),
                "logits_scaling must be above 0 and finite, got 0",
            ),
            (
                serde_json::json!({ "num_local_experts": 8 }),
                "num_local_experts is 8: mixtures of experts are not read",
            ),
            (
                serde_json::json!({ "quantization_config": { "quant_method": "awq" }, "hidden_size": -8 }),
                "quantization_config asks for weights quantised by \"awq\"",
            ),
            (
                serde_json::json!({ "architectures": ["LlamaForSequenceClassification"] }),
                "architectures must be [\"LlamaForCausalLM\"], got",
            ),
            (
                serde_json::json!({ "rope_theta": 1e4, "rope_parameters": { "rope_theta": 5e5, "rope_type": "default" } }),
                "rope_theta contradict each other: 500000.0 and 10000.0",
            ),
            (
                serde_json::json!({ "partial_rotary_factor": 0.5 }),
                "partial_rotary_factor must be 1 for llama, got 0.5",
            ),
            (
                serde_json::json!({ "no_rope_layers": [1] }),
                "no_rope_layers must be null for llama, got [1]",
            ),
            (
                serde_json::json!({ "model_type": "gpt2" }),
                "model_type must be one of granite, llama, mistral, qwen2, qwen3, smollm3, got \"gpt2\"",
            ),
            (
                serde_json::json!({ "rope_scaling": { "type": "linear", "factor": 0.0 } }),
                "rope_scaling.factor must be above 0",
            ),
            (
                serde_json::json!({ "hidden_size": -8 }),
                "hidden_size: invalid value: integer `-8`",
            ),
            (
                serde_json::json!({ "hidden_size": 8.5 }),
                "hidden_size: invalid type: floating point `8.5`",
            ),
            (
                serde_json::json!({ "vocab_size": "many" }),
                "vocab_size: invalid type: string",
            ),
            (
                serde_json::json!({ "num_key_value_heads": 0 }),
                "num_key_value_heads must be in [1, 2^31), got 0",
            ),
            (
                serde_json::json!({ "vocab_size": u64::MAX }),
                "vocab_size must be in [1, 2^31), got 18446744073709551615",
            ),
            (
                serde_json::json!({ "num_hidden_layers": 1_000_000_000 }),
                "num_hidden_layers must be in [1, 4096], got 1000000000",
            ),
            (
                serde_json::json!({ "head_dim": 1u64 << 62 }),
                "head_dim must be even and in [2, 2^31), got",
            ),
            (
                serde_json::json!({ "rms_norm_eps": -1e-5 }),
                "rms_norm_eps must be above 0 and finite, got -0.00001",
            ),
        ] {
            let refused = read(changes).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn a_missing_field_and_a_broken_line_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for (text, expected) in [
            (
                "{}",
                "model_type is missing; supported are granite, llama, mistral",
            ),
            ("[]", "invalid type: sequence, expected struct ModelConfig"),
            ("{\n\"vocab_size\": 1e999}", "number out of range at line 2"),
            ("{", "EOF while parsing an object at line 1"),
        ] {
            fs::write(folder.path().join("config.json"), text).unwrap();
            let refused = ModelConfig::from_folder(folder.path()).unwrap_err();
            let refused = refused.to_string();
            assert!(refused.contains(expected), "{refused}");
            assert!(refused.contains("config.json: "), "{refused}");
        }
    }

    #[test]
    fn keys_that_are_left_out_are_what_transformers_takes_them_for() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            fs::write(folder.path().join("config.json"), text).unwrap();
            ModelConfig::from_folder(folder.path()).unwrap()
        };
        let llama = read(r#"{"model_type": "llama", "num_attention_heads": 8, "head_dim": null}"#);
        assert_eq!((llama.vocab_size, llama.hidden_size), (32_000, 4096));
        assert_eq!((llama.num_key_value_heads, llama.head_width()), (8, 512));
        let qwen3 = read(r#"{"model_type": "qwen3"}"#);
        assert_eq!((qwen3.head_width(), qwen3.num_key_value_heads), (128, 32));
        let smollm3 = read(r#"{"model_type": "smollm3", "num_hidden_layers": 5}"#);
        assert_eq!(smollm3.no_rope_layers, Some(vec![1, 1, 1, 0, 1]));
        assert!(smollm3.tie_word_embeddings);
        assert_eq!(smollm3.rope_theta, 2e6);
    }

    #[test]
    fn settings_that_do_nothing_are_accepted() {
        for changes in [
            serde_json::json!({ "model_type": "qwen2", "attention_bias": true, "use_sliding_window": false, "sliding_window": 8 }),
            serde_json::json!({ "model_type": "qwen2", "use_sliding_window": true, "sliding_window": 8, "max_window_layers": 1 }),
            serde_json::json!({ "model_type": "mistral", "sliding_window": 64 }),
            serde_json::json!({ "sliding_window": null, "rope_scaling": null, "quantization_config": null, "mystery": null }),
            serde_json::json!({ "rope_scaling": { "type": "default", "factor": 4.0 }, "hidden_act": "swish" }),
            serde_json::json!({ "attention_dropout": 0.1, "torch_dtype": "bfloat16", "pretraining_tp": 2, "rope_interleaved": false }),
        ] {
            read(changes).unwrap();
        }
    }

    #[test]
    fn unknown_keys_are_written_back() {
        let config = read(serde_json::json!({ "eos_token_id": [7, 8] })).unwrap();
        let json = serde_json::to_value(&config).unwrap();
        assert_eq!(json["eos_token_id"], serde_json::json!([7, 8]));
        assert_eq!(json["bos_token_id"], 1);
    }
}
