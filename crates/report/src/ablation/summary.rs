//! The numbers of an experiment's tables.

use std::collections::{BTreeMap, BTreeSet};

use rerec_datasets::QueryClass;
use rerec_trainer::{Ablation, Arm, ArmOutcome, World};

use crate::bootstrap::Estimate;
use crate::student::{deviation, mean, student_mean, student_share};

/// All arms of a world that have a finished seed.
pub(super) struct WorldSummary<'a> {
    pub(super) world: &'a World,
    /// The warm starts by seed.
    pub(super) warm: Vec<(u64, &'a ArmOutcome)>,
    pub(super) arms: Vec<ArmSummary<'a>>,
}

/// What came of an arm in a world.
pub(super) struct ArmSummary<'a> {
    pub(super) arm: &'a Arm,
    /// The repetitions of each seed.
    pub(super) seeds: Vec<(u64, Vec<&'a ArmOutcome>)>,
}

impl<'a> WorldSummary<'a> {
    pub(super) fn new(ablation: &'a Ablation, world: &'a World) -> Self {
        let arms = ablation.config().arms.iter().map(|arm| ArmSummary {
            arm,
            seeds: ablation.reported(world, arm),
        });
        Self {
            world,
            warm: ablation.warm_starts(world),
            arms: arms.filter(|arm| !arm.seeds.is_empty()).collect(),
        }
    }

    /// The arm of that name, unless it is the one that is to be compared with it.
    pub(super) fn other(&self, arm: &ArmSummary<'_>, name: &str) -> Option<&ArmSummary<'a>> {
        let mut others = self.arms.iter().filter(|one| one.arm.name != arm.arm.name);
        others.find(|other| other.arm.name == name)
    }

    pub(super) fn classes(&self) -> BTreeSet<&'a QueryClass> {
        let outcomes = self.warm.iter().map(|(_, outcome)| outcome);
        outcomes.flat_map(|one| one.last.classes.keys()).collect()
    }

    /// Share of the titles that the warm start of a seed reads by their numbers, in [0, 1]: the mean over what the arms sampled first.
    pub(super) fn titles_read(&self, seed: u64) -> Option<f64> {
        let outcomes = self.arms.iter().flat_map(|arm| &arm.seeds);
        let outcomes = outcomes.filter(|(one, _)| *one == seed);
        let shares =
            outcomes.flat_map(|(_, outcomes)| outcomes.iter().filter_map(|o| o.titles_read));
        mean(&shares.collect::<Vec<_>>())
    }

    fn warm_share(&self, seed: u64) -> Option<f64> {
        let found = self.warm.iter().find(|(one, _)| *one == seed);
        found.map(|(_, outcome)| outcome.last.overall.share())
    }
}

