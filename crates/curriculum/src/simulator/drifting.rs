//! A learner whose chance on every query rises by the same amount in every epoch.

use rustc_hash::FxHashMap;

use super::Learner;
use crate::QueryId;
use crate::draw::uniform;

/// Solves each query with a fixed chance, drawn from [0, 0.9), that rises by `gain` per epoch.
///
/// It does not learn from what it is given: it shows what a schedule does to its own bookkeeping.
#[derive(Clone, Debug)]
pub struct DriftingLearner {
    chances: FxHashMap<QueryId, f64>,
    gain: f64,
    seed: u64,
    epoch: u64,
}

impl DriftingLearner {
    /// A learner of `queries` queries `"0"`, `"1"`, ...
    pub fn new(queries: usize, gain: f64, seed: u64) -> Self {
        let chance = |id: &QueryId| 0.9 * uniform(seed, "chance", 0, id);
        let ids = (0..queries).map(|query| QueryId::from(query.to_string()));
        let chances = ids.map(|id| (id.clone(), chance(&id))).collect();
        Self {
            chances,
            gain,
            seed,
            epoch: 0,
        }
    }

    fn chance(&self, id: &QueryId) -> f64 {
        let start = self.chances.get(id).copied().unwrap_or(0.0);
        (start + self.gain * self.epoch as f64).min(1.0)
    }
}

impl Learner for DriftingLearner {
    fn step(&mut self, batch: &[QueryId], rollouts: usize) -> Vec<Vec<f64>> {
        let answer = |id: &QueryId, rollout: usize| {
            // Epoch and rollout in one counter: no two attempts share their luck, up to 65,536
            // rollouts.
            let counter = self.epoch << 16 | rollout as u64;
            f64::from(uniform(self.seed, "rollout", counter, id) < self.chance(id))
        };
        batch
            .iter()
            .map(|id| (0..rollouts).map(|rollout| answer(id, rollout)).collect())
            .collect()
    }

    fn end_epoch(&mut self) {
        self.epoch += 1;
    }

    fn accuracy(&self) -> f64 {
        self.chances.keys().map(|id| self.chance(id)).sum::<f64>() / self.chances.len() as f64
    }
}
