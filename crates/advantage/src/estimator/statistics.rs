//! Means and variances that are exact where they must be.

use serde::{Deserialize, Serialize};

/// By what a deviation from the mean is divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Std {
    /// Square root of the sum of squared deviations over n - 1 (verl, TRL, OpenRLHF).
    #[default]
    Unbiased,
    /// The same over n (TRL's asynchronous trainer).
    Population,
    /// Deviations are not divided at all.
    None,
}

/// How far two numbers may lie apart that would be equal, had what they are made of not been rounded; `parts` is the sum of the
/// absolute values of that.
pub(crate) fn rounding_of(parts: f64) -> f64 {
    // Half a unit in the last place for each part as it was written down, and as much again for the sum and for the product that
    // each part may be: four units in all. A sum of parts that overflows must not make everything equal.
    4.0 * f64::EPSILON * parts.min(f64::MAX)
}

/// The sum of some numbers, and that of their absolute values; exactly 0 where nothing but rounding is left of the numbers.
pub(crate) fn sum(values: impl Iterator<Item = f64>) -> (f64, f64) {
    // Neumaier's sum: the error does not grow with the number of tokens, so that the same rewards in another order add up to the
    // same.
    let (mut sum, mut lost, mut parts) = (0.0_f64, 0.0, 0.0);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
        parts += value.abs();
    }
    let total = sum + lost;
    if total.abs() <= rounding_of(parts) {
        (0.0, parts)
    } else {
        (total, parts)
    }
}

/// The difference of two numbers; exactly 0 where it is their rounding.
pub(super) fn difference(a: f64, b: f64) -> f64 {
    let difference = a - b;
    if difference.abs() <= rounding_of(a.abs().max(b.abs())) {
        0.0
    } else {
        difference
    }
}

/// Count, mean and spread of some numbers.
///
/// Two passes in f64: the mean as an offset from the first number, then the deviations from it.
/// So equal numbers have a mean that is that number and a variance of exactly 0; in one pass, or in
/// f32, five rewards of 0.05 come out up to 0.0074 "standard deviations" from their own mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    pub(super) count: usize,
    pub(super) mean: f64,
    /// The sum of squared deviations from the mean.
    squares: f64,
}

impl Moments {
    /// Of the numbers of all slices together.
    pub(super) fn of<'a>(slices: impl Iterator<Item = &'a [f64]> + Clone) -> Self {
        let count: usize = slices.clone().map(<[f64]>::len).sum();
        let Some(&first) = slices.clone().find_map(<[f64]>::first) else {
            return Self {
                count: 0,
                mean: 0.0,
                squares: 0.0,
            };
        };
        // As an offset from the first number: the mean of equal numbers is then that number, whatever it is.
        let n = count as f64;
        let offset = slices
            .clone()
            .map(|slice| deviations(slice, first).0)
            .sum::<f64>();
        let mean = first + offset / n;
        // The deviations from a rounded mean do not add up to 0; what is left corrects mean and squares (Chan et al. 1983).
        let (sum, squares) = slices.fold((0.0, 0.0), |(sum, squares), slice| {
            let (s, q) = deviations(slice, mean);
            (sum + s, squares + q)
        });
        Self::corrected(count, mean, sum, squares)
    }

    /// The moments from the deviations from a mean that may itself be off by rounding.
    fn corrected(count: usize, mean: f64, sum: f64, squares: f64) -> Self {
        let n = count as f64;
        let mean = mean + sum / n;
        let squares = (squares - sum * sum / n).max(0.0);
        // Numbers that differ by their rounding alone, such as 0.3 and 0.1 + 0.2, are equal: without this, an eps of 0 would blow
        // the difference up to unit variance.
        let is_noise = squares <= n * rounding_of(mean.abs()).powi(2);
        Self {
            count,
            mean,
            squares: if is_noise { 0.0 } else { squares },
        }
    }

    /// Of numbers that each count as often as their weight says.
    pub(super) fn weighted(values: &[f64], weights: &[usize]) -> Self {
        // A response without a valid token must not be the number from which offsets are taken.
        let pairs = || values.iter().zip(weights).filter(|(_, w)| **w > 0);
        let count: usize = weights.iter().sum();
        let Some((&first, _)) = pairs().next() else {
            return Self {
                count: 0,
                mean: 0.0,
                squares: 0.0,
            };
        };
        let n = count as f64;
        let offset: f64 = pairs().map(|(x, &w)| (x - first) * w as f64).sum();
        let mean = first + offset / n;
        let sum: f64 = pairs().map(|(x, &w)| (x - mean) * w as f64).sum();
        let squares: f64 = pairs()
            .map(|(x, &w)| (x - mean) * (x - mean) * w as f64)
            .sum();
        Self::corrected(count, mean, sum, squares)
    }

    /// The variance; that of fewer than two numbers is 0, and 1 stands for none.
    pub(super) fn variance(&self, std: Std) -> f64 {
        match std {
            Std::None => 1.0,
            Std::Unbiased if self.count < 2 => 0.0,
            Std::Unbiased => self.squares / (self.count - 1) as f64,
            Std::Population if self.count == 0 => 0.0,
            Std::Population => self.squares / self.count as f64,
        }
    }

    /// By what a deviation is multiplied: 1 / (std + eps), or 1 where `std` is none; 0 without spread.
    pub(super) fn scale(&self, std: Std, eps: f64) -> f64 {
        match std {
            // Equal numbers have no deviation to scale, also where eps is 0.
            _ if !self.is_spread() => 0.0,
            Std::None => 1.0,
            // The smallest numbers have no finite inverse.
            _ => (1.0 / (self.variance(std).sqrt() + eps)).min(f64::MAX),
        }
    }

    /// Whether the numbers differ at all.
    pub(super) fn is_spread(&self) -> bool {
        self.squares > 0.0
    }

    pub(super) fn is_finite(&self) -> bool {
        self.mean.is_finite() && self.squares.is_finite()
    }
}

