//! Reasoning-aware advantage estimation: every token against all tokens of its group.

use super::spread::{Spread, SpreadConfig};
use super::statistics::Moments;
use super::{AdvantageEstimator, Needs};
use crate::advantages::{AdvantageValues, Advantages};
use crate::batch::RolloutBatch;
use crate::error::{Error, Result};
use crate::ragged::Ragged;

/// ReRec's estimator: `A[i, t] = (r[i, t] - mean) / (std + eps)`, with mean and std over all valid
/// tokens of a group's responses, so that a penalised step is worse than its own response.
///
/// Tokens weigh the same whatever the length of their response. A group of one response is
/// normalised over its own tokens; one whose rewards are all equal gets exactly 0.
///
/// Where the shaping acts: in a group with a right answer (1.05 against 0.05) the std is large and
/// a penalty of 0.015 nearly vanishes; where all are wrong the penalties are all the spread there
/// is, and are blown up to unit variance. Log both kinds of group separately.
///
/// ```
/// use rerec_advantage::{AdvantageEstimator, Groups, Raae, RolloutBatch, SpreadConfig, TokenRewards};
///
/// // Mean (1 + 2 + 3) / 3 = 2, unbiased std 1.
/// let rewards = TokenRewards::from_rows([vec![1.0, 2.0], vec![3.0]]);
/// let groups = Groups::from_sizes(&[2])?;
/// let batch = RolloutBatch::new(&groups, &rewards)?;
/// let raae = Raae::new(SpreadConfig { eps: 0.0, ..Default::default() })?;
/// let advantages = raae.estimate(&batch)?.into_tokens(&batch);
/// assert_eq!(advantages.values(), [-1.0, 0.0, 1.0]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Raae {
    config: SpreadConfig,
}

impl Raae {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(config: SpreadConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { config })
    }
}

impl AdvantageEstimator for Raae {
    fn name(&self) -> &'static str {
        "raae"
    }

    fn needs(&self) -> Needs {
        self.config.needs(Needs::TOKEN_REWARDS)
    }

    fn estimate(&self, batch: &RolloutBatch<'_>) -> Result<Advantages> {
        let rewards = batch.rewards_of_tokens();
        let spread = Spread::of(self.config, self.name(), batch, || {
            let everything: Vec<usize> = (0..rewards.len()).collect();
            Moments::of([&*batch.valid_values(&rewards, &everything)].into_iter())
        })?;
        let mut advantages = Ragged::filled_like(&rewards, 0.0);
        let mut signal = Vec::with_capacity(batch.groups().len());
        for (group, members) in batch.groups().iter().enumerate() {
            let rows = || members.iter().filter_map(|&response| rewards.row(response));
            // Copied under a mask only; without one the rows are read where they lie.
            let moments = match batch.mask() {
                None => Moments::of(rows()),
                Some(_) => Moments::of([&*batch.valid_values(&rewards, members)].into_iter()),
            };
            if !moments.is_finite() {
                return Err(batch.not_finite(Error::GroupOverflow { group }));
            }
            // Groups without spread keep the zeros they were created with: exactly 0, not the
            // rounding of a mean divided by eps.
            signal.push(moments.is_spread());
            if !moments.is_spread() {
                continue;
            }
            let scale = spread.scale(&moments, members);
            for (&response, row) in members.iter().zip(rows()) {
                let out = advantages.row_mut(response).unwrap_or_default();
                for (advantage, reward) in out.iter_mut().zip(row) {
                    *advantage = (reward - moments.mean) * scale;
                }
                batch.clear_masked(response, out);
            }
        }
        Ok(Advantages::with_signal(
            AdvantageValues::PerToken(advantages),
            signal,
        ))
    }
}
