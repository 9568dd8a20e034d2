//! The clipped surrogate objectives, one token at a time.

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

/// How the ratio h of the policy to the one that sampled enters the loss; A is the advantage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surrogate {
    /// `-min(h A, clip(h) A)` with the token's own ratio (PPO, arXiv 1707.06347; GRPO). Different clip ranges are
    /// DAPO's clip-higher.
    Clipped,
    /// As `Clipped`, with the sequence's ratio `exp(mean log-ratio)` for each of its tokens (GSPO, arXiv 2507.18071).
    /// There is no dual clip. Usual with [`Aggregation::SequenceMeanTokenMean`] and clip ranges of some 1e-4.
    Gspo,
    /// `-clip(h) A log pi`, the clipped ratio held constant: no token loses its gradient (CISPO, arXiv 2506.13585).
    Cispo,
}

/// What the tokens' losses are added up to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The mean over all response tokens of the batch (DAPO).
    TokenMean,
    /// The mean over sequences of the mean over their tokens (GRPO as first written).
    SequenceMeanTokenMean,
    /// The mean over sequences of the sum over their tokens.
    SequenceMeanTokenSum,
    /// The mean over sequences of the sum over their tokens, divided by a constant, usually the token limit
    /// (Dr.GRPO, arXiv 2503.20783). Range: above 0.
    SequenceMeanTokenSumOver(f64),
}

impl Aggregation {
    /// The weight of each sequence's tokens in a batch with the given numbers of response tokens; a sequence without
    /// tokens does not count.
    ///
    /// ```
    /// use rerec_policy::Aggregation;
    ///
    /// assert_eq!(Aggregation::TokenMean.weights(&[3, 1]), [0.25, 0.25]);
    /// assert_eq!(Aggregation::SequenceMeanTokenMean.weights(&[4, 1]), [0.125, 0.5]);
    /// assert_eq!(Aggregation::SequenceMeanTokenSumOver(10.0).weights(&[4, 1]), [0.05, 0.05]);
    /// ```
    pub fn weights(self, lens: &[usize]) -> Vec<f64> {
        let tokens = lens.iter().sum::<usize>() as f64;
        let sequences = lens.iter().filter(|&&len| len > 0).count() as f64;
        let weight = |&len: &usize| match self {
            // First, since an empty sequence would divide by 0 below.
            _ if len == 0 => 0.0,
            Self::TokenMean => 1.0 / tokens,
            Self::SequenceMeanTokenMean => 1.0 / (sequences * len as f64),
            Self::SequenceMeanTokenSum => 1.0 / sequences,
            Self::SequenceMeanTokenSumOver(constant) => 1.0 / (sequences * constant),
        };
        lens.iter().map(weight).collect()
    }
}

/// Settings of [`Objective`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// How the ratio enters. Default clipped.
    pub surrogate: Surrogate,
    /// What the tokens' losses are added up to. Default token mean.
    pub aggregation: Aggregation,
    /// Lower clip range, eps_low. Default 0.2; range `[0, 1)`, for CISPO `[0, inf)`.
    pub clip_low: f64,
    /// Upper clip range, eps_high. Default 0.2; range `[0, inf)`.
    pub clip_high: f64,
    /// Bound of the loss for negative advantages, in units of |A| (dual clip), of the clipped surrogate alone. Default
    /// none; range `(1, inf)`.
    pub dual_clip: Option<f64>,
    /// Estimator of the KL term. Default k3.
    pub kl: KlEstimator,
    /// Weight of the KL term, beta. Default 0.01; range `[0, inf)`. 0 needs no reference policy.
    pub kl_coefficient: f64,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self {
            surrogate: Surrogate::Clipped,
            aggregation: Aggregation::TokenMean,
            clip_low: 0.2,
            clip_high: 0.2,
            dual_clip: None,
            kl: KlEstimator::K3,
            kl_coefficient: 0.01,
        }
    }
}

/// The clipped objective: `-min(h A, clip(h, 1 - eps_low, 1 + eps_high) A) + beta KL` for each token,
/// with h = exp(log-probability - log-probability at sampling time), or another [`Surrogate`].
///
/// Log-ratios are clamped to ±20, those of sequences (GSPO) to 10 from above, so that gradients stay finite.
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

// The three bounds are those of verl, whose losses and gradients the tests compare with.
/// Bound on |log-ratio| before exponentiation.
const MAX_LOG_RATIO: f64 = 20.0;
/// Upper bound on the log-ratio of a sequence.
const MAX_SEQUENCE_LOG_RATIO: f64 = 10.0;
/// Bound on the k3 estimate.
const MAX_K3: f64 = 10.0;

