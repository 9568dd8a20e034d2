//! Advantage estimators: from the rewards of a batch to what each token contributed.

pub(crate) mod config;
pub(crate) mod gae;
pub(crate) mod group_relative;
pub(crate) mod pass_at_k;
pub(crate) mod raae;
pub(crate) mod reinforce_pp;
pub(crate) mod remax;
pub(crate) mod statistics;
pub(crate) mod whitening;

use std::fmt;

use crate::advantages::Advantages;
use crate::batch::RolloutBatch;
use crate::error::Result;

/// From the rewards of a batch to the advantage of each token or response.
///
/// Implementations are pure functions of the batch: the order of groups and responses, and
/// whatever stands outside the mask, change nothing else than the order of the result.
pub trait AdvantageEstimator: fmt::Debug + Send + Sync {
    /// The name by which configurations and logs call the estimator, such as `raae`.
    fn name(&self) -> &'static str;

    /// The advantages of a batch.
    ///
    /// # Errors
    /// An input that the batch lacks, a group that is too small, rewards whose variance is not a
    /// finite number.
    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages>;
}
