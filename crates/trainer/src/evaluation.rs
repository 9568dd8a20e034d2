//! Accuracy on held-out queries.

use std::collections::BTreeMap;

use rerec_datasets::QueryClass;
use serde::{Deserialize, Serialize};

/// When an evaluation was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before any training.
    Untrained,
    /// After the supervised warm start.
    WarmStart,
    /// During reinforcement, on validation queries.
    Reinforcement,
    /// After reinforcement.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Queries answered rightly.
    pub right: usize,
    /// Queries asked.
    pub asked: usize,
}

impl Accuracy {
    /// Share of right answers, in [0, 1]; 0 where nothing was asked.
    pub fn share(self) -> f64 {
        self.right as f64 / self.asked.max(1) as f64
    }

    pub(crate) fn count(&mut self, right: bool) {
        self.right += usize::from(right);
        self.asked += 1;
    }
}

/// Accuracy overall and by class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// When.
    pub phase: Phase,
    /// Steps of reinforcement before it.
    pub step: u64,
    /// All queries together.
    pub overall: Accuracy,
    /// Each class.
    pub classes: BTreeMap<QueryClass, Accuracy>,
    /// Responses without an answer.
    pub without_answer: usize,
    /// Mean length of the responses, in tokens.
    pub mean_tokens: f64,
}
