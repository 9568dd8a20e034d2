//! The shape of a decoder, as in Hugging Face's `config.json`.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};

/// The shape of a Llama- or Qwen2-like decoder; field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// `llama` or `qwen2`; the latter has biases on query, key and value.
    pub model_type: String,
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
    pub rope_theta: f64,
    /// Whether the output head is the embedding.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Longest sequence, prompt and response together.
    pub max_position_embeddings: usize,
    /// Standard deviation of freshly drawn weights.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
}

fn default_initializer_range() -> f64 {
    0.02
}

impl ModelConfig {
    /// Reads `config.json` of a model folder.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::InvalidFile`] or, for a shape that cannot be, [`Error::InvalidConfig`].
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let text = fs::read_to_string(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let config: Self = serde_json::from_str(&text).map_err(|e| Error::InvalidFile {
            path,
            what: e.to_string(),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// Checks that the numbers fit together.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the field, its value and what it may be.
    pub fn validate(&self) -> Result<()> {
        check(
            matches!(self.model_type.as_str(), "llama" | "qwen2"),
            "model_type",
            &self.model_type,
            "llama or qwen2",
        )?;
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            check(value >= 1, name, value, "at least 1")?;
        }
        check(
            self.num_attention_heads
                .is_multiple_of(self.num_key_value_heads),
            "num_key_value_heads",
            self.num_key_value_heads,
            "a divisor of num_attention_heads",
        )?;
        check(
            self.head_dim.is_some() || self.hidden_size.is_multiple_of(self.num_attention_heads),
            "num_attention_heads",
            self.num_attention_heads,
            "a divisor of hidden_size",
        )?;
        let head = self.head_width();
        check(
            head >= 2 && head.is_multiple_of(2),
            "head_dim",
            head,
            "even and at least 2",
        )?;
        check(
            self.rms_norm_eps > 0.0,
            "rms_norm_eps",
            self.rms_norm_eps,
            "above 0",
        )?;
        check(
            self.rope_theta > 1.0,
            "rope_theta",
            self.rope_theta,
            "above 1",
        )?;
        check(
            self.initializer_range > 0.0 && self.initializer_range.is_finite(),
            "initializer_range",
            self.initializer_range,
            "above 0",
        )
    }

    /// Width of one attention head.
    pub fn head_width(&self) -> usize {
        self.head_dim
            .unwrap_or(self.hidden_size / self.num_attention_heads)
    }

    /// Whether query, key and value projections carry a bias.
    pub fn attention_bias(&self) -> bool {
        self.model_type == "qwen2"
    }
}
