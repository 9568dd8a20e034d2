use std::hash::Hash;

#[cfg(feature = "parallel")]
use rayon::prelude::*;

use super::judged::Judged;
use super::measure::measure;
use super::{
    Conventions, Evaluation, Metric, MetricKind, NoRelevant, PrecisionDenominator, QueryOutcome,
};
use crate::{Error, Result};

/// Which items are relevant, and how much.
#[derive(Debug)]
pub enum Relevance<'a, T> {
    /// These, with grade 1.
    Items(&'a [T]),
    /// These, with grades within ±1e100, or ±500 under exponential gain; an item given twice keeps its first grade.
    Grades(&'a [(T, f64)]),
}

impl<T> Clone for Relevance<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Relevance<'_, T> {}

impl<'a, T> Relevance<'a, T> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Items(items) => items.len(),
            Self::Grades(grades) => grades.len(),
        }
    }

    pub(super) fn get(&self, position: usize) -> (&'a T, f64) {
        match self {
            Self::Items(items) => (&items[position], 1.0),
            Self::Grades(grades) => (&grades[position].0, grades[position].1),
        }
    }

    fn check(&self, max: f64) -> Result<()> {
        let Self::Grades(grades) = self else {
            return Ok(());
        };
        let fits = |grade: f64| (-max..=max).contains(&grade);
        match grades.iter().find(|&&(_, grade)| !fits(grade)) {
            Some(&(_, grade)) => Err(Error::InvalidGrade { grade, max }),
            None => Ok(()),
        }
    }
}

/// A ranked list of ids, best first, with the items that are right.
#[derive(Debug)]
pub struct RankedQuery<'a, T> {
    /// The list; of an item listed twice the first counts.
    pub ranked: &'a [T],
    /// What is right.
    pub relevance: Relevance<'a, T>,
}

/// Computes metrics of ranked lists, all in one pass over a list.
///
/// ```
/// # use rerec_rewards::{Conventions, Evaluator, MetricKind, RankedQuery, Relevance};
/// let metrics = vec![MetricKind::Ndcg.at(3), MetricKind::Recall.at(1), MetricKind::Mrr.whole()];
/// let evaluator = Evaluator::new(metrics, Conventions::trec_eval())?;
/// let query = RankedQuery { ranked: &["b", "a", "c"], relevance: Relevance::Items(&["a", "z"]) };
/// let values = evaluator.evaluate(&query)?;
/// // a at rank 2 of two relevant items: (1 / log2 3) / (1 + 1 / log2 3).
/// assert!((values[0] - 0.386_852_807).abs() < 1e-9);
/// assert_eq!(values[1..], [0.0, 0.5]);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Evaluator {
    metrics: Vec<Metric>,
    conventions: Conventions,
    /// Whether a metric asks for the length of the list without repetitions.
    whole: bool,
}

impl Evaluator {
    /// An evaluator of these metrics.
    ///
    /// # Errors
    /// [`Error::UnknownMetric`] for a cut-off of 0, or one on a metric without; [`Error::InvalidSetting`].
    pub fn new(metrics: Vec<Metric>, conventions: Conventions) -> Result<Self> {
        conventions.validate()?;
        if metrics.is_empty() {
            let (got, allowed) = ("none".to_owned(), "at least one");
            return Err(Error::InvalidSetting {
                setting: "metrics",
                got,
                allowed,
            });
        }
        let metrics = metrics
            .into_iter()
            .map(Metric::validated)
            .collect::<Result<Vec<_>>>()?;
        let whole = metrics
            .iter()
            .any(|metric| needs_length(*metric, &conventions));
        Ok(Self {
            metrics,
            conventions,
            whole,
        })
    }

    /// The metrics, in the order of their values.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// The metrics of one list, in order.
    ///
    /// # Errors
    /// [`Error::InvalidGrade`]; [`Error::NoTargets`] if nothing is relevant, unless such a query counts 0.
    pub fn evaluate<T: Eq + Hash>(&self, query: &RankedQuery<'_, T>) -> Result<Vec<f64>> {
        let mut values = vec![0.0; self.metrics.len()];
        match self.measure(query, &mut Judged::default(), &mut values)? {
            QueryOutcome::Excluded => Err(Error::NoTargets),
            _ => Ok(values),
        }
    }

