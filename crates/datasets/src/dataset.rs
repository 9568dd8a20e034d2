//! A dataset: catalogue, ratings, queries in three splits, and the texts of the warm start.

use std::collections::HashMap;
use std::ops::Range;

use rerec_rewards::{Catalogue, ItemId};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::query::Query;
use crate::split_by::SplitBy;

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
    /// The more, the better; the scale is the data's.
    pub rating: f64,
    /// When: any number that grows, such as seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
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

/// The queries of a dataset; [`SplitBy`] says what the splits keep apart.
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

impl Splits {
    /// The splits with their names, in the order in which they are used.
    pub fn named(&self) -> [(&'static str, &[Query]); 3] {
        [
            ("train", &self.train),
            ("validation", &self.validation),
            ("test", &self.test),
        ]
    }

    /// The queries of all splits, in that order.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        self.named().into_iter().flat_map(|(_, queries)| queries)
    }
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
    /// Byte ranges of the response that follow from the prompt and are to be learned. None: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Vec<Range<usize>>>,
}

/// Everything a training run reads.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    /// The items.
    pub catalogue: Catalogue,
    /// Who liked what.
    pub ratings: Vec<Rating>,
    /// The least rating that counts as a choice; see [`choices`](Self::choices).
    pub liked_from: f64,
    /// The queries.
    pub splits: Splits,
    /// What the splits keep apart.
    pub split_by: SplitBy,
    /// Answers to train queries, some of them hasty or misled.
    pub demonstrations: Vec<Demonstration>,
    /// Checked options over all items, without a choice.
    pub drills: Vec<Drill>,
    /// Options to read out and values to compare, for models from nothing, which have to learn to copy before anything else.
    pub reading: Vec<Drill>,
    /// What records made for verl hold beside their queries, by the id of the query and in the shape of the record:
    /// [`write`](Self::write) puts it into records for verl again.
    pub extra: HashMap<QueryId, Map<String, Value>>,
    /// What the reader of a run should know: parts that are missing, rows that were left out.
    pub remarks: Vec<String>,
}

impl Dataset {
    /// Who chose what: the ratings of at least `liked_from`. Train item embeddings on these, not on all ratings, in which one
    /// star counts as much as five.
    ///
    /// ```
    /// use rerec_datasets::{Dataset, Rating};
    ///
    /// let rating = |item: &str, rating| Rating { user: "u".into(), item: item.into(), rating, time: None };
    /// let dataset = Dataset {
    ///     ratings: vec![rating("a", 5.0), rating("b", 1.0)],
    ///     liked_from: 4.0,
    ///     ..Dataset::default()
    /// };
    /// assert!(dataset.choices().eq([("u", "a")]));
    /// ```
    pub fn choices(&self) -> impl Iterator<Item = (&str, &str)> {
        let chosen = self
            .ratings
            .iter()
            .filter(|rating| rating.rating >= self.liked_from);
        chosen.map(|rating| (rating.user.as_str(), rating.item.as_str()))
    }

    /// How many choices each item has, in the order of the catalogue.
    pub fn popularity(&self) -> Vec<usize> {
        self.popularity_by(self.choices())
    }

    /// As [`popularity`](Self::popularity), by some of the choices.
    pub fn popularity_by<'c>(
        &self,
        choices: impl IntoIterator<Item = (&'c str, &'c str)>,
    ) -> Vec<usize> {
        let mut counts = vec![0; self.catalogue.len()];
        for (_, item) in choices {
            if let Some(item) = self.catalogue.index_of(item) {
                counts[item.position()] += 1;
            }
        }
        counts
    }

    /// Says where there is no list of candidates, and nothing to report on. What the reward does without, a run says itself.
    pub(crate) fn remark_absences(&mut self) {
        let train = &self.splits.train;
        if train.iter().any(|query| query.candidates.is_none()) {
            let open = "queries without candidates: any item of the catalogue may be answered";
            self.remarks.push(open.to_owned());
        }
        if self.splits.test.is_empty() {
            let untested = "no test queries: nothing is reported at the end";
            self.remarks.push(untested.to_owned());
        }
    }

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
        let drills = (self.drills.iter().chain(&self.reading))
            .flat_map(|drill| [drill.prompt.as_str(), drill.response.as_str()]);
        titles.chain(demonstrations).chain(drills)
    }
}
