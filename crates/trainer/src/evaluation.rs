//! How well held-out queries are answered.

use std::collections::BTreeMap;

use rerec_datasets::QueryClass;
use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

/// When an evaluation was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// On test queries, before any training.
    Untrained,
    /// On test queries, after the supervised warm start.
    WarmStart,
    /// On validation queries, while reinforcement goes on.
    Reinforcement,
    /// On test queries, after reinforcement.
    Final,
}

impl Phase {
    /// As it stands above a table's column.
    pub fn label(self) -> &'static str {
        match self {
            Self::Untrained => "untrained",
            Self::WarmStart => "warm start",
            Self::Reinforcement => "reinforcement",
            Self::Final => "reinforced",
        }
    }
}

/// Right answers among queries, each answered once by its most probable response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Queries answered rightly.
    pub right: usize,
    /// Queries asked that could be scored.
    pub asked: usize,
    /// Queries that a guess among the candidates would get right, on average.
    pub by_chance: f64,
}

impl Accuracy {
    /// Share of right answers, in [0, 1]; 0 where nothing was asked.
    pub fn share(self) -> f64 {
        self.right as f64 / self.asked.max(1) as f64
    }

    /// Share of right answers of a guess among the candidates, in [0, 1]; 0 where nothing was asked.
    pub fn guess(self) -> f64 {
        self.by_chance / self.asked.max(1) as f64
    }

    pub(crate) fn count(&mut self, right: bool, guess: f64) {
        self.right += usize::from(right);
        self.asked += 1;
        self.by_chance += guess;
    }
}

/// The outcome of asking queries: a line of `evaluations.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// When.
    pub phase: Phase,
    /// Steps of reinforcement before it.
    pub step: u64,
    /// All queries together.
    pub overall: Accuracy,
    /// Each class.
    pub classes: BTreeMap<QueryClass, Accuracy>,
    /// Mean NDCG at the reward's cut-off, in [0, 1]; 0 for a response without an answer.
    pub ndcg: f64,
    /// Queries without candidates: they choose from the whole catalogue.
    pub open: usize,
    /// Queries that could not be scored because of a fault in their data. They are in no other number.
    pub unscored: usize,
    /// Responses without an answer.
    pub without_answer: usize,
    /// Mean length of the responses, in tokens.
    pub mean_tokens: f64,
    /// By class, whether each query that could be scored was answered rightly: what runs are compared by, query for query.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<QueryClass, BTreeMap<QueryId, bool>>,
}
