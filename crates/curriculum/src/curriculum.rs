//! The curriculum: what to train on next, and what was learnt from it.

use serde::{Deserialize, Serialize};

use crate::config::{CurriculumConfig, PartialBatch, TooFew};
use crate::difficulty::{DifficultyEstimator, Estimate, Round};
use crate::order::Order;
use crate::pool::Pool;
use crate::schedule::plan;
use crate::statistics::{EpochStatistics, PoolStatistics, class_statistics, mean, pool_statistics};
use crate::{Error, QueryId, QuerySpec, Result};

/// Schedules queries by the difficulty that the policy has with them (method: online curriculum).
///
/// An epoch hands out batches of ids until [`next_batch`](Self::next_batch) returns `None`; metrics come back in any order
/// under [`record`](Self::record); [`end_epoch`](Self::end_epoch) updates the difficulties and plans the next epoch.
/// All state is keyed by query id: batches may be split, re-ordered or computed anywhere. To record from several threads,
/// share it behind a `Mutex`: the order of records never matters.
///
/// ```
/// use rerec_curriculum::{Curriculum, CurriculumConfig};
///
/// let config = CurriculumConfig { batch_size: 2, ..CurriculumConfig::default() };
/// let mut curriculum = Curriculum::new(config, ["hard", "solved", "half"])?;
/// while let Some(batch) = curriculum.next_batch() {
///     for id in &batch {
///         let metrics = match id.as_str() {
///             "solved" => [1.0, 1.0],
///             "half" => [0.0, 1.0],
///             _ => [0.0, 0.0],
///         };
///         curriculum.record(id, &metrics)?;
///     }
/// }
/// let epoch = curriculum.end_epoch();
/// assert_eq!((epoch.newly_mastered, epoch.pool.active), (1, 2));
/// // The rest by ascending difficulty: 0.5, then 1.
/// assert_eq!(curriculum.next_batch(), Some(vec!["half".into(), "hard".into()]));
/// # Ok::<(), rerec_curriculum::Error>(())
/// ```
#[derive(Debug)]
pub struct Curriculum {
    pub(crate) config: CurriculumConfig,
    estimator: Box<dyn DifficultyEstimator>,
    order: Box<dyn Order>,
    pub(crate) pool: Pool,
    pub(crate) progress: Progress,
}

/// Where in the run the curriculum stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// The epoch being served, counted from 1.
    pub(crate) epoch: u32,
    /// Positions of the queries of this epoch, in order.
    pub(crate) plan: Vec<u32>,
    /// How many of the plan were served.
    pub(crate) served: usize,
    /// Batches served in this epoch.
    pub(crate) epoch_batches: usize,
    /// Batches served since the start.
    pub(crate) batches: u64,
    /// Rounds recorded in this epoch, in any order.
    pub(crate) records: Vec<(u32, Round)>,
}

impl Curriculum {
    /// Schedules the first epoch over `queries`, listed in data-set order.
    ///
    /// # Errors
    /// A setting outside its range, no queries, an id that occurs twice, or a quota for a class that no query has.
    pub fn new(
        config: CurriculumConfig,
        queries: impl IntoIterator<Item = impl Into<QuerySpec>>,
    ) -> Result<Self> {
        config.validate()?;
        let pool = Pool::new(queries)?;
        let progress = Progress {
            epoch: 1,
            plan: Vec::new(),
            served: 0,
            epoch_batches: 0,
            batches: 0,
            records: Vec::new(),
        };
        let mut curriculum = Self::assemble(config, pool, progress)?;
        curriculum.plan_epoch(&[]);
        Ok(curriculum)
    }

    /// Puts checked parts together.
    pub(crate) fn assemble(
        config: CurriculumConfig,
        pool: Pool,
        progress: Progress,
    ) -> Result<Self> {
        config.check_quotas(&pool)?;
        Ok(Self {
            estimator: config.difficulty.build(),
            order: config.order.build(),
            config,
            pool,
            progress,
        })
    }

    /// Goes on under other settings: the filter and the order act at the next [`end_epoch`](Self::end_epoch), the rest at once.
    ///
    /// # Errors
    /// As [`new`](Self::new); the settings are unchanged then.
    pub fn reconfigure(&mut self, config: CurriculumConfig) -> Result<()> {
        config.validate()?;
        config.check_quotas(&self.pool)?;
        self.estimator = config.difficulty.build();
        self.order = config.order.build();
        self.config = config;
        Ok(())
    }

    /// The next batch of this epoch; `None` at its end.
    ///
    /// Only the last batch of an epoch can be smaller than `batch_size`.
    pub fn next_batch(&mut self) -> Option<Vec<QueryId>> {
        let progress = &mut self.progress;
        let left = progress.plan.len() - progress.served;
        let partial = left < self.config.batch_size;
        let carry =
            partial && self.config.partial_batch == PartialBatch::Carry && progress.served > 0;
        if left == 0 || carry {
            return None;
        }
        let end = progress.served + left.min(self.config.batch_size);
        let batch = &progress.plan[progress.served..end];
        for &position in batch {
            self.pool.query_mut(position).last_epoch = progress.epoch;
        }
        let ids = batch
            .iter()
            .map(|&position| self.pool.id(position).clone())
            .collect();
        progress.served = end;
        progress.epoch_batches += 1;
        progress.batches += 1;
        Some(ids)
    }

