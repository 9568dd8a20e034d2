//! The authors' released schedule, with its losses.

use rustc_hash::FxHashMap;

use super::Schedule;
use crate::{QueryId, Result};

/// What the released code does: full batches only, drops what is below tau, sorts what was *seen* by ascending difficulty as the
/// next data set, and goes back to the whole data set once that is smaller than one batch.
///
/// The queries of the last, partial batch are not seen, so they are forgotten; after the first epoch these are the hardest.
#[derive(Clone, Debug)]
pub struct ReleasedSchedule {
    tau: f64,
    batch_size: usize,
    all: Vec<QueryId>,
    dataset: Vec<QueryId>,
    served: usize,
    metrics: FxHashMap<QueryId, Vec<f64>>,
    forgotten: usize,
    lost_at_first_reset: Option<usize>,
}

impl ReleasedSchedule {
    /// The schedule over `queries`; `batch_size` is at least 1.
    pub fn new(
        tau: f64,
        batch_size: usize,
        queries: impl IntoIterator<Item = impl Into<QueryId>>,
    ) -> Self {
        let all: Vec<QueryId> = queries.into_iter().map(Into::into).collect();
        Self {
            tau,
            batch_size: batch_size.max(1),
            dataset: all.clone(),
            all,
            served: 0,
            metrics: FxHashMap::default(),
            forgotten: 0,
            lost_at_first_reset: None,
        }
    }

    /// Queries that left the data set without being below tau, until it was first reset to the whole; `None` before that.
    pub fn lost_at_first_reset(&self) -> Option<usize> {
        self.lost_at_first_reset
    }

    fn difficulty(&self, id: &QueryId) -> f64 {
        match self.metrics.get(id) {
            Some(metrics) if !metrics.is_empty() => {
                metrics.iter().map(|metric| 1.0 - metric).sum::<f64>() / metrics.len() as f64
            }
            _ => 1.0,
        }
    }
}

impl Schedule for ReleasedSchedule {
    fn next_batch(&mut self) -> Option<Vec<QueryId>> {
        let end = self.served + self.batch_size;
        // A partial last batch is never served: this loss is what the simulation measures.
        let batch = self.dataset.get(self.served..end)?.to_vec();
        self.served = end;
        Some(batch)
    }

    fn record(&mut self, query: &str, metrics: &[f64]) -> Result<()> {
        self.metrics.insert(query.into(), metrics.to_vec());
        Ok(())
    }

    fn end_epoch(&mut self) {
        self.forgotten += self.dataset.len() - self.served;
        let seen = self.dataset[..self.served].iter();
        let mut kept: Vec<(f64, QueryId)> = seen
            .map(|id| (self.difficulty(id), id.clone()))
            .filter(|(difficulty, _)| *difficulty >= self.tau)
            .collect();
        kept.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        self.dataset = if kept.len() < self.batch_size {
            self.lost_at_first_reset.get_or_insert(self.forgotten);
            self.all.clone()
        } else {
            kept.into_iter().map(|(_, id)| id).collect()
        };
        self.served = 0;
        self.metrics.clear();
    }

    fn is_finished(&self) -> bool {
        self.all.len() < self.batch_size
    }
}
