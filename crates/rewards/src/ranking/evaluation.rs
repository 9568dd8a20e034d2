use serde::Serialize;

use super::Metric;

/// How a query entered an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryOutcome {
    /// With its values.
    Scored,
    /// With 0 in every metric, because its list is empty.
    EmptyList,
    /// With 0 in every metric, because no item is relevant.
    NoRelevant,
    /// Not at all, because no item is relevant.
    Excluded,
}

/// Metrics of many queries, with their means and with what was left out of them.
///
/// ```
/// # use rerec_rewards::{Conventions, Evaluator, MetricKind, QueryOutcome, RankedQuery, Relevance};
/// let evaluator = Evaluator::new(vec![MetricKind::HitRate.at(1)], Conventions::recbole())?;
/// let query = |ranked, relevant| RankedQuery { ranked, relevance: Relevance::Items(relevant) };
/// let evaluation =
///     evaluator.evaluate_batch(&[query(&[7, 8], &[7]), query(&[7, 8], &[8]), query(&[7], &[])])?;
/// assert_eq!(evaluation.means(), [Some(0.5)]);
/// assert_eq!(evaluation.values(0), Some(&[1.0][..]));
/// assert_eq!(evaluation.values(2), None);
/// assert_eq!(evaluation.count(QueryOutcome::Excluded), 1);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Evaluation {
    metrics: Vec<Metric>,
    /// Row-major, `[queries, metrics]`.
    values: Vec<f64>,
    outcomes: Vec<QueryOutcome>,
}

impl Evaluation {
    pub(super) fn new(metrics: Vec<Metric>, values: Vec<f64>, outcomes: Vec<QueryOutcome>) -> Self {
        Self {
            metrics,
            values,
            outcomes,
        }
    }

    /// The metrics, in the order of the values.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// How each query entered.
    pub fn outcomes(&self) -> &[QueryOutcome] {
        &self.outcomes
    }

    /// Number of queries with this outcome.
    pub fn count(&self, outcome: QueryOutcome) -> usize {
        self.outcomes
            .iter()
            .filter(|&&other| other == outcome)
            .count()
    }

    /// The values of a query; none if it was left out or does not exist.
    pub fn values(&self, query: usize) -> Option<&[f64]> {
        let outcome = self.outcomes.get(query)?;
        let width = self.metrics.len();
        (*outcome != QueryOutcome::Excluded)
            .then(|| &self.values[query * width..(query + 1) * width])
    }

    /// The mean of each metric over the queries that were not left out; none where all were.
    pub fn means(&self) -> Vec<Option<f64>> {
        let rows = || (0..self.outcomes.len()).filter_map(|query| self.values(query));
        let count = rows().count();
        let mut sums = vec![0.0; self.metrics.len()];
        for row in rows() {
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += value);
        }
        sums.into_iter()
            .map(|sum| (count > 0).then(|| sum / count as f64))
            .collect()
    }
}
