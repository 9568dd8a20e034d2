//! Means with intervals by resampling.

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::statistics::wilson;

/// How often the queries are drawn anew.
const RESAMPLES: usize = 10_000;

/// A value with its 95 % interval; shares lie in [0, 1], differences in [-1, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// The share of what is right, with Wilson's interval.
    pub(crate) fn of_share(right: usize, asked: usize) -> Self {
        let (low, high) = wilson(right, asked);
        let value = right as f64 / asked.max(1) as f64;
        Self { value, low, high }
    }
}

impl fmt::Display for Estimate {
    /// In percent: `54.0 [49.1, 58.8]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [value, low, high] = [self.value, self.low, self.high].map(|share| 100.0 * share);
        write!(f, "{value:.1} [{low:.1}, {high:.1}]")
    }
}

/// The mean of one value per query, with the interval between the 2.5 % and the 97.5 % point of the means of 10,000 resamples
/// (percentile bootstrap, Efron 1979). Of differences between two models' values it is the paired bootstrap. 0 of no values.
///
/// ```
/// use rerec_report::bootstrap_mean;
///
/// let values: Vec<f64> = (0..100).map(|n| f64::from(n % 2)).collect();
/// let mean = bootstrap_mean(&values, 1);
/// assert_eq!(mean.value, 0.5);
/// // Near 0.5 ± 1.96 · sqrt(0.25 / 100).
/// assert!((mean.low - 0.402).abs() < 0.015 && (mean.high - 0.598).abs() < 0.015);
/// ```
pub fn bootstrap_mean(values: &[f64], seed: u64) -> Estimate {
    if values.is_empty() {
        return Estimate::default();
    }
    let mean = |sum: f64| sum / values.len() as f64;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = (0..values.len()).map(|_| values[random.random_range(0..values.len())]);
            mean(drawn.sum())
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
    Estimate {
        value: mean(values.iter().sum()),
        low: at(0.025),
        high: at(0.975),
    }
}
