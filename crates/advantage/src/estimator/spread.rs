//! By what a deviation from a group's mean is divided.

use serde::{Deserialize, Serialize};

use super::Needs;
use super::statistics::{Moments, Std};
use crate::batch::RolloutBatch;
use crate::error::{Error, Result, check_at_least_0};

/// Settings of [`Raae`](crate::Raae) and [`PassAtK`](crate::PassAtK): deviations are divided by `max(std, floor) + eps`.
///
/// In a group without a right answer rewards differ by little, and their own deviation blows that little up to unit variance
/// (the bias that arXiv 2503.20783 describes). A floor, or the deviation of the batch, leaves it small.
///
/// ```
/// use rerec_advantage::{AdvantageEstimator, AdvantageValues, EstimatorConfig, Groups, RolloutBatch};
///
/// // Deviations of 0.01 from the mean 0.05, unbiased std 0.01414.
/// let groups = Groups::from_sizes(&[2])?;
/// let batch = RolloutBatch::from_outcomes(&groups, &[0.04, 0.06], &[5, 5])?;
/// let config: EstimatorConfig = toml::from_str("estimator = 'grpo'\nfloor = 0.1\neps = 0.0").unwrap();
/// let advantages = config.build()?.estimate(&batch)?.into_tokens(&batch);
/// // 0.01 / max(0.01414, 0.1), where the deviation itself would give 0.7.
/// assert!((advantages.values()[5] - 0.1).abs() < 1e-12);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpreadConfig {
    /// By what deviations are divided. Default `unbiased`.
    pub std: Std,
    /// Added to the standard deviation, at least 0. Default 1e-6.
    pub eps: f64,
    /// The least that the standard deviation counts as, at least 0; 0 where `std` is none. Default 0.
    pub floor: f64,
    /// Whose standard deviation it is; `group` where `std` is none. Default `group`.
    pub over: StdOver,
}

impl Default for SpreadConfig {
    fn default() -> Self {
        Self {
            std: Std::Unbiased,
            eps: 1e-6,
            floor: 0.0,
            over: StdOver::Group,
        }
    }
}

/// Whose standard deviation divides the deviations from a group's mean. A group whose rewards are all equal gets 0 under each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdOver {
    /// The group's own (GRPO).
    #[default]
    Group,
    /// That of all rewards of the batch (Lite PPO, arXiv 2508.08221; TRL's `scale_rewards="batch"`).
    Batch,
    /// The group's own where one of its responses is right, that of the batch where none is. In a batch without any right response
    /// it is as small as theirs: there a floor helps. Needs [`RolloutBatch::with_hits`].
    BatchWithoutHit,
}

impl SpreadConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_at_least_0("eps", self.eps)?;
        check_at_least_0("floor", self.floor)?;
        if self.std == Std::None && (self.floor > 0.0 || self.over != StdOver::Group) {
            return Err(Error::InvalidSetting {
                setting: "std",
                got: "none".to_owned(),
                allowed: "unbiased or population where there is a floor, or another std than the group's",
            });
        }
        Ok(())
    }

    /// What an estimator with these settings reads of a batch beside `rewards`.
    pub(super) fn needs(&self, rewards: Needs) -> Needs {
        let hits = self.over == StdOver::BatchWithoutHit;
        Needs { hits, ..rewards }
    }
}

/// A [`SpreadConfig`] over the rewards of a batch.
pub(super) struct Spread<'a> {
    config: SpreadConfig,
    /// Of the whole batch, where some group is compared with it.
    batch: Option<Moments>,
    /// Which responses are right, where that decides.
    hits: Option<&'a [bool]>,
}

impl<'a> Spread<'a> {
    /// `whole` gives the moments of all rewards of the batch.
    pub(super) fn of(
        config: SpreadConfig,
        estimator: &'static str,
        batch: &RolloutBatch<'a>,
        whole: impl FnOnce() -> Moments,
    ) -> Result<Self> {
        let hits = match (config.over == StdOver::BatchWithoutHit, batch.hits()) {
            (false, _) => None,
            (true, Some(hits)) => Some(hits),
            (true, None) => {
                let what = "hits";
                return Err(Error::MissingInput { estimator, what });
            }
        };
        let whole = (config.over != StdOver::Group).then(whole);
        if whole.is_some_and(|moments| !moments.is_finite()) {
            return Err(batch.not_finite(Error::BatchOverflow));
        }
        Ok(Self {
            config,
            batch: whole,
            hits,
        })
    }

