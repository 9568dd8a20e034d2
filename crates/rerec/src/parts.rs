//! How the parts of a reward become the one number that an estimator compares.

use rerec_advantage::{
    AdvantageEstimator, AdvantageValues, Groups, Grpo, GrpoConfig, RolloutBatch, Singleton,
};
use rerec_rewards::RewardPart;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// How the parts of a reward (format, ranking, query and preference alignment, further terms) become the one number of a response
/// that estimators compare. In a file: `"summed"`, `"normalised"`, or `{ parts = "normalised", eps = 1e-4 }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    tag = "parts",
    rename_all = "snake_case",
    deny_unknown_fields
)]
pub enum RewardParts {
    /// Their weighted sum, which is the reward (the paper's). The default.
    Summed {},
    /// Each part is first normalised within its group, `(part - mean) / (std + eps)`, and then added with its weight (GDPO, arXiv
    /// 2601.05242; TRL's `normalize_then_sum`). Beside a right answer small parts keep the weight that they were given, and without one
    /// they are not blown up beyond it. A part without variance adds 0.
    ///
    /// Estimators compare the sums as they compare rewards, and most divide them by their deviation again. `dr_grpo` takes them as
    /// they are, and so does `raae` with `std = "none"`; `grpo` with `over = "batch"` is GDPO with its normalisation of the batch. A
    /// step penalty makes the tokens of a step worse by its share of the absolute sum: 0.3 of 0.7 where 0.7 is the sum.
    Normalised(NormalisedParts),
}

impl Default for RewardParts {
    fn default() -> Self {
        Self::Summed {}
    }
}

/// Settings of [`RewardParts::Normalised`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormalisedParts {
    /// Added to the standard deviation of each part, at least 0. Default 1e-6 (TRL: 1e-4).
    pub eps: f64,
}

impl Default for NormalisedParts {
    fn default() -> Self {
        Self { eps: 1e-6 }
    }
}

rerec_text::word_or_table!(
    RewardParts,
    "parts",
    r#""summed", "normalised", or a table such as { parts = "normalised", eps = 1e-4 }"#,
    |word| match word {
        "summed" => Some(RewardParts::Summed {}),
        "normalised" => Some(RewardParts::Normalised(NormalisedParts::default())),
        _ => None,
    }
);

impl RewardParts {
    /// What normalises the parts, where they are.
    pub(crate) fn normaliser(self) -> Result<Option<PartNormaliser>> {
        let Self::Normalised(NormalisedParts { eps }) = self else {
            return Ok(None);
        };
        let config = GrpoConfig {
            eps,
            // A response that has no other to be compared with.
            singleton: Singleton::Zero,
            ..Default::default()
        };
        let grpo = Grpo::new(config)?;
        Ok(Some(PartNormaliser { grpo }))
    }
}

/// [`RewardParts::Normalised`].
#[derive(Debug)]
pub(crate) struct PartNormaliser {
    /// Its advantages are what normalising within a group means here: two passes, exactly 0 for equal values.
    grpo: Grpo,
}

impl PartNormaliser {
    /// The sum of each response's normalised parts; `places` says which group each belongs to.
    pub(crate) fn sums(&self, places: &[usize], parts: &[Vec<RewardPart>]) -> Result<Vec<f64>> {
        let mut sums = vec![0.0; parts.len()];
        let most = parts.iter().map(Vec::len).max().unwrap_or(0);
        for part in 0..most {
            self.add(part, places, parts, &mut sums)?;
        }
        Ok(sums)
    }

    fn add(
        &self,
        part: usize,
        places: &[usize],
        parts: &[Vec<RewardPart>],
        sums: &mut [f64],
    ) -> Result<()> {
        let valued = |(response, parts): (usize, &Vec<RewardPart>)| {
            let RewardPart { weight, value } = *parts.get(part)?;
            Some((response, weight, value?))
        };
        // A response without the part is not compared in it.
        let having: Vec<_> = parts.iter().enumerate().filter_map(valued).collect();
        let groups = Groups::from_ids(having.iter().map(|&(response, ..)| places[response]));
        let values: Vec<f64> = having.iter().map(|&(.., value)| value).collect();
        let lengths = vec![1; values.len()];
        let batch = RolloutBatch::from_outcomes(&groups, &values, &lengths)?;
        if let AdvantageValues::PerResponse(normalised) = self.grpo.estimate(&batch)?.values() {
            for (&(response, weight, _), normalised) in having.iter().zip(normalised) {
                sums[response] += weight * normalised;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_own_mean_and_deviation() {
        let parts = RewardParts::Normalised(NormalisedParts { eps: 0.0 });
        let normaliser = parts.normaliser().unwrap().unwrap();
        let response = |ranking: f64, query: Option<f64>| {
            vec![
                RewardPart::new(1.0, 0.5),
                RewardPart::new(1.0, ranking),
                RewardPart::new(0.1, query),
            ]
        };
        let parts = [
            response(1.0, Some(0.2)),
            response(0.0, Some(0.4)),
            response(0.0, None),
            response(0.0, Some(0.6)),
            // Another group: its ranking is equal, and its query alignments are 1 apart.
            response(0.0, Some(0.0)),
            response(0.0, Some(1.0)),
            // A group of its own.
            response(1.0, Some(1.0)),
        ];
        let sums = normaliser.sums(&[3, 3, 3, 3, 5, 5, 7], &parts).unwrap();
        // Rankings have mean 1/4 and std 1/2; query alignments 0.2, 0.4, 0.6 have std 0.2. Those of the second group: 0.5 / sqrt(0.5).
        let small = 0.1 * 0.5_f64.sqrt();
        let expected = [1.5 - 0.1, -0.5, -0.5, -0.5 + 0.1, -small, small, 0.0];
        approx::assert_abs_diff_eq!(sums[..], expected[..], epsilon = 1e-12);
    }

    #[test]
    fn a_word_or_a_table() {
        let read = |json: &str| serde_json::from_str::<RewardParts>(json);
        let normalised = |eps| RewardParts::Normalised(NormalisedParts { eps });
        assert_eq!(read(r#""summed""#).unwrap(), RewardParts::Summed {});
        assert_eq!(read(r#""normalised""#).unwrap(), normalised(1e-6));
        let table = r#"{"parts": "normalised", "eps": 0.5}"#;
        assert_eq!(read(table).unwrap(), normalised(0.5));
        for unknown in [r#""gdpo""#, r#"{"parts": "summed", "eps": 0.5}"#] {
            assert!(read(unknown).is_err(), "{unknown}");
        }
        assert!(normalised(-1.0).normaliser().is_err());
    }
}
