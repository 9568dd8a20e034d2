//! The shape of a model that is drawn afresh.

use rerec_policy::{Architecture, ModelConfig};
use serde::{Deserialize, Serialize};

/// The shape of a Llama-like decoder; the vocabulary comes from the tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
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

impl ModelShape {
    /// The full configuration for a tokenizer of `vocab_size` ids.
    pub fn with_vocab(&self, vocab_size: usize) -> ModelConfig {
        ModelConfig {
            model_type: Architecture::Llama,
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
            tie_word_embeddings: true,
            max_position_embeddings: self.max_positions,
            initializer_range: self.initializer_range,
            rest: Default::default(),
        }
    }
}
