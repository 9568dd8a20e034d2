//! Normalisation over all valid tokens of a batch.

use serde::{Deserialize, Serialize};

use super::statistics::{Moments, Std};
use crate::batch::RolloutBatch;
use crate::error::{Error, Result, check_at_least_0};
use crate::ragged::Ragged;

/// How [`ReinforcePp`](crate::ReinforcePp), its baseline form and [`Gae`](crate::Gae) are brought to
/// mean 0 and variance 1 over the valid tokens of the batch.
///
/// The default is verl's convention.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WhiteningConfig {
    /// By what deviations are divided. Default `unbiased`.
    pub std: Std,
    /// How a small variance is kept from 0. Default `add`.
    pub guard: VarianceGuard,
    /// The amount of the guard, at least 0. Default 1e-8.
    pub eps: f64,
    /// Added to the number of tokens the mean is taken over, at least 0. Default 1e-8, verl's
    /// masked mean; 0 is the mean itself.
    pub count_eps: f64,
}

/// How a small variance is kept from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VarianceGuard {
    /// `sqrt(variance + eps)` (verl).
    #[default]
    Add,
    /// `sqrt(max(variance, eps))` (OpenRLHF).
    Clamp,
}

impl Default for WhiteningConfig {
    fn default() -> Self {
        Self {
            std: Std::Unbiased,
            guard: VarianceGuard::Add,
            eps: 1e-8,
            count_eps: 1e-8,
        }
    }
}

impl WhiteningConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_at_least_0("whitening.eps", self.eps)?;
        check_at_least_0("whitening.count_eps", self.count_eps)
    }

    /// Whitens one value per response, each counted once for every valid token.
    pub(super) fn per_response(&self, values: &mut [f64], batch: &RolloutBatch<'_>) -> Result<()> {
        let (mean, scale) = self.line(Moments::weighted(values, &batch.valid_lengths()))?;
        values
            .iter_mut()
            .for_each(|value| *value = (*value - mean) * scale + 0.0);
        Ok(())
    }

    /// Whitens one value per token; tokens outside the mask become 0.
    pub(super) fn per_token(
        &self,
        values: &mut Ragged<f64>,
        batch: &RolloutBatch<'_>,
    ) -> Result<()> {
        let everything: Vec<usize> = (0..values.len()).collect();
        let valid = batch.valid_values(values, &everything);
        let (mean, scale) = self.line(Moments::of([&*valid].into_iter()))?;
        for response in 0..values.len() {
            let row = values.row_mut(response).unwrap_or_default();
            row.iter_mut()
                .for_each(|value| *value = (*value - mean) * scale + 0.0);
            batch.clear_masked(response, row);
        }
        Ok(())
    }

    /// What is subtracted from a value, and by what the rest is multiplied; callers add 0, which makes 0 of a negative 0.
    fn line(&self, moments: Moments) -> Result<(f64, f64)> {
        if !moments.is_finite() {
            return Err(Error::BatchOverflow);
        }
        if !moments.is_spread() {
            // Exactly 0: dividing by the guard alone would magnify the rounding of equal values.
            return Ok((moments.mean, 0.0));
        }
        // verl's masked mean divides by count + 1e-8; that it misses the mean is part of the numbers to reproduce.
        let count = moments.count as f64;
        let mean = moments.mean * (count / (count + self.count_eps));
        let variance = moments.variance(self.std);
        let guarded = match (self.std, self.guard) {
            (Std::None, _) => 1.0,
            (_, VarianceGuard::Add) => variance + self.eps,
            (_, VarianceGuard::Clamp) => variance.max(self.eps),
        };
        Ok((mean, 1.0 / guarded.sqrt()))
    }
}