impl ArmSummary<'_> {
    /// A number of each seed: the mean over its repetitions.
    fn by_seed(&self, value: impl Fn(&ArmOutcome) -> Option<f64>) -> Vec<(u64, f64)> {
        let of_seed = |(seed, outcomes): &(u64, Vec<&ArmOutcome>)| {
            let values: Vec<f64> = outcomes.iter().filter_map(|one| value(one)).collect();
            Some((*seed, mean(&values)?))
        };
        self.seeds.iter().filter_map(of_seed).collect()
    }

    fn over_seeds(&self, value: impl Fn(&ArmOutcome) -> Option<f64>) -> Vec<f64> {
        let values = self.by_seed(value);
        values.into_iter().map(|(_, value)| value).collect()
    }

    /// Accuracy on the test queries, in [0, 1].
    pub(super) fn accuracy(&self) -> Option<Estimate> {
        student_share(&self.over_seeds(share))
    }

    /// Accuracy of one seed.
    pub(super) fn of_seed(&self, seed: u64) -> Option<f64> {
        let shares = self.by_seed(share);
        shares
            .into_iter()
            .find(|(one, _)| *one == seed)
            .map(|(_, share)| share)
    }

    fn gains(&self, world: &WorldSummary<'_>) -> Vec<f64> {
        let shares = self.by_seed(share).into_iter();
        shares
            .filter_map(|(seed, share)| Some(share - world.warm_share(seed)?))
            .collect()
    }

    /// What training added to the warm start.
    pub(super) fn gain(&self, world: &WorldSummary<'_>) -> Option<Estimate> {
        student_mean(&self.gains(world))
    }

    pub(super) fn worst_gain(&self, world: &WorldSummary<'_>) -> Option<f64> {
        self.gains(world).into_iter().min_by(f64::total_cmp)
    }

    /// A number of this arm less that of another, paired by seeds.
    fn less(&self, other: &Self, value: impl Fn(&ArmOutcome) -> Option<f64>) -> Option<Estimate> {
        let others: BTreeMap<u64, f64> = other.by_seed(&value).into_iter().collect();
        let own = self.by_seed(value).into_iter();
        let differences: Vec<f64> = own
            .filter_map(|(seed, own)| Some(own - others.get(&seed)?))
            .collect();
        student_mean(&differences)
    }

    /// Accuracy less that of another arm.
    pub(super) fn accuracy_less(&self, other: &Self) -> Option<Estimate> {
        self.less(other, share)
    }

    /// [Area](Self::area) less that of another arm.
    pub(super) fn area_less(&self, other: &Self) -> Option<Estimate> {
        self.less(other, |one| area(&one.curve))
    }

    /// Accuracy on a class of the test queries.
    pub(super) fn of_class(&self, class: &QueryClass) -> Option<Estimate> {
        student_share(&self.over_seeds(|one| Some(one.last.classes.get(class)?.share())))
    }

    /// Area under the curve of validation accuracy, divided by its length: the mean accuracy while it was trained.
    pub(super) fn area(&self) -> Option<Estimate> {
        student_share(&self.over_seeds(|one| area(&one.curve)))
    }

    /// Share of the groups with a right answer in the first steps.
    pub(super) fn hits(&self, steps: usize) -> Option<f64> {
        let hits = |one: &ArmOutcome| {
            let first = one.groups.iter().take(steps);
            mean(&first.map(|[hit, ..]| *hit).collect::<Vec<_>>())
        };
        mean(&self.over_seeds(hits))
    }

    /// Mean length of the answers to test queries.
    pub(super) fn tokens(&self) -> Option<f64> {
        mean(&self.over_seeds(|one| Some(one.last.mean_tokens)))
    }

    pub(super) fn entropy(&self) -> Option<f64> {
        mean(&self.over_seeds(|one| one.entropy))
    }

    /// Standard deviation of the accuracy from seed to seed.
    pub(super) fn seed_deviation(&self) -> Option<f64> {
        deviation(&self.over_seeds(share))
    }

    /// Standard deviation of the accuracy from repetition to repetition of one warm start: the root of the mean variance.
    pub(super) fn repeat_deviation(&self) -> Option<f64> {
        let of_seed = |(_, outcomes): &(u64, Vec<&ArmOutcome>)| {
            let shares: Vec<f64> = outcomes.iter().filter_map(|one| share(one)).collect();
            Some(deviation(&shares)?.powi(2))
        };
        let variances: Vec<f64> = self.seeds.iter().filter_map(of_seed).collect();
        mean(&variances).map(f64::sqrt)
    }

    /// Steps to an accuracy on validation queries: the mean over the seeds that reach it, and how many do.
    pub(super) fn steps_to(&self, accuracy: f64) -> String {
        let reached = |one: &ArmOutcome| {
            let step = one.curve.iter().find(|(_, share)| *share >= accuracy);
            step.map(|(step, _)| *step as f64)
        };
        let steps = self.over_seeds(reached);
        match mean(&steps) {
            Some(mean) => format!("{mean:.0} ({} of {})", steps.len(), self.seeds.len()),
            None => format!("never (0 of {})", self.seeds.len()),
        }
    }
}

fn share(outcome: &ArmOutcome) -> Option<f64> {
    Some(outcome.last.overall.share())
}

/// By the trapezoidal rule; none of fewer than two points.
fn area(curve: &[(u64, f64)]) -> Option<f64> {
    let (first, last) = (curve.first()?.0, curve.last()?.0);
    let pieces = curve.windows(2).map(|pair| match pair {
        [(from, low), (to, high)] => (to - from) as f64 * (low + high) / 2.0,
        _ => 0.0,
    });
    (last > first).then(|| pieces.sum::<f64>() / (last - first) as f64)
}

#[cfg(test)]
mod tests {
    use super::area;

    #[test]
    fn an_area_is_the_mean_height() {
        // Steps 0 to 10 at 0.3 in the mean, 10 to 30 at 0.5: (3 + 10) / 30.
        let curve = [(0, 0.2), (10, 0.4), (30, 0.6)];
        approx::assert_abs_diff_eq!(area(&curve).unwrap(), 13.0 / 30.0, epsilon = 1e-12);
        assert_eq!(area(&curve[..1]), None);
        assert_eq!(area(&[]), None);
    }
}
