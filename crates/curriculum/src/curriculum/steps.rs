//! How far the run has come, and how much of it is left.

use super::Curriculum;
use crate::config::{PartialBatch, Recheck, TooFew};

impl Curriculum {
    /// Batches served since the start.
    pub fn steps_taken(&self) -> u64 {
        self.progress.batches
    }

    /// Batches still to come in this epoch: exact, but for what [`serve_more`](Self::serve_more) will take of them.
    pub fn steps_left_in_epoch(&self) -> usize {
        let left = self.progress.plan.len() - self.progress.served;
        self.batches_of(left, self.progress.served > 0)
    }

    /// Batches still to come until the end of epoch `epochs`, as far as is known now: exact for this epoch; each later epoch counts the
    /// queries that are active now and the re-checks of an average epoch, within the quotas; so the number falls as queries are mastered
    /// and rises when they return.
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

    /// Queries of an average epoch, were the pool to stay as it is.
    fn next_epoch_size(&self) -> usize {
        let mut sizes = vec![ClassSize::default(); self.pool.classes().len()];
        for query in self.pool.queries() {
            let size = &mut sizes[usize::from(query.class)];
            size.active += usize::from(!query.mastered);
            size.mastered += usize::from(query.mastered);
        }
        let within_quotas = |size: &dyn Fn(&ClassSize) -> usize| -> usize {
            let quotas = self
                .pool
                .classes()
                .iter()
                .map(|class| self.config.quota(class.as_deref()));
            sizes
                .iter()
                .zip(quotas)
                .map(|(class, quota)| size(class).min(quota))
                .sum()
        };
        let expected = |size: &ClassSize| size.active + size.rechecks(self.config.recheck);
        let batch = self.config.batch_size.min(self.pool.len());
        let is_enough = sizes.iter().map(expected).sum::<usize>() >= batch;
        match self.config.too_few {
            _ if is_enough => within_quotas(&expected),
            // A curriculum that stops serves no later epoch either.
            TooFew::Stop => 0,
            TooFew::Review => within_quotas(&ClassSize::all).min(batch),
            TooFew::All => within_quotas(&ClassSize::all),
        }
    }

    /// Batches that `queries` make; `served`: whether a batch of the same epoch came before them.
    fn batches_of(&self, queries: usize, served: bool) -> usize {
        let full = queries / self.config.batch_size;
        let partial = !queries.is_multiple_of(self.config.batch_size);
        // As in `next_batch`: an epoch's only batch is served, full or not.
        let carried = self.config.partial_batch == PartialBatch::Carry && (served || full > 0);
        full + usize::from(partial && !carried)
    }
}

/// The queries of one class.
#[derive(Clone, Copy, Default)]
struct ClassSize {
    active: usize,
    mastered: usize,
}

impl ClassSize {
    fn all(&self) -> usize {
        self.active + self.mastered
    }

    /// Mastered queries that an average epoch tries again.
    fn rechecks(&self, recheck: Recheck) -> usize {
        match recheck {
            Recheck::Never => 0,
            // Spread over the period: which of them are due in which epoch is known, but changes with every try.
            Recheck::Every(period) => self.mastered.div_ceil(period as usize),
            Recheck::Share(share) => {
                let wanted = (share * self.active as f64).ceil() as usize;
                wanted.min(self.mastered)
            }
        }
    }
}
