use serde::{Deserialize, Serialize};

use crate::{AnswerChoice, Error, Result, TitleMatch};

/// Settings of the [`DualGraphReward`](crate::DualGraphReward):
/// r = w_f · format + NDCG@K + w_1 · QAS + w_2 · PAS.
///
/// ```
/// # use rerec_rewards::DualGraphConfig;
/// let config: DualGraphConfig = serde_json::from_str(r#"{"cutoff": 5, "weights": {"query": 0.1}}"#)?;
/// assert_eq!((config.cutoff, config.weights.query, config.weights.format), (5, 0.1, 0.1));
/// assert!(serde_json::from_str::<DualGraphConfig>(r#"{"cutof": 5}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DualGraphConfig {
    /// Weights of the parts; NDCG@K has weight 1.
    pub weights: RewardWeights,
    /// Cut-off of NDCG and of list alignments, K in the paper. Default 1, at least 1.
    pub cutoff: usize,
    /// Which box is the answer. Default: the last.
    pub answer: AnswerChoice,
    /// How titles are compared. Default: by title.
    pub title_match: TitleMatch,
    /// How the alignments of a list of items become one. Default: the first item's.
    pub alignment: ListAlignment,
    /// The ranking term of a response without an answer. Default -0.5, finite.
    pub without_answer: f64,
}

/// Weights of the parts beside NDCG@K; finite.
///
/// A wrong answer with alignments 0.5 and 0.8 gets 0.1 · 0.5 + 0 + 0.01 · 0.5 + 0.01 · 0.8 = 0.063 by the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RewardWeights {
    /// Weight of the format term ±0.5, w_f. Default 0.1.
    pub format: f64,
    /// Weight of the query alignment score, w_1. Default 0.01.
    pub query: f64,
    /// Weight of the preference alignment score, w_2. Default 0.01.
    pub preference: f64,
}

/// How the alignment scores of the first K items of an answer become one.
///
/// An item that could not be resolved, or that is outside the candidates, counts 0. Scores 1, 0, 0.5 become 1 (first),
/// 0.5 (mean) and (1 + 0.5 · 0.5) / (1 + 0.6309 + 0.5) = 0.5866 (discounted).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListAlignment {
    /// The score of the first item.
    #[default]
    First,
    /// The mean over the items.
    Mean,
    /// The mean over the items with weights 1 / log2(rank + 1).
    Discounted,
}

impl Default for RewardWeights {
    fn default() -> Self {
        Self {
            format: 0.1,
            query: 0.01,
            preference: 0.01,
        }
    }
}

impl Default for DualGraphConfig {
    fn default() -> Self {
        Self::paper()
    }
}

impl DualGraphConfig {
    /// The paper's reward with its released weights, read with the title matcher from the last box.
    pub fn paper() -> Self {
        Self {
            weights: RewardWeights::default(),
            cutoff: 1,
            answer: AnswerChoice::Last,
            title_match: TitleMatch::Title,
            alignment: ListAlignment::First,
            without_answer: -0.5,
        }
    }

    /// The conventions of the authors' released code: the first box, titles character for character.
    pub fn released() -> Self {
        Self {
            answer: AnswerChoice::First,
            title_match: TitleMatch::Exact,
            ..Self::paper()
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`].
    pub fn validate(&self) -> Result<()> {
        let refuse = |setting, got: String, allowed| {
            Err(Error::InvalidSetting {
                setting,
                got,
                allowed,
            })
        };
        if self.cutoff == 0 {
            return refuse("cutoff", "0".into(), "at least 1");
        }
        let finite = [
            ("weights.format", self.weights.format),
            ("weights.query", self.weights.query),
            ("weights.preference", self.weights.preference),
            ("without_answer", self.without_answer),
        ];
        match finite.into_iter().find(|(_, value)| !value.is_finite()) {
            Some((name, value)) => refuse(name, value.to_string(), "finite"),
            None => Ok(()),
        }
    }
}
