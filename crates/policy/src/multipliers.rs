//! Granite's multipliers.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check};

/// What Granite multiplies by; nothing is changed at the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Multipliers {
    /// Of the embeddings. Default 1.
    #[serde(skip_serializing_if = "is_one")]
    pub embedding_multiplier: f64,
    /// Of what each layer's parts add to the residual stream. Default 1.
    #[serde(skip_serializing_if = "is_one")]
    pub residual_multiplier: f64,
    /// Of the products of queries and keys. Default `1 / sqrt(head width)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_multiplier: Option<f64>,
    /// What logits are divided by. Default 1.
    #[serde(skip_serializing_if = "is_one")]
    pub logits_scaling: f64,
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

impl Default for Multipliers {
    fn default() -> Self {
        Self {
            embedding_multiplier: 1.0,
            residual_multiplier: 1.0,
            attention_multiplier: None,
            logits_scaling: 1.0,
        }
    }
}

impl Multipliers {
    pub(crate) fn validate(&self, are_read: bool) -> Result<()> {
        let is_sane = |value: f64| value > 0.0 && value.is_finite();
        for (name, value) in [
            ("embedding_multiplier", self.embedding_multiplier),
            ("residual_multiplier", self.residual_multiplier),
            (
                "attention_multiplier",
                self.attention_multiplier.unwrap_or(1.0),
            ),
            ("logits_scaling", self.logits_scaling),
        ] {
            check(is_sane(value), name, value, "above 0 and finite")?;
        }
        check(
            are_read || *self == Self::default(),
            "multipliers",
            format!("{self:?}"),
            "the defaults, but in Granite",
        )
    }
}
