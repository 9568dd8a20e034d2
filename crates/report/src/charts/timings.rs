//! Where the time went.

use rerec_trainer::TimingRecord;

use super::{Chart, Line, OTHER};

/// Seconds of each part of a step, and how many tokens a second it sampled.
pub(crate) fn of_timings(timings: &[TimingRecord]) -> Vec<Chart> {
    if timings.is_empty() {
        return Vec::new();
    }
    let line = |name: &str, value: fn(&TimingRecord) -> f64| Line {
        name: name.to_owned(),
        points: timings
            .iter()
            .map(|one| (one.step as f64, value(one)))
            .collect(),
    };
    let seconds = vec![
        line("sampling", |one| one.sampling),
        line("updating", |one| one.updating),
        line("everything else", |one| {
            one.total - one.sampling - one.updating
        }),
    ];
    let rates = vec![
        line("while sampling", |one| {
            one.tokens as f64 / one.sampling.max(f64::MIN_POSITIVE)
        }),
        line("over the whole step", |one| {
            one.tokens as f64 / one.total.max(f64::MIN_POSITIVE)
        }),
    ];
    vec![
        Chart::new("seconds", "Seconds of a step", OTHER, seconds),
        Chart::new(
            "tokens-per-second",
            "Sampled tokens per second",
            OTHER,
            rates,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_rates_are_tokens_by_seconds() {
        let timing = TimingRecord {
            step: 3,
            total: 10.0,
            sampling: 6.0,
            updating: 3.0,
            tokens: 1200,
        };
        let charts = of_timings(&[timing]);
        let values = |chart: usize| -> Vec<f64> {
            charts[chart]
                .lines
                .iter()
                .map(|line| line.points[0].1)
                .collect()
        };
        assert_eq!(values(0), [6.0, 3.0, 1.0]);
        assert_eq!(values(1), [200.0, 120.0]);
        assert!(of_timings(&[]).is_empty());
    }
}
