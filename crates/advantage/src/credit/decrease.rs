//! The released code's other mode: credit that falls with the distance to a target's name.

use serde::{Deserialize, Serialize};

use super::step_penalty::RatioConfig;
use super::{Annotated, CreditRule, Ratios};
use crate::error::{Result, check_at_least_0};

/// Settings of [`Decrease`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecreaseConfig {
    /// What the farthest and the nearest token keep of the reward.
    pub ratios: RatioConfig,
    /// How credit falls in between. Default linear.
    pub decay: Decay,
}

/// How credit falls with the distance `d` in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum Decay {
    /// `max - d / max(d) * (max - min)`.
    #[default]
    Linear,
    /// `min + (max - min) * exp(-rate * d)`; the released code's rate, which it never uses, is 0.03
    /// per token, and the bare word `exponential` stands for it.
    Exponential(f64),
}

rerec_text::word_or_table!(
    Decay,
    "decay",
    r#""linear", "exponential" or { exponential = RATE }"#,
    |word| match word {
        "linear" => Some(Decay::Linear),
        "exponential" => Some(Decay::Exponential(0.03)),
        _ => None,
    }
);

/// The decrease mode of the authors' released code: the more tokens lie between a token and the
/// nearest mention of a target, the less of the reward it keeps. A response that names no target keeps
/// the whole reward. Takes time linear in the tokens.
///
/// ```
/// use rerec_advantage::{
///     CreditAssigner, CreditConfig, DecreaseConfig, ItemNames, RatioConfig, JudgedResponse, RuleConfig,
/// };
///
/// let ratios = RatioConfig { min_ratio: 0.5, max_ratio: 1.0 };
/// let rules = vec![RuleConfig::Decrease(DecreaseConfig { ratios, ..Default::default() })];
/// let assigner = CreditAssigner::new(CreditConfig { rules, ..Default::default() })?;
/// let lexicon = assigner.lexicon([ItemNames::from_title("Heat (1995)")])?;
/// let judged = JudgedResponse {
///     response: "Heat is it",
///     token_byte_lens: &[4, 3, 3],
///     answer: None,
///     targets: &["Heat (1995)"],
///     reward: 1.0,
/// };
/// // Distances 0, 1 and 2 of at most 2: 1, 1 - 1/2 * 0.5 and 1 - 2/2 * 0.5.
/// assert_eq!(assigner.assign(&judged, &lexicon)?.token_rewards, [1.0, 0.75, 0.5]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decrease {
    config: DecreaseConfig,
}

impl Decrease {
    /// Checks the settings.
    ///
    /// # Errors
    /// A ratio or a rate that is negative or not finite.
    pub fn new(config: DecreaseConfig) -> Result<Self> {
        config.ratios.check()?;
        if let Decay::Exponential(rate) = config.decay {
            check_at_least_0("decay.exponential", rate)?;
        }
        Ok(Self { config })
    }

    fn ratio(&self, distance: usize, farthest: usize) -> f64 {
        let RatioConfig {
            min_ratio,
            max_ratio,
        } = self.config.ratios;
        match self.config.decay {
            // Every token holds a name: 0 / 0 would be NaN.
            Decay::Linear if farthest == 0 => max_ratio,
            Decay::Linear => {
                max_ratio - distance as f64 / farthest as f64 * (max_ratio - min_ratio)
            }
            Decay::Exponential(rate) => {
                min_ratio + (max_ratio - min_ratio) * (-rate * distance as f64).exp()
            }
        }
    }
}

impl CreditRule for Decrease {
    fn name(&self) -> &'static str {
        "decrease"
    }

    fn ratios(&self, response: &Annotated<'_>) -> Ratios {
        let Some(distances) = distances_to_targets(response) else {
            return Ratios::Uniform(1.0);
        };
        let farthest = distances.iter().copied().max().unwrap_or_default();
        Ratios::PerToken(distances.iter().map(|&d| self.ratio(d, farthest)).collect())
    }
}

/// The tokens between each token and the nearest that holds a byte of a target's name; `None` where
/// no target is named.
fn distances_to_targets(response: &Annotated<'_>) -> Option<Vec<usize>> {
    let mut distances = vec![usize::MAX; response.tokens.len()];
    for mention in &response.mentions {
        if response.item(mention).is_some_and(|item| item.is_target) {
            distances[response.tokens.overlapping(&mention.span)].fill(0);
        }
    }
    // One pass forwards and one backwards: each token ends with the smaller of its distances to the
    // nearest target before and after it. The largest number stands for no target so far, hence the
    // saturating sum.
    let spread = |nearest: usize, distance: &mut usize| {
        *distance = (*distance).min(nearest.saturating_add(1));
        *distance
    };
    let nearest = distances.iter_mut().fold(usize::MAX, spread);
    distances.iter_mut().rev().fold(usize::MAX, spread);
    // The forward pass ends at the last token, whose distance is finite if any token names a
    // target.
    (nearest != usize::MAX).then_some(distances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decay_by_hand() {
        let ratios = RatioConfig {
            min_ratio: 0.5,
            max_ratio: 1.0,
        };
        let linear = Decrease::new(DecreaseConfig {
            ratios,
            decay: Decay::Linear,
        })
        .unwrap();
        assert_eq!([0, 1, 4].map(|d| linear.ratio(d, 4)), [1.0, 0.875, 0.5]);
        assert_eq!(linear.ratio(0, 0), 1.0);
        let decay = Decay::Exponential(2_f64.ln());
        let halving = Decrease::new(DecreaseConfig { ratios, decay }).unwrap();
        let halved = [0, 1, 2].map(|d| halving.ratio(d, 4));
        approx::assert_abs_diff_eq!(halved[..], [1.0, 0.75, 0.625], epsilon = 1e-12);
        let decay = Decay::Exponential(-0.1);
        assert!(Decrease::new(DecreaseConfig { ratios, decay }).is_err());
    }
}
