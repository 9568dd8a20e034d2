//! How hard a query is for the policy, from the metrics of its rollouts.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

/// Whether a difficulty is below tau, and not only by rounding: 1 - 0.9 is less than 0.1 in floating point.
pub(crate) fn is_below(difficulty: f64, tau: f64) -> bool {
    // A tau between 0 and the rounding still sets aside what is always solved.
    let least = if tau > 0.0 { 1e-12 } else { f64::NEG_INFINITY };
    to_12_decimals(difficulty) < to_12_decimals(tau).max(least)
}

/// Numbers that differ by rounding alone as one.
pub(crate) fn to_12_decimals(number: f64) -> f64 {
    (number * 1e12).round() / 1e12
}

/// The rollouts of one query in one epoch, summed up as difficulties `1 - metric`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// Position of the query in the pool.
    pub(crate) query: u32,
    pub(crate) rollouts: u32,
    /// Sum of the difficulties, left to right.
    pub(crate) sum: f64,
    /// Sum of squared deviations from the mean; exactly 0 when all are equal.
    pub(crate) squares: f64,
}

impl Round {
    /// Sums up the difficulties of one record; `None` when there are none.
    pub(crate) fn new(query: u32, difficulties: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let first = difficulties.clone().next()?;
        let (mut rollouts, mut sum, mut equal) = (0, 0.0, true);
        for difficulty in difficulties.clone() {
            rollouts += 1;
            sum += difficulty;
            equal &= difficulty == first;
        }
        let mean = sum / f64::from(rollouts);
        // Equal metrics may have a mean that is off by one unit in the last place; they have no spread all the same.
        let squares = if equal {
            0.0
        } else {
            difficulties.map(|d| (d - mean).powi(2)).sum()
        };
        Some(Self {
            query,
            rollouts,
            sum,
            squares,
        })
    }

    /// Number of rollouts, at least 1.
    pub fn rollouts(&self) -> u32 {
        self.rollouts
    }

    /// Mean of `1 - metric`.
    pub fn mean(&self) -> f64 {
        self.sum / f64::from(self.rollouts)
    }

    /// Population standard deviation of the metric.
    pub fn deviation(&self) -> f64 {
        (self.squares / f64::from(self.rollouts)).sqrt()
    }

    /// Both rounds of a query as one (Chan, Golub and LeVeque 1979, eq. 2.1).
    pub(crate) fn pooled(self, other: Self) -> Self {
        let (n, m) = (f64::from(self.rollouts), f64::from(other.rollouts));
        let between = (self.mean() - other.mean()).powi(2) * n * m / (n + m);
        Self {
            query: self.query,
            rollouts: self.rollouts.saturating_add(other.rollouts),
            sum: self.sum + other.sum,
            squares: self.squares + other.squares + between,
        }
    }

    // Additions of floats depend on their order. Sorted by content first, records that threads delivered in any order add up to
    // the same bits.
    /// By query; rounds of the same query in an order that does not depend on when they arrived.
    pub(crate) fn canonical_cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.query.cmp(&other.query))
            .then(self.rollouts.cmp(&other.rollouts))
            .then(self.sum.total_cmp(&other.sum))
            .then(self.squares.total_cmp(&other.squares))
    }
}

/// The estimate for a query: its difficulty, and the number of rollouts that it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// 0: always solved, 1: never solved or never tried.
    pub difficulty: f64,
    /// Effective number of rollouts; 0: never tried.
    pub weight: f64,
}

impl Estimate {
    /// A query never tried is as hard as can be.
    pub const NEVER_TRIED: Self = Self {
        difficulty: 1.0,
        weight: 0.0,
    };

    /// Whether any rollout was recorded.
    pub fn is_tried(&self) -> bool {
        self.weight > 0.0
    }
}

/// Turns rounds of rollouts into a difficulty.
pub trait DifficultyEstimator: Debug + Send + Sync {
    /// The estimate after one more round; `before` is [`Estimate::NEVER_TRIED`] at first.
    fn update(&self, before: Estimate, round: &Round) -> Estimate;

    /// The difficulty that is compared with tau: larger than the estimate where the estimator knows its own uncertainty.
    fn upper_bound(&self, estimate: Estimate) -> f64 {
        estimate.difficulty
    }
}

/// Mean difficulty of the last round (method: `d_q`, the paper's).
///
/// ```
/// use rerec_curriculum::{Curriculum, CurriculumConfig};
/// let mut curriculum = Curriculum::new(CurriculumConfig::default(), ["q"])?;
/// curriculum.record("q", &[1.0, 0.0, 0.0, 1.0, 0.0])?;
/// curriculum.end_epoch();
/// assert_eq!(curriculum.estimate("q")?.difficulty, 0.6);
/// # Ok::<(), rerec_curriculum::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastRound;

impl DifficultyEstimator for LastRound {
    fn update(&self, _before: Estimate, round: &Round) -> Estimate {
        Estimate {
            difficulty: round.mean(),
            weight: f64::from(round.rollouts()),
        }
    }
}

/// `d = (1 - weight) d + weight * mean of the round`, starting at the first round's mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MovingAverage {
    pub(crate) weight: f64,
}

impl DifficultyEstimator for MovingAverage {
    fn update(&self, before: Estimate, round: &Round) -> Estimate {
        // The stand-in difficulty 1 of a query never tried is no evidence to average with.
        let kept = if before.is_tried() {
            1.0 - self.weight
        } else {
            0.0
        };
        Estimate {
            difficulty: kept * before.difficulty + (1.0 - kept) * round.mean(),
            weight: kept * before.weight + f64::from(round.rollouts()),
        }
    }
}

