//! Queries and the five classes they come in.

use rerec_rewards::ItemId;
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
