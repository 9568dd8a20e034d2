//! What the curriculum takes for the success of a response.

use rerec_rewards::RewardBreakdown;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What the curriculum takes for the success of a response: the reward (the paper's), or a part of it.
///
/// ```
/// use rerec::{CurriculumMetric, rewards::RewardBreakdown};
///
/// let wrong = RewardBreakdown { format: 0.5, total: 0.055, ..Default::default() };
/// assert_eq!(CurriculumMetric::Reward.of(&wrong)?, 0.055);
/// assert_eq!(CurriculumMetric::Hit.of(&wrong)?, 0.0);
/// // The bounds of the released reward: 0.1 · ±0.5, NDCG or -0.5, 0.01 · [0, 1], 0.01 · [-1, 1].
/// assert_eq!(CurriculumMetric::Reward.range((-0.56, 1.07)), (-0.56, 1.07));
/// # Ok::<(), rerec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurriculumMetric {
    /// The reward, between its bounds (the paper's).
    #[default]
    Reward,
    /// 1 for a right answer, 0 for any other (the released code's NDCG at 1).
    Hit,
    /// NDCG at the reward's cut-off, in [0, 1]; 0 without an answer.
    Ndcg,
    /// 1 with an answer, 0 without.
    Format,
    /// The query alignment score, in [0, 1].
    QueryAlignment,
    /// The preference alignment score, in [-1, 1].
    PreferenceAlignment,
    /// A term of that name that was mixed into the reward; it has to lie in [0, 1].
    Term(String),
}

impl CurriculumMetric {
    /// The metric of a response.
    ///
    /// # Errors
    /// [`Error::NoMetric`] for a part that the reward does not have.
    pub fn of(&self, reward: &RewardBreakdown) -> Result<f64> {
        let part = match self {
            Self::Reward => Some(reward.total),
            Self::Hit => Some(f64::from(u8::from(reward.hit))),
            Self::Ndcg => Some(reward.ndcg),
            Self::Format => Some(f64::from(u8::from(reward.answer.is_some()))),
            Self::QueryAlignment => reward.query_alignment,
            Self::PreferenceAlignment => reward.preference_alignment,
            Self::Term(name) => reward.terms.get(name).copied(),
        };
        part.ok_or_else(|| Error::NoMetric {
            query: reward.query.as_str().into(),
            metric: self.name().to_owned(),
        })
    }

    /// Least and largest value of the metric under a reward of these bounds.
    pub fn range(&self, reward_bounds: (f64, f64)) -> (f64, f64) {
        match self {
            Self::Reward => reward_bounds,
            Self::PreferenceAlignment => (-1.0, 1.0),
            // A term outside is refused by the curriculum, which is given this range.
            _ => (0.0, 1.0),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Reward => "reward",
            Self::Hit => "hit",
            Self::Ndcg => "ndcg",
            Self::Format => "format",
            Self::QueryAlignment => "query_alignment",
            Self::PreferenceAlignment => "preference_alignment",
            Self::Term(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curriculum_may_follow_any_part_of_the_reward() {
        let reward = RewardBreakdown {
            query: "q7".to_owned(),
            format: 0.5,
            ndcg: 0.25,
            query_alignment: Some(0.75),
            preference_alignment: Some(-0.5),
            terms: [("novelty".to_owned(), 0.1)].into(),
            total: 0.5,
            ..Default::default()
        };
        let term = |name: &str| CurriculumMetric::Term(name.to_owned());
        for (metric, expected) in [
            (CurriculumMetric::Reward, 0.5),
            (CurriculumMetric::Hit, 0.0),
            (CurriculumMetric::Ndcg, 0.25),
            (CurriculumMetric::Format, 0.0),
            (CurriculumMetric::QueryAlignment, 0.75),
            (CurriculumMetric::PreferenceAlignment, -0.5),
            (term("novelty"), 0.1),
        ] {
            assert_eq!(metric.of(&reward).unwrap(), expected, "{metric:?}");
        }
        let refused = term("nvelty").of(&reward).unwrap_err().to_string();
        let message = "the curriculum metric nvelty is no part of the reward of query q7";
        assert_eq!(refused, message);
        let read: CurriculumMetric = serde_json::from_str(r#"{"term": "novelty"}"#).unwrap();
        assert_eq!(read, term("novelty"));
    }
}
