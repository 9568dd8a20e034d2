//! Estimators that compare each response's reward with those of its group: one number per response.

use serde::{Deserialize, Serialize};

use super::spread::{Spread, SpreadConfig, StdOver};
use super::statistics::{Moments, Std};
use super::{AdvantageEstimator, Needs};
use crate::advantages::Advantages;
use crate::batch::RolloutBatch;
use crate::error::{Error, Result};

/// What a group of one response gets, which has nothing to be compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Singleton {
    /// Its reward: mean 0 and std 1 stand in for the group's (verl).
    #[default]
    Raw,
    /// Exactly 0: no signal.
    Zero,
    /// An error (TRL and OpenRLHF refuse to sample fewer than 2).
    Reject,
}

/// Settings of [`Grpo`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpoConfig {
    /// By what deviations are divided. Default `unbiased`; `none` is Dr.GRPO.
    pub std: Std,
    /// Added to the standard deviation, at least 0. Default 1e-6.
    pub eps: f64,
    /// The least that the standard deviation counts as, as [`SpreadConfig::floor`]. Default 0.
    pub floor: f64,
    /// Whose standard deviation it is, as [`SpreadConfig::over`]. Default `group`.
    pub over: StdOver,
    /// What a group of one response gets. Default `raw`.
    pub singleton: Singleton,
}

impl GrpoConfig {
    pub(super) fn spread(&self) -> SpreadConfig {
        SpreadConfig {
            std: self.std,
            eps: self.eps,
            floor: self.floor,
            over: self.over,
        }
    }
}

impl Default for GrpoConfig {
    fn default() -> Self {
        Self {
            std: Std::Unbiased,
            eps: 1e-6,
            floor: 0.0,
            over: StdOver::Group,
            singleton: Singleton::Raw,
        }
    }
}

/// What an estimator subtracts from each reward of a group of G responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The mean: `R - mean`, Dr.GRPO (arXiv 2503.20783).
    Mean,
    /// The mean of the others: `G / (G - 1) * (R - mean)`, RLOO (arXiv 2402.14740).
    LeaveOneOut,
    /// The mean weighted by length: `R - sum(len * R) / sum(len)`, OPO (arXiv 2505.23585).
    LengthWeighted,
    /// The mean, scaled up by the share of rewards in the batch of B responses that are not 0:
    /// `B / max(nonzero, 1) * (R - mean)`, GPG (arXiv 2504.02546).
    ScaledMean,
}

/// Settings of [`GroupBaseline`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineConfig {
    /// What a group of one response gets. Default `raw`.
    pub singleton: Singleton,
}

/// Group-relative policy optimisation: `(R - mean) / (std + eps)` over a group's rewards
/// (DeepSeekMath, arXiv 2402.03300).
///
/// ```
/// use rerec_advantage::{AdvantageEstimator, AdvantageValues, Groups, Grpo, GrpoConfig, RolloutBatch};
///
/// // Mean 1, deviations -1, 0, 1, unbiased std 1.
/// let groups = Groups::from_sizes(&[3])?;
/// let batch = RolloutBatch::from_outcomes(&groups, &[0.0, 1.0, 2.0], &[700, 768, 512])?;
/// let advantages = Grpo::new(GrpoConfig { eps: 0.0, ..Default::default() })?.estimate(&batch)?;
/// assert_eq!(*advantages.values(), AdvantageValues::PerResponse(vec![-1.0, 0.0, 1.0]));
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Grpo {
    config: GrpoConfig,
}

impl Grpo {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: GrpoConfig) -> Result<Self> {
        config.spread().check()?;
        Ok(Self { config })
    }
}

impl AdvantageEstimator for Grpo {
    fn name(&self) -> &'static str {
        "grpo"
    }

    fn needs(&self) -> Needs {
        self.config.spread().needs(Needs::OUTCOMES)
    }

    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages> {
        let GrpoConfig {
            std,
            eps,
            singleton,
            ..
        } = self.config;
        let spread = Spread::of(self.config.spread(), self.name(), batch, || {
            Moments::of([&*batch.outcomes()].into_iter())
        })?;
        // verl's std of a single response is 1, to which eps is added as to any other.
        let alone = if std == Std::None {
            1.0
        } else {
            1.0 / (1.0 + eps)
        };
        let advantages = compare(self.name(), batch, singleton, alone, |group| Deviation {
            from: group.moments.mean,
            scale: spread.scale(&group.moments, group.members),
        })?;
        Advantages::per_response(advantages, batch.groups())
    }
}

