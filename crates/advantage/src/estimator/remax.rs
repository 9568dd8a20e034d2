//! ReMax: the reward to come, against that of the greedy answer.

use super::reinforce_pp::{MaskedGap, rewards_to_go};
use super::statistics::difference;
use super::{AdvantageEstimator, Needs};
use crate::advantages::Advantages;
use crate::batch::RolloutBatch;
use crate::error::{Error, Result};

/// ReMax (arXiv 2310.10505): the sum of the rewards to come at each token, minus the reward of a
/// greedy answer to the same query.
///
/// ```
/// use rerec_advantage::{AdvantageEstimator, Groups, Remax, RolloutBatch};
///
/// let groups = Groups::from_sizes(&[2])?;
/// let batch = RolloutBatch::from_outcomes(&groups, &[1.0, 0.0], &[2, 1])?.with_baselines(&[0.5, 0.5])?;
/// let advantages = Remax.estimate(&batch)?.into_tokens(&batch);
/// assert_eq!(advantages.values(), [0.5, 0.5, -0.5]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Remax;

impl AdvantageEstimator for Remax {
    fn name(&self) -> &'static str {
        "remax"
    }

    fn needs(&self) -> Needs {
        Needs {
            baselines: true,
            ..Needs::OUTCOMES
        }
    }

    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages> {
        let missing = Error::MissingInput {
            estimator: self.name(),
            what: "baselines",
        };
        let baselines = batch.baselines().ok_or(missing)?;
        let mut advantages = rewards_to_go(batch, 1.0, MaskedGap::Carry)?;
        for (response, baseline) in baselines.iter().enumerate() {
            let row = advantages.row_mut(response).unwrap_or_default();
            // A sum of token rewards may miss an equal baseline by its rounding.
            row.iter_mut()
                .for_each(|to_go| *to_go = difference(*to_go, *baseline));
            batch.clear_masked(response, row);
        }
        if advantages
            .values()
            .iter()
            .any(|advantage| !advantage.is_finite())
        {
            return Err(Error::BatchOverflow);
        }
        Advantages::per_token(advantages, batch.groups())
    }
}
