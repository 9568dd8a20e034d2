//! Learning-rate schedules.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::error::{Result, check};

/// How a learning rate falls from its peak over a run. `final_share` is the share of the peak that is left at the end; default 0,
/// range `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// Not at all.
    Constant {},
    /// Along a line.
    Linear {
        /// Share of the peak at the end.
        #[serde(default)]
        final_share: f64,
    },
    /// Along half a period of a cosine (Loshchilov & Hutter, arXiv 1608.03983, without restarts).
    Cosine {
        /// Share of the peak at the end.
        #[serde(default)]
        final_share: f64,
    },
}

impl Decay {
    /// Share of the peak that is left at the end.
    pub fn final_share(&self) -> f64 {
        match *self {
            Self::Constant {} => 1.0,
            Self::Linear { final_share } | Self::Cosine { final_share } => final_share,
        }
    }

    /// Share of the peak after `progress` in `[0, 1]` of the run.
    fn share(&self, progress: f64) -> f64 {
        match *self {
            Self::Constant {} => 1.0,
            Self::Linear { final_share } => 1.0 - (1.0 - final_share) * progress,
            Self::Cosine { final_share } => {
                final_share + (1.0 - final_share) * 0.5 * (1.0 + (PI * progress).cos())
            }
        }
    }
}

/// A learning rate that rises over a warm-up while it falls over the run:
/// `peak * min(1, (step + 1) / warmup) * share(step / total)`, steps counted from 0.
///
/// In transformers' `get_linear_schedule_with_warmup` and its kin step 0 has the rate 0, here the first share of the rise; and there the
/// fall begins when the warm-up ends, here with the run, so that the rate is continuous in `total` whatever the warm-up is.
/// After the warm-up a linear rate here is `1 - warmup / total` times theirs; without one they are equal.
///
/// ```
/// use rerec_policy::{Decay, Schedule};
///
/// let linear = Schedule::new(1.0, 4, Decay::Linear { final_share: 0.0 })?;
/// let rates: Vec<f64> = [0, 1, 3, 5, 10].map(|step| linear.rate(step, 10)).into();
/// // 1/4 * 10/10, 2/4 * 9/10, 4/4 * 7/10, 5/10, 0
/// assert_eq!(rates, [0.25, 0.45, 0.7, 0.5, 0.0]);
/// let cosine = Schedule::new(1.0, 0, Decay::Cosine { final_share: 0.2 })?;
/// // 0.2 + 0.8 * (1 + cos(pi / 2)) / 2
/// assert!((cosine.rate(5, 10) - 0.6).abs() < 1e-15);
/// # Ok::<(), rerec_policy::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    peak: f64,
    warmup: u64,
    decay: Decay,
}

impl Schedule {
    /// A schedule that rises over `warmup` steps.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`](crate::Error::InvalidSetting) for a peak that is not above 0 and finite, or a final share outside `[0, 1]`.
    pub fn new(peak: f64, warmup: u64, decay: Decay) -> Result<Self> {
        check(
            peak > 0.0 && peak.is_finite(),
            "the peak learning rate",
            peak,
            "above 0 and finite",
        )?;
        let share = decay.final_share();
        check(
            (0.0..=1.0).contains(&share),
            "final_share",
            share,
            "in [0, 1]",
        )?;
        Ok(Self {
            peak,
            warmup,
            decay,
        })
    }

    /// The learning rate of step `step` of `total`. Where a run's length changes under way, give the total as it is known now.
    pub fn rate(&self, step: u64, total: u64) -> f64 {
        // Without a warm-up the rise is 1 or more from step 0 on, and `min` below leaves the whole peak.
        let rise = (step + 1) as f64 / self.warmup.max(1) as f64;
        let progress = step as f64 / total.max(1) as f64;
        self.peak * rise.min(1.0) * self.decay.share(progress.min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decays() -> impl Strategy<Value = Decay> {
        (0..3u8, 0.0..=1.0f64).prop_map(|(kind, final_share)| match kind {
            0 => Decay::Constant {},
            1 => Decay::Linear { final_share },
            _ => Decay::Cosine { final_share },
        })
    }

    proptest! {
        #[test]
        fn a_rate_never_leaves_its_bounds(decay in decays(), peak in 1e-9..1.0f64, warmup in 0..50u64, step in 0..200u64, total in 0..100u64) {
            let rate = Schedule::new(peak, warmup, decay).unwrap().rate(step, total);
            prop_assert!((0.0..=peak * (1.0 + 1e-12)).contains(&rate), "{rate}");
        }

        #[test]
        fn after_the_warm_up_a_rate_only_falls(decay in decays(), warmup in 0..50u64, total in 1..100u64) {
            let schedule = Schedule::new(1.0, warmup, decay).unwrap();
            let rates: Vec<f64> = (warmup.saturating_sub(1)..=total + 3).map(|step| schedule.rate(step, total)).collect();
            prop_assert!(rates.is_sorted_by(|a, b| *a >= *b - 1e-15), "{rates:?}");
        }

        #[test]
        fn a_constant_rate_only_rises(warmup in 0..50u64, step in 0..100u64) {
            let schedule = Schedule::new(1.0, warmup, Decay::Constant {}).unwrap();
            prop_assert!(schedule.rate(step, 100) <= schedule.rate(step + 1, 100));
        }

        #[test]
        fn a_run_ends_at_the_final_share(decay in decays(), warmup in 0..50u64, longer in 0..50u64, beyond in 0..9u64) {
            let total = warmup.max(1) + longer;
            let end = Schedule::new(2.0, warmup, decay).unwrap().rate(total + beyond, total);
            prop_assert!((end - 2.0 * decay.final_share()).abs() < 1e-12, "{end}");
        }

        #[test]
        fn a_run_that_gets_shorter_is_further_along(decay in decays(), step in 0..50u64, total in 50..100u64, less in 0..50u64) {
            let schedule = Schedule::new(1.0, 5, decay).unwrap();
            prop_assert!(schedule.rate(step, total - less) <= schedule.rate(step, total) + 1e-15);
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let refused = |peak, decay| Schedule::new(peak, 0, decay).unwrap_err().to_string();
        for peak in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refused(peak, Decay::Constant {}).starts_with("the peak learning rate must"));
        }
        for final_share in [-0.1, 1.5, f64::NAN] {
            let refused = refused(1.0, Decay::Cosine { final_share });
            assert!(refused.starts_with("final_share must be in [0, 1], got"));
        }
    }

    #[test]
    fn a_decay_is_read_strictly() {
        let read = |text| serde_json::from_str::<Decay>(text);
        let cosine = read(r#"{ "kind": "cosine", "final_share": 0.1 }"#).unwrap();
        assert_eq!(cosine, Decay::Cosine { final_share: 0.1 });
        let linear = read(r#"{ "kind": "linear" }"#).unwrap();
        assert_eq!(linear, Decay::Linear { final_share: 0.0 });
        assert!(read(r#"{ "kind": "linear", "share": 0.1 }"#).is_err());
        assert!(read(r#"{ "kind": "constant", "final_share": 0.1 }"#).is_err());
    }
}
