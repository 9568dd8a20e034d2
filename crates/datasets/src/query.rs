//! Queries and the five classes they come in.

use std::collections::HashSet;

use rerec_rewards::{Catalogue, ItemId};
use serde::{Deserialize, Serialize};

/// RecBench+'s five classes of query (arXiv 2503.09382).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryClass {
    /// The wanted values are named: "a western film directed by Ada Lorne".
    Explicit,
    /// A value is replaced by another item that has it: "by the director of "Velmora Nights"".
    Implicit,
    /// An anchor item is named together with a wrong value for it.
    Misinformed,
    /// Only liked items are given; what they share is wanted.
    Interest,
    /// Only a group of users is named; its taste is wanted.
    Demographics,
}

impl QueryClass {
    /// All five, in the order of the enum.
    pub const ALL: [Self; 5] = [
        Self::Explicit,
        Self::Implicit,
        Self::Misinformed,
        Self::Interest,
        Self::Demographics,
    ];

    /// The name used in files and tables.
    ///
    /// ```
    /// use rerec_datasets::QueryClass;
    /// assert_eq!(QueryClass::Misinformed.label(), "misinformed");
    /// ```
    pub fn label(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Implicit => "implicit",
            Self::Misinformed => "misinformed",
            Self::Interest => "interest",
            Self::Demographics => "demographics",
        }
    }
}

/// A choice put to the recommender: which of the candidates does the prompt ask for?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Identity, unique in its dataset.
    pub id: String,
    /// The class it belongs to.
    pub class: QueryClass,
    /// The whole text put before the model; it ends in a newline, so that the answer starts a line.
    pub prompt: String,
    /// The right answers, at least one.
    pub targets: Vec<ItemId>,
    /// The items to choose from, in the order of the prompt; holds every target.
    pub candidates: Vec<ItemId>,
    /// Items the user liked before; never candidates.
    #[serde(default)]
    pub history: Vec<ItemId>,
}

/// How a query can contradict itself or the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryFault {
    /// Its id is that of an earlier query.
    #[error("the id comes twice")]
    DuplicateId,
    /// The prompt is blank.
    #[error("the prompt is blank")]
    BlankPrompt,
    /// No right answer.
    #[error("no target given, need at least one")]
    NoTargets,
    /// A right answer that cannot be chosen.
    #[error("target {0} is not among the candidates")]
    TargetNotCandidate(ItemId),
    /// A candidate listed twice.
    #[error("candidate {0} comes twice")]
    DuplicateCandidate(ItemId),
    /// A candidate that the user already knows.
    #[error("candidate {0} is in the history")]
    CandidateInHistory(ItemId),
    /// An item that the catalogue does not hold.
    #[error("item {0} is not in the catalogue")]
    UnknownItem(ItemId),
}

impl Query {
    /// Whether the query agrees with itself and with a catalogue.
    ///
    /// # Errors
    /// The first fault: a blank prompt; no target; a target that is no candidate; a candidate listed twice or
    /// in the history; an item unknown to the catalogue.
    pub fn check(&self, catalogue: &Catalogue) -> Result<(), QueryFault> {
        if self.prompt.trim().is_empty() {
            return Err(QueryFault::BlankPrompt);
        }
        if self.targets.is_empty() {
            return Err(QueryFault::NoTargets);
        }
        let mut candidates = HashSet::new();
        for item in &self.candidates {
            if !candidates.insert(item) {
                return Err(QueryFault::DuplicateCandidate(item.clone()));
            }
        }
        if let Some(target) = self
            .targets
            .iter()
            .find(|target| !candidates.contains(target))
        {
            return Err(QueryFault::TargetNotCandidate(target.clone()));
        }
        if let Some(item) = self.history.iter().find(|item| candidates.contains(item)) {
            return Err(QueryFault::CandidateInHistory(item.clone()));
        }
        let mut items = self.candidates.iter().chain(&self.history);
        match items.find(|item| catalogue.index_of(item).is_none()) {
            Some(item) => Err(QueryFault::UnknownItem(item.clone())),
            None => Ok(()),
        }
    }
}
