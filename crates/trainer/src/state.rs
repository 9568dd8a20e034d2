//! Where a run stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Evaluation;

/// Version of [`State`]'s format.
pub(crate) const STATE_VERSION: u32 = 1;

/// What a checkpoint says beside policy and curriculum.
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
    pub(crate) pending: Vec<String>,
    /// Accuracy on validation queries after the warm start, by class: where the curves begin.
    pub(crate) warm_validation: BTreeMap<String, f64>,
    /// Evaluations on test queries.
    pub(crate) evaluations: Vec<Evaluation>,
    /// Bytes of `metrics.jsonl`, `rollouts.jsonl` and `epochs.jsonl` that belong to finished steps.
    pub(crate) metrics_len: u64,
    pub(crate) rollouts_len: u64,
    pub(crate) epochs_len: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: STATE_VERSION,
            warm_steps: 0,
            anchored: false,
            steps: 0,
            pending: Vec::new(),
            warm_validation: BTreeMap::new(),
            evaluations: Vec::new(),
            metrics_len: 0,
            rollouts_len: 0,
            epochs_len: 0,
        }
    }
}