    /// The metrics of many lists, computed in parallel by the feature of that name.
    ///
    /// # Errors
    /// [`Error::Query`] around the first error of a list: [`Error::InvalidGrade`], and [`Error::NoTargets`] where the
    /// conventions make it one.
    pub fn evaluate_batch<T: Eq + Hash + Sync>(
        &self,
        queries: &[RankedQuery<'_, T>],
    ) -> Result<Evaluation> {
        const CHUNK: usize = 512;
        let width = self.metrics.len();
        let mut values = vec![0.0; queries.len() * width];
        let mut outcomes = vec![QueryOutcome::Scored; queries.len()];
        type Chunk<'c, 'q, T> = (
            (&'c [RankedQuery<'q, T>], &'c mut [QueryOutcome]),
            &'c mut [f64],
        );
        let measure = |(chunk, ((queries, outcomes), values)): (usize, Chunk<'_, '_, T>)| {
            // One buffer for all lists of a chunk, which no list allocates anew.
            let mut judged = Judged::default();
            let rows = values.chunks_mut(width);
            for (at, ((query, outcome), row)) in queries.iter().zip(outcomes).zip(rows).enumerate()
            {
                let place = |cause| Error::Query {
                    query: chunk * CHUNK + at,
                    cause: Box::new(cause),
                };
                *outcome = self.measure(query, &mut judged, row).map_err(place)?;
            }
            Ok::<(), Error>(())
        };
        #[cfg(feature = "parallel")]
        {
            let lists = queries
                .par_chunks(CHUNK)
                .zip(outcomes.par_chunks_mut(CHUNK));
            let chunks = lists.zip(values.par_chunks_mut(CHUNK * width)).enumerate();
            // One task per chunk, which is enough work; rayon would otherwise group several chunks.
            chunks.with_max_len(1).try_for_each(measure)?;
        }
        #[cfg(not(feature = "parallel"))]
        {
            let lists = queries.chunks(CHUNK).zip(outcomes.chunks_mut(CHUNK));
            let mut chunks = lists.zip(values.chunks_mut(CHUNK * width)).enumerate();
            chunks.try_for_each(measure)?;
        }
        Ok(Evaluation::new(self.metrics.clone(), values, outcomes))
    }

    fn measure<T: Eq + Hash>(
        &self,
        query: &RankedQuery<'_, T>,
        judged: &mut Judged,
        values: &mut [f64],
    ) -> Result<QueryOutcome> {
        query.relevance.check(self.conventions.largest_grade())?;
        judged.read(query.ranked, query.relevance, self.whole, &self.conventions);
        for (value, metric) in values.iter_mut().zip(&self.metrics) {
            *value = measure(*metric, judged, &self.conventions);
        }
        match (judged.relevant, self.conventions.no_relevant) {
            (0, NoRelevant::Error) => Err(Error::NoTargets),
            (0, NoRelevant::Exclude) => Ok(QueryOutcome::Excluded),
            (0, NoRelevant::Zero) => Ok(QueryOutcome::NoRelevant),
            _ if query.ranked.is_empty() => Ok(QueryOutcome::EmptyList),
            _ => Ok(QueryOutcome::Scored),
        }
    }
}

/// Precision, and what is made of it, divides by the length of the list.
fn needs_length(metric: Metric, conventions: &Conventions) -> bool {
    matches!(metric.kind, MetricKind::Precision | MetricKind::F1)
        && (metric.cutoff.is_none() || conventions.precision == PrecisionDenominator::Listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gain;

    fn graded(gain: Gain, grade: f64) -> Result<Vec<f64>> {
        let conventions = Conventions {
            gain,
            max_grade: 500.0,
            ..Conventions::ranx()
        };
        let kinds = [
            MetricKind::Ndcg,
            MetricKind::Dcg,
            MetricKind::Rbp,
            MetricKind::Err,
        ];
        let metrics = kinds.map(MetricKind::whole).into();
        Evaluator::new(metrics, conventions)?.evaluate(&RankedQuery {
            ranked: &[0, 1, 2],
            relevance: Relevance::Grades(&[(0, grade), (1, grade), (2, -grade)]),
        })
    }

    #[test]
    fn every_grade_is_measured_or_refused() {
        for (gain, largest) in [
            (Gain::Linear, 1e100),
            (Gain::Binary, 1e100),
            (Gain::Exponential, 500.0),
        ] {
            let values = graded(gain, largest).unwrap();
            assert!(
                values.iter().all(|value| value.is_finite()),
                "{gain:?}: {values:?}"
            );
            for grade in [largest * 1.001, f64::MAX, f64::INFINITY, f64::NAN] {
                let refused = graded(gain, grade);
                assert!(
                    matches!(refused, Err(Error::InvalidGrade { .. })),
                    "{gain:?}: {grade}"
                );
            }
        }
    }

    #[test]
    fn the_highest_grade_of_err_is_bounded() {
        let conventions = Conventions {
            max_grade: 1024.0,
            ..Default::default()
        };
        let error = Evaluator::new(vec![MetricKind::Err.whole()], conventions).unwrap_err();
        assert_eq!(
            error.to_string(),
            "max_grade must be within (0, 500], got 1024"
        );
    }
}
