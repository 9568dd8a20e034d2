//! Terms of the reward that know how many tokens a response has.

use rerec_rewards::{RewardBreakdown, RewardPart};
use serde::{Deserialize, Serialize};

use crate::error::{Result, check};

/// The soft penalty of overlong responses (DAPO, arXiv 2503.14476, equation 13): a term of the reward named `overlong`. It is 0 up to
/// `max_tokens - cache` tokens, falls along a line, and is -1 at `max_tokens`.
///
/// ```
/// use rerec::OverlongPenalty;
///
/// let penalty = OverlongPenalty { max_tokens: 100, cache: 20, weight: 0.5 };
/// assert_eq!([80, 85, 100].map(|tokens| penalty.term(tokens)), [0.0, -0.25, -1.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlongPenalty {
    /// Longest response in tokens.
    pub max_tokens: usize,
    /// Tokens before it over which the penalty grows. In [1, `max_tokens`].
    pub cache: usize,
    /// Weight in the reward. Above 0.
    pub weight: f64,
}

impl OverlongPenalty {
    /// The term for a response of so many tokens, in [-1, 0].
    pub fn term(&self, tokens: usize) -> f64 {
        let over = tokens.saturating_sub(self.max_tokens.saturating_sub(self.cache));
        // 0 less it, since -0.0 would be written as such.
        0.0 - (over as f64 / self.cache as f64).min(1.0)
    }

    fn validate(&self) -> Result<()> {
        let (most, cache) = (self.max_tokens, self.cache);
        let allowed = format!("in [1, {most}], the longest response");
        check(
            (1..=most).contains(&cache),
            "overlong.cache",
            cache,
            &allowed,
        )?;
        check_weight("overlong.weight", self.weight)
    }
}

/// A penalty of right responses that are longer than the others, scaled by the success of their group: a term of the reward named
/// `length`. With n the tokens of a right response, m the mean of n over the right responses of the group and p the share that these
/// have of it,
///
/// `length = -p * clamp(n / m - 1, 0, 1)`, and 0 for all other responses.
///
/// Nothing is asked of queries that the policy cannot answer yet; where it always can, a response of twice the usual length loses the
/// whole weight. After prime-rl's length penalty, which compares a right response with the mean length of the right ones too, and gives
/// shorter ones a bonus; the factor p takes the pressure off hard queries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LengthPenalty {
    /// Weight in the reward. Above 0.
    pub weight: f64,
}

impl LengthPenalty {
    /// The term of each response of a group, in [-1, 0]: of right ones with so many tokens, and `None` for the others.
    ///
    /// ```
    /// use rerec::LengthPenalty;
    ///
    /// // The right responses have 30 tokens in the mean, and 2 of 4 are right: -0.5 * (45 / 30 - 1).
    /// let terms = LengthPenalty { weight: 1.0 }.terms(&[Some(15), None, Some(45), None]);
    /// assert_eq!(terms, [0.0, 0.0, -0.25, 0.0]);
    /// ```
    pub fn terms(&self, right: &[Option<usize>]) -> Vec<f64> {
        let tokens: Vec<f64> = right.iter().flatten().map(|&n| n as f64).collect();
        let mean = tokens.iter().sum::<f64>() / tokens.len().max(1) as f64;
        let success = tokens.len() as f64 / right.len().max(1) as f64;
        let term = |n: &Option<usize>| match n {
            // Right responses without a token have no length to compare.
            Some(n) if mean > 0.0 => 0.0 - success * (*n as f64 / mean - 1.0).clamp(0.0, 1.0),
            _ => 0.0,
        };
        right.iter().map(term).collect()
    }

    fn validate(&self) -> Result<()> {
        check_weight("length.weight", self.weight)
    }
}

fn check_weight(name: &'static str, weight: f64) -> Result<()> {
    let allowed = weight > 0.0 && weight.is_finite();
    check(allowed, name, weight, "above 0 and finite")
}

/// The length terms of an assessor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LengthTerms {
    pub(crate) overlong: Option<OverlongPenalty>,
    pub(crate) length: Option<LengthPenalty>,
}

