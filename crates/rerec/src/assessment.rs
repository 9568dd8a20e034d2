//! What comes out of an assessment.

use std::ops::Range;

use rerec_advantage::{NamedItem, Ragged, SegmentKind};
use rerec_rewards::RewardBreakdown;
use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

/// Groups of responses with everything that training takes from them.
#[derive(Debug)]
pub struct Assessment {
    /// One entry per group, in the order in which they were given.
    pub groups: Vec<AssessedGroup>,
    /// The reward of each token: one row per response, all groups one after the other. A response that could not be scored
    /// has an empty row.
    pub token_rewards: Ragged<f64>,
    /// The advantage of each token, in the same rows.
    pub advantages: Ragged<f64>,
}

/// The responses to one query.
#[derive(Debug)]
pub struct AssessedGroup {
    /// The query.
    pub query: QueryId,
    /// One entry per response, in order.
    pub responses: Vec<AssessedResponse>,
    /// The reward of the greedy response, where the estimator compares with it.
    pub baseline: Option<f64>,
    /// Whether any advantage is not 0; a group without one has no effect on training.
    pub teaches: bool,
}

/// One response.
#[derive(Debug)]
pub struct AssessedResponse {
    /// The reward with all its parts, or why it could not be computed: then the data are at fault, and the response takes no
    /// part in training.
    pub reward: rerec_rewards::Result<RewardBreakdown>,
    /// What the curriculum records; `None` where there is no reward.
    pub metric: Option<f64>,
    /// The reasoning steps that are not blank, in order.
    pub steps: Vec<Step>,
}

/// A reasoning step of a response, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its bytes in the response, without the line ends around it.
    pub span: Range<usize>,
    /// What it is for.
    pub kind: SegmentKind,
    /// The tokens that hold its bytes.
    pub tokens: Range<usize>,
    /// The items that it names, each once, in the order of their first mention.
    pub items: Vec<NamedItem>,
    /// What its tokens keep of the reward.
    pub ratio: f64,
    /// Whether a rule gave it less than it gives to tokens outside all steps.
    pub penalised: bool,
    /// Mean advantage of its tokens.
    pub advantage: f64,
}
