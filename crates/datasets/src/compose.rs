//! From items, ratings and groups to the queries, demonstrations and drills of a dataset.

use std::collections::HashMap;

use rerec_rewards::Catalogue;
use rerec_text::QueryId;

use crate::builder::{Pool, QueryBuilder, QueryConfig};
use crate::dataset::{Dataset, Rating, Splits, UserGroup};
use crate::demonstrator::{Demonstrator, DemonstratorConfig};
use crate::error::{Error, Result};
use crate::intent::ComposedQuery;
use crate::load_context::{LoadContext, Progress};
use crate::prompt::PromptConfig;
use crate::query::Query;
use crate::query_class::QueryClass;
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
    /// Where the splits are by user or time, the dataset keeps the ratings that training may know, and the remarks count the others.
    ///
    /// # Errors
    /// A setting out of range; a template with a fault; a class of which a split gets no query at all.
    pub fn compose(
        seed: u64,
        source: Source,
        queries: &QueryConfig,
        demonstrator: &DemonstratorConfig,
    ) -> Result<Self> {
        Self::compose_with(seed, source, queries, demonstrator, LoadContext::default())
    }

    pub(crate) fn compose_with(
        seed: u64,
        source: Source,
        queries: &QueryConfig,
        demonstrator: &DemonstratorConfig,
        context: LoadContext<'_>,
    ) -> Result<Self> {
        let builder = QueryBuilder::new(seed, queries, &source, context)?;
        let mut remarks = Vec::new();
        let mut split = |name, count, pool: &Pool| {
            let split = SplitPlan { name, count, pool };
            let mut composed = split.compose(&builder, queries, context, &mut remarks)?;
            if let Some(paraphrase) = &source.wording.paraphrase {
                let said = paraphrase.reword(&builder, &mut composed, context)?;
                remarks.push(format!("{name}: {said}"));
            }
            Ok::<_, Error>(composed)
        };
        let [for_train, for_validation, for_test] = builder.pools();
        let train = split("train", queries.train, for_train)?;
        let validation = split("validation", queries.validation, for_validation)?;
        let test = split("test", queries.test, for_test)?;
        let seen: Vec<bool> = source
            .ratings
            .iter()
            .map(|rating| builder.is_seen(rating))
            .collect();

        let annotator = Demonstrator::new(seed, demonstrator, &source.catalogue, &source.wording)?;
        // Copies outside, queries inside: the first pass over all queries is the same whatever
        // `per_query` says.
        let copies = (0..demonstrator.per_query)
            .flat_map(|copy| train.iter().map(move |query| (query, copy)));
        let demonstrations = copies
            .map(|(query, copy)| annotator.demonstrate(query, copy))
            .collect::<Result<_>>()?;
        let drills = annotator.drills();
        let reading = annotator.reading();
        let splits = Splits {
            train: bare(train),
            validation: bare(validation),
            test: bare(test),
        };
        Ok(Self {
            ratings: kept(source.ratings, seen, &mut remarks),
            catalogue: source.catalogue,
            liked_from: queries.liked_from,
            splits,
            split_by: queries.split_by,
            demonstrations,
            drills,
            reading,
            extra: HashMap::new(),
            remarks,
        })
    }
}

/// The ratings that training may know.
fn kept(mut ratings: Vec<Rating>, seen: Vec<bool>, remarks: &mut Vec<String>) -> Vec<Rating> {
    let all = ratings.len();
    // In their place: a copy of ten million would take as much memory again.
    let mut seen = seen.into_iter();
    ratings.retain(|_| seen.next().unwrap_or(true));
    let set_aside = all - ratings.len();
    if set_aside > 0 {
        remarks.push(format!(
            "{set_aside} of {all} ratings are those of held-out users or times, and are set aside"
        ));
    }
    ratings
}

/// A split to be filled.
struct SplitPlan<'p> {
    name: &'static str,
    count: usize,
    pool: &'p Pool,
}

impl SplitPlan<'_> {
    /// `count` queries, the classes taking turns. A class that runs out of queries leaves its turns empty.
    fn compose(
        &self,
        builder: &QueryBuilder<'_>,
        queries: &QueryConfig,
        context: LoadContext<'_>,
        remarks: &mut Vec<String>,
    ) -> Result<Vec<ComposedQuery>> {
        let Self { name, count, pool } = *self;
        let mut composed: Vec<ComposedQuery> = Vec::with_capacity(count);
        let mut exhausted: Vec<&QueryClass> = Vec::new();
        for (number, class) in queries.classes.iter().cycle().take(count).enumerate() {
            (context.progress)(Progress::Composing {
                split: name,
                done: number as u64,
                total: count as u64,
            });
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
            match builder.compose(&id, class, pool) {
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
}

fn bare(composed: Vec<ComposedQuery>) -> Vec<Query> {
    composed
        .into_iter()
        .map(|composed| composed.query)
        .collect()
}
