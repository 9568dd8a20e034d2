//! Learners to try a schedule on before spending accelerator time, and the authors' released schedule to compare with.
//!
//! ```
//! use rerec_curriculum::simulator::{ItemResponseConfig, ItemResponseLearner, steps_to_accuracy};
//! use rerec_curriculum::{Curriculum, CurriculumConfig};
//!
//! let mut learner = ItemResponseLearner::new(ItemResponseConfig::default(), 200, 1);
//! let config = CurriculumConfig { batch_size: 20, ..CurriculumConfig::default() };
//! let mut curriculum = Curriculum::new(config, learner.queries())?;
//! let steps = steps_to_accuracy(&mut curriculum, &mut learner, 5, 0.5, 1_000)?;
//! assert!(steps.is_some());
//! # Ok::<(), rerec_curriculum::Error>(())
//! ```

mod drifting;
mod item_response;
mod released;

pub use drifting::DriftingLearner;
pub use item_response::{ItemResponseConfig, ItemResponseLearner};
pub use released::ReleasedSchedule;

use crate::{Curriculum, QueryId, Result};

/// A policy in training.
pub trait Learner {
    /// Answers each query of a batch `rollouts` times, returns the metric of each answer in [0, 1], and then learns from the batch.
    fn step(&mut self, batch: &[QueryId], rollouts: usize) -> Vec<Vec<f64>>;

    /// Called at the end of each epoch.
    fn end_epoch(&mut self) {}

    /// Expected metric over all queries.
    fn accuracy(&self) -> f64;
}

/// A schedule of queries: [`Curriculum`] or something to compare it with.
pub trait Schedule {
    /// The next batch of the epoch; `None` at its end.
    fn next_batch(&mut self) -> Option<Vec<QueryId>>;
    /// Takes the metrics of a query's rollouts.
    ///
    /// # Errors
    /// As [`Curriculum::record`].
    fn record(&mut self, query: &str, metrics: &[f64]) -> Result<()>;
    /// Ends the epoch and plans the next one.
    fn end_epoch(&mut self);
    /// Whether nothing is left to serve.
    fn is_finished(&self) -> bool;
}

impl Schedule for Curriculum {
    fn next_batch(&mut self) -> Option<Vec<QueryId>> {
        self.next_batch()
    }

    fn record(&mut self, query: &str, metrics: &[f64]) -> Result<()> {
        // By name: the method of the trait, with `&mut self`, would call itself.
        Curriculum::record(self, query, metrics)
    }

    fn end_epoch(&mut self) {
        self.end_epoch();
    }

    fn is_finished(&self) -> bool {
        self.is_finished()
    }
}

/// Trains for one epoch; the number of batches.
///
/// # Errors
/// As [`Curriculum::record`].
pub fn train_epoch(
    schedule: &mut dyn Schedule,
    learner: &mut dyn Learner,
    rollouts: usize,
) -> Result<usize> {
    let mut steps = 0;
    while let Some(batch) = schedule.next_batch() {
        train_step(schedule, learner, &batch, rollouts)?;
        steps += 1;
    }
    schedule.end_epoch();
    learner.end_epoch();
    Ok(steps)
}

fn train_step(
    schedule: &mut dyn Schedule,
    learner: &mut dyn Learner,
    batch: &[QueryId],
    rollouts: usize,
) -> Result<()> {
    let metrics = learner.step(batch, rollouts);
    batch
        .iter()
        .zip(&metrics)
        .try_for_each(|(id, metrics)| schedule.record(id, metrics))
}

/// Trains until the learner's accuracy reaches `target`: after how many batches; `None` if not within `most`.
///
/// # Errors
/// As [`Curriculum::record`].
pub fn steps_to_accuracy(
    schedule: &mut dyn Schedule,
    learner: &mut dyn Learner,
    rollouts: usize,
    target: f64,
    most: usize,
) -> Result<Option<usize>> {
    let mut steps = 0;
    while steps < most && !schedule.is_finished() {
        if let Some(batch) = schedule.next_batch() {
            train_step(schedule, learner, &batch, rollouts)?;
            steps += 1;
            if learner.accuracy() >= target {
                return Ok(Some(steps));
            }
        } else {
            schedule.end_epoch();
            learner.end_epoch();
        }
    }
    Ok(None)
}
