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
    /// `-h A log pi`, the ratio held constant, for tokens within a trust region, and nothing beyond it (DPPO, arXiv 2602.04879):
    /// where the token's probability has moved from q to p as its advantage wants, by no more than `p - q <= clip_high` for positive
    /// advantages and `q - p <= clip_low` for negative ones (total variation). Rare tokens may move on where a ratio would clip
    /// them, and frequent ones are held where it would not. The paper's bound is 0.15. h counts as 20 at most.
    DppoTv,
    /// The same with the divergence `q log(q / p) + (1 - q) log((1 - q) / (1 - p))` of the token against all others. The paper's
    /// bound is 0.05.
    DppoKl,
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
    /// Lower clip range, eps_low; for DPPO the bound of the divergence. Default 0.2; range `[0, 1)`, for CISPO and DPPO `[0, inf)`.
    pub clip_low: f64,
    /// Upper clip range, eps_high; for DPPO the bound of the divergence. Above `clip_low` it is DAPO's clip-higher, which lets rare
    /// tokens grow (0.28 beside 0.2, arXiv 2503.14476). Default 0.2; range `[0, inf)`.
    pub clip_high: f64,
    /// Bound of the loss for negative advantages, in units of |A| (dual clip), of the clipped surrogate alone. Default
    /// none; range `(1, inf)`.
    pub dual_clip: Option<f64>,
    /// Estimator of the KL term. Default k3.
    pub kl: KlEstimator,
    /// Weight of the KL term, beta. Default 0.01; range `[0, inf)`. 0 needs no reference policy.
    pub kl_coefficient: f64,
    /// Whether the KL estimate is multiplied by the token's ratio h, gradient included (arXiv 2512.02556; TRL's
    /// `use_bias_correction_kl`): the estimate and its gradient then stay unbiased once the policy has moved from the one that
    /// sampled. Default false; not for GSPO, whose ratio is that of a sequence.
    pub unbiased_kl: bool,
    /// Share of the response tokens that get a policy gradient: those whose distributions have the highest entropy among all tokens
    /// that an update learns from (arXiv 2506.01939, there 0.2). The KL term and the denominators go on counting all. Below 1 an
    /// update takes a forward pass more. Default 1; range `(0, 1]`.
    pub top_entropy: f64,
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
            unbiased_kl: false,
            top_entropy: 1.0,
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
    /// The KL estimate, before its coefficient.
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
/// Upper bound on the ratio of DPPO, and what keeps its divergence finite: verl's too.
const MAX_DPPO_RATIO: f64 = 20.0;
const LEAST_REST: f64 = 1e-8;

impl Objective {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`](crate::Error::InvalidSetting) names the setting, its value and its range.
    pub fn new(config: ObjectiveConfig) -> Result<Self> {
        let c = &config;
        let (lowest, range) = match c.surrogate {
            // From 1 on there is no lower bound: the ratios of CISPO are clipped from above alone.
            Surrogate::Cispo | Surrogate::DppoTv | Surrogate::DppoKl => {
                (f64::INFINITY, "in [0, inf)")
            }
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
            check(
                is_used,
                "dual_clip",
                bound,
                "left out unless the surrogate is clipped",
            )?;
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
        let per_token = c.surrogate != Surrogate::Gspo;
        check(
            per_token || !c.unbiased_kl,
            "unbiased_kl",
            c.unbiased_kl,
            "false for gspo",
        )?;
        check(
            c.top_entropy > 0.0 && c.top_entropy <= 1.0,
            "top_entropy",
            c.top_entropy,
            "in (0, 1]",
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

    /// Of tokens with these entropies, which get a policy gradient; none where all do. Equal entropies are treated alike, so that
    /// it may be more than the share. The KL term of the others is that of an advantage of 0.
    ///
    /// ```
    /// use rerec_policy::{Objective, ObjectiveConfig};
    ///
    /// let config = ObjectiveConfig { top_entropy: 0.4, ..Default::default() };
    /// let forks = Objective::new(config)?.forks(&[0.1, 2.0, 0.0, 1.5, 0.3]);
    /// assert_eq!(forks, Some(vec![false, true, false, true, false]));
    /// # Ok::<(), rerec_policy::Error>(())
    /// ```
    pub fn forks(&self, entropies: &[f32]) -> Option<Vec<bool>> {
        if !self.weighs_entropies() {
            return None;
        }
        let mut falling = entropies.to_vec();
        falling.sort_unstable_by(|a, b| b.total_cmp(a));
        let share = (self.config.top_entropy * falling.len() as f64).ceil() as usize;
        let least = falling.get(share.saturating_sub(1)).copied();
        let is_fork = |&entropy: &f32| least.is_some_and(|least| entropy >= least);
        Some(entropies.iter().map(is_fork).collect())
    }

    /// Whether [`Objective::forks`] leaves tokens out.
    pub fn weighs_entropies(&self) -> bool {
        self.config.top_entropy < 1.0
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
            Surrogate::DppoTv | Surrogate::DppoKl => {
                self.within_region(log_prob, log_ratio, advantage)
            }
        };
        if let Some(reference) = reference_log_prob {
            let (mut kl, mut slope) = self.kl(reference - log_prob);
            if self.config.unbiased_kl {
                let ratio = Ratio::new(log_ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO);
                // (h k)' = h k + h k', since dh/d(log pi) is h.
                slope = ratio.value * (slope + if ratio.is_clamped { 0.0 } else { kl });
                kl *= ratio.value;
            }
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

    /// `-h A log pi`, the ratio held constant, unless the token has left the trust region.
    fn within_region(&self, log_prob: f64, log_ratio: f64, advantage: f64) -> TokenTerm {
        if self.has_left(log_prob, log_prob - log_ratio, advantage) {
            return TokenTerm::flat(0.0);
        }
        let ratio = Ratio::new(log_ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO).value;
        let gradient = -advantage * ratio.min(MAX_DPPO_RATIO);
        TokenTerm {
            loss: gradient * log_prob,
            gradient,
            kl: 0.0,
            clipped: false,
        }
    }

    /// Whether a token has moved on, as its advantage wants, beyond the bound of its divergence.
    fn has_left(&self, log_prob: f64, old_log_prob: f64, advantage: f64) -> bool {
        let (p, q) = (log_prob.exp(), old_log_prob.exp());
        let (moved, bound) = match advantage > 0.0 {
            true => (p - q, self.config.clip_high),
            false => (q - p, self.config.clip_low),
        };
        let divergence = match self.config.surrogate {
            Surrogate::DppoKl => {
                let rest = (1.0 - q + LEAST_REST) / (1.0 - p + LEAST_REST);
                q * (old_log_prob - log_prob) + (1.0 - q) * rest.ln()
            }
            _ => moved,
        };
        // A token without an advantage wants nothing.
        advantage != 0.0 && moved > 0.0 && divergence > bound
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
