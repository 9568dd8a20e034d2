//! The advantage of the best response alone.

use super::spread::{Spread, SpreadConfig};
use super::statistics::{Moments, difference};
use super::{AdvantageEstimator, Needs};
use crate::advantages::Advantages;
use crate::batch::RolloutBatch;
use crate::error::{Error, Result};

/// Pass@k: a group's best response gets `(best - second) / (std + eps)`, all others 0
/// (arXiv 2503.19595). Of equal best responses the first takes it, and its advantage is 0.
///
/// ```
/// use rerec_advantage::{
///     AdvantageEstimator, AdvantageValues, Groups, PassAtK, RolloutBatch, SpreadConfig, Std,
/// };
///
/// let groups = Groups::from_sizes(&[3])?;
/// let batch = RolloutBatch::from_outcomes(&groups, &[0.25, 1.0, 0.5], &[700, 768, 512])?;
/// let pass_at_k = PassAtK::new(SpreadConfig { std: Std::None, ..Default::default() })?;
/// let advantages = pass_at_k.estimate(&batch)?;
/// assert_eq!(*advantages.values(), AdvantageValues::PerResponse(vec![0.0, 0.5, 0.0]));
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PassAtK {
    config: SpreadConfig,
}

impl PassAtK {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: SpreadConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { config })
    }
}

impl AdvantageEstimator for PassAtK {
    fn name(&self) -> &'static str {
        "pass_k"
    }

    fn needs(&self) -> Needs {
        self.config.needs(Needs::OUTCOMES)
    }

    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages> {
        let outcomes = batch.outcomes_with_parts();
        let spread = Spread::of(self.config, self.name(), batch, || {
            Moments::of([&*outcomes.rewards].into_iter())
        })?;
        let mut advantages = vec![0.0; outcomes.rewards.len()];
        let mut rewards = Vec::new();
        for (group, members) in batch.groups().iter().enumerate() {
            rewards.clear();
            rewards.extend(members.iter().map(|&response| outcomes.rewards[response]));
            let moments = Moments::of([rewards.as_slice()].into_iter());
            if !moments.is_finite() {
                return Err(batch.not_finite(Error::GroupOverflow { group }));
            }
            let Some((best, lead)) = lead(&rewards) else {
                let (estimator, got) = (self.name(), members.len());
                return Err(Error::GroupSize {
                    estimator,
                    group,
                    got,
                    min: 2,
                });
            };
            if outcomes.are_equal(members) {
                continue;
            }
            advantages[members[best]] = lead * spread.scale(&moments, members);
        }
        Advantages::per_response(advantages, batch.groups())
    }
}

/// The first best of two or more rewards, and how far it is ahead of the second best.
fn lead(rewards: &[f64]) -> Option<(usize, f64)> {
    let (&first, rest) = rewards.split_first()?;
    let (mut best, mut top) = (0, first);
    // One pass: a better response makes the best so far the second best.
    let mut second = f64::NEG_INFINITY;
    for (place, &reward) in rest.iter().enumerate() {
        if reward > top {
            (best, top, second) = (place + 1, reward, top);
        } else {
            second = second.max(reward);
        }
    }
    // A lead that is only rounding counts as 0.
    (!rest.is_empty()).then_some((best, difference(top, second)))
}

#[cfg(test)]
mod tests {
    use super::lead;

    #[test]
    fn the_first_of_equal_rewards_leads_by_nothing() {
        assert_eq!(lead(&[0.1, 1.0, 0.5, 1.0]), Some((1, 0.0)));
        assert_eq!(lead(&[2.0, 1.0]), Some((0, 1.0)));
        assert_eq!(lead(&[1.0]), None);
    }
}