    /// Records the metric of each rollout of a query in this epoch.
    ///
    /// Several records of one query in one epoch count as one round of all their rollouts, in whatever order they arrive. A query that
    /// was served but never recorded keeps its estimate; one that was recorded without being served is updated too.
    ///
    /// # Errors
    /// An unknown id, no rollouts, or a metric that is NaN or outside the configured range.
    pub fn record(&mut self, query: &QueryId, metrics: &[f64]) -> Result<()> {
        let position = self.pool.position(query)?;
        let metric = self.config.metric;
        if let Some((rollout, &got)) = metrics
            .iter()
            .enumerate()
            .find(|(_, m)| !metric.allows(**m))
        {
            let (lowest, highest) = (metric.lowest, metric.highest);
            return Err(Error::Metric {
                id: query.clone(),
                rollout,
                got,
                lowest,
                highest,
            });
        }
        let round = Round::new(metrics.iter().map(|&m| metric.difficulty(m)));
        let round = round.ok_or_else(|| Error::NoRollouts { id: query.clone() })?;
        self.progress.records.push((position, round));
        Ok(())
    }

    /// Ends the epoch: updates difficulties by what was recorded, sets mastered queries aside, and plans the next epoch.
    ///
    /// It may be called before all batches were served: what is left over opens the next epoch.
    pub fn end_epoch(&mut self) -> EpochStatistics {
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
        self.progress.epoch += 1;
        self.plan_epoch(&carried);
        statistics
    }

    /// Updates the estimates by the records of this epoch, whatever order they came in.
    fn absorb_records(&mut self) -> Movement {
        let mut records = std::mem::take(&mut self.progress.records);
        records.sort_unstable_by(|(p, a), (q, b)| p.cmp(q).then_with(|| a.canonical_cmp(b)));
        let mut movement = Movement::default();
        let mut recorded = vec![false; self.pool.len()];
        for records in records.chunk_by(|(p, _), (q, _)| p == q) {
            let Some((position, round)) = records
                .iter()
                .copied()
                .reduce(|(p, a), (_, b)| (p, a.pooled(b)))
            else {
                continue;
            };
            let query = self.pool.query_mut(position);
            let before = query.estimate;
            query.estimate = self.estimator.update(before, &round);
            query.last_epoch = self.progress.epoch;
            recorded[position as usize] = true;
            movement.add(before, query.estimate);
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
        let filtering = self.progress.epoch > self.config.warmup_epochs;
        let (mut newly_mastered, mut returned) = (0, 0);
        for query in self.pool.queries_mut() {
            let below = query.estimate.is_tried()
                && self.estimator.upper_bound(query.estimate) < self.config.tau;
            let mastered = filtering && below;
            newly_mastered += usize::from(mastered && !query.mastered);
            returned += usize::from(query.mastered && !mastered);
            query.mastered = mastered;
        }
        (newly_mastered, returned)
    }

    fn plan_epoch(&mut self, carried: &[u32]) {
        let progress = &mut self.progress;
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

    /// Whether nothing is left to serve: the pool holds fewer than a batch, and [`TooFew::Stop`] was chosen.
    pub fn is_finished(&self) -> bool {
        self.progress.plan.is_empty()
    }

    /// The epoch being served, counted from 1.
    pub fn epoch(&self) -> u32 {
        self.progress.epoch
    }

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

    /// What is believed of a query.
    ///
    /// # Errors
    /// An unknown id.
    pub fn estimate(&self, query: &QueryId) -> Result<Estimate> {
        Ok(self.pool.query(self.pool.position(query)?).estimate)
    }

    /// Whether a query is set aside as mastered.
    ///
    /// # Errors
    /// An unknown id.
    pub fn is_mastered(&self, query: &QueryId) -> Result<bool> {
        Ok(self.pool.query(self.pool.position(query)?).mastered)
    }

    /// Ids of the whole data set, in its order.
    pub fn queries(&self) -> impl ExactSizeIterator<Item = &QueryId> {
        self.pool.ids().iter()
    }

    /// Ids of this epoch that are still to be served, in order.
    pub fn upcoming(&self) -> impl ExactSizeIterator<Item = &QueryId> {
        self.progress.plan[self.progress.served..]
            .iter()
            .map(|&position| self.pool.id(position))
    }

    /// The pool as it stands.
    pub fn statistics(&self) -> PoolStatistics {
        pool_statistics(&self.pool)
    }

    /// The settings.
    pub fn config(&self) -> &CurriculumConfig {
        &self.config
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
    fn add(&mut self, before: Estimate, after: Estimate) {
        self.recorded += 1;
        if before.is_tried() {
            let change = after.difficulty - before.difficulty;
            self.change += change;
            self.easier += usize::from(change < 0.0);
            self.harder += usize::from(change > 0.0);
            self.unchanged += usize::from(change == 0.0);
        }
    }
}
