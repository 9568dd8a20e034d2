//! The curriculum: what to train on next, and what was learnt from it.

mod epoch;
mod steps;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::config::{CurriculumConfig, PartialBatch};
use crate::difficulty::{DifficultyEstimator, Estimate, Round};
use crate::order::{Candidates, Order, arrange};
use crate::pool::Pool;
use crate::statistics::{PoolStatistics, pool_statistics};
use crate::{Error, QueryId, QuerySpec, Result};

/// Schedules queries by the difficulty that the policy has with them (method: online curriculum).
///
/// An epoch hands out batches of ids until [`next_batch`](Self::next_batch) returns `None`; metrics come back in any order
/// under [`record`](Self::record); [`end_epoch`](Self::end_epoch) updates the difficulties and plans the next epoch.
/// All state is keyed by query id: batches may be split, re-ordered or computed anywhere, and recorded from any thread.
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
#[derive(Debug, Serialize, Deserialize)]
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
    pub(crate) records: Mutex<Vec<Round>>,
}

impl Progress {
    /// The rounds recorded so far. A thread that panicked while it held them left them whole: it can only have pushed one.
    pub(crate) fn records(&self) -> MutexGuard<'_, Vec<Round>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the rounds recorded so far.
    pub(crate) fn take_records(&mut self) -> Vec<Round> {
        std::mem::take(&mut *self.records())
    }
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
            records: Mutex::default(),
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

    /// Uses a custom estimator from now on. It is not part of the saved state: set it again after loading.
    pub fn with_estimator(mut self, estimator: Box<dyn DifficultyEstimator>) -> Self {
        self.estimator = estimator;
        self
    }

    /// Uses a custom order, also for the current epoch unless it has begun. It is not part of the saved state: set it again
    /// after loading.
    ///
    /// ```
    /// use rerec_curriculum::{Candidates, Curriculum, CurriculumConfig, Order};
    ///
    /// #[derive(Debug)]
    /// struct ShortIdsFirst;
    ///
    /// impl Order for ShortIdsFirst {
    ///     fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
    ///         candidates.iter().map(|(id, _difficulty)| id.as_str().len() as f64).collect()
    ///     }
    /// }
    ///
    /// let curriculum = Curriculum::new(CurriculumConfig::default(), ["three", "a", "bb"])?;
    /// let mut curriculum = curriculum.with_order(Box::new(ShortIdsFirst));
    /// assert_eq!(curriculum.next_batch(), Some(vec!["a".into(), "bb".into(), "three".into()]));
    /// # Ok::<(), rerec_curriculum::Error>(())
    /// ```
    pub fn with_order(mut self, order: Box<dyn Order>) -> Self {
        self.order = order;
        if self.progress.served == 0 {
            let mut members = std::mem::take(&mut self.progress.plan);
            // Ascending positions are the data set's order, in which an order leaves its ties.
            members.sort_unstable();
            let (seed, epoch) = (self.config.seed, self.progress.epoch);
            let candidates = Candidates {
                pool: &self.pool,
                members: &members,
                seed,
                epoch,
            };
            self.progress.plan = arrange(self.order.as_ref(), &candidates);
        }
        self
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
        // Never the first batch: an epoch smaller than one batch would otherwise never serve
        // anything.
        let carry =
            partial && self.config.partial_batch == PartialBatch::Carry && progress.served > 0;
        if left == 0 || carry {
            return None;
        }
        progress.epoch_batches += 1;
        progress.batches = progress.batches.saturating_add(1);
        Some(self.serve_more(self.config.batch_size))
    }

    /// Serves the first queries of [`upcoming`](Self::upcoming) beside the batches, at most so many: they count as served, but make no
    /// batch. For a caller that replaces queries of the last batch.
    ///
    /// ```
    /// use rerec_curriculum::{Curriculum, CurriculumConfig, QueryId};
    ///
    /// let config = CurriculumConfig { batch_size: 2, ..CurriculumConfig::default() };
    /// let mut curriculum = Curriculum::new(config, ["a", "b", "c", "d"])?;
    /// assert_eq!(curriculum.next_batch(), Some(vec!["a".into(), "b".into()]));
    /// assert_eq!(curriculum.serve_more(1), [QueryId::from("c")]);
    /// assert_eq!(curriculum.next_batch(), Some(vec!["d".into()]));
    /// assert_eq!((curriculum.steps_taken(), curriculum.end_epoch().served), (2, 4));
    /// # Ok::<(), rerec_curriculum::Error>(())
    /// ```
    pub fn serve_more(&mut self, most: usize) -> Vec<QueryId> {
        let progress = &mut self.progress;
        let left = progress.plan.len() - progress.served;
        let end = progress.served + left.min(most);
        let served = &progress.plan[progress.served..end];
        // Serving counts as a try for re-checks, also where no metric ever comes back: a mastered query that fails to be
        // scored would otherwise be due in every epoch.
        for &position in served {
            self.pool.query_mut(position).last_epoch = progress.epoch;
        }
        let ids = served.iter().map(|&at| self.pool.id(at).clone()).collect();
        progress.served = end;
        ids
    }

