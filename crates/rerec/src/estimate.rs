//! What an estimator is given of a batch, and what it gives back.

use rerec_advantage::{AdvantageEstimator, Groups, Ragged, RolloutBatch};

use crate::error::Result;

/// What the estimator is given: responses with a reward only.
#[derive(Default)]
pub(crate) struct EstimatorInput<'a> {
    /// Place and query of the group that each response belongs to. The place is part of it, so that a query that comes twice in
    /// a batch stays two groups.
    pub(crate) ids: Vec<(usize, &'a str)>,
    pub(crate) outcomes: Vec<f64>,
    pub(crate) token_rewards: Ragged<f64>,
    pub(crate) baselines: Vec<f64>,
    /// Whether each response is right.
    pub(crate) hits: Vec<bool>,
}

/// Advantages of the responses with a reward, and whether each group has any other than 0.
pub(crate) struct Estimated {
    pub(crate) advantages: Ragged<f64>,
    pub(crate) teaches: Vec<bool>,
}

impl EstimatorInput<'_> {
    pub(crate) fn estimate(
        self,
        estimator: &dyn AdvantageEstimator,
        groups: usize,
    ) -> Result<Estimated> {
        let mut teaches = vec![false; groups];
        // Nothing could be scored. Each response says why, so that the estimator is not asked.
        if self.ids.is_empty() {
            let advantages = Ragged::default();
            return Ok(Estimated {
                advantages,
                teaches,
            });
        }
        let grouped = Groups::from_ids(&self.ids);
        let mut batch =
            // Both kinds of rewards: an estimator of outcomes would otherwise sum the token
            // rewards, each of which is the whole reward of its response, and so pay for length.
            RolloutBatch::new(&grouped, &self.token_rewards)?.with_outcomes(&self.outcomes)?.with_hits(&self.hits)?;
        if estimator.needs().baselines {
            batch = batch.with_baselines(&self.baselines)?;
        }
        let estimated = estimator.estimate(&batch)?;
        for (index, members) in grouped.iter().enumerate() {
            if let Some(&first) = members.first() {
                teaches[self.ids[first].0] = estimated.has_signal(index);
            }
        }
        Ok(Estimated {
            advantages: estimated.into_tokens(&batch),
            teaches,
        })
    }
}