/// Dr.GRPO, RLOO, OPO and GPG: a group's rewards minus a [`Baseline`], not divided by their spread.
///
/// ```
/// use rerec_advantage::{
///     AdvantageEstimator, AdvantageValues, Baseline, BaselineConfig, GroupBaseline, Groups, RolloutBatch,
/// };
///
/// // The others of reward 3 have the mean 0; those of each 0 have the mean 1.5.
/// let groups = Groups::from_sizes(&[3])?;
/// let batch = RolloutBatch::from_outcomes(&groups, &[3.0, 0.0, 0.0], &[700, 768, 512])?;
/// let rloo = GroupBaseline::new(Baseline::LeaveOneOut, BaselineConfig::default());
/// let advantages = rloo.estimate(&batch)?;
/// assert_eq!(*advantages.values(), AdvantageValues::PerResponse(vec![3.0, -1.5, -1.5]));
///
/// // GPG: one of three rewards is not 0, so 3 / 1 times the differences to the mean 1.
/// let gpg = GroupBaseline::new(Baseline::ScaledMean, BaselineConfig::default());
/// let advantages = gpg.estimate(&batch)?;
/// assert_eq!(*advantages.values(), AdvantageValues::PerResponse(vec![6.0, -3.0, -3.0]));
///
/// // OPO: the mean weighted by length is (1 * 3 + 2 * 0) / (1 + 2) = 1.
/// let opo = GroupBaseline::new(Baseline::LengthWeighted, BaselineConfig::default());
/// let groups = Groups::from_sizes(&[2])?;
/// let batch = RolloutBatch::from_outcomes(&groups, &[3.0, 0.0], &[1, 2])?;
/// let advantages = opo.estimate(&batch)?;
/// assert_eq!(*advantages.values(), AdvantageValues::PerResponse(vec![2.0, -1.0]));
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GroupBaseline {
    baseline: Baseline,
    config: BaselineConfig,
}

impl GroupBaseline {
    /// Subtracts `baseline`.
    pub fn new(baseline: Baseline, config: BaselineConfig) -> Self {
        Self { baseline, config }
    }
}

impl AdvantageEstimator for GroupBaseline {
    fn name(&self) -> &'static str {
        match self.baseline {
            Baseline::Mean => "dr_grpo",
            Baseline::LeaveOneOut => "rloo",
            Baseline::LengthWeighted => "opo",
            Baseline::ScaledMean => "gpg",
        }
    }

    fn needs(&self) -> Needs {
        Needs::OUTCOMES
    }

    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages> {
        let batch_scale = match self.baseline {
            Baseline::ScaledMean => inverse_nonzero_share(&batch.outcomes()),
            _ => 1.0,
        };
        let singleton = self.config.singleton;
        let advantages = compare(self.name(), batch, singleton, batch_scale, |group| {
            let size = group.moments.count as f64;
            match self.baseline {
                Baseline::Mean | Baseline::ScaledMean => Deviation {
                    from: group.moments.mean,
                    scale: batch_scale,
                },
                Baseline::LeaveOneOut => Deviation {
                    from: group.moments.mean,
                    // Groups of one do not get here, so that the divisor is at least 1. The paper's
                    // form, rearranged:
                    // R - mean of the others = G / (G - 1) * (R - mean of all).
                    scale: size / (size - 1.0),
                },
                Baseline::LengthWeighted => {
                    let weighted = Moments::weighted(group.rewards, group.lengths);
                    // Without a token there is no baseline, and nothing to update.
                    let scale = if weighted.count == 0 { 0.0 } else { 1.0 };
                    Deviation {
                        from: weighted.mean,
                        scale,
                    }
                }
            }
        })?;
        Advantages::per_response(advantages, batch.groups())
    }
}