    /// Records the metric of each rollout of a query in this epoch, from any thread.
    ///
    /// Several records of one query in one epoch count as one round of all their rollouts, in whatever order they arrive. A query that
    /// was served but never recorded keeps its estimate; one that was recorded without being served is updated too.
    ///
    /// ```
    /// use rerec_curriculum::{Curriculum, CurriculumConfig};
    ///
    /// let mut curriculum = Curriculum::new(CurriculumConfig::default(), ["a", "b"])?;
    /// std::thread::scope(|threads| {
    ///     for (id, metric) in [("b", 0.0), ("a", 1.0), ("b", 1.0)] {
    ///         let curriculum = &curriculum;
    ///         threads.spawn(move || curriculum.record(id, &[metric]));
    ///     }
    /// });
    /// curriculum.end_epoch();
    /// assert_eq!(curriculum.estimate("b")?.difficulty, 0.5);
    /// # Ok::<(), rerec_curriculum::Error>(())
    /// ```
    ///
    /// # Errors
    /// An unknown id, no rollouts, or a metric that is NaN or outside the configured range.
    pub fn record(&self, query: &str, metrics: &[f64]) -> Result<()> {
        let position = self.pool.position(query)?;
        let metric = self.config.metric;
        if let Some((rollout, &got)) = metrics
            .iter()
            .enumerate()
            .find(|(_, m)| !metric.allows(**m))
        {
            let (lowest, highest) = (metric.lowest, metric.highest);
            return Err(Error::Metric {
                id: query.into(),
                rollout,
                got,
                lowest,
                highest,
            });
        }
        // All metrics were checked: a record is taken whole or not at all.
        let round = Round::new(position, metrics.iter().map(|&m| metric.difficulty(m)));
        let round = round.ok_or_else(|| Error::NoRollouts { id: query.into() })?;
        // Records are only pushed here and summed at the end of the epoch, so that threads hold the
        // lock briefly.
        self.progress.records().push(round);
        Ok(())
    }

    /// Whether this epoch serves nothing: fewer than a batch are active or due, and [`TooFew::Stop`](crate::TooFew::Stop) was chosen.
    pub fn is_finished(&self) -> bool {
        self.progress.plan.is_empty()
    }

    /// The epoch being served, counted from 1.
    pub fn epoch(&self) -> u32 {
        self.progress.epoch
    }

    /// The current estimate for a query.
    ///
    /// # Errors
    /// An unknown id.
    pub fn estimate(&self, query: &str) -> Result<Estimate> {
        Ok(self.pool.query(self.pool.position(query)?).estimate)
    }

    /// Whether a query is set aside as mastered.
    ///
    /// # Errors
    /// An unknown id.
    pub fn is_mastered(&self, query: &str) -> Result<bool> {
        Ok(self.pool.query(self.pool.position(query)?).mastered)
    }

    /// Ids of the whole data set, in its order.
    pub fn queries(&self) -> impl ExactSizeIterator<Item = &QueryId> {
        self.pool.ids().iter()
    }

    /// Withdraws the queries that this epoch has still to serve: they are neither served nor carried over.
    ///
    /// For a caller that decides by itself what it tries: then only [`record`](Self::record) counts as a try.
    ///
    /// ```
    /// use rerec_curriculum::{Curriculum, CurriculumConfig};
    ///
    /// let mut curriculum = Curriculum::new(CurriculumConfig::default(), ["a", "b"])?;
    /// curriculum.withdraw_upcoming();
    /// curriculum.record("b", &[0.5])?;
    /// let epoch = curriculum.end_epoch();
    /// assert_eq!((epoch.served, epoch.recorded, epoch.carried_over), (0, 1, 0));
    /// // By ascending difficulty again: 0.5, then 1.
    /// assert_eq!(curriculum.next_batch(), Some(vec!["b".into(), "a".into()]));
    /// # Ok::<(), rerec_curriculum::Error>(())
    /// ```
    pub fn withdraw_upcoming(&mut self) {
        self.progress.plan.truncate(self.progress.served);
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
