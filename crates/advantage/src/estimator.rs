//! Advantage estimators: from the rewards of a batch to what each token contributed.

pub(crate) mod config;
pub(crate) mod gae;
pub(crate) mod group_relative;
pub(crate) mod pass_at_k;
pub(crate) mod raae;
pub(crate) mod reinforce_pp;
pub(crate) mod remax;
pub(crate) mod spread;
pub(crate) mod statistics;
pub(crate) mod whitening;

use std::fmt;

use serde::Serialize;

use crate::advantages::Advantages;
use crate::batch::RolloutBatch;
use crate::error::Result;

/// What an estimator reads of a batch beside its groups and its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Which rewards it compares; from the other kind it takes what stands in for them ([`RolloutBatch`]).
    pub rewards: RewardLevel,
    /// Whether it needs the reward of a greedy answer to each response's query ([`RolloutBatch::with_baselines`]).
    pub baselines: bool,
    /// Whether it needs a critic's value of every token ([`RolloutBatch::with_values`]).
    pub values: bool,
    /// Whether it needs to know which responses are right ([`RolloutBatch::with_hits`]).
    pub hits: bool,
}

impl Needs {
    /// Token rewards alone.
    pub const TOKEN_REWARDS: Self = Self {
        rewards: RewardLevel::Token,
        baselines: false,
        values: false,
        hits: false,
    };
    /// Outcomes alone.
    pub const OUTCOMES: Self = Self {
        rewards: RewardLevel::Response,
        ..Self::TOKEN_REWARDS
    };
}

/// What a reward is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardLevel {
    /// Each token.
    Token,
    /// A response as a whole: its outcome.
    Response,
}

/// From the rewards of a batch to the advantage of each token or response.
///
/// Implementations are pure functions of the batch: the order of groups and responses, and
/// whatever stands outside the mask, change nothing else than the order of the result.
pub trait AdvantageEstimator: fmt::Debug + Send + Sync {
    /// The name by which configurations and logs call the estimator, such as `raae`.
    fn name(&self) -> &'static str;

    /// What it reads of a batch.
    fn needs(&self) -> Needs;

    /// The advantages of a batch.
    ///
    /// # Errors
    /// An input that the batch lacks, a group that is too small, rewards whose variance is not a
    /// finite number.
    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages>;
}
