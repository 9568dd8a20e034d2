//! How far the run has come, and how much of it is left.

use super::Curriculum;
use crate::config::{PartialBatch, TooFew};

impl Curriculum {
    /// Batches served since the start.
    pub fn steps_taken(&self) -> u64 {
        self.progress.batches
    }

    /// Batches still to come in this epoch: exact.
    pub fn steps_left_in_epoch(&self) -> usize {
        let left = self.progress.plan.len() - self.progress.served;
        self.batches_of(left, self.progress.served > 0)
    }

    /// Batches still to come until the end of epoch `epochs`, as far as is known now: exact for this epoch; each later epoch counts the
    /// queries that are active now, so the number falls as queries are mastered and rises when they return.
    ///
    /// A learning-rate schedule that ends with the data takes `steps_taken / (steps_taken + steps_left)` as its progress.
    pub fn steps_left(&self, epochs: u32) -> usize {
        let later = epochs.saturating_sub(self.progress.epoch) as usize;
        let here = if self.progress.epoch <= epochs {
            self.steps_left_in_epoch()
        } else {
            0
        };
        here + later * self.batches_of(self.next_epoch_size(), false)
    }

    fn next_epoch_size(&self) -> usize {
        let active = self.pool.count(|query| !query.mastered);
        let batch = self.config.batch_size.min(self.pool.len());
        match self.config.too_few {
            _ if active >= batch => active,
            TooFew::Stop => 0,
            TooFew::Review => batch,
            TooFew::All => self.pool.len(),
        }
    }

    /// Batches that `queries` make; `served`: whether a batch of the same epoch came before them.
    fn batches_of(&self, queries: usize, served: bool) -> usize {
        let full = queries / self.config.batch_size;
        let partial = !queries.is_multiple_of(self.config.batch_size);
        let carried = self.config.partial_batch == PartialBatch::Carry && (served || full > 0);
        full + usize::from(partial && !carried)
    }
}
