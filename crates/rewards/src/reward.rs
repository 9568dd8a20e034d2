//! Rewards of responses, in batches.

mod conditions;
mod config;
mod dual_graph;
mod mixed;
mod summary;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Answer, Flag, ItemIndex, Result};

pub use conditions::ConditionCredit;
pub use config::{DualGraphConfig, ListAlignment, RewardWeights};
pub use dual_graph::DualGraphReward;
pub use mixed::{MixedReward, RewardTerm, ScoredSample, per_sample};
pub use summary::RewardSummary;

/// One response to score, with what its query asks for.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Stable id of the query.
    pub query: &'a str,
    /// The whole text that the model wrote.
    pub response: &'a str,
    /// The right items; their order and repetitions do not matter.
    pub targets: &'a [ItemIndex],
    /// The items to choose from, where the query names them.
    pub candidates: Option<&'a [ItemIndex]>,
}

/// Scores a batch of responses.
///
/// One result per sample, in the same order. A sample that cannot be scored is an error of that sample alone: callers
/// count it and leave it out, they do not take it for 0.
pub trait Reward: Send + Sync {
    /// Scores every sample of the batch.
    fn score(&self, batch: &[Sample<'_>]) -> Vec<Result<RewardBreakdown>>;

    /// The least and the largest total, finite.
    fn bounds(&self) -> (f64, f64);

    /// The parts whose weighted sum is the total, read from a breakdown that this reward made: for each the same list, in which a
    /// part that the breakdown does not have is `None`.
    ///
    /// Further terms may have been mixed in since, so that the total is not what the parts are to be read from.
    fn parts(&self, breakdown: &RewardBreakdown) -> Vec<RewardPart>;
}

/// A part of a reward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RewardPart {
    /// What its value is multiplied by in the total.
    pub weight: f64,
    /// Its value, where the breakdown has one.
    pub value: Option<f64>,
}

impl RewardPart {
    /// A part of this weight and value.
    pub fn new(weight: f64, value: impl Into<Option<f64>>) -> Self {
        let value = value.into();
        Self { weight, value }
    }
}

/// A reward with all its parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RewardBreakdown {
    /// Stable id of the query.
    pub query: String,
    /// +0.5 with an answer, -0.5 without.
    pub format: f64,
    /// NDCG@K of the answer, in [0, 1]; 0 without one.
    pub ndcg: f64,
    /// The ranking term of the reward: NDCG@K or, without an answer, the value set for that, -0.5 by default.
    pub ranking: f64,
    /// Query alignment score of the answer; none where no graph was given.
    pub query_alignment: Option<f64>,
    /// Preference alignment score of the answer; none where no embeddings were given.
    pub preference_alignment: Option<f64>,
    /// Terms that were mixed in, by name, before their weights.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub terms: BTreeMap<String, f64>,
    /// The weighted sum of the parts, r in the paper.
    pub total: f64,
    /// Whether a target is among the first K of the answer.
    pub hit: bool,
    /// The flags of the answer, each once.
    pub flags: Vec<Flag>,
    /// The answer, if the response has one.
    pub answer: Option<Answer>,
}
