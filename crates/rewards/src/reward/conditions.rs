use std::collections::HashMap;
use std::sync::Arc;

use super::{RewardTerm, ScoredSample};
use crate::{Attribute, AttributeGraph, Error, ItemIndex, Result};

/// Partial credit by conditions: the share of what a query asks for that the first item of the answer has, in [0, 1].
///
/// The query alignment score compares with all attributes of the targets, asked for or not; this one with the query's own conditions.
/// Conditions that no item of the graph meets are left out; a query of which none is left, or that states none, keeps its query
/// alignment score. A response without an answer gets 0.
///
/// ```
/// # use std::sync::Arc;
/// # use rerec_rewards::*;
/// let facts = |values: &[(&str, &str)]| values.iter()
///     .map(|&(relation, value)| Attribute { relation: relation.into(), value: value.into() }).collect::<Vec<_>>();
/// let film = |title: &str, values| Item { attributes: facts(values), ..Item::new(title, title) };
/// let catalogue = Arc::new(Catalogue::new(vec![
///     film("Heat", &[("genre", "crime"), ("decade", "1990s"), ("director", "Mann"), ("language", "English")]),
///     film("Casino", &[("genre", "crime"), ("decade", "1990s"), ("director", "Scorsese"), ("language", "English")]),
/// ])?);
/// let graph = Arc::new(AttributeGraph::from_catalogue(&catalogue)?);
/// let conditions = facts(&[("genre", "crime"), ("director", "Mann")]);
/// let credit = ConditionCredit::new(graph.clone(), [("q1", &*conditions)]);
/// let reward = DualGraphReward::new(DualGraphConfig::paper(), catalogue.clone(), Some(graph), None)?;
/// let reward = MixedReward::new(reward).with_term(0.1, credit)?;
///
/// let targets = catalogue.indices_of(["Heat"])?;
/// let batch = [Sample { query: "q1", response: r"\boxed{Casino}", targets: &targets, candidates: None }];
/// let scored = reward.score(&batch).remove(0)?;
/// // Three of Heat's four attributes, but one of the two that were asked for.
/// assert_eq!((scored.query_alignment, scored.terms["conditions"]), (Some(0.75), 0.5));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConditionCredit {
    graph: Arc<AttributeGraph>,
    /// Per query, those of its conditions that the graph knows, by their positions there; at least one.
    of_query: HashMap<String, Vec<u32>>,
}

impl ConditionCredit {
    /// The credit for queries, each with what it asks for.
    pub fn new<'q>(
        graph: Arc<AttributeGraph>,
        queries: impl IntoIterator<Item = (&'q str, &'q [Attribute])>,
    ) -> Self {
        let positions = graph.positions();
        let of_query = queries.into_iter().filter_map(|(query, conditions)| {
            let known = conditions.iter().filter_map(|one| positions.get(one));
            let mut known: Vec<u32> = known.copied().collect();
            // A condition counts once, however often it is stated.
            known.sort_unstable();
            known.dedup();
            (!known.is_empty()).then(|| (query.to_owned(), known))
        });
        let of_query = of_query.collect();
        Self { graph, of_query }
    }

    /// The share of a query's conditions that an item meets, in [0, 1]; none for a query without a condition that the graph knows. An item
    /// that is not in the catalogue meets nothing.
    pub fn share(&self, query: &str, item: Option<ItemIndex>) -> Option<f64> {
        let conditions = self.of_query.get(query)?;
        let is_met = |&&one: &&u32| item.is_some_and(|item| self.graph.has(item, one));
        let met = conditions.iter().filter(is_met).count();
        Some(met as f64 / conditions.len() as f64)
    }

    fn score_one(&self, scored: &ScoredSample<'_>) -> Result<f64> {
        let Some(answer) = &scored.breakdown.answer else {
            return Ok(0.0);
        };
        let query = scored.sample.query;
        let first = answer.ranking().next().flatten();
        let share = self.share(query, first);
        let credit = share.or(scored.breakdown.query_alignment);
        credit.ok_or_else(|| Error::Term {
            term: self.name().to_owned(),
            message: format!(
                "query {query:?} has no condition that the graph knows, and no query alignment score"
            ),
        })
    }
}

impl RewardTerm for ConditionCredit {
    fn name(&self) -> &str {
        "conditions"
    }

    fn range(&self) -> (f64, f64) {
        let (lowest, highest) = self.graph.range();
        // Queries without conditions have the query alignment score instead.
        (lowest.min(0.0), highest.max(1.0))
    }

    fn score(&self, batch: &[ScoredSample<'_>]) -> Vec<Result<f64>> {
        batch.iter().map(|scored| self.score_one(scored)).collect()
    }
}
