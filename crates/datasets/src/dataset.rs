//! A dataset: catalogue, ratings, queries in three splits, and the texts of the warm start.

use rand::seq::SliceRandom;
use rerec_rewards::{Catalogue, ItemId};
use serde::{Deserialize, Serialize};

use crate::builder::{QueryBuilder, QueryConfig};
use crate::demonstrator::{Demonstrator, DemonstratorConfig};
use crate::error::Result;
use crate::intent::ComposedQuery;
use crate::query::Query;
use crate::random::stream;
use crate::wording::Wording;

/// The identity of a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

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
    pub query: String,
    /// Its prompt.
    pub prompt: String,
    /// The demonstrator's reasoning and boxed answer.
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
    /// Checked candidate lines over all items, every mark right.
    pub drills: Vec<String>,
}

impl Dataset {
    /// The texts to train a tokenizer on: every title, demonstration and drill.
    pub fn corpus(&self) -> impl Iterator<Item = &str> {
        let demonstrations = self
            .demonstrations
            .iter()
            .flat_map(|shown| [shown.prompt.as_str(), shown.response.as_str()]);
        demonstrations.chain(self.drills.iter().map(String::as_str))
    }
}

/// What queries are composed from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The items, with attributes.
    pub catalogue: Catalogue,
    /// Who liked what.
    pub ratings: Vec<Rating>,
    /// The groups of users that queries may name.
    pub groups: Vec<UserGroup>,
    /// How the items and their relations are spoken of.
    pub wording: Wording,
}

impl Dataset {
    /// Composes the queries of the three splits, the demonstrations and the drills.
    ///
    /// # Errors
    /// A setting out of range; a source that offers too little for the classes asked for.
    pub fn compose(
        seed: u64,
        source: Source,
        queries: &QueryConfig,
        demonstrator: &DemonstratorConfig,
    ) -> Result<Self> {
        let Source {
            catalogue,
            ratings,
            groups,
            wording,
        } = source;
        let builder = QueryBuilder::new(seed, queries, &catalogue, &ratings, &groups, &wording)?;
        let [train_targets, validation_targets, test_targets] =
            partition(seed, &catalogue, queries);
        let split = |name: &str, count: usize, targets: &[ItemId]| {
            let classes = queries.classes.iter().cycle().take(count).enumerate();
            let compose =
                |(number, &class)| builder.compose(&format!("{name}-{number:05}"), class, targets);
            classes.map(compose).collect::<Result<Vec<_>>>()
        };
        let train = split("train", queries.train, &train_targets)?;
        let validation = split("validation", queries.validation, &validation_targets)?;
        let test = split("test", queries.test, &test_targets)?;

        let annotator = Demonstrator::new(seed, demonstrator, &catalogue, &wording)?;
        let copies = (0..demonstrator.per_query)
            .flat_map(|copy| train.iter().map(move |query| (query, copy)));
        let demonstrations = copies
            .map(|(query, copy)| annotator.demonstrate(query, copy))
            .collect::<Result<_>>()?;
        let drills = annotator.drills();
        let bare = |composed: Vec<ComposedQuery>| {
            composed
                .into_iter()
                .map(|composed| composed.query)
                .collect()
        };
        let splits = Splits {
            train: bare(train),
            validation: bare(validation),
            test: bare(test),
        };
        Ok(Self {
            catalogue,
            ratings,
            splits,
            demonstrations,
            drills,
        })
    }
}

/// The possible targets of train, validation and test queries.
fn partition(seed: u64, catalogue: &Catalogue, queries: &QueryConfig) -> [Vec<ItemId>; 3] {
    let mut ids: Vec<ItemId> = catalogue
        .items()
        .iter()
        .map(|item| item.id.clone())
        .collect();
    ids.shuffle(&mut stream(seed, "targets", ""));
    let share = |of: f64| (catalogue.len() as f64 * of).round() as usize;
    let test = ids.split_off(ids.len() - share(queries.test_items));
    let validation = ids.split_off(ids.len() - share(queries.validation_items).min(ids.len()));
    [ids, validation, test]
}
