//! How responses are drawn.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check};

/// How responses are sampled.
///
/// Training compares log-probabilities under the whole softmax at this temperature with those of the distribution sampled from.
/// For reinforcement leave the cuts, the penalty and `min_new_tokens` out, or the two differ before the first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Softmax temperature; 0 takes the most probable token. Default 1; 0 or in `[1e-4, 1e4]`.
    pub temperature: f64,
    /// Longest response in tokens, the end token included. Default 256; range `[1, inf)`.
    pub max_new_tokens: usize,
    /// End tokens and stop texts do not end a response before it has this many tokens: until then end tokens get no probability.
    /// Default 0; at most `max_new_tokens`.
    pub min_new_tokens: usize,
    /// Draws from the k most probable tokens only. Default none; range `[1, 2^31)`.
    pub top_k: Option<usize>,
    /// Draws from the most probable tokens that together reach this probability (nucleus sampling, arXiv 1904.09751).
    /// Default none; range `(0, 1]`.
    pub top_p: Option<f64>,
    /// Draws from tokens with at least this share of the most probable one's probability (arXiv 2407.01082). Default none; range
    /// `(0, 1]`.
    pub min_p: Option<f64>,
    /// Divides positive logits of tokens in prompt or response, and multiplies negative ones (arXiv 1909.05858). Default 1, which
    /// does nothing; range `[1e-3, 1e3]`.
    pub repetition_penalty: f64,
    /// Texts that end a response; the one that was met stays in it. Default none.
    pub stop: Vec<String>,
    /// First part of every random stream's name. Default 0.
    pub seed: u64,
    /// Second part: what the samples are for (`"epoch 3"`, `"evaluation"`). Default empty.
    pub purpose: String,
}

impl Sampling {
    /// The most probable token each time, to at most `max_new_tokens`.
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self {
            temperature: 0.0,
            max_new_tokens,
            ..Self::default()
        }
    }

    /// Temperature of the groups sampled so. A greedy response's log-probabilities are those of the distribution at 1.
    pub(crate) fn group_temperature(&self) -> f64 {
        match self.temperature {
            0.0 => 1.0,
            above => above,
        }
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`](crate::Error::InvalidSetting) names the setting, its value and its range.
    pub fn validate(&self) -> Result<()> {
        // Beyond these ranges logits leave f32's, and their softmax is no number.
        let (temperature, penalty) = (self.temperature, self.repetition_penalty);
        check(
            temperature == 0.0 || (1e-4..=1e4).contains(&temperature),
            "temperature",
            temperature,
            "0 or in [1e-4, 1e4]",
        )?;
        check(
            (1e-3..=1e3).contains(&penalty),
            "repetition_penalty",
            penalty,
            "in [1e-3, 1e3]",
        )?;
        self.check_lengths()?;
        self.check_cuts()?;
        let is_empty = self.stop.iter().position(String::is_empty);
        check(
            is_empty.is_none(),
            "stop",
            is_empty.unwrap_or_default(),
            "texts, none of them empty (the position is given)",
        )
    }

    fn check_lengths(&self) -> Result<()> {
        let (least, most) = (self.min_new_tokens, self.max_new_tokens);
        check(most >= 1, "max_new_tokens", most, "at least 1")?;
        check(
            least <= most,
            "min_new_tokens",
            least,
            "at most max_new_tokens",
        )
    }

    fn check_cuts(&self) -> Result<()> {
        for (name, share) in [("top_p", self.top_p), ("min_p", self.min_p)] {
            if let Some(share) = share {
                check(share > 0.0 && share <= 1.0, name, share, "in (0, 1]")?;
            }
        }
        let k = self.top_k.unwrap_or(1);
        check((1..1 << 31).contains(&k), "top_k", k, "in [1, 2^31)")
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            max_new_tokens: 256,
            min_new_tokens: 0,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: 1.0,
            stop: Vec::new(),
            seed: 0,
            purpose: String::new(),
        }
    }
}
