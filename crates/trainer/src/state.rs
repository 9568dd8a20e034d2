//! Where a run stands.

use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

use crate::Evaluation;
use crate::ledger::Lengths;

/// Version of [`State`]'s format.
pub(crate) const STATE_VERSION: u32 = 2;

/// What a checkpoint holds besides policy and curriculum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) version: u32,
    /// Steps of the warm start that are done.
    pub(crate) warm_steps: u64,
    /// Whether the warm start is over and its weights are the reference.
    pub(crate) anchored: bool,
    /// Steps of reinforcement that are done.
    pub(crate) steps: u64,
    /// Queries served by the curriculum whose step is not done.
    pub(crate) pending: Vec<QueryId>,
    /// Whether the last step's evaluation on validation queries is still due: a run may be stopped in the middle of it.
    pub(crate) unvalidated: bool,
    /// Evaluations on test queries.
    pub(crate) evaluations: Vec<Evaluation>,
    /// The checkpoint that was best on validation queries, where the run keeps it.
    pub(crate) best: Option<Best>,
    /// Evaluations on validation queries since the best one.
    #[serde(default)]
    pub(crate) evaluations_since_best: u64,
    /// Bytes of the run's files that belong to what is done.
    pub(crate) lengths: Lengths,
}

/// A checkpoint and how good it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Best {
    /// Steps of reinforcement before it.
    pub(crate) step: u64,
    /// The metric on validation queries.
    pub(crate) value: f64,
    /// Its number; 0 while it is not written.
    pub(crate) checkpoint: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: STATE_VERSION,
            warm_steps: 0,
            anchored: false,
            steps: 0,
            pending: Vec::new(),
            unvalidated: false,
            evaluations: Vec::new(),
            best: None,
            evaluations_since_best: 0,
            lengths: Lengths::default(),
        }
    }
}
