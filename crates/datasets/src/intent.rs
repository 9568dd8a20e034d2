//! What a composed query secretly asks for, and how its prompt tells it.

use rerec_rewards::{Attribute, ItemId};

use crate::query::Query;
use crate::query_class::QueryClass;

/// A query together with what lies behind it; the model sees only the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComposedQuery {
    /// What the model is asked. Its conditions are attributes that the target has, and no other candidate has all of.
    pub query: Query,
    /// How the prompt tells the conditions.
    pub evidence: Evidence,
    /// What the user says, without options and instructions.
    pub sentence: String,
}

/// How a prompt tells its conditions; one form for each class of RecBench+.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The values are named.
    Named,
    /// The value of `condition` is that of the anchor; the others are named.
    Shared {
        /// An item that has the hidden value.
        anchor: ItemId,
        /// The condition that the prompt does not name.
        condition: Attribute,
        /// Whether the anchor has other values under the relation too: then any of them is meant.
        several: bool,
    },
    /// As `Shared`, but the prompt claims that the anchor's value is `believed`.
    Belief {
        /// An item that has the hidden value.
        anchor: ItemId,
        /// The condition that the prompt does not name.
        condition: Attribute,
        /// What the user wrongly holds to be the anchor's value.
        believed: Attribute,
    },
    /// The items of the history share the conditions, and nothing else.
    Liked,
    /// The conditions are the taste of the users of this group.
    Group(String),
}

impl Evidence {
    /// The class of the queries that tell their conditions so.
    pub fn class(&self) -> QueryClass {
        match self {
            Self::Named => QueryClass::EXPLICIT,
            Self::Shared { .. } => QueryClass::IMPLICIT,
            Self::Belief { .. } => QueryClass::MISINFORMED,
            Self::Liked => QueryClass::INTEREST,
            Self::Group(_) => QueryClass::DEMOGRAPHICS,
        }
    }
}

impl ComposedQuery {
    /// What somebody would look for who believes a misinformed prompt; else the conditions.
    pub(crate) fn believed_conditions(&self) -> Vec<Attribute> {
        let mut conditions = self.query.conditions.clone();
        if let Evidence::Belief {
            condition,
            believed,
            ..
        } = &self.evidence
        {
            for wanted in conditions.iter_mut().filter(|wanted| *wanted == condition) {
                wanted.clone_from(believed);
            }
        }
        conditions
    }
}
