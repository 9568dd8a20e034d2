//! Means over few seeds, with intervals by Student's t.

use crate::bootstrap::Estimate;
use crate::statistics::Z;

/// The 97.5 % points of Student's t for 1 to 10 degrees of freedom.
const POINTS: [f64; 10] = [
    12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
    2.262_157, 2.228_139,
];

/// The mean of a few values with its interval of 95 % by Student's t; the interval is the whole line where there is only one value. None
/// of no values.
///
/// ```
/// use rerec_report::student_mean;
///
/// // Mean 2, std 1, and 4.3027 · 1 / sqrt(3) to each side.
/// let mean = student_mean(&[1.0, 2.0, 3.0]).unwrap();
/// assert_eq!(mean.value, 2.0);
/// assert!((mean.low + 0.4841).abs() < 1e-4 && (mean.high - 4.4841).abs() < 1e-4);
/// ```
pub fn student_mean(values: &[f64]) -> Option<Estimate> {
    let count = values.len();
    let value = mean(values)?;
    let half = match deviation(values) {
        None => f64::INFINITY,
        Some(deviation) => point(count - 1) * deviation / (count as f64).sqrt(),
    };
    Some(Estimate {
        value,
        low: value - half,
        high: value + half,
    })
}

/// The same of shares, which lie in [0, 1]: so does the interval of two and more.
pub(crate) fn student_share(shares: &[f64]) -> Option<Estimate> {
    let mean = student_mean(shares)?;
    Some(match mean.low.is_finite() {
        false => mean,
        true => Estimate {
            low: mean.low.max(0.0),
            high: mean.high.min(1.0),
            ..mean
        },
    })
}

/// The mean; none of no values.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.iter().sum::<f64>() / count as f64)
}

/// The unbiased standard deviation; none of fewer than two values.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let count = values.len();
    let mean = mean(values).filter(|_| count > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (count - 1) as f64).sqrt())
}

/// The 97.5 % point of Student's t. Above the table by the expansion around the normal distribution (Abramowitz and Stegun 26.7.5).
fn point(degrees: usize) -> f64 {
    match POINTS.get(degrees.wrapping_sub(1)) {
        Some(&point) => point,
        None => {
            let (n, z) = (degrees as f64, Z);
            let first = (z.powi(3) + z) / 4.0;
            let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
            let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
            z + first / n + second / n.powi(2) + third / n.powi(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn an_interval_of_shares_ends_where_shares_do() {
        // Student's is 0.95 + 12.7 · 0.0354 to each side.
        let mean = student_share(&[0.9, 1.0]).unwrap();
        assert!((mean.value - 0.95).abs() < 1e-12 && mean.high == 1.0);
        assert!((mean.low - 0.3147).abs() < 1e-4, "{mean:?}");
        assert!(student_share(&[0.5]).unwrap().high.is_infinite());
    }

    #[test]
    fn points_beyond_the_table_are_those_of_t() {
        // From printed tables.
        assert_abs_diff_eq!(point(1), 12.7062, epsilon = 1e-4);
        assert_abs_diff_eq!(point(11), 2.2010, epsilon = 2e-4);
        assert_abs_diff_eq!(point(19), 2.0930, epsilon = 1e-4);
        assert_abs_diff_eq!(point(120), 1.9799, epsilon = 1e-4);
    }

    #[test]
    fn one_value_tells_nothing_of_the_spread() {
        let one = student_mean(&[0.5]).unwrap();
        assert_eq!((one.value, one.high), (0.5, f64::INFINITY));
        assert!(student_mean(&[]).is_none());
        assert_eq!(deviation(&[1.0]), None);
        assert_abs_diff_eq!(deviation(&[1.0, 3.0]).unwrap(), 2.0_f64.sqrt());
    }
}