impl Objective {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`](crate::Error::InvalidSetting) names the setting, its value and its range.
    pub fn new(config: ObjectiveConfig) -> Result<Self> {
        let c = &config;
        let (lowest, range) = match c.surrogate {
            // From 1 on there is no lower bound: the ratios of CISPO are clipped from above alone.
            Surrogate::Cispo => (f64::INFINITY, "in [0, inf)"),
            Surrogate::Clipped | Surrogate::Gspo => (1.0, "in [0, 1)"),
        };
        check(
            (0.0..lowest).contains(&c.clip_low),
            "clip_low",
            c.clip_low,
            range,
        )?;
        check(
            c.clip_high >= 0.0 && c.clip_high.is_finite(),
            "clip_high",
            c.clip_high,
            "in [0, inf)",
        )?;
        if let Some(bound) = c.dual_clip {
            let is_used = c.surrogate == Surrogate::Clipped;
            check(is_used, "dual_clip", bound, "left out for gspo and cispo")?;
            check(
                bound > 1.0 && bound.is_finite(),
                "dual_clip",
                bound,
                "in (1, inf)",
            )?;
        }
        if let Aggregation::SequenceMeanTokenSumOver(constant) = c.aggregation {
            check(
                constant > 0.0 && constant.is_finite(),
                "sequence_mean_token_sum_over",
                constant,
                "above 0",
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

    /// The weight of each sequence's tokens, of a batch with the given numbers of response tokens.
    pub fn weights(&self, lens: &[usize]) -> Vec<f64> {
        self.config.aggregation.weights(lens)
    }

    /// Whether [`Objective::token`] wants the mean log-ratio of the token's sequence instead of its own.
    pub fn is_sequence_level(&self) -> bool {
        self.config.surrogate == Surrogate::Gspo
    }

    /// Loss and gradient of one token from its log-probability now, its log-ratio (log-probability now less that at
    /// sampling time; see [`Objective::is_sequence_level`]), and its log-probability under the reference policy (none:
    /// no KL term), in nats.
    pub fn token(
        &self,
        log_prob: f64,
        log_ratio: f64,
        reference_log_prob: Option<f64>,
        advantage: f64,
    ) -> TokenTerm {
        let mut term = match self.config.surrogate {
            Surrogate::Clipped => {
                let ratio = Ratio::new(log_ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO);
                self.bounded_below(self.clipped(&ratio, advantage), advantage)
            }
            Surrogate::Gspo => {
                // The ratio s of the sequence enters as sg[s] pi / sg[pi] (GSPO-token), so the slope of s A by log pi is s A.
                // Where all |y| tokens have one advantage, this is also the gradient of s itself: |y| terms of s A / |y| each.
                // exp of a low log-ratio goes to 0, so only the upper side needs a bound.
                let ratio = Ratio::new(log_ratio, f64::NEG_INFINITY, MAX_SEQUENCE_LOG_RATIO);
                self.clipped(&ratio, advantage)
            }
            Surrogate::Cispo => self.held(log_prob, log_ratio, advantage),
        };
        if let Some(reference) = reference_log_prob {
            let (kl, slope) = self.kl(reference - log_prob);
            term.kl = kl;
            term.loss += self.config.kl_coefficient * kl;
            term.gradient += self.config.kl_coefficient * slope;
        }
        term
    }

    /// `-min(h A, clip(h) A)`.
    fn clipped(&self, ratio: &Ratio, advantage: f64) -> TokenTerm {
        let (free, cut) = (
            -advantage * ratio.value,
            -advantage * self.clip(ratio.value),
        );
        // -min(a, b) is max(-a, -b); the clipped side does not depend on the policy, so it has no gradient.
        if cut > free {
            TokenTerm::flat(cut)
        } else {
            TokenTerm {
                loss: free,
                // d(-h A)/d(log pi) is -h A itself, since dh/d(log pi) is h.
                gradient: if ratio.is_clamped { 0.0 } else { free },
                kl: 0.0,
                clipped: false,
            }
        }
    }

    /// The dual clip: what a negative advantage can cost.
    fn bounded_below(&self, term: TokenTerm, advantage: f64) -> TokenTerm {
        // For A < 0 the loss is |A| max(h, clip(h)), which clip_high does not bound: one token that has become much likelier
        // would dominate the batch (arXiv 1912.09729).
        match self.config.dual_clip {
            Some(bound) if advantage < 0.0 && term.loss > -advantage * bound => {
                TokenTerm::flat(-advantage * bound)
            }
            _ => term,
        }
    }

    /// `-clip(h) A log pi`, the clipped ratio held constant.
    fn held(&self, log_prob: f64, log_ratio: f64, advantage: f64) -> TokenTerm {
        let ratio = Ratio::new(log_ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO).value;
        // The loss is linear in log pi, so its coefficient is the slope, clipped or not.
        let gradient = -advantage * self.clip(ratio);
        TokenTerm {
            loss: gradient * log_prob,
            gradient,
            kl: 0.0,
            clipped: self.clip(ratio) != ratio,
        }
    }

    fn clip(&self, ratio: f64) -> f64 {
        ratio.clamp(1.0 - self.config.clip_low, 1.0 + self.config.clip_high)
    }

    /// The estimate and its derivative by the policy's log-probability.
    fn kl(&self, d: f64) -> (f64, f64) {
        match self.config.kl {
            KlEstimator::K1 => (-d, 1.0),
            KlEstimator::Abs => (d.abs(), if d == 0.0 { 0.0 } else { -d.signum() }),
            KlEstimator::K2 => (0.5 * d * d, -d),
            KlEstimator::K3 => {
                // d falls as log pi rises, so the slope of exp(d) - d - 1 by log pi is 1 - exp(d).
                let clamped = d.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO);
                let estimate = clamped.exp() - clamped - 1.0;
                // Beyond a bound the estimate is constant: no slope, as torch.clamp has none there.
                if estimate > MAX_K3 || clamped != d {
                    (estimate.min(MAX_K3), 0.0)
                } else {
                    (estimate, 1.0 - clamped.exp())
                }
            }
        }
    }
}

/// exp of a log-ratio that was kept within bounds.
struct Ratio {
    value: f64,
    is_clamped: bool,
}

impl Ratio {
    fn new(log_ratio: f64, low: f64, high: f64) -> Self {
        Self {
            value: log_ratio.clamp(low, high).exp(),
            is_clamped: log_ratio <= low || log_ratio >= high,
        }
    }
}

impl TokenTerm {
    /// Where clipping took the gradient away.
    fn flat(loss: f64) -> Self {
        Self {
            loss,
            gradient: 0.0,
            kl: 0.0,
            clipped: true,
        }
    }
}
