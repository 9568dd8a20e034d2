//! Where a model comes from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Architecture, ModelConfig, TokenizerConfig};

/// Where a model comes from; `DecoderPolicy::open` builds the policy.
///
/// ```
/// use rerec_policy::ModelSource;
///
/// let source: ModelSource = serde_json::from_str(
///     r#"{"kind": "folder", "path": "models/SmolLM2-135M-Instruct", "adapters": "runs/a/adapter"}"#,
/// )?;
/// assert_eq!(source.adapters(), Some("runs/a/adapter".as_ref()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelSource {
    /// Drawn afresh, with a tokenizer trained on the data.
    Fresh(FreshModel),
    /// A Hugging Face folder, or a checkpoint of a policy.
    Folder {
        /// The folder.
        path: PathBuf,
        /// A folder with adapters in PEFT's files. Default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adapters: Option<PathBuf>,
    },
    /// A GGUF file, whose weights are dequantised.
    Gguf {
        /// The file.
        path: PathBuf,
        /// As for a folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adapters: Option<PathBuf>,
    },
    /// The Hugging Face hub; needs the feature `hub`.
    Hub {
        /// `owner/name`.
        repo: String,
        /// A branch, tag or commit. Default `main`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
        /// As for a folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adapters: Option<PathBuf>,
    },
}

impl ModelSource {
    /// The adapters to load, if any.
    pub fn adapters(&self) -> Option<&Path> {
        match self {
            Self::Fresh(_) => None,
            Self::Folder { adapters, .. }
            | Self::Gguf { adapters, .. }
            | Self::Hub { adapters, .. } => adapters.as_deref(),
        }
    }
}

/// The shape of a model that is drawn afresh: tied embeddings, rotary base 10,000, RMSNorm with epsilon 1e-6.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshModel {
    /// The family. Default `llama`.
    #[serde(default)]
    pub architecture: Architecture,
    /// Ids of the tokenizer at most; at least 260, which are the bytes and the special tokens.
    pub vocab_size: usize,
    /// Texts that are one token each beside these, such as `"[1]"`: a number that options are referred to by is copied more easily
    /// than the three tokens that it would be. Default none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layers.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Longest sequence in tokens, prompt and response together.
    pub max_positions: usize,
    /// Standard deviation of the drawn weights. Default 0.02.
    #[serde(default = "default_deviation")]
    pub initializer_range: f64,
}

fn default_deviation() -> f64 {
    0.02
}

impl FreshModel {
    /// How its tokenizer is trained.
    pub fn tokenizer(&self) -> TokenizerConfig {
        TokenizerConfig {
            vocab_size: self.vocab_size,
            tokens: self.tokens.clone(),
        }
    }

    /// The full configuration beside a tokenizer of `vocab_size` ids.
    pub fn config(&self, vocab_size: usize) -> ModelConfig {
        ModelConfig {
            model_type: self.architecture,
            vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            num_key_value_heads: self.kv_heads,
            head_dim: None,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            rope_scaling: None,
            attention_bias: false,
            mlp_bias: false,
            no_rope_layers: None,
            multipliers: Default::default(),
            tie_word_embeddings: true,
            max_position_embeddings: self.max_positions,
            initializer_range: self.initializer_range,
            rest: Default::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<ModelSource, String> {
        serde_json::from_value(json).map_err(|e| e.to_string())
    }

    #[test]
    fn every_source_is_read_and_unknown_keys_are_refused() {
        let mut fresh = serde_json::json!({
            "kind": "fresh", "vocab_size": 300, "hidden_size": 16, "intermediate_size": 32, "layers": 1, "heads": 2,
            "kv_heads": 1, "max_positions": 64
        });
        let source = read(fresh.clone()).unwrap();
        let ModelSource::Fresh(model) = &source else {
            panic!("{source:?}");
        };
        assert_eq!(model.config(290).vocab_size, 290);
        model.config(290).validate().unwrap();
        assert_eq!(read(serde_json::to_value(&source).unwrap()), Ok(source));
        fresh["adapters"] = "a".into();
        assert!(
            read(fresh)
                .unwrap_err()
                .contains("unknown field `adapters`")
        );
        let gguf = serde_json::json!({ "kind": "gguf", "path": "a.gguf", "revision": "main" });
        assert!(read(gguf).unwrap_err().contains("unknown field `revision`"));
        let hub = read(serde_json::json!({ "kind": "hub", "repo": "a/b" })).unwrap();
        assert_eq!(hub.adapters(), None);
    }
}