/// The sum of deviations from `from`, and of their squares.
fn deviations(values: &[f64], from: f64) -> (f64, f64) {
    // Eight running sums let the compiler use vector registers; one would order the additions.
    const LANES: usize = 8;
    let (chunks, rest) = values.as_chunks::<LANES>();
    let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
    for chunk in chunks {
        for lane in 0..LANES {
            let deviation = chunk[lane] - from;
            sums[lane] += deviation;
            squares[lane] += deviation * deviation;
        }
    }
    let mut total = (sums.iter().sum::<f64>(), squares.iter().sum::<f64>());
    for value in rest {
        let deviation = value - from;
        total.0 += deviation;
        total.1 += deviation * deviation;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_no_spread_at_all() {
        for value in [0.05, -0.55, 1e-300, 1e200, 1.0 / 3.0] {
            let moments = Moments::of([[value; 53].as_slice()].into_iter());
            assert_eq!((moments.mean, moments.squares), (value, 0.0));
            let weighted = Moments::weighted(&[value; 3], &[7, 1, 45]);
            assert_eq!((weighted.mean, weighted.squares), (value, 0.0));
        }
    }

    #[test]
    fn what_is_no_spread_is_not_scaled_whatever_the_std() {
        // The squares of these deviations are below the smallest number.
        let moments = Moments::of([[0.0, 1e-200].as_slice()].into_iter());
        for std in [Std::Unbiased, Std::Population, Std::None] {
            assert_eq!((moments.is_spread(), moments.scale(std, 0.0)), (false, 0.0));
        }
    }

    #[test]
    fn what_differs_by_rounding_alone_is_equal() {
        let moments = Moments::of([[0.1 + 0.2, 0.3, 0.1 + 0.2].as_slice()].into_iter());
        assert_eq!(moments.squares, 0.0);
        let weighted = Moments::weighted(&[0.1 + 0.2, 0.3], &[2, 5]);
        assert_eq!(weighted.squares, 0.0);
        assert_eq!(difference(0.1 + 0.2, 0.3), 0.0);
        assert_eq!(sum([0.1, 0.2, -0.3].into_iter()), (0.0, 0.6000000000000001));
        // What differs by more than rounding stays different.
        assert!(Moments::of([[0.3, 0.3 + 1e-14].as_slice()].into_iter()).is_spread());
        assert!(difference(0.3 + 1e-14, 0.3) > 0.0);
    }

    #[test]
    fn a_sum_does_not_depend_on_the_order() {
        let mut rewards: Vec<f64> = (0..5000)
            .map(|token| if token % 7 == 0 { 0.07 } else { 0.1 })
            .collect();
        let forward = sum(rewards.iter().copied()).0;
        rewards.sort_by(f64::total_cmp);
        assert_eq!(sum(rewards.iter().copied()).0, forward);
        assert_eq!(sum([1e16, 1.0, -1e16].into_iter()).0, 0.0);
        assert_eq!(sum([1e15, 1.0, -1e15].into_iter()).0, 0.0);
        assert_eq!(sum([1e14, 1.0, -1e14].into_iter()).0, 1.0);
    }

    #[test]
    fn one_to_four() {
        // Mean 2.5, squares 2.25 + 0.25 + 0.25 + 2.25 = 5.
        let moments = Moments::of([[1.0, 2.0].as_slice(), &[], &[3.0, 4.0]].into_iter());
        assert_eq!(
            (moments.count, moments.mean, moments.squares),
            (4, 2.5, 5.0)
        );
        assert_eq!(moments.variance(Std::Population), 1.25);
        assert_eq!(Moments::weighted(&[1.0, 9.0, 4.0], &[1, 0, 2]).mean, 3.0);
    }

    #[test]
    fn a_small_spread_on_a_large_offset_is_seen() {
        let moments = Moments::of([[1e9, 1e9 + 1.0, 1e9 + 2.0].as_slice()].into_iter());
        assert_eq!(moments.variance(Std::Unbiased), 1.0);
    }
}
