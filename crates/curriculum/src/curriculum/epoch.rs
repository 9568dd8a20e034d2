//! The end of an epoch: new difficulties, the filter, the next plan.

use super::Curriculum;
use crate::difficulty::{Round, is_below};
use crate::schedule::plan;
use crate::statistics::{EpochStatistics, class_statistics, mean, pool_statistics};

impl Curriculum {
    /// Ends the epoch: updates difficulties by what was recorded, sets mastered queries aside, and plans the next epoch.
    ///
    /// It may be called before all batches were served: what is left over opens the next epoch.
    pub fn end_epoch(&mut self) -> EpochStatistics {
        // What remains in the plan was served; missed queries are counted from it.
        let carried = self.progress.plan.split_off(self.progress.served);
        let movement = self.absorb_records();
        let (newly_mastered, returned) = self.filter_mastered();
        let statistics = EpochStatistics {
            epoch: self.progress.epoch,
            batches: self.progress.epoch_batches,
            served: self.progress.served,
            recorded: movement.recorded,
            missed: movement.missed,
            carried_over: carried.len(),
            newly_mastered,
            returned,
            easier: movement.easier,
            harder: movement.harder,
            unchanged: movement.unchanged,
            mean_change: mean(
                movement.change,
                movement.easier + movement.harder + movement.unchanged,
            ),
            pool: pool_statistics(&self.pool),
            classes: class_statistics(&self.pool),
        };
        self.progress.epoch = self.progress.epoch.saturating_add(1);
        self.plan_epoch(&carried);
        statistics
    }

    /// Updates the estimates by the records of this epoch, whatever order they came in.
    fn absorb_records(&mut self) -> Movement {
        let mut records = self.progress.take_records();
        records.sort_unstable_by(Round::canonical_cmp);
        let mut movement = Movement::default();
        // Records that arrived in whatever order are one round each, the same to the last bit.
        let mut recorded = vec![false; self.pool.len()];
        for rounds in records.chunk_by(|a, b| a.query == b.query) {
            let Some(round) = rounds.iter().copied().reduce(Round::pooled) else {
                continue;
            };
            let query = self.pool.query_mut(round.query);
            let before = query.estimate;
            query.estimate = self.estimator.update(before, &round);
            let change = query.estimate.difficulty - before.difficulty;
            // The stand-in difficulty 1 of a query never tried is nothing to change from.
            query.set_change(before.is_tried().then_some(change));
            query.last_epoch = self.progress.epoch;
            recorded[round.query as usize] = true;
            movement.add(query.change());
        }
        movement.missed = self
            .progress
            .plan
            .iter()
            .filter(|&&p| !recorded[p as usize])
            .count();
        movement
    }

    /// Sets aside what is below tau and takes back what no longer is: (newly mastered, returned).
    fn filter_mastered(&mut self) -> (usize, usize) {
        // Queries that were not tried in this epoch are judged too: the settings may have changed since.
        let filtering = self.progress.epoch > self.config.warmup_epochs;
        let (mut newly_mastered, mut returned) = (0, 0);
        for query in self.pool.queries_mut() {
            // Queries never tried have difficulty 1: a tau above 1 must not set them aside.
            let below = query.estimate.is_tried()
                && is_below(self.estimator.upper_bound(query.estimate), self.config.tau);
            let mastered = filtering && below;
            newly_mastered += usize::from(mastered && !query.mastered);
            returned += usize::from(query.mastered && !mastered);
            query.mastered = mastered;
        }
        (newly_mastered, returned)
    }

    pub(super) fn plan_epoch(&mut self, carried: &[u32]) {
        let progress = &mut self.progress;
        // The old plan goes before the new one is made: memory peaks here.
        progress.plan = Vec::new();
        progress.plan = plan(
            &self.config,
            self.order.as_ref(),
            &self.pool,
            progress.epoch,
            carried,
        );
        progress.served = 0;
        progress.epoch_batches = 0;
    }
}

/// How the records of an epoch moved the estimates.
#[derive(Default)]
struct Movement {
    recorded: usize,
    missed: usize,
    easier: usize,
    harder: usize,
    unchanged: usize,
    change: f64,
}

impl Movement {
    fn add(&mut self, change: Option<f64>) {
        self.recorded += 1;
        if let Some(change) = change {
            self.change += change;
            self.easier += usize::from(change < 0.0);
            self.harder += usize::from(change > 0.0);
            self.unchanged += usize::from(change == 0.0);
        }
    }
}