/// The responses of one group: their places in the batch, the reward, the number of valid tokens of each, and the moments
/// of the rewards.
pub(super) struct Compared<'a> {
    members: &'a [usize],
    rewards: &'a [f64],
    lengths: &'a [usize],
    moments: Moments,
}

/// An advantage that is a scaled distance from a baseline.
pub(super) struct Deviation {
    pub(super) from: f64,
    pub(super) scale: f64,
}

/// The advantage of each response by its group's deviation; `alone` is the scale of a reward that
/// stands for itself.
pub(super) fn compare(
    estimator: &'static str,
    batch: &RolloutBatch<'_>,
    singleton: Singleton,
    alone: f64,
    deviation: impl Fn(&Compared<'_>) -> Deviation,
) -> Result<Vec<f64>> {
    let (outcomes, lengths) = (batch.outcomes_with_parts(), batch.valid_lengths());
    let mut advantages = vec![0.0; outcomes.rewards.len()];
    // One pair of buffers for all groups.
    let (mut rewards, mut tokens) = (Vec::new(), Vec::new());
    for (group, members) in batch.groups().iter().enumerate() {
        rewards.clear();
        rewards.extend(members.iter().map(|&response| outcomes.rewards[response]));
        tokens.clear();
        tokens.extend(members.iter().map(|&response| lengths[response]));
        let moments = Moments::of([rewards.as_slice()].into_iter());
        if !moments.is_finite() {
            return Err(batch.not_finite(Error::GroupOverflow { group }));
        }
        let by = match (members.len(), singleton) {
            // verl: mean 0 and std 1 stand in, so that the reward is its own advantage.
            (1, Singleton::Raw) => Deviation {
                from: 0.0,
                scale: alone,
            },
            (1, Singleton::Zero) => continue,
            (1, Singleton::Reject) => {
                return Err(Error::GroupSize {
                    estimator,
                    group,
                    got: 1,
                    min: 2,
                });
            }
            // Before any baseline is taken: one that is weighted or left out rounds differently from the reward itself.
            _ if outcomes.are_equal(members) => continue,
            _ => deviation(&Compared {
                members,
                rewards: &rewards,
                lengths: &tokens,
                moments,
            }),
        };
        for (&response, reward) in members.iter().zip(&rewards) {
            let advantage = (reward - by.from) * by.scale;
            // Moments may be finite where the difference of two extremes is not.
            if !advantage.is_finite() {
                return Err(Error::GroupOverflow { group });
            }
            advantages[response] = advantage;
        }
    }
    Ok(advantages)
}

/// The advantages of [`Baseline::Mean`], for estimators that build on them.
pub(super) fn centred(
    estimator: &'static str,
    batch: &RolloutBatch<'_>,
    singleton: Singleton,
) -> Result<Vec<f64>> {
    compare(estimator, batch, singleton, 1.0, |group| Deviation {
        from: group.moments.mean,
        scale: 1.0,
    })
}

fn inverse_nonzero_share(rewards: &[f64]) -> f64 {
    let nonzero = rewards.iter().filter(|reward| **reward != 0.0).count();
    rewards.len() as f64 / nonzero.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdvantageValues, Groups};

    #[test]
    fn a_group_without_tokens_gets_nothing_from_opo() {
        let groups = Groups::from_sizes(&[2, 2]).unwrap();
        let rewards = [-0.55, -0.55, 1.0, 4.0];
        let batch = RolloutBatch::from_outcomes(&groups, &rewards, &[0, 0, 2, 1]).unwrap();
        let opo = GroupBaseline::new(Baseline::LengthWeighted, BaselineConfig::default());
        let advantages = opo.estimate(&batch).unwrap();
        // (2 * 1 + 1 * 4) / 3 = 2
        let AdvantageValues::PerResponse(values) = advantages.values() else {
            panic!()
        };
        assert!(
            values
                .iter()
                .zip([0.0, 0.0, -1.0, 2.0])
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
        assert_eq!(advantages.signals(), [false, true]);
    }
}