/// Posterior mean of the failure probability under a symmetric Beta prior, older evidence fading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BetaPosterior {
    pub(crate) prior: f64,
    pub(crate) retention: f64,
    pub(crate) deviations: f64,
}

impl DifficultyEstimator for BetaPosterior {
    fn update(&self, before: Estimate, round: &Round) -> Estimate {
        // The state keeps mean and weight alone; failures and evidence beyond the prior follow from them.
        let (failures, evidence) = if before.is_tried() {
            (
                before.difficulty * before.weight - self.prior,
                before.weight - 2.0 * self.prior,
            )
        } else {
            (0.0, 0.0)
        };
        let n = f64::from(round.rollouts());
        // The conjugate update: older evidence fades, the prior does not.
        let failures = self.prior + self.retention * failures + n * round.mean();
        let weight = 2.0 * self.prior + self.retention * evidence + n;
        Estimate {
            difficulty: failures / weight,
            weight,
        }
    }

    fn upper_bound(&self, estimate: Estimate) -> f64 {
        let d = estimate.difficulty;
        // Of Beta(a, b) with a + b = weight: ab / ((a + b)² (a + b + 1)).
        let variance = d * (1.0 - d) / (estimate.weight + 1.0);
        d + self.deviations * variance.max(0.0).sqrt()
    }
}

/// Twice the standard deviation of the round: 0 where a group of rollouts holds no signal, 1 where half of them succeed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread;

impl DifficultyEstimator for Spread {
    fn update(&self, _before: Estimate, round: &Round) -> Estimate {
        Estimate {
            // Numbers in [0, 1] deviate by at most 1/2.
            difficulty: 2.0 * round.deviation(),
            weight: f64::from(round.rollouts()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(difficulties: &[f64]) -> Round {
        Round::new(0, difficulties.iter().copied()).unwrap()
    }

    fn fold(estimator: &dyn DifficultyEstimator, rounds: &[&[f64]]) -> Estimate {
        rounds.iter().fold(Estimate::NEVER_TRIED, |before, r| {
            estimator.update(before, &round(r))
        })
    }

    #[test]
    fn what_equals_tau_but_for_rounding_is_not_below_it() {
        for metrics in [
            &[0.9][..],
            &[0.8, 1.0],
            &[0.7, 1.0, 1.0],
            &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
        ] {
            let difficulties: Vec<f64> = metrics.iter().map(|metric| 1.0 - metric).collect();
            assert!(!is_below(round(&difficulties).mean(), 0.1), "{metrics:?}");
        }
        let many = vec![1.0 - 0.9; 100_000];
        assert!(!is_below(round(&many).mean(), 0.1));
        assert!(is_below(0.099_999_999, 0.1));
        assert!(is_below(0.0, f64::MIN_POSITIVE) && is_below(-1.0, 0.0));
        assert!(!is_below(0.0, 0.0) && !is_below(1.0 - 1.1 + 1.0 - 0.9, 0.0));
    }

    #[test]
    fn last_round_forgets_the_rounds_before() {
        let estimate = fold(&LastRound, &[&[1.0, 1.0], &[1.0, 0.0, 0.0, 0.0]]);
        assert_eq!(
            estimate,
            Estimate {
                difficulty: 0.25,
                weight: 4.0
            }
        );
    }

    #[test]
    fn moving_average_starts_at_the_first_round() {
        let average = MovingAverage { weight: 0.25 };
        assert_eq!(fold(&average, &[&[0.5, 0.5]]).difficulty, 0.5);
        // 0.75 * 0.5 + 0.25 * 1.0
        assert_eq!(fold(&average, &[&[0.5], &[1.0]]).difficulty, 0.625);
    }

    #[test]
    fn beta_posterior_by_hand() {
        let beta = BetaPosterior {
            prior: 0.5,
            retention: 0.5,
            deviations: 1.0,
        };
        // Beta(5.5, 0.5) of success: mean failure 0.5 / 6.
        let one = fold(&beta, &[&[0.0; 5]]);
        assert!((one.difficulty - 0.5 / 6.0).abs() < 1e-15 && one.weight == 6.0);
        // Half of 5 successes stay, 4 and 1 failure come: 1.5 / 8.5.
        let two = fold(&beta, &[&[0.0; 5], &[0.0, 0.0, 0.0, 0.0, 1.0]]);
        assert!((two.difficulty - 1.5 / 8.5).abs() < 1e-15 && two.weight == 8.5);
        let variance = 5.5 * 0.5 / (36.0 * 7.0);
        assert!((beta.upper_bound(one) - (0.5 / 6.0 + f64::sqrt(variance))).abs() < 1e-15);
    }

    #[test]
    fn spread_is_zero_for_equal_metrics_and_one_for_halves() {
        assert_eq!(fold(&Spread, &[&[0.1; 7]]).difficulty, 0.0);
        assert_eq!(fold(&Spread, &[&[0.0, 1.0, 1.0, 0.0]]).difficulty, 1.0);
    }

    #[test]
    fn pooling_equals_one_round_of_all() {
        let pooled = round(&[0.0, 1.0, 0.25]).pooled(round(&[0.5, 1.0]));
        let whole = round(&[0.0, 1.0, 0.25, 0.5, 1.0]);
        assert_eq!(pooled.mean(), whole.mean());
        assert!((pooled.deviation() - whole.deviation()).abs() < 1e-15);
    }
}
