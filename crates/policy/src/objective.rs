//! The clipped surrogate objective, one token at a time.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check};

/// Estimators of KL(policy || reference) from one sampled token; d = reference - policy log-probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlEstimator {
    /// -d: unbiased, of either sign.
    K1,
    /// |d|.
    Abs,
    /// d² / 2.
    K2,
    /// exp(d) - d - 1 ("low variance"): unbiased and never negative. d is clamped to ±20 and the
    /// estimate to 10.
    K3,
}

/// Settings of [`Objective`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// Lower clip range, eps_low. Default 0.2; range `[0, 1)`.
    pub clip_low: f64,
    /// Upper clip range, eps_high. Default 0.2; range `[0, inf)`.
    pub clip_high: f64,
    /// Bound of the loss for negative advantages, in units of |A| (dual clip). Default none; range `(1, inf)`.
    pub dual_clip: Option<f64>,
    /// Estimator of the KL term. Default k3.
    pub kl: KlEstimator,
    /// Weight of the KL term, beta. Default 0.01; range `[0, inf)`. 0 needs no reference policy.
    pub kl_coefficient: f64,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self {
            clip_low: 0.2,
            clip_high: 0.2,
            dual_clip: None,
            kl: KlEstimator::K3,
            kl_coefficient: 0.01,
        }
    }
}

/// The clipped objective: `-min(h A, clip(h, 1 - eps_low, 1 + eps_high) A) + beta KL` for each token,
/// with h = exp(log-probability - log-probability at sampling time).
///
/// Log-ratios are clamped to ±20, so that gradients stay finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    config: ObjectiveConfig,
}

/// One token's share of the objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenTerm {
    /// The loss, KL term included.
    pub loss: f64,
    /// d(loss) / d(log-probability).
    pub gradient: f64,
    /// The KL estimate, unweighted.
    pub kl: f64,
    /// Whether clipping changed the loss.
    pub clipped: bool,
}

/// Bound on |log-ratio| before exponentiation.
const MAX_LOG_RATIO: f64 = 20.0;
/// Bound on the k3 estimate.
const MAX_K3: f64 = 10.0;

impl Objective {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) names the setting, its value and its range.
    pub fn new(config: ObjectiveConfig) -> Result<Self> {
        let c = &config;
        check(
            (0.0..1.0).contains(&c.clip_low),
            "clip_low",
            c.clip_low,
            "in [0, 1)",
        )?;
        check(
            c.clip_high >= 0.0 && c.clip_high.is_finite(),
            "clip_high",
            c.clip_high,
            "in [0, inf)",
        )?;
        if let Some(bound) = c.dual_clip {
            check(
                bound > 1.0 && bound.is_finite(),
                "dual_clip",
                bound,
                "in (1, inf)",
            )?;
        }
        check(
            c.kl_coefficient >= 0.0 && c.kl_coefficient.is_finite(),
            "kl_coefficient",
            c.kl_coefficient,
            "in [0, inf)",
        )?;
        Ok(Self { config })
    }

    /// The weight of the KL term.
    pub fn kl_coefficient(&self) -> f64 {
        self.config.kl_coefficient
    }

    /// Loss and gradient of one token from its log-probability now, at sampling time, and under the
    /// reference policy (none: no KL term), in nats.
    pub fn token(
        &self,
        log_prob: f64,
        old_log_prob: f64,
        reference_log_prob: Option<f64>,
        advantage: f64,
    ) -> TokenTerm {
        let mut term = self.surrogate(log_prob - old_log_prob, advantage);
        if let Some(reference) = reference_log_prob {
            let (kl, slope) = self.kl(reference - log_prob);
            term.kl = kl;
            term.loss += self.config.kl_coefficient * kl;
            term.gradient += self.config.kl_coefficient * slope;
        }
        term
    }

    fn surrogate(&self, log_ratio: f64, advantage: f64) -> TokenTerm {
        let ratio = log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp();
        let bounded = ratio.clamp(1.0 - self.config.clip_low, 1.0 + self.config.clip_high);
        let (free, cut) = (-advantage * ratio, -advantage * bounded);
        let slope = if log_ratio.abs() < MAX_LOG_RATIO {
            free
        } else {
            0.0
        };
        let mut term = if cut > free {
            TokenTerm {
                loss: cut,
                gradient: 0.0,
                kl: 0.0,
                clipped: true,
            }
        } else {
            TokenTerm {
                loss: free,
                gradient: slope,
                kl: 0.0,
                clipped: false,
            }
        };
        if let Some(bound) = self.config.dual_clip
            && advantage < 0.0
            && term.loss > -advantage * bound
        {
            term = TokenTerm {
                loss: -advantage * bound,
                gradient: 0.0,
                kl: 0.0,
                clipped: true,
            };
        }
        term
    }

    /// The estimate and its derivative by the policy's log-probability.
    fn kl(&self, d: f64) -> (f64, f64) {
        match self.config.kl {
            KlEstimator::K1 => (-d, 1.0),
            KlEstimator::Abs => (d.abs(), if d == 0.0 { 0.0 } else { -d.signum() }),
            KlEstimator::K2 => (0.5 * d * d, -d),
            KlEstimator::K3 => {
                let clamped = d.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO);
                let estimate = clamped.exp() - clamped - 1.0;
                if estimate > MAX_K3 || clamped != d {
                    (estimate.min(MAX_K3), 0.0)
                } else {
                    (estimate, 1.0 - clamped.exp())
                }
            }
        }
    }
}
