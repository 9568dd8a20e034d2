//! One record of each rollout and of each step: what the metrics, the dump and the curves are made from.

use std::{collections::BTreeMap, ops::Range};

use rerec_curriculum::EpochStatistics;
use rerec_policy::Finish;
use rerec_rewards::{RewardBreakdown, RewardSummary};
use serde::{Deserialize, Serialize};

/// One response with all that was made of it; a line of `rollouts.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutRecord {
    /// Step of reinforcement, from 1.
    pub step: u64,
    /// Epoch of the curriculum, from 1.
    pub epoch: u32,
    /// Id of the query.
    pub query: String,
    /// Index within the group.
    pub sample: usize,
    /// What the model wrote.
    pub response: String,
    /// Tokens of the response, the end token included.
    pub tokens: usize,
    /// Why it ended.
    pub finish: Finish,
    /// The reward with its parts; none where it could not be scored.
    pub reward: Option<RewardBreakdown>,
    /// Why it could not be scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The reasoning steps.
    pub segments: Vec<SegmentRecord>,
}

/// One segment of a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// Its bytes in the response.
    pub span: Range<usize>,
    /// Whether it belongs to the answer.
    pub answer: bool,
    /// Whether it was penalised.
    pub penalised: bool,
    /// What its tokens' reward was multiplied with.
    pub ratio: f64,
    /// Mean advantage of its tokens; none for a segment without a token.
    pub advantage: Option<f64>,
}

/// The pool of queries at the end of an epoch; a line of `epochs.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Steps of reinforcement done by then.
    pub step: u64,
    /// What the curriculum counted.
    #[serde(flatten)]
    pub statistics: EpochStatistics,
}

/// One step of reinforcement; a line of `metrics.jsonl`. Holds no timings, so that two runs from one seed
/// can be compared line by line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsRecord {
    /// The step, from 1.
    pub step: u64,
    /// Epoch of the curriculum, from 1.
    pub epoch: u32,
    /// Queries of the step.
    pub queries: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Means of the reward and its parts, counts of flags and failures.
    pub reward: RewardSummary,
    /// Share of scored responses that were right.
    pub accuracy: f64,
    /// Groups with at least one right answer, whose spread is that of right and wrong.
    pub groups_with_hit: usize,
    /// Groups where all are wrong but shaping and penalties differ: normalised, these are all that is seen.
    pub groups_shaped_only: usize,
    /// Groups whose token rewards are all equal: they teach nothing.
    pub groups_without_signal: usize,
    /// Segments that were penalised.
    pub segments_penalised: usize,
    /// Mean length of the responses, in tokens.
    pub mean_tokens: f64,
    /// Share of responses cut off by the token limit.
    pub truncated: f64,
    /// Mean of minus the log-probability of the sampled tokens: an estimate of the policy's entropy, in nats.
    pub entropy: f64,
    /// Mean over the step's updates of the objective.
    pub loss: f64,
    /// Mean KL estimate against the warm start, in nats a token.
    pub kl: f64,
    /// Share of tokens whose ratio was clipped.
    pub clip_fraction: f64,
    /// Largest |log-ratio| of any token.
    pub max_log_ratio: f64,
    /// Mean gradient norm before clipping.
    pub grad_norm: f64,
    /// Accuracy on validation queries, where this step was evaluated, overall and by class.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub validation: BTreeMap<String, f64>,
}
