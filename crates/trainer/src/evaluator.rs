//! Greedy answers to held-out queries.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rerec_datasets::Query;
use rerec_policy::{Progress, Prompt, RolloutGroup, SampleRequest, Sampler, Sampling};
use rerec_rewards::{Catalogue, Reward, RewardBreakdown};

use crate::error::{Error, Result};
use crate::query_table::PreparedQuery;
use crate::{Accuracy, Evaluation, Phase};

/// Asks each query once and counts what is right.
///
/// It needs a sampler and a reward, no run: any model can be evaluated on any queries.
pub struct Evaluator<'a> {
    /// Scores the responses.
    pub reward: &'a dyn Reward,
    /// The items of the queries.
    pub catalogue: &'a Catalogue,
    /// Longest response, in tokens.
    pub max_new_tokens: usize,
    /// Names the random streams; greedy responses draw nothing from them.
    pub seed: u64,
}

impl std::fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluator").finish_non_exhaustive()
    }
}

impl Evaluator<'_> {
    /// Asks `queries`; `phase` and `step` are written into the result. A query that cannot be scored is counted and left out.
    ///
    /// # Errors
    /// What the sampler reports; a query with an item that the catalogue does not have; queries of which none can be scored.
    pub fn evaluate(
        &self,
        sampler: &mut dyn Sampler,
        queries: &[Query],
        (phase, step): (Phase, u64),
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Evaluation> {
        let prepared = queries
            .iter()
            .map(|query| PreparedQuery::new(query, self.catalogue))
            .collect::<Result<Vec<_>>>()?;
        let requests: Vec<SampleRequest<'_>> = queries.iter().map(request).collect();
        let sampling = Sampling {
            seed: self.seed,
            purpose: "evaluation".to_owned(),
            ..Sampling::greedy(self.max_new_tokens)
        };
        let groups = sampler.generate_with(&requests, &sampling, progress)?;
        let texts = groups.iter().map(first_text);
        let samples = prepared
            .iter()
            .zip(texts)
            .map(|(query, text)| query.sample(text));
        let rewards = self.reward.score(&samples.collect::<Vec<_>>());
        let mut evaluation = Evaluation {
            phase,
            step,
            overall: Accuracy::default(),
            classes: BTreeMap::new(),
            ndcg: 0.0,
            open: 0,
            unscored: 0,
            without_answer: 0,
            mean_tokens: 0.0,
            outcomes: BTreeMap::new(),
        };
        let scored = groups
            .iter()
            .zip(&rewards)
            .filter(|(_, reward)| reward.is_ok());
        let responses = scored.flat_map(|(group, _)| &group.responses);
        evaluation.mean_tokens = mean(responses.map(|r| r.token_ids.len() as f64));
        self.count(&mut evaluation, &prepared, rewards)?;
        Ok(evaluation)
    }

    fn count(
        &self,
        evaluation: &mut Evaluation,
        queries: &[PreparedQuery<'_>],
        rewards: Vec<rerec_rewards::Result<RewardBreakdown>>,
    ) -> Result<()> {
        let mut first_fault = None;
        for (query, reward) in queries.iter().zip(rewards) {
            let reward = match reward {
                Ok(reward) => reward,
                Err(fault) => {
                    evaluation.unscored += 1;
                    first_fault.get_or_insert(fault);
                    continue;
                }
            };
            let guess = self.guess(query);
            evaluation.overall.count(reward.hit, guess);
            let (class, id) = (query.query.class.clone(), query.query.id.clone());
            let outcomes = evaluation.outcomes.entry(class.clone()).or_default();
            outcomes.insert(id, reward.hit);
            evaluation
                .classes
                .entry(class)
                .or_default()
                .count(reward.hit, guess);
            evaluation.without_answer += usize::from(reward.answer.is_none());
            evaluation.ndcg += reward.ndcg;
            evaluation.open += usize::from(query.candidates.is_none());
        }
        let asked = evaluation.overall.asked;
        // Single faults are counted; data of which nothing can be scored are an error.
        if let Some(first) = first_fault.filter(|_| asked == 0) {
            return Err(Error::NothingScored { first });
        }
        evaluation.ndcg /= asked.max(1) as f64;
        Ok(())
    }

    /// Share of the items to choose from that are right.
    fn guess(&self, query: &PreparedQuery<'_>) -> f64 {
        let choices = query
            .candidates
            .as_ref()
            .map_or(self.catalogue.len(), Vec::len);
        query.targets.len() as f64 / choices.max(1) as f64
    }
}

/// One response to a query's conversation.
fn request(query: &Query) -> SampleRequest<'_> {
    SampleRequest {
        query: &query.id,
        prompt: Prompt::Chat(&query.conversation),
        samples: 1,
    }
}

fn first_text(group: &RolloutGroup) -> &str {
    group
        .responses
        .first()
        .map_or("", |response| &response.text)
}

/// Mean of the values; 0 of none.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), x| (sum + x, count + 1));
    sum / count.max(1) as f64
}
