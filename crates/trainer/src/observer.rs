//! Events of a run, and who watches them.

use rerec_curriculum::EpochStatistics;
use rerec_policy::Progress;

use crate::{Evaluation, MetricsRecord, Phase};

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An epoch of the item embeddings was trained.
    Embeddings {
        /// Epochs so far.
        epoch: usize,
        /// The most there can be.
        max_epochs: usize,
        /// NDCG@10 on held-out ratings.
        ndcg: Option<f64>,
    },
    /// Something in the data or the settings that a person should look at.
    Warning(&'a str),
    /// A step of the warm start is done.
    WarmStart {
        /// Steps so far.
        step: u64,
        /// Steps in all.
        total: u64,
        /// Mean negative log-likelihood of the step, in nats per token.
        loss: f64,
    },
    /// Responses are being sampled for a step of reinforcement.
    Sampling(Progress),
    /// Responses are being sampled for an evaluation.
    Evaluating(Phase, Progress),
    /// An evaluation is done.
    Evaluated(&'a Evaluation),
    /// A step of reinforcement is done.
    Step {
        /// What it measured.
        metrics: &'a MetricsRecord,
        /// Steps still to come, as far as is known now.
        steps_left: usize,
    },
    /// An epoch of the curriculum is over.
    Epoch(&'a EpochStatistics),
    /// A checkpoint was written.
    Checkpoint,
}

/// What an observer asks the run to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub enum Verdict {
    /// Go on.
    #[default]
    Continue,
    /// End reinforcement after the current step, evaluate, and finish the run.
    Finish,
    /// End as soon as possible with a checkpoint to resume from.
    Stop,
}

/// Watches a run and may end it.
pub trait Observer {
    /// Called for every event.
    fn event(&mut self, event: &Event<'_>) -> Verdict;
}

/// Watches nothing and never ends a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _event: &Event<'_>) -> Verdict {
        Verdict::Continue
    }
}
