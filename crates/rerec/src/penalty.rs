//! Where the step penalty is taken off.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check};

/// Where the credit rules, such as the step penalty, act. In a file: `"reward"`, `"advantage"`, or
/// `{ in = "advantage", size = 0.5, only_beside_hit = false }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    tag = "in",
    rename_all = "snake_case",
    deny_unknown_fields
)]
pub enum PenaltyIn {
    /// In the reward of each token (the paper's): seen by estimators of token rewards alone, and divided by the deviation of the
    /// group, which blows it up where all answers are wrong. The default.
    Reward {},
    /// In the advantage of each token, whatever the estimator: there it is bounded.
    Advantage(AdvantagePenalty),
}

impl Default for PenaltyIn {
    fn default() -> Self {
        Self::Reward {}
    }
}

/// A penalty that is taken off the advantage. A token that keeps the share q of its reward (0.7 in a step that names the wrong answer)
/// has its advantage lowered by `(1 - q) * size`; the reward that the estimator sees is whole. A credit, q above 1, raises it in the
/// same way, by at most `size`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdvantagePenalty {
    /// What q is a share of, in units of the advantage. Above 0; default 1: a step that keeps 0.7 loses 0.3.
    pub size: f64,
    /// Whether only groups that hold a right answer are penalised. Default true.
    pub only_beside_hit: bool,
}

impl Default for AdvantagePenalty {
    fn default() -> Self {
        Self {
            size: 1.0,
            only_beside_hit: true,
        }
    }
}

rerec_text::word_or_table!(
    PenaltyIn,
    "penalty",
    r#""reward", "advantage", or a table such as { in = "advantage", size = 0.5, only_beside_hit = true }"#,
    |word| match word {
        "reward" => Some(PenaltyIn::Reward {}),
        "advantage" => Some(PenaltyIn::Advantage(AdvantagePenalty::default())),
        _ => None,
    }
);

impl PenaltyIn {
    pub(crate) fn validate(&self) -> Result<()> {
        match self.in_advantage() {
            Some(AdvantagePenalty { size, .. }) => {
                let allowed = size > 0.0 && size.is_finite();
                check(allowed, "penalty.size", size, "above 0 and finite")
            }
            None => Ok(()),
        }
    }

    pub(crate) fn in_advantage(&self) -> Option<AdvantagePenalty> {
        match *self {
            Self::Reward {} => None,
            Self::Advantage(penalty) => Some(penalty),
        }
    }
}

impl AdvantagePenalty {
    /// Lowers the advantages of a response's tokens, which keep `ratios` of their reward.
    pub(crate) fn apply(&self, advantages: &mut [f64], ratios: &[f64], beside_hit: bool) {
        if self.only_beside_hit && !beside_hit {
            return;
        }
        for (advantage, ratio) in advantages.iter_mut().zip(ratios) {
            // Ratios are at least 0, so that a penalty is bounded; a credit has to be.
            *advantage += self.size * (ratio - 1.0).min(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advantage_falls_by_the_share_that_is_lost() {
        let penalised = |penalty: AdvantagePenalty, beside_hit| {
            let mut advantages = [1.0, -0.5, 0.0, 0.25];
            penalty.apply(&mut advantages, &[1.0, 0.75, 0.0, 9.0], beside_hit);
            advantages
        };
        let penalty = AdvantagePenalty {
            size: 2.0,
            ..Default::default()
        };
        assert_eq!(penalised(penalty, true), [1.0, -1.0, -2.0, 2.25]);
        assert_eq!(penalised(penalty, false), [1.0, -0.5, 0.0, 0.25]);
        let everywhere = AdvantagePenalty {
            only_beside_hit: false,
            ..penalty
        };
        assert_eq!(penalised(everywhere, false), [1.0, -1.0, -2.0, 2.25]);
    }

    #[test]
    fn a_word_or_a_table() {
        let read = |json: &str| serde_json::from_str::<PenaltyIn>(json);
        assert_eq!(read(r#""reward""#).unwrap(), PenaltyIn::Reward {});
        let default = PenaltyIn::Advantage(AdvantagePenalty::default());
        assert_eq!(read(r#""advantage""#).unwrap(), default);
        let small = read(r#"{"in": "advantage", "size": 0.0}"#).unwrap();
        let refused = small.validate().unwrap_err().to_string();
        assert_eq!(refused, "penalty.size must be above 0 and finite, got 0");
        assert!(read(r#"{"in": "reward", "size": 1.0}"#).is_err());
    }
}
