//! Queries: a conversation that ends in a question, and the items that answer it.

use std::collections::HashSet;

use rerec_rewards::{Attribute, Catalogue, ItemId};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};

use crate::dataset::UserId;
use crate::query_class::QueryClass;

/// A question put to the recommender: which item does the conversation ask for?
///
/// ```
/// use rerec_datasets::{Query, QueryClass};
///
/// let query: Query = serde_json::from_str(
///     r#"{"id": "q1", "class": "explicit", "targets": ["11"],
///         "conversation": [{"role": "user", "content": "Recommend a crime film."}]}"#,
/// )?;
/// assert_eq!(query.class, QueryClass::EXPLICIT);
/// assert_eq!(query.candidates, None); // the whole catalogue is meant
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Identity, unique in its dataset.
    pub id: QueryId,
    /// The label it is counted under.
    pub class: QueryClass,
    /// What is put before the model, at least one message.
    ///
    /// A composed query is one user message that ends in a newline, so that the answer starts a line.
    pub conversation: Vec<Message>,
    /// The right answers, at least one, each once.
    pub targets: Vec<ItemId>,
    /// The items to choose from, in the order of the prompt; holds every target. Without: the whole catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Vec<ItemId>>,
    /// What is asked for, where that is known; the prompt may hide it, or claim something else. For the reward, never for the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Attribute>,
    /// Items the user liked before; never candidates or targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<ItemId>,
    /// Who asks, where that is known: whose history it is, whose choice the target was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// When the target was chosen, where the splits are by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
}

/// How a query can contradict itself or the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryFault {
    /// Its id is that of an earlier query.
    #[error("the id comes twice")]
    DuplicateId,
    /// The id is blank.
    #[error("the id is blank")]
    BlankId,
    /// The class has no label.
    #[error("the class is blank")]
    BlankClass,
    /// There is no message, or one that says nothing.
    #[error("the conversation has no message, or a blank one")]
    BlankPrompt,
    /// No right answer.
    #[error("no target given, need at least one")]
    NoTargets,
    /// A right answer listed twice.
    #[error("target {0} comes twice")]
    DuplicateTarget(ItemId),
    /// A right answer that cannot be chosen.
    #[error("target {0} is not among the candidates")]
    TargetNotCandidate(ItemId),
    /// There is nothing to choose from.
    #[error("the list of candidates is empty; without a list the whole catalogue is meant")]
    NoCandidates,
    /// A candidate listed twice.
    #[error("candidate {0} comes twice")]
    DuplicateCandidate(ItemId),
    /// A candidate that the user already knows.
    #[error("candidate {0} is in the history")]
    CandidateInHistory(ItemId),
    /// A right answer that the user already knows.
    #[error("target {0} is in the history")]
    TargetInHistory(ItemId),
    /// An item that the catalogue does not hold.
    #[error("item {0} is not in the catalogue")]
    UnknownItem(ItemId),
}

impl Query {
    /// Whether the query agrees with itself and with a catalogue.
    ///
    /// # Errors
    /// The first fault: a blank id, class or message; no target, or one listed twice; a target that is no candidate; a
    /// candidate listed twice; a candidate or target in the history; an item unknown to the catalogue.
    pub fn check(&self, catalogue: &Catalogue) -> Result<(), QueryFault> {
        self.check_alone()?;
        let unknown = self.items().find(|id| catalogue.index_of(id).is_none());
        refuse(unknown, QueryFault::UnknownItem)
    }

    /// Whether the query agrees with itself.
    pub(crate) fn check_alone(&self) -> Result<(), QueryFault> {
        self.check_texts()?;
        if self.targets.is_empty() {
            return Err(QueryFault::NoTargets);
        }
        let targets = IdSet::new(&self.targets).map_err(QueryFault::DuplicateTarget)?;
        if let Some(candidates) = &self.candidates {
            if candidates.is_empty() {
                return Err(QueryFault::NoCandidates);
            }
            let candidates = IdSet::new(candidates).map_err(QueryFault::DuplicateCandidate)?;
            let stray = self.targets.iter().find(|id| !candidates.contains(id));
            refuse(stray, QueryFault::TargetNotCandidate)?;
            let known = self.history.iter().find(|id| candidates.contains(id));
            refuse(known, QueryFault::CandidateInHistory)?;
        }
        let known = self.history.iter().find(|id| targets.contains(id));
        refuse(known, QueryFault::TargetInHistory)
    }

    fn check_texts(&self) -> Result<(), QueryFault> {
        let is_blank = |text: &str| text.trim().is_empty();
        if is_blank(self.id.as_str()) {
            return Err(QueryFault::BlankId);
        }
        if is_blank(self.class.label()) {
            return Err(QueryFault::BlankClass);
        }
        let mut messages = self.conversation.iter();
        if self.conversation.is_empty() || messages.any(|message| is_blank(&message.content)) {
            return Err(QueryFault::BlankPrompt);
        }
        Ok(())
    }

    /// Every item that the query names.
    fn items(&self) -> impl Iterator<Item = &ItemId> {
        let candidates = self.candidates.iter().flatten();
        self.targets.iter().chain(candidates).chain(&self.history)
    }
}

/// Ids, each once. Few are looked through: hashing them would cost more.
enum IdSet<'i> {
    Few(&'i [ItemId]),
    Many(HashSet<&'i ItemId>),
}

/// The most ids that are looked through.
const FEW: usize = 32;

impl<'i> IdSet<'i> {
    /// The ids as a set, or the first that comes twice.
    fn new(ids: &'i [ItemId]) -> Result<Self, ItemId> {
        let mut many = HashSet::new();
        let comes_twice = |&place: &usize| match ids.len() <= FEW {
            true => ids[..place].contains(&ids[place]),
            false => !many.insert(&ids[place]),
        };
        match (0..ids.len()).find(comes_twice) {
            Some(place) => Err(ids[place].clone()),
            None if many.is_empty() => Ok(Self::Few(ids)),
            None => Ok(Self::Many(many)),
        }
    }

    fn contains(&self, id: &ItemId) -> bool {
        match self {
            Self::Few(ids) => ids.contains(id),
            Self::Many(ids) => ids.contains(id),
        }
    }
}

fn refuse(found: Option<&ItemId>, fault: fn(ItemId) -> QueryFault) -> Result<(), QueryFault> {
    found.map_or(Ok(()), |id| Err(fault(id.clone())))
}
