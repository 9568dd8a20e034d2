use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::RewardBreakdown;
use crate::{Flag, Result};

/// Counts and means over the rewards of a batch; failed samples are counted and left out of the means.
///
/// ```
/// # use rerec_rewards::{Error, RewardBreakdown, RewardSummary};
/// let right = RewardBreakdown { total: 1.0, ndcg: 1.0, hit: true, ..Default::default() };
/// let wrong = RewardBreakdown { total: 0.5, query_alignment: Some(0.5), ..Default::default() };
/// let summary = RewardSummary::of(&[Ok(right), Ok(wrong), Err(Error::NoTargets)]);
/// assert_eq!((summary.scored, summary.failed, summary.hits), (2, 1, 1));
/// // (1 + 0.5) / 2, and the alignment of the only sample that has one.
/// assert_eq!((summary.total, summary.query_alignment), (Some(0.75), Some(0.5)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RewardSummary {
    /// Samples with a reward.
    pub scored: usize,
    /// Samples that could not be scored.
    pub failed: usize,
    /// Samples with a target among the first K.
    pub hits: usize,
    /// Samples that have each flag.
    pub flags: BTreeMap<Flag, usize>,
    /// Mean total; none where nothing was scored.
    pub total: Option<f64>,
    /// Mean format term.
    pub format: Option<f64>,
    /// Mean NDCG@K, in [0, 1]; a response without an answer counts 0.
    pub ndcg: Option<f64>,
    /// Mean ranking term.
    pub ranking: Option<f64>,
    /// Mean query alignment, over the samples that have one.
    pub query_alignment: Option<f64>,
    /// Mean preference alignment, over the samples that have one.
    pub preference_alignment: Option<f64>,
    /// Mean of each term that was mixed in, by name, before its weight.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub terms: BTreeMap<String, f64>,
}

impl RewardSummary {
    /// Summarises a scored batch.
    pub fn of(batch: &[Result<RewardBreakdown>]) -> Self {
        let scored: Vec<&RewardBreakdown> = batch
            .iter()
            .filter_map(|result| result.as_ref().ok())
            .collect();
        let failed = batch.len() - scored.len();
        Self::of_scored(&scored, failed)
    }

    /// Summarises the samples that have a reward; `failed` others have none.
    pub fn of_scored(scored: &[&RewardBreakdown], failed: usize) -> Self {
        let mut flags = BTreeMap::new();
        for &flag in scored.iter().flat_map(|breakdown| &breakdown.flags) {
            *flags.entry(flag).or_default() += 1;
        }
        let mean_of = |part: fn(&RewardBreakdown) -> Option<f64>| {
            mean(scored.iter().filter_map(|breakdown| part(breakdown)))
        };
        Self {
            scored: scored.len(),
            failed,
            hits: scored.iter().filter(|breakdown| breakdown.hit).count(),
            flags,
            total: mean_of(|breakdown| Some(breakdown.total)),
            format: mean_of(|breakdown| Some(breakdown.format)),
            ndcg: mean_of(|breakdown| Some(breakdown.ndcg)),
            ranking: mean_of(|breakdown| Some(breakdown.ranking)),
            query_alignment: mean_of(|breakdown| breakdown.query_alignment),
            preference_alignment: mean_of(|breakdown| breakdown.preference_alignment),
            terms: term_means(scored),
        }
    }
}

fn term_means(scored: &[&RewardBreakdown]) -> BTreeMap<String, f64> {
    let names: BTreeSet<&String> = scored.iter().flat_map(|one| one.terms.keys()).collect();
    let term = |name: &String| mean(scored.iter().filter_map(|one| one.terms.get(name).copied()));
    let means = names
        .into_iter()
        .map(|name| Some((name.clone(), term(name)?)));
    means.flatten().collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| {
        (sum + value, count + 1)
    });
    (count > 0).then(|| sum / count as f64)
}
