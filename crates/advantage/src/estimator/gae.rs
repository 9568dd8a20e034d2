//! Generalised advantage estimation, for policies that have a critic.

use serde::{Deserialize, Serialize};

use super::reinforce_pp::check_discount;
use super::whitening::WhiteningConfig;
use super::{AdvantageEstimator, Needs};
use crate::advantages::Advantages;
use crate::batch::RolloutBatch;
use crate::error::{Error, Result};

/// Settings of [`Gae`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GaeConfig {
    /// Discount per token, gamma, in 0..=1. Default 1.
    pub gamma: f64,
    /// Weight of later temporal differences, lambda, in 0..=1. Default 1.
    pub lambda: f64,
    /// How advantages are normalised.
    pub whitening: WhiteningConfig,
}

impl Default for GaeConfig {
    fn default() -> Self {
        Self {
            gamma: 1.0,
            lambda: 1.0,
            whitening: WhiteningConfig::default(),
        }
    }
}

/// Generalised advantage estimation (arXiv 1506.02438): `A[t] = d[t] + gamma lambda A[t + 1]` with
/// `d[t] = r[t] + gamma V[t + 1] - V[t]`, whitened over the batch. Tokens outside the mask are
/// passed over. The returns, `A + V` before whitening, are what a critic should have predicted.
///
/// ```
/// use rerec_advantage::{AdvantageEstimator, Gae, GaeConfig, Groups, Ragged, RolloutBatch};
///
/// let groups = Groups::from_sizes(&[1])?;
/// let values = Ragged::from_rows([[0.25, 0.5]]);
/// let batch = RolloutBatch::from_outcomes(&groups, &[1.0], &[2])?.with_values(&values)?;
/// let advantages = Gae::new(GaeConfig::default())?.estimate(&batch)?;
/// // A[1] = 1 - 0.5 and A[0] = 0 + 0.5 - 0.25 + A[1] = 0.75: both expect the reward 1.
/// assert_eq!(advantages.returns().unwrap().values(), [1.0, 1.0]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gae {
    config: GaeConfig,
}

impl Gae {
    pub(super) const NEEDS: Needs = Needs {
        values: true,
        ..Needs::OUTCOMES
    };

    /// Checks the settings.
    ///
    /// # Errors
    /// A `gamma` or `lambda` outside 0..=1, an eps that is negative or not finite.
    pub fn new(config: GaeConfig) -> Result<Self> {
        check_discount("gamma", config.gamma)?;
        check_discount("lambda", config.lambda)?;
        config.whitening.check()?;
        Ok(Self { config })
    }

    /// Turns the rewards of a response into its advantages, from the last token to the first.
    fn accumulate(&self, rewards: &mut [f64], values: &[f64], mask: Option<&[bool]>) {
        let GaeConfig { gamma, lambda, .. } = self.config;
        let (mut advantage, mut next_value) = (0.0, 0.0);
        for (token, reward) in rewards.iter_mut().enumerate().rev() {
            // A masked token, such as a tool's output, is no step: neither discount nor value passes through it.
            if mask.is_none_or(|mask| mask[token]) {
                let difference = *reward + gamma * next_value - values[token];
                advantage = difference + gamma * lambda * advantage;
                next_value = values[token];
                *reward = advantage;
            } else {
                *reward = 0.0;
            }
        }
    }
}

impl AdvantageEstimator for Gae {
    fn name(&self) -> &'static str {
        "gae"
    }

    fn needs(&self) -> Needs {
        Self::NEEDS
    }

    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages> {
        let missing = Error::MissingInput {
            estimator: self.name(),
            what: "values",
        };
        let values = batch.values().ok_or(missing)?;
        batch.check_rewards()?;
        let mut advantages = batch.rewards_over_time().into_owned();
        let mut returns = advantages.clone();
        for (response, values) in values.rows().enumerate() {
            let row = advantages.row_mut(response).unwrap_or_default();
            self.accumulate(row, values, batch.mask_row(response));
            let targets = returns.row_mut(response).unwrap_or_default();
            for (target, (advantage, value)) in targets.iter_mut().zip(row.iter().zip(values)) {
                *target = advantage + value;
            }
            batch.clear_masked(response, targets);
        }
        // The returns are taken before: a critic predicts rewards, not whitened advantages.
        self.config.whitening.per_token(&mut advantages, batch)?;
        Ok(Advantages::per_token(advantages, batch.groups())?.with_returns(returns))
    }
}