const OVERLONG: &str = "overlong";
const LENGTH: &str = "length";

impl LengthTerms {
    pub(crate) fn validate(&self) -> Result<()> {
        self.overlong
            .as_ref()
            .map_or(Ok(()), OverlongPenalty::validate)?;
        self.length.as_ref().map_or(Ok(()), LengthPenalty::validate)
    }

    /// The setting that is on, if any is.
    pub(crate) fn name(&self) -> Option<&'static str> {
        let overlong = self.overlong.map(|_| OVERLONG);
        overlong.or(self.length.map(|_| LENGTH))
    }

    /// How far below the reward's own bounds the terms can take it.
    pub(crate) fn depth(&self) -> f64 {
        let weights = [
            self.overlong.map(|penalty| penalty.weight),
            self.length.map(|penalty| penalty.weight),
        ];
        weights.into_iter().flatten().sum()
    }

    /// Adds the terms to the rewards of a group's responses, which have so many tokens. One that cannot be scored is no response of
    /// the group.
    pub(crate) fn add(
        &self,
        group: &mut [rerec_rewards::Result<RewardBreakdown>],
        tokens: impl Iterator<Item = usize>,
    ) {
        let rewards = group.iter_mut().zip(tokens);
        let scored = rewards.filter_map(|(reward, tokens)| Some((reward.as_mut().ok()?, tokens)));
        let mut scored: Vec<(&mut RewardBreakdown, usize)> = scored.collect();
        if let Some(penalty) = self.overlong {
            for (reward, tokens) in &mut scored {
                add(reward, OVERLONG, penalty.weight, penalty.term(*tokens));
            }
        }
        if let Some(penalty) = self.length {
            let right = scored
                .iter()
                .map(|(reward, tokens)| reward.hit.then_some(*tokens));
            let terms = penalty.terms(&right.collect::<Vec<_>>());
            for ((reward, _), term) in scored.iter_mut().zip(terms) {
                add(reward, LENGTH, penalty.weight, term);
            }
        }
    }

    /// The terms of a breakdown as parts of its reward.
    pub(crate) fn parts(&self, breakdown: &RewardBreakdown) -> Vec<RewardPart> {
        let part = |name, weight| RewardPart::new(weight, breakdown.terms.get(name).copied());
        let overlong = self.overlong.map(|penalty| part(OVERLONG, penalty.weight));
        let length = self.length.map(|penalty| part(LENGTH, penalty.weight));
        [overlong, length].into_iter().flatten().collect()
    }
}

fn add(reward: &mut RewardBreakdown, name: &str, weight: f64, term: f64) {
    reward.total += weight * term;
    reward.terms.insert(name.to_owned(), term);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let overlong = |cache, weight| {
            let max_tokens = 10;
            OverlongPenalty {
                max_tokens,
                cache,
                weight,
            }
        };
        let message = "overlong.cache must be in [1, 10], the longest response, got 11";
        let refused = overlong(11, 1.0).validate().unwrap_err();
        assert_eq!(refused.to_string(), message);
        assert!(overlong(0, 1.0).validate().is_err());
        assert!(overlong(10, 1.0).validate().is_ok());
        assert!(overlong(10, f64::NAN).validate().is_err());
        let refused = LengthPenalty { weight: 0.0 }.validate().unwrap_err();
        let message = "length.weight must be above 0 and finite, got 0";
        assert_eq!(refused.to_string(), message);
    }

    #[test]
    fn what_is_longer_than_twice_the_mean_loses_no_more() {
        let penalty = LengthPenalty { weight: 1.0 };
        // Mean 20 of all three: 50 / 20 - 1 is above 1.
        let all_right = [Some(5), Some(5), Some(50)];
        assert_eq!(penalty.terms(&all_right), [0.0, 0.0, -1.0]);
        assert_eq!(penalty.terms(&[None, None]), [0.0, 0.0]);
        assert_eq!(penalty.terms(&[Some(0), Some(0)]), [0.0, 0.0]);
    }
}
