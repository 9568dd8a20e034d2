//! What makes up for a sampler that is not the learner.

use rerec_advantage::Ragged;
use serde::{Deserialize, Serialize};

use crate::error::{Result, check};
use crate::record::SamplerRecord;

/// How responses of a sampler that is not the learner weigh in the policy gradient (fengyao.notion.site/off-policy-rl). A token's ratio
/// is that of its probability under the learner, before the step, to its probability under the sampler: other kernels and other precision
/// make it differ from 1 also where the weights are equal. The KL term is not weighted.
///
/// In a file: `{ kind = "token_truncated", most = 2.0 }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SamplerCorrection {
    /// Each token weighs its ratio, or `most` where that is less (truncated importance sampling; TRL's `token_truncate`).
    TokenTruncated {
        /// At least 1; usually 2.
        most: f64,
    },
    /// The tokens of a response weigh the product of its ratios; nothing is learned from a response where that is above `most`
    /// (TRL's `sequence_mask`).
    SequenceMasked {
        /// At least 1; TRL's default is 3.
        most: f64,
    },
    /// Nothing is learned from a response whose geometric mean of ratios is not in `[least, most]`, and all others weigh 1: drops
    /// responses in which the two engines drift apart (SkyRL's geometric sequence mask).
    GeometricMasked {
        /// In (0, 1]; usually 0.99.
        least: f64,
        /// At least 1; usually 1.01.
        most: f64,
    },
}

impl SamplerCorrection {
    pub(crate) fn validate(&self) -> Result<()> {
        let (least, most) = match *self {
            Self::TokenTruncated { most } | Self::SequenceMasked { most } => (1.0, most),
            Self::GeometricMasked { least, most } => (least, most),
        };
        let name = "reinforcement.sampler_correction.most";
        check(
            most >= 1.0 && most.is_finite(),
            name,
            most,
            "at least 1 and finite",
        )?;
        let name = "reinforcement.sampler_correction.least";
        check(least > 0.0 && least <= 1.0, name, least, "in (0, 1]")
    }

    /// The weight of each token of a response, from its log-probabilities under the learner and under the sampler.
    pub(crate) fn weights(&self, learner: &[f32], sampler: &[f32]) -> Vec<f64> {
        let gaps = || {
            let pairs = learner.iter().zip(sampler);
            pairs.map(|(&ours, &theirs)| f64::from(ours) - f64::from(theirs))
        };
        let sum: f64 = gaps().sum();
        let all = |weight: f64| vec![weight; learner.len()];
        match *self {
            Self::TokenTruncated { most } => gaps().map(|gap| gap.exp().min(most)).collect(),
            // Compared as it is used, so that no product overflows into a weight.
            Self::SequenceMasked { most } if sum.exp() <= most => all(sum.exp()),
            Self::GeometricMasked { least, most } => {
                let mean = (sum / learner.len().max(1) as f64).exp();
                all(f64::from(u8::from((least..=most).contains(&mean))))
            }
            Self::SequenceMasked { .. } => all(0.0),
        }
    }
}

/// The weights of some responses' tokens.
#[derive(Default)]
pub(crate) struct TokenWeights {
    /// One row per response, in their order.
    rows: Vec<Vec<f64>>,
    /// Sum of |log-ratio| over all tokens.
    gap: f64,
}

impl TokenWeights {
    pub(crate) fn add(&mut self, correction: SamplerCorrection, learner: &[f32], sampler: &[f32]) {
        self.rows.push(correction.weights(learner, sampler));
        let pairs = learner.iter().zip(sampler);
        self.gap += pairs.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
    }

    /// Advantages times weights, in the same rows. An objective's policy term is proportional to the advantage, so that it is
    /// weighted, and its KL term is not.
    pub(crate) fn weigh(&self, advantages: &Ragged<f64>) -> Ragged<f64> {
        let weighed = |(advantages, weights): (&[f64], &Vec<f64>)| -> Vec<f64> {
            let pairs = advantages.iter().zip(weights);
            // Adding 0 makes 0 of a negative 0.
            pairs.map(|(a, w)| a * w + 0.0).collect()
        };
        Ragged::from_rows(advantages.rows().zip(&self.rows).map(weighed))
    }

    pub(crate) fn record(&self) -> SamplerRecord {
        let tokens: usize = self.rows.iter().map(Vec::len).sum();
        let is_masked =
            |row: &&Vec<f64>| !row.is_empty() && row.iter().all(|&weight| weight == 0.0);
        SamplerRecord {
            mean_gap: self.gap / tokens.max(1) as f64,
            masked: self.rows.iter().filter(is_masked).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ratios 2, 0.5 and 4, whose product is 4 and whose geometric mean is 4^(1/3) = 1.587.
    #[test]
    fn weights_are_ratios_within_bounds() {
        let (learner, sampler) = (
            [-1.0f32; 3],
            [2.0f32, 0.5, 4.0].map(|ratio| -1.0 - ratio.ln()),
        );
        let weights = |correction: SamplerCorrection| correction.weights(&learner, &sampler);
        let close = |correction, expected: [f64; 3]| {
            approx::assert_abs_diff_eq!(weights(correction)[..], expected[..], epsilon = 1e-6);
        };
        close(
            SamplerCorrection::TokenTruncated { most: 2.5 },
            [2.0, 0.5, 2.5],
        );
        close(SamplerCorrection::SequenceMasked { most: 4.1 }, [4.0; 3]);
        close(SamplerCorrection::SequenceMasked { most: 3.9 }, [0.0; 3]);
        let geometric = |least, most| SamplerCorrection::GeometricMasked { least, most };
        close(geometric(0.99, 1.5), [0.0; 3]);
        close(geometric(0.99, 1.6), [1.0; 3]);
        let none = geometric(0.99, 1.01).weights(&[], &[]);
        assert!(none.is_empty());
    }

    #[test]
    fn what_is_weighed_is_counted() {
        let mut weights = TokenWeights::default();
        let correction = SamplerCorrection::GeometricMasked {
            least: 0.9,
            most: 1.1,
        };
        weights.add(correction, &[-1.0, -1.0], &[-2.0, -1.0]);
        weights.add(correction, &[-1.0], &[-1.0]);
        let weighed = weights.weigh(&Ragged::from_rows([vec![-1.0, 2.0], vec![3.0]]));
        assert_eq!(weighed.values(), [0.0, 0.0, 3.0]);
        let SamplerRecord { mean_gap, masked } = weights.record();
        assert_eq!((mean_gap, masked), (1.0 / 3.0, 1));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let message =
            |correction: SamplerCorrection| correction.validate().unwrap_err().to_string();
        let truncated = message(SamplerCorrection::TokenTruncated { most: 0.5 });
        assert_eq!(
            truncated,
            "reinforcement.sampler_correction.most must be at least 1 and finite, got 0.5"
        );
        let geometric = message(SamplerCorrection::GeometricMasked {
            least: 1.01,
            most: 1.01,
        });
        assert!(
            geometric.contains("least must be in (0, 1], got 1.01"),
            "{geometric}"
        );
    }
}
