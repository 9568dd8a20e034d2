//! Settings of the decoder policy; they need no libtorch to be read.

use serde::{Deserialize, Serialize};

#[cfg(feature = "torch")]
use crate::error::{Result, check};

/// Settings for training a tokenizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerConfig {
    /// Ids in all: 256 bytes, 4 special tokens, and merges. Range: `[260, 2^31)`.
    pub vocab_size: usize,
}

/// How the decoder policy spends memory, and its optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderPolicyConfig {
    /// Tokens of one forward and backward pass, a prompt that several responses share counted once; changes memory and
    /// speed, not the gradient.
    /// Default 8192; at least 1.
    pub micro_batch_tokens: usize,
    /// Responses sampled side by side. Default 256; at least 1. The KV cache holds their tokens and each of their prompts once, at
    /// `8 * layers * kv heads * head width` bytes a token.
    pub generation_rows: usize,
    /// AdamW.
    pub optimizer: OptimizerConfig,
}

impl Default for DecoderPolicyConfig {
    fn default() -> Self {
        Self {
            micro_batch_tokens: 8192,
            generation_rows: 256,
            optimizer: OptimizerConfig::default(),
        }
    }
}

/// Settings of AdamW (Loshchilov & Hutter, arXiv 1711.05101).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Decay of the first moment. Default 0.9; range `[0, 1)`.
    pub beta1: f64,
    /// Decay of the second moment. Default 0.999; range `[0, 1)`.
    pub beta2: f64,
    /// Added to the root of the second moment. Default 1e-8; above 0.
    pub epsilon: f64,
    /// Decoupled weight decay of matrices; vectors are not decayed. Default 0; range `[0, inf)`.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global norm. Default 1; above 0.
    pub max_grad_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
        }
    }
}

#[cfg(feature = "torch")]
impl OptimizerConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        check(
            (0.0..1.0).contains(&self.beta1),
            "beta1",
            self.beta1,
            "in [0, 1)",
        )?;
        check(
            (0.0..1.0).contains(&self.beta2),
            "beta2",
            self.beta2,
            "in [0, 1)",
        )?;
        check(self.epsilon > 0.0, "epsilon", self.epsilon, "above 0")?;
        let decay = self.weight_decay;
        check(
            decay >= 0.0 && decay.is_finite(),
            "weight_decay",
            decay,
            "in [0, inf)",
        )?;
        check(
            self.max_grad_norm > 0.0,
            "max_grad_norm",
            self.max_grad_norm,
            "above 0",
        )
    }
}
