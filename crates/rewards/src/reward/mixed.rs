use rayon::prelude::*;

use super::{Reward, RewardBreakdown, RewardPart, Sample};
use crate::{Error, Result};

/// A sample with what the base of a mixed reward found: its terms, and the answer that was read.
#[derive(Clone, Copy, Debug)]
pub struct ScoredSample<'a> {
    /// The sample.
    pub sample: Sample<'a>,
    /// The base's breakdown.
    pub breakdown: &'a RewardBreakdown,
}

/// A further term of a reward, computed for a batch at a time.
pub trait RewardTerm: Send + Sync {
    /// Name of the term in the breakdown.
    fn name(&self) -> &str;

    /// The least and the largest value, finite; another value is an error of its sample.
    fn range(&self) -> (f64, f64);

    /// One value per sample, in the same order. Samples that the base could not score are not among them.
    fn score(&self, batch: &[ScoredSample<'_>]) -> Vec<Result<f64>>;
}

/// A term computed from one sample at a time, in parallel, with values in a range.
///
/// ```
/// # use rerec_rewards::{RewardTerm, per_sample};
/// let items = per_sample("items", (0.0, 10.0), |scored| {
///     Ok(scored.breakdown.answer.as_ref().map_or(0, |answer| answer.items.len().min(10)) as f64)
/// });
/// assert_eq!((items.name(), items.range()), ("items", (0.0, 10.0)));
/// ```
pub fn per_sample<F>(name: impl Into<String>, range: (f64, f64), score: F) -> impl RewardTerm
where
    F: Fn(&ScoredSample<'_>) -> Result<f64> + Send + Sync,
{
    PerSample {
        name: name.into(),
        range,
        score,
    }
}

struct PerSample<F> {
    name: String,
    range: (f64, f64),
    score: F,
}

impl<F: Fn(&ScoredSample<'_>) -> Result<f64> + Send + Sync> RewardTerm for PerSample<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn range(&self) -> (f64, f64) {
        self.range
    }

    fn score(&self, batch: &[ScoredSample<'_>]) -> Vec<Result<f64>> {
        batch.par_iter().map(&self.score).collect()
    }
}

/// A reward with further terms: total = base + Σ weight · term.
///
/// The terms see what the base found and are computed in parallel. A sample whose base or any term fails is an error of
/// that sample.
///
/// ```
/// # use std::sync::Arc;
/// # use rerec_rewards::*;
/// # let catalogue = Arc::new(Catalogue::new(vec![Item::new("1", "Heat (1995)")])?);
/// # let targets = catalogue.indices_of(["1"])?;
/// let base = DualGraphReward::new(DualGraphConfig::paper(), catalogue, None, None)?;
/// let words = per_sample("words", (0.0, 100.0), |scored| {
///     Ok(scored.sample.response.split_whitespace().count().min(100) as f64)
/// });
/// let reward = MixedReward::new(base).with_term(-0.01, words)?;
///
/// let response = r"Surely \boxed{Heat}";
/// let batch = [Sample { query: "q1", response, targets: &targets, candidates: None }];
/// let scored = reward.score(&batch).remove(0)?;
/// assert_eq!(scored.terms["words"], 2.0);
/// assert!((scored.total - (1.05 - 0.02)).abs() < 1e-12);
/// // The base's -0.55 to 1.05, and up to a hundred words at -0.01 each.
/// let (lowest, highest) = reward.bounds();
/// assert!((lowest - -1.55).abs() < 1e-12 && (highest - 1.05).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
pub struct MixedReward {
    base: Box<dyn Reward>,
    terms: Vec<(f64, Box<dyn RewardTerm>)>,
}

impl MixedReward {
    /// The base alone.
    pub fn new(base: impl Reward + 'static) -> Self {
        Self {
            base: Box::new(base),
            terms: Vec::new(),
        }
    }

    /// Adds a term with its weight, finite.
    ///
    /// # Errors
    /// [`Error::Term`] for another weight, a range that is not one, or a name that another term has.
    pub fn with_term(mut self, weight: f64, term: impl RewardTerm + 'static) -> Result<Self> {
        let name = term.name();
        if !weight.is_finite() {
            return Err(failed(name, format!("weight must be finite, got {weight}")));
        }
        let (low, high) = term.range();
        if !(low.is_finite() && high.is_finite() && low <= high) {
            let message = format!("range must be finite and ascending, got [{low}, {high}]");
            return Err(failed(name, message));
        }
        if self.terms.iter().any(|(_, other)| other.name() == name) {
            return Err(failed(name, "another term has this name"));
        }
        self.terms.push((weight, Box::new(term)));
        Ok(self)
    }
}

impl std::fmt::Debug for MixedReward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let terms = self
            .terms
            .iter()
            .map(|(weight, term)| (term.name(), weight));
        f.debug_map().entries(terms).finish()
    }
}

impl Reward for MixedReward {
    fn score(&self, batch: &[Sample<'_>]) -> Vec<Result<RewardBreakdown>> {
        let mut scored = self.base.score(batch);
        let (places, seen): (Vec<usize>, Vec<_>) = scored
            .iter()
            .zip(batch)
            .enumerate()
            .filter_map(|(place, (breakdown, &sample))| {
                let breakdown = breakdown.as_ref().ok()?;
                Some((place, ScoredSample { sample, breakdown }))
            })
            .unzip();
        let score = |(_, term): &(f64, Box<dyn RewardTerm>)| term.score(&seen);
        let values: Vec<_> = self.terms.par_iter().map(score).collect();
        for ((weight, term), values) in self.terms.iter().zip(values) {
            let mut values = values.into_iter();
            // By place: a sample that an earlier term failed on still has a value of this one.
            for &place in &places {
                let value = checked(values.next(), term.as_ref(), batch[place].query);
                add(&mut scored[place], *weight, term.name(), value);
            }
        }
        scored
    }

    fn bounds(&self) -> (f64, f64) {
        let add = |(lowest, highest), (weight, term): &(f64, Box<dyn RewardTerm>)| {
            let (low, high) = term.range();
            let (low, high) = (weight * low, weight * high);
            (lowest + low.min(high), highest + low.max(high))
        };
        self.terms.iter().fold(self.base.bounds(), add)
    }

    /// The base's, then the terms.
    fn parts(&self, breakdown: &RewardBreakdown) -> Vec<RewardPart> {
        let mut parts = self.base.parts(breakdown);
        parts.extend(self.terms.iter().map(|(weight, term)| {
            RewardPart::new(*weight, breakdown.terms.get(term.name()).copied())
        }));
        parts
    }
}

fn failed(term: &str, message: impl Into<String>) -> Error {
    Error::Term {
        term: term.to_owned(),
        message: message.into(),
    }
}

/// The value of a term, unless it is missing or outside the range that the term states.
fn checked(value: Option<Result<f64>>, term: &dyn RewardTerm, query: &str) -> Result<f64> {
    let (low, high) = term.range();
    let value = match value {
        // NaN is in no range, so that it is refused as well.
        Some(Ok(value)) if (low..=high).contains(&value) => return Ok(value),
        Some(Ok(value)) => Err(failed(
            term.name(),
            format!("gave {value}, outside of its range [{low}, {high}]"),
        )),
        Some(Err(error)) => Err(error),
        None => Err(failed(term.name(), "gave fewer values than samples")),
    };
    value.map_err(|cause| Error::Sample {
        query: query.to_owned(),
        cause: Box::new(cause),
    })
}

fn add(breakdown: &mut Result<RewardBreakdown>, weight: f64, term: &str, value: Result<f64>) {
    match (breakdown, value) {
        (Ok(breakdown), Ok(value)) => {
            breakdown.total += weight * value;
            breakdown.terms.insert(term.to_owned(), value);
        }
        (breakdown @ Ok(_), Err(error)) => *breakdown = Err(error),
        // The first error of a sample is the one that is reported.
        (Err(_), _) => {}
    }
}
