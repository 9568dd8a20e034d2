//! A dataset: catalogue, ratings, queries in three splits, and the texts of the warm start.

use rerec_rewards::{Catalogue, ItemId};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};

use crate::query::Query;

rerec_text::text_id! {
    /// The identity of a user.
    pub struct UserId;
}

/// One user's opinion of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    /// Who rated.
    pub user: UserId,
    /// What was rated.
    pub item: ItemId,
    /// From 1 (bad) to 5 (good).
    pub rating: f64,
}

/// Users who are spoken of together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserGroup {
    /// As it stands in a prompt, for instance `viewers in the harbour towns`.
    pub name: String,
    /// Its members.
    pub users: Vec<UserId>,
}

/// The queries of a dataset; no target of one split is a target in another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splits {
    /// For the warm start and reinforcement.
    pub train: Vec<Query>,
    /// For choosing settings.
    pub validation: Vec<Query>,
    /// For reporting.
    pub test: Vec<Query>,
}

/// A train query answered by the demonstrator, for the supervised warm start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demonstration {
    /// The id of the query.
    pub query: QueryId,
    /// Its conversation.
    pub conversation: Vec<Message>,
    /// The demonstrator's reasoning and boxed answer.
    pub response: String,
}

/// A piece of checking for the supervised warm start: options to read, conditions to hold them against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The conditions and the options.
    pub prompt: String,
    /// The checked lines, every mark right.
    pub response: String,
}

/// Everything a training run reads.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The items.
    pub catalogue: Catalogue,
    /// Who liked what.
    pub ratings: Vec<Rating>,
    /// The queries.
    pub splits: Splits,
    /// Answers to train queries, some of them hasty or misled.
    pub demonstrations: Vec<Demonstration>,
    /// Checked options over all items, without a choice.
    pub drills: Vec<Drill>,
}

impl Dataset {
    /// The texts to train a tokenizer on: every title, demonstration and drill.
    pub fn corpus(&self) -> impl Iterator<Item = &str> {
        let titles = self
            .catalogue
            .items()
            .iter()
            .map(|item| item.title.as_str());
        let demonstrations = self.demonstrations.iter().flat_map(|shown| {
            let said = shown.conversation.iter().map(|said| said.content.as_str());
            said.chain([shown.response.as_str()])
        });
        let drills = self
            .drills
            .iter()
            .flat_map(|drill| [drill.prompt.as_str(), drill.response.as_str()]);
        titles.chain(demonstrations).chain(drills)
    }
}