    /// By what the deviations of a group are multiplied; 0 where it has no spread.
    pub(super) fn scale(&self, group: &Moments, members: &[usize]) -> f64 {
        let SpreadConfig {
            std, eps, floor, ..
        } = self.config;
        if !group.is_spread() || std == Std::None {
            return group.scale(std, eps);
        }
        let by_batch = |hits: &[bool]| !members.iter().any(|&response| hits[response]);
        let other = self.batch.filter(|_| self.hits.is_none_or(by_batch));
        let deviation = other.as_ref().unwrap_or(group).variance(std).sqrt();
        // The smallest numbers have no finite inverse.
        (1.0 / (deviation.max(floor) + eps)).min(f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdvantageValues, EstimatorConfig, Groups, TokenRewards};

    /// A group with a right answer, and one without.
    const REWARDS: [f64; 4] = [1.0, 0.0, 0.1, 0.3];

    fn estimate(settings: &str, with_hits: bool) -> Result<Vec<f64>> {
        let config: EstimatorConfig = toml::from_str(&format!("eps = 0.0\n{settings}")).unwrap();
        let groups = Groups::from_sizes(&[2, 2])?;
        let batch = RolloutBatch::from_outcomes(&groups, &REWARDS, &[1; 4])?;
        let batch = match with_hits {
            true => batch.with_hits(&[true, false, false, false])?,
            false => batch,
        };
        let estimated = config.build()?.estimate(&batch)?;
        Ok(estimated.into_tokens(&batch).values().to_vec())
    }

    /// Means 0.5 and 0.2 of the groups, stds sqrt(0.5) and sqrt(0.02). Of the batch: mean 0.35, squares 0.4225 + 0.1225 + 0.0625 +
    /// 0.0025 = 0.61, variance 0.61 / 3.
    #[test]
    fn std_over_the_batch_leaves_small_differences_small() {
        let (own, batch) = (0.5 / 0.5_f64.sqrt(), (0.61_f64 / 3.0).sqrt());
        for name in ["grpo", "raae"] {
            let over = |over: &str, hits| {
                estimate(&format!("estimator = '{name}'\nover = '{over}'"), hits).unwrap()
            };
            let close = |got: Vec<f64>, expected: [f64; 4]| {
                approx::assert_abs_diff_eq!(got[..], expected[..], epsilon = 1e-12);
            };
            close(over("group", false), [own, -own, -own, own]);
            let (large, small) = (0.5 / batch, 0.1 / batch);
            close(over("batch", false), [large, -large, -small, small]);
            close(over("batch_without_hit", true), [own, -own, -small, small]);
        }
        let best = estimate("estimator = 'pass_k'\nover = 'batch'", false).unwrap();
        approx::assert_abs_diff_eq!(
            best[..],
            [1.0 / batch, 0.0, 0.0, 0.2 / batch],
            epsilon = 1e-12
        );
    }

    #[test]
    fn a_floor_acts_where_the_std_is_below_it() {
        let own = 0.5 / 0.5_f64.sqrt();
        let got = estimate("estimator = 'grpo'\nfloor = 0.5", false).unwrap();
        approx::assert_abs_diff_eq!(got[..], [own, -own, -0.2, 0.2], epsilon = 1e-12);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message = |settings: &str| estimate(settings, false).unwrap_err().to_string();
        let missing = message("estimator = 'raae'\nover = 'batch_without_hit'");
        assert_eq!(missing, "raae needs hits, which the batch does not have");
        let negative = message("estimator = 'pass_k'\nfloor = -1.0");
        assert_eq!(negative, "floor must be finite and at least 0, got -1");
        for other in ["floor = 0.1", "over = 'batch'"] {
            let refused = message(&format!("estimator = 'grpo'\nstd = 'none'\n{other}"));
            assert!(
                refused.starts_with("std must be unbiased or population"),
                "{refused}"
            );
        }
    }

    /// Masked tokens are no part of the batch's deviation either.
    #[test]
    fn the_batchs_std_is_that_of_valid_tokens() {
        let groups = Groups::from_sizes(&[1, 1]).unwrap();
        let rewards = TokenRewards::from_rows([vec![0.0, 2.0, 90.0], vec![1.0]]);
        let mask = crate::TokenMask::from_rows([vec![true, true, false], vec![true]]);
        let batch = RolloutBatch::new(&groups, &rewards).unwrap();
        let batch = batch.with_mask(&mask).unwrap();
        let config = EstimatorConfig::Raae(SpreadConfig {
            eps: 0.0,
            over: StdOver::Batch,
            ..Default::default()
        });
        let estimated = config.build().unwrap().estimate(&batch).unwrap();
        let AdvantageValues::PerToken(values) = estimated.values() else {
            panic!("one number per token expected")
        };
        // 0, 2 and 1 have the std 1; the second group has no spread.
        assert_eq!(values.values(), [-1.0, 1.0, 0.0, 0.0]);
    }
}
