//! The records of a run: what its files hold, its metrics are computed from, and a report reads.

use rerec::Step;
use rerec_curriculum::EpochStatistics;
use rerec_datasets::QueryClass;
use rerec_policy::{Finish, UpdateStats};
use rerec_rewards::{RewardBreakdown, RewardSummary};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};

use crate::evaluation::mean;

/// A query as a reader needs it beside its responses; a line of `queries.jsonl`, written when the query is first asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryRecord {
    /// The query.
    pub query: QueryId,
    /// What was put before the model.
    pub conversation: Vec<Message>,
    /// Titles of the right items.
    pub targets: Vec<String>,
    /// Titles of the items to choose from; none: the whole catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Vec<String>>,
}

/// All responses to one query in one step; a line of `rollouts.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRecord {
    /// Step of reinforcement, from 1.
    pub step: u64,
    /// Epoch of the curriculum, from 1.
    pub epoch: u32,
    /// The query.
    pub query: QueryId,
    /// Its class.
    pub class: QueryClass,
    /// What the group's advantages come from.
    pub kind: GroupKind,
    /// Whether another query took its place, so that nothing was learned from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// The reward of the greedy response, where the estimator compares with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The sampled responses.
    pub responses: Vec<ResponseRecord>,
}

/// What the responses of a group differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// At least one response is right; the spread is that of right and wrong.
    WithHit,
    /// All are wrong, but shaping and penalties differ: normalised, these are all that is seen.
    ShapedOnly,
    /// All advantages are 0: it teaches nothing.
    WithoutSignal,
}

/// One response with all that was made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseRecord {
    /// Index within the group.
    pub sample: usize,
    /// What the model wrote.
    pub text: String,
    /// Tokens, the end token included.
    pub tokens: usize,
    /// Bytes of the text that each token stands for; 0 for special tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_byte_lens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
    /// Log-probability of the whole response at sampling time, in nats.
    pub log_prob: f64,
    /// The reward with its parts; none where it could not be scored.
    pub reward: Option<RewardBreakdown>,
    /// Why it could not be scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The reasoning steps that are not blank, in order.
    pub steps: Vec<Step>,
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

/// One step of the warm start; a line of `warm_start.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmStartRecord {
    /// The step, from 1.
    pub step: u64,
    /// Cross-entropy of the responses, in nats per token.
    pub loss: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// What the step took.
    pub seconds: f64,
}

/// One step of reinforcement; a line of `metrics.jsonl`. It holds no timings, so that two runs from one seed can be compared line
/// by line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsRecord {
    /// The step, from 1.
    pub step: u64,
    /// Epoch of the curriculum, from 1.
    pub epoch: u32,
    /// Queries of the step, those that were replaced included.
    pub queries: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Means of the reward and its parts, counts of flags and failures.
    pub reward: RewardSummary,
    /// Share of scored responses that were right.
    pub accuracy: f64,
    /// Groups with at least one right answer.
    pub groups_with_hit: usize,
    /// Groups in which all are wrong, but shaping and penalties differ.
    pub groups_shaped_only: usize,
    /// Groups that teach nothing.
    pub groups_without_signal: usize,
    /// Steps of responses that were penalised.
    pub steps_penalised: usize,
    /// Mean length of the responses, in tokens.
    pub mean_tokens: f64,
    /// Share of responses cut off by the token limit.
    pub truncated: f64,
    /// Mean of minus the log-probability of the sampled tokens: an estimate of the policy's entropy, in nats.
    pub entropy: f64,
    /// Responses with a reward that were masked because the token limit cut them off; none where nothing is masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<usize>,
    /// How groups that teach nothing were replaced; none where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refill: Option<RefillRecord>,
    /// How far the sampler was from the learner; none where nothing makes up for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<SamplerRecord>,
    /// The step's updates.
    #[serde(flatten)]
    pub update: UpdateRecord,
}

/// How the groups of a step that teach nothing were replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefillRecord {
    /// Rounds in which further queries were asked.
    pub rounds: u32,
    /// Groups that were dropped: so many further queries were asked.
    pub dropped: usize,
}

/// How far a sampler was from the learner, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplerRecord {
    /// Mean |log-probability under the learner - under the sampler| over the tokens, in nats.
    pub mean_gap: f64,
    /// Responses that were masked.
    pub masked: usize,
}

/// Where the time of a step went, in seconds; a line of `timings.jsonl`. What is in none of the parts is the reward, the credit, the
/// curriculum and the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimingRecord {
    /// The step, from 1.
    pub step: u64,
    /// From the first prompt to the records; evaluations and checkpoints come after it.
    pub total: f64,
    /// Sampling responses.
    pub sampling: f64,
    /// Updating the policy.
    pub updating: f64,
    /// Tokens of the responses that were sampled for the step.
    pub tokens: usize,
}

/// Means over the updates of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateRecord {
    /// The objective.
    pub loss: f64,
    /// KL estimate against the warm start, in nats per token.
    pub kl: f64,
    /// Share of tokens whose ratio was clipped.
    pub clip_fraction: f64,
    /// Largest |log-ratio| of any token, over all updates.
    pub max_log_ratio: f64,
    /// Gradient norm before clipping.
    pub grad_norm: f64,
}

impl UpdateRecord {
    /// Means over the updates of a step; of the log-ratio the largest.
    pub(crate) fn of(updates: &[UpdateStats]) -> Self {
        let mean_of = |part: fn(&UpdateStats) -> f64| mean(updates.iter().map(part));
        Self {
            loss: mean_of(|update| update.loss),
            kl: mean_of(|update| update.kl),
            clip_fraction: mean_of(|update| update.clip_fraction),
            max_log_ratio: updates.iter().map(|u| u.max_log_ratio).fold(0.0, f64::max),
            grad_norm: mean_of(|update| update.grad_norm),
        }
    }
}

impl MetricsRecord {
    /// The metrics of a step's groups.
    pub(crate) fn of(groups: &[GroupRecord], update: UpdateRecord, learning_rate: f64) -> Self {
        let responses = || groups.iter().flat_map(|group| &group.responses);
        // The sampler's figures count responses with a reward; the others take no part in training.
        let scored = || responses().filter(|one| one.reward.is_some());
        let rewards: Vec<&RewardBreakdown> =
            scored().filter_map(|one| one.reward.as_ref()).collect();
        let reward = RewardSummary::of_scored(&rewards, responses().count() - rewards.len());
        let tokens = scored().map(|one| one.tokens).sum::<usize>();
        let log_prob = scored().map(|one| one.log_prob).sum::<f64>();
        let of_kind = |kind| groups.iter().filter(|group| group.kind == kind).count();
        let steps = scored().flat_map(|one| &one.steps);
        Self {
            step: groups.first().map_or(0, |group| group.step),
            // A step has groups: an empty batch is never served.
            epoch: groups.first().map_or(0, |group| group.epoch),
            queries: groups.len(),
            learning_rate,
            accuracy: reward.hits as f64 / reward.scored.max(1) as f64,
            reward,
            groups_with_hit: of_kind(GroupKind::WithHit),
            groups_shaped_only: of_kind(GroupKind::ShapedOnly),
            groups_without_signal: of_kind(GroupKind::WithoutSignal),
            steps_penalised: steps.filter(|step| step.penalised).count(),
            mean_tokens: tokens as f64 / scored().count().max(1) as f64,
            truncated: mean(scored().map(|one| f64::from(u8::from(one.finish == Finish::Length)))),
            entropy: -log_prob / tokens.max(1) as f64,
            masked: None,
            refill: None,
            sampler: None,
            update,
        }
    }
}
