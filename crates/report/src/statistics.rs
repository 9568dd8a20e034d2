//! Intervals and tests for shares of right answers.

/// The 97.5 % point of the standard normal distribution: two-sided intervals of 95 %.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share by Wilson's score (1927), in [0, 1]; the whole range where nothing was asked.
///
/// ```
/// # use rerec_report::wilson;
/// // (0.8 + 1.921/10 ± 1.96 · sqrt(0.8 · 0.2 / 10 + 0.9604/100)) / (1 + 3.8415/10)
/// let (low, high) = wilson(8, 10);
/// assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4);
/// ```
pub fn wilson(right: usize, asked: usize) -> (f64, f64) {
    if asked == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (asked as f64, right as f64 / asked as f64);
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // Clamped: rounding takes the ends of 0 and 1 a little beyond them.
    let end = |at: f64| (at / scale).clamp(0.0, 1.0);
    (end(centre - half), end(centre + half))
}

/// Answers of two models to the same queries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Both right.
    pub both: usize,
    /// Only the first right.
    pub first: usize,
    /// Only the second right.
    pub second: usize,
    /// Neither right.
    pub neither: usize,
}

impl Pairs {
    /// Counts the answers to one more query.
    pub fn count(&mut self, first: bool, second: bool) {
        let cell = match (first, second) {
            (true, true) => &mut self.both,
            (true, false) => &mut self.first,
            (false, true) => &mut self.second,
            (false, false) => &mut self.neither,
        };
        *cell += 1;
    }

    /// Queries.
    pub fn queries(self) -> usize {
        self.both + self.first + self.second + self.neither
    }

    /// Share of right answers of the second less that of the first, in [-1, 1]; 0 of no queries.
    pub fn difference(self) -> f64 {
        (self.second as f64 - self.first as f64) / self.queries().max(1) as f64
    }

    /// The 95 % interval of the difference by Newcombe's hybrid score for pairs (1998, method 10, without its continuity correction):
    /// the Wilson intervals of both shares put together by the correlation of the answers.
    ///
    /// ```
    /// # use rerec_report::Pairs;
    /// // Shares 38/50 and 48/50, φ = (36 · 0 - 2 · 12) / sqrt(38 · 12 · 48 · 2) = -0.1147.
    /// let pairs = Pairs { both: 36, first: 2, second: 12, neither: 0 };
    /// let (low, high) = pairs.interval();
    /// assert!((low - 0.0569).abs() < 1e-4 && (high - 0.3404).abs() < 1e-4);
    /// ```
    pub fn interval(self) -> (f64, f64) {
        let n = self.queries();
        if n == 0 {
            return (-1.0, 1.0);
        }
        let (first, second) = (self.both + self.first, self.both + self.second);
        let share = |right: usize| right as f64 / n as f64;
        let ends = |right| {
            let (low, high) = wilson(right, n);
            (share(right) - low, high - share(right))
        };
        let ((first_down, first_up), (second_down, second_up)) = (ends(first), ends(second));
        let phi = self.correlation(first, second);
        // Of x and y with correlation φ: sqrt(x² - 2 φ x y + y²).
        let joined = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
        let difference = self.difference();
        let low = difference - joined(second_down, first_up);
        let high = difference + joined(second_up, first_down);
        (low.max(-1.0), high.min(1.0))
    }

    fn correlation(self, first: usize, second: usize) -> f64 {
        let n = self.queries();
        let margins = [first, n - first, second, n - second].map(|count| count as f64);
        let spread = margins.iter().product::<f64>().sqrt();
        let crossed =
            self.both as f64 * self.neither as f64 - self.first as f64 * self.second as f64;
        if spread == 0.0 { 0.0 } else { crossed / spread }
    }

    /// McNemar's exact test: the probability, were both models equally good, that their unlike answers are shared out at least as
    /// unevenly as they are. 1 where no answers differ.
    ///
    /// ```
    /// # use rerec_report::Pairs;
    /// // Five unlike answers, all for the second: 2 / 2^5.
    /// let pairs = Pairs { second: 5, ..Default::default() };
    /// assert!((pairs.mcnemar() - 0.0625).abs() < 1e-12);
    /// ```
    pub fn mcnemar(self) -> f64 {
        let (fewer, all) = (self.first.min(self.second), self.first + self.second);
        // Sums of binomial terms by their logarithms: 2^-n is 0 in f64 from n = 1075 on.
        let mut log_term = -(all as f64) * std::f64::consts::LN_2;
        let mut tail = log_term.exp();
        for k in 1..=fewer {
            log_term += ((all - k + 1) as f64 / k as f64).ln();
            tail += log_term.exp();
        }
        (2.0 * tail).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn an_interval_of_nothing_or_all_stays_in_range() {
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        // z² / (n + z²), 3.8415 / 13.8415.
        assert_eq!(wilson(0, 10).0, 0.0);
        assert_abs_diff_eq!(wilson(0, 10).1, 0.277_53, epsilon = 1e-5);
        assert_abs_diff_eq!(wilson(10, 10).0, 1.0 - 0.277_53, epsilon = 1e-5);
        assert_abs_diff_eq!(wilson(10, 10).1, 1.0, epsilon = 1e-12);
    }

    #[test]
    fn pairs_are_counted_by_who_is_right() {
        let mut pairs = Pairs::default();
        for (first, second) in [(true, true), (true, false), (false, true), (false, true)] {
            pairs.count(first, second);
        }
        let counts = (pairs.both, pairs.first, pairs.second, pairs.neither);
        assert_eq!((counts, pairs.difference()), ((1, 1, 2, 0), 0.25));
    }

    #[test]
    fn swapping_the_models_turns_the_interval_round() {
        let pairs = Pairs {
            both: 20,
            first: 4,
            second: 11,
            neither: 15,
        };
        let turned = Pairs {
            first: 11,
            second: 4,
            ..pairs
        };
        let ((low, high), (other_low, other_high)) = (pairs.interval(), turned.interval());
        assert_abs_diff_eq!(low, -other_high, epsilon = 1e-12);
        assert_abs_diff_eq!(high, -other_low, epsilon = 1e-12);
        assert!(low < pairs.difference() && pairs.difference() < high);
        assert_eq!(pairs.mcnemar(), turned.mcnemar());
    }

    #[test]
    fn mcnemar_sums_the_binomial_tail() {
        let p = |first, second| {
            Pairs {
                first,
                second,
                ..Default::default()
            }
            .mcnemar()
        };
        assert_eq!((p(0, 0), p(3, 3)), (1.0, 1.0));
        // 2 · (1 + 8) / 2^8.
        assert_abs_diff_eq!(p(1, 7), 18.0 / 256.0, epsilon = 1e-12);
        // Where 2^-n is no f64 any more: 1500 of 3000 is even, 1300 of 3000 is 7.3 deviations off.
        assert_eq!(p(1500, 1500), 1.0);
        assert!(p(1300, 1700) < 1e-12 && p(1300, 1700) > 0.0);
    }
}
