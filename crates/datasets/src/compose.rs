//! From items, ratings and groups to the queries, demonstrations and drills of a dataset.

use rand::seq::SliceRandom;
use rerec_rewards::{Catalogue, ItemId};
use rerec_text::QueryId;

use crate::builder::{QueryBuilder, QueryConfig};
use crate::dataset::{Dataset, Rating, Splits, UserGroup};
use crate::demonstrator::{Demonstrator, DemonstratorConfig};
use crate::error::{Error, Result};
use crate::intent::ComposedQuery;
use crate::prompt::PromptConfig;
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::random::stream;
use crate::wording::Wording;

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
    /// How a model is asked.
    pub prompt: PromptConfig,
}

impl Dataset {
    /// Composes the queries of the three splits, the demonstrations and the drills.
    ///
    /// A class of which no more queries can be formed is left at that; the remarks say how many there are, and what stood in the way.
    ///
    /// # Errors
    /// A setting out of range; a template with a fault; a class of which a split gets no query at all.
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
            prompt,
        } = source;
        let builder = QueryBuilder::new(
            seed, queries, &catalogue, &ratings, &groups, &wording, &prompt,
        )?;
        let [for_train, for_validation, for_test] = partition(seed, &catalogue, queries);
        let mut remarks = Vec::new();
        let mut split = |name, count, targets: &[ItemId]| {
            compose_split(&builder, queries, name, count, targets, &mut remarks)
        };
        let train = split("train", queries.train, &for_train)?;
        let validation = split("validation", queries.validation, &for_validation)?;
        let test = split("test", queries.test, &for_test)?;

        let annotator = Demonstrator::new(seed, demonstrator, &catalogue, &wording)?;
        // Copies outside, queries inside: the first pass over all queries is the same whatever
        // `per_query` says.
        let copies = (0..demonstrator.per_query)
            .flat_map(|copy| train.iter().map(move |query| (query, copy)));
        let demonstrations = copies
            .map(|(query, copy)| annotator.demonstrate(query, copy))
            .collect::<Result<_>>()?;
        let drills = annotator.drills();
        let splits = Splits {
            train: bare(train),
            validation: bare(validation),
            test: bare(test),
        };
        Ok(Self {
            catalogue,
            ratings,
            liked_from: queries.liked_from,
            splits,
            demonstrations,
            drills,
            remarks,
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
    // Test first: its items do not change with the share of validation. A share below 1 cannot
    // exceed the length.
    let test = ids.split_off(ids.len() - share(queries.test_items));
    let validation = ids.split_off(ids.len().saturating_sub(share(queries.validation_items)));
    [ids, validation, test]
}

/// `count` queries, the classes taking turns. A class that runs out of queries leaves its turns empty.
fn compose_split(
    builder: &QueryBuilder<'_>,
    queries: &QueryConfig,
    name: &str,
    count: usize,
    targets: &[ItemId],
    remarks: &mut Vec<String>,
) -> Result<Vec<ComposedQuery>> {
    let mut composed: Vec<ComposedQuery> = Vec::with_capacity(count);
    let mut exhausted: Vec<&QueryClass> = Vec::new();
    for (number, class) in queries.classes.iter().cycle().take(count).enumerate() {
        // Each failed search costs a thousand attempts, and the next would most likely fail too.
        if exhausted.contains(&class) {
            continue;
        }
        // By the turn, not by how many came out: when a class runs out, the other queries keep
        // their ids.
        let id = QueryId::from(format!("{name}-{number:05}"));
        let of_class = || {
            composed
                .iter()
                .filter(|one| one.query.class == *class)
                .count()
        };
        match builder.compose(&id, class, targets) {
            Ok(query) => composed.push(query),
            // A class without a single query is an error of the configuration, one that runs dry is
            // not.
            Err(error @ Error::NoQuery { .. }) if of_class() > 0 => {
                remarks.push(format!(
                    "{name}: no more than {} {class} queries: {error}",
                    of_class()
                ));
                exhausted.push(class);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(composed)
}

fn bare(composed: Vec<ComposedQuery>) -> Vec<Query> {
    composed
        .into_iter()
        .map(|composed| composed.query)
        .collect()
}
