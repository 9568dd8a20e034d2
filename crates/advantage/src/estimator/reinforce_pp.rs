//! REINFORCE++: discounted returns, normalised over the whole batch.

use serde::{Deserialize, Serialize};

use super::group_relative::{Singleton, centred};
use super::whitening::WhiteningConfig;
use super::{AdvantageEstimator, Needs};
use crate::advantages::Advantages;
use crate::batch::RolloutBatch;
use crate::error::{Error, Result};
use crate::ragged::Ragged;

/// What happens to the return at a token outside the mask, between two valid ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskedGap {
    /// It is carried over the gap without discount (verl since 2025).
    #[default]
    Carry,
    /// It starts anew before the gap (earlier verl).
    Reset,
}

/// Settings of [`ReinforcePp`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReinforcePpConfig {
    /// Discount per token, gamma, in 0..=1. Default 1.
    pub gamma: f64,
    /// What happens at tokens outside the mask. Default `carry`.
    pub gap: MaskedGap,
    /// How returns are normalised.
    pub whitening: WhiteningConfig,
}

impl Default for ReinforcePpConfig {
    fn default() -> Self {
        Self {
            gamma: 1.0,
            gap: MaskedGap::Carry,
            whitening: WhiteningConfig::default(),
        }
    }
}

/// REINFORCE++ (arXiv 2501.03262): the discounted sum of the rewards to come at each token,
/// whitened over all valid tokens of the batch.
///
/// A response's outcome is placed on its last valid token; without outcomes the token rewards are taken as they come.
///
/// ```
/// use rerec_advantage::{
///     AdvantageEstimator, Groups, ReinforcePp, ReinforcePpConfig, RolloutBatch, Std, WhiteningConfig,
/// };
///
/// // Returns with gamma 0.5: (0.5, 1) and (3): mean 1.5, only subtracted here.
/// let whitening = WhiteningConfig { std: Std::None, count_eps: 0.0, ..Default::default() };
/// let config = ReinforcePpConfig { gamma: 0.5, whitening, ..Default::default() };
/// let groups = Groups::from_sizes(&[2])?;
/// let batch = RolloutBatch::from_outcomes(&groups, &[1.0, 3.0], &[2, 1])?;
/// let advantages = ReinforcePp::new(config)?.estimate(&batch)?.into_tokens(&batch);
/// assert_eq!(advantages.values(), [-1.0, -0.5, 1.5]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReinforcePp {
    config: ReinforcePpConfig,
}

impl ReinforcePp {
    /// Checks the settings.
    ///
    /// # Errors
    /// A `gamma` outside 0..=1, an eps that is negative or not finite.
    pub fn new(config: ReinforcePpConfig) -> Result<Self> {
        check_discount("gamma", config.gamma)?;
        config.whitening.check()?;
        Ok(Self { config })
    }
}

pub(super) fn check_discount(setting: &'static str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::InvalidSetting {
        setting,
        got: value.to_string(),
        allowed: "between 0 and 1",
    })
}

impl AdvantageEstimator for ReinforcePp {
    fn name(&self) -> &'static str {
        "reinforce_pp"
    }

    fn needs(&self) -> Needs {
        Needs::OUTCOMES
    }

    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages> {
        let mut returns = rewards_to_go(batch, self.config.gamma, self.config.gap)?;
        self.config.whitening.per_token(&mut returns, batch)?;
        Advantages::per_token(returns, batch.groups())
    }
}

/// The discounted sum of the rewards from each valid token on; values outside the mask mean nothing.
pub(super) fn rewards_to_go(
    batch: &RolloutBatch<'_>,
    gamma: f64,
    gap: MaskedGap,
) -> Result<Ragged<f64>> {
    batch.check_rewards()?;
    let mut returns = batch.rewards_over_time().into_owned();
    for response in 0..returns.len() {
        // From the last token back; a masked token holds whatever until it is cleared.
        let mask = batch.mask_row(response);
        let mut to_go = 0.0;
        let row = returns.row_mut(response).unwrap_or_default();
        for (token, reward) in row.iter_mut().enumerate().rev() {
            if mask.is_none_or(|mask| mask[token]) {
                to_go = *reward + gamma * to_go;
            } else if gap == MaskedGap::Reset {
                to_go = 0.0;
            }
            *reward = to_go;
        }
    }
    Ok(returns)
}

/// Settings of [`ReinforcePpBaseline`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReinforcePpBaselineConfig {
    /// What a group of one response gets before the batch is normalised. Default `raw`.
    pub singleton: Singleton,
    /// How the differences are normalised.
    pub whitening: WhiteningConfig,
}

/// REINFORCE++ with a baseline: `R - mean` of the group, whitened over all valid tokens of the
/// batch (arXiv 2501.03262).
///
/// ```
/// use rerec_advantage::{
///     AdvantageEstimator, AdvantageValues, Groups, ReinforcePpBaseline, ReinforcePpBaselineConfig,
///     RolloutBatch, Std, WhiteningConfig,
/// };
///
/// // R - mean is -1 on three tokens and 1 on one: mean -0.5, only subtracted here.
/// let whitening = WhiteningConfig { std: Std::None, count_eps: 0.0, ..Default::default() };
/// let config = ReinforcePpBaselineConfig { whitening, ..Default::default() };
/// let groups = Groups::from_sizes(&[2])?;
/// let batch = RolloutBatch::from_outcomes(&groups, &[1.0, 3.0], &[3, 1])?;
/// let advantages = ReinforcePpBaseline::new(config)?.estimate(&batch)?;
/// assert_eq!(*advantages.values(), AdvantageValues::PerResponse(vec![-0.5, 1.5]));
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReinforcePpBaseline {
    config: ReinforcePpBaselineConfig,
}

impl ReinforcePpBaseline {
    /// Checks the settings.
    ///
    /// # Errors
    /// An eps that is negative or not finite.
    pub fn new(config: ReinforcePpBaselineConfig) -> Result<Self> {
        config.whitening.check()?;
        Ok(Self { config })
    }
}

impl AdvantageEstimator for ReinforcePpBaseline {
    fn name(&self) -> &'static str {
        "reinforce_pp_baseline"
    }

    fn needs(&self) -> Needs {
        Needs::OUTCOMES
    }

    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages> {
        let mut advantages = centred(self.name(), batch, self.config.singleton)?;
        self.config.whitening.per_response(&mut advantages, batch)?;
        Advantages::per_response(advantages, batch.groups())
    }
}
