//! A kernel beside libtorch on the CPU.

use serde::Serialize;

use crate::{
    Place, Result,
    measure::print,
    parity::{Comparison, KERNELS, compare},
};

/// What became of some comparisons.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    compared: &'static str,
    comparisons: usize,
    /// Those whose gap is beyond what is allowed.
    beyond: Vec<Gap>,
    /// The gap that is nearest to what is allowed, or furthest beyond it.
    worst: Option<Gap>,
}

#[derive(Debug, Clone, Serialize)]
struct Gap {
    case: String,
    /// Null where it is no number.
    gap: f64,
    allowed: f64,
}

impl Verdict {
    pub(crate) fn of(compared: &'static str, comparisons: &[Comparison]) -> Self {
        let gap = |comparison: &Comparison| Gap {
            case: comparison.case.clone(),
            gap: comparison.gap,
            allowed: comparison.allowed,
        };
        // A comparison that allows nothing is worst where it differs at all; no number is above all numbers.
        let share = |c: &&Comparison| c.gap / c.allowed.max(f64::MIN_POSITIVE);
        let worst = comparisons
            .iter()
            .max_by(|a, b| share(a).total_cmp(&share(b)));
        let beyond = comparisons.iter().filter(|c| !c.holds());
        Self {
            compared,
            comparisons: comparisons.len(),
            beyond: beyond.map(gap).collect(),
            worst: worst.map(gap),
        }
    }
}

pub(crate) fn run(kernel: &str, place: Place) -> Result<()> {
    let device = place.with_kernels()?;
    let kernel = KERNELS.into_iter().find(|&(name, _)| name == kernel);
    let names = KERNELS.map(|(name, _)| name).join(", ");
    let kernel = kernel.ok_or_else(|| format!("a kernel is one of {names}"))?;
    let comparisons = compare(kernel, device, place.tiny)?;
    print(&Verdict::of(kernel.0, &comparisons))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(gaps: &[(f64, f64)]) -> Verdict {
        let comparison = |&(gap, allowed): &(f64, f64)| Comparison {
            case: gap.to_string(),
            gap,
            allowed,
        };
        let comparisons: Vec<Comparison> = gaps.iter().map(comparison).collect();
        Verdict::of("kernel", &comparisons)
    }

    #[test]
    fn what_is_beyond_is_named_and_the_worst_is_by_what_is_allowed() {
        let worst = |gaps: &[(f64, f64)]| verdict(gaps).worst.unwrap().case;
        assert_eq!(worst(&[(2e-3, 1e-2), (4e-6, 5e-6)]), "0.000004");
        assert_eq!(worst(&[(0.0, 0.0), (1e-9, 1.0)]), "0.000000001");
        assert_eq!(worst(&[(f64::NAN, 1.0), (f64::INFINITY, 1.0)]), "NaN");
        let all = verdict(&[(0.5, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (1.0, 0.0)]);
        let beyond: Vec<&str> = all.beyond.iter().map(|gap| gap.case.as_str()).collect();
        assert_eq!(beyond, ["2", "NaN", "1"]);
        assert_eq!(all.comparisons, 4);
        assert!(verdict(&[(0.0, 0.0)]).beyond.is_empty());
    }
}
