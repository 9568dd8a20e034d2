use rayon::prelude::*;

use super::{Reward, RewardBreakdown, Sample};
use crate::{Error, Result};

/// A further term of a reward, computed for a batch at a time.
pub trait RewardTerm: Send + Sync {
    /// Name of the term in the breakdown.
    fn name(&self) -> &str;

    /// One value per sample, in the same order.
    fn score(&self, batch: &[Sample<'_>]) -> Vec<Result<f64>>;
}

/// A term computed from one sample at a time, in parallel.
///
/// ```
/// # use rerec_rewards::{RewardTerm, per_sample};
/// let brevity = per_sample("brevity", |sample| Ok(1.0 / (1.0 + sample.response.len() as f64)));
/// assert_eq!(brevity.name(), "brevity");
/// ```
pub fn per_sample<F>(name: impl Into<String>, score: F) -> impl RewardTerm
where
    F: Fn(&Sample<'_>) -> Result<f64> + Send + Sync,
{
    PerSample {
        name: name.into(),
        score,
    }
}

struct PerSample<F> {
    name: String,
    score: F,
}

impl<F: Fn(&Sample<'_>) -> Result<f64> + Send + Sync> RewardTerm for PerSample<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, batch: &[Sample<'_>]) -> Vec<Result<f64>> {
        batch.par_iter().map(&self.score).collect()
    }
}

/// A reward with further terms: total = base + Σ weight · term.
///
/// The base and the terms are computed in parallel. A sample whose base or any term fails is an error of that sample.
///
/// ```
/// # use std::sync::Arc;
/// # use rerec_rewards::*;
/// # let catalogue = Arc::new(Catalogue::new(vec![Item::new("1", "Heat (1995)")])?);
/// # let targets = catalogue.indices_of(["1"])?;
/// let base = DualGraphReward::new(DualGraphConfig::paper(), catalogue, None, None)?;
/// let words = per_sample("words", |sample| Ok(sample.response.split_whitespace().count() as f64));
/// let reward = MixedReward::new(base).with_term(-0.01, words)?;
///
/// let response = r"Surely \boxed{Heat}";
/// let batch = [Sample { query: "q1", response, targets: &targets, candidates: None }];
/// let scored = reward.score(&batch).remove(0)?;
/// assert_eq!(scored.terms["words"], 2.0);
/// assert!((scored.total - (1.05 - 0.02)).abs() < 1e-12);
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
    /// [`Error::Term`] for another weight, or a name that another term has.
    pub fn with_term(mut self, weight: f64, term: impl RewardTerm + 'static) -> Result<Self> {
        let name = term.name();
        if !weight.is_finite() {
            return Err(failed(name, format!("weight must be finite, got {weight}")));
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
        let terms = || -> Vec<_> {
            let score = |(_, term): &(f64, Box<dyn RewardTerm>)| term.score(batch);
            self.terms.par_iter().map(score).collect()
        };
        let (mut scored, values) = rayon::join(|| self.base.score(batch), terms);
        for ((weight, term), values) in self.terms.iter().zip(values) {
            let mut values = values.into_iter();
            for (breakdown, sample) in scored.iter_mut().zip(batch) {
                let value = checked(values.next(), term.name(), sample);
                add(breakdown, *weight, term.name(), value);
            }
        }
        scored
    }
}

fn failed(term: &str, message: impl Into<String>) -> Error {
    Error::Term {
        term: term.to_owned(),
        message: message.into(),
    }
}

/// The value of a term, unless it is missing or not finite.
fn checked(value: Option<Result<f64>>, term: &str, sample: &Sample<'_>) -> Result<f64> {
    let value = match value {
        Some(Ok(value)) if value.is_finite() => return Ok(value),
        Some(Ok(value)) => Err(failed(term, format!("gave {value}, must be finite"))),
        Some(Err(error)) => Err(error),
        None => Err(failed(term, "gave fewer values than samples")),
    };
    value.map_err(|source| Error::Sample {
        query: sample.query.to_owned(),
        source: Box::new(source),
    })
}

fn add(breakdown: &mut Result<RewardBreakdown>, weight: f64, term: &str, value: Result<f64>) {
    match (breakdown, value) {
        (Ok(breakdown), Ok(value)) => {
            breakdown.total += weight * value;
            breakdown.terms.insert(term.to_owned(), value);
        }
        (breakdown @ Ok(_), Err(error)) => *breakdown = Err(error),
        (Err(_), _) => {}
    }
}
