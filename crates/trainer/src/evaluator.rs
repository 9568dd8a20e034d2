//! Putting queries to a model and judging its answers.

use std::ops::ControlFlow;

use rerec_datasets::Query;
use rerec_policy::{Progress, Prompt, RolloutGroup, SampleRequest, Sampler, Sampling};
use rerec_rewards::{Catalogue, Reward, RewardBreakdown};

use crate::answers::{AnswerRecord, JudgedAnswer};
use crate::error::{Error, Result};
use crate::query_table::PreparedQuery;
use crate::{Evaluation, Phase};

/// Asks queries and judges what is answered.
///
/// It needs a sampler and a reward, no run: any model can be evaluated on any queries.
pub struct Evaluator<'a> {
    /// Scores the responses.
    pub reward: &'a dyn Reward,
    /// The items of the queries.
    pub catalogue: &'a Catalogue,
    /// The reward's cut-off, K.
    pub cutoff: usize,
}

impl std::fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluator").finish_non_exhaustive()
    }
}

impl Evaluator<'_> {
    /// Asks each query once, greedily, and counts what is right; `phase` and `step` are written into the result. A query that cannot
    /// be scored is counted and left out.
    ///
    /// # Errors
    /// As [`Evaluator::answers`].
    pub fn evaluate(
        &self,
        sampler: &mut dyn Sampler,
        queries: &[Query],
        max_new_tokens: usize,
        (phase, step): (Phase, u64),
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Evaluation> {
        let sampling = Sampling {
            purpose: "evaluation".to_owned(),
            ..Sampling::greedy(max_new_tokens)
        };
        let answers = self.answers(sampler, queries, 1, &sampling, progress)?;
        Ok(Evaluation::of(phase, step, &answers))
    }

    /// Asks for `samples` responses to each query and judges each of them: one record per query, in order. A query that cannot be
    /// scored has no answers in its record, and says why.
    ///
    /// # Errors
    /// What the sampler reports; a query with an item that the catalogue does not have; queries of which none can be scored.
    pub fn answers(
        &self,
        sampler: &mut dyn Sampler,
        queries: &[Query],
        samples: usize,
        sampling: &Sampling,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<AnswerRecord>> {
        let prepared = queries
            .iter()
            .map(|query| PreparedQuery::new(query, self.catalogue))
            .collect::<Result<Vec<_>>>()?;
        let requests = queries.iter().map(|query| SampleRequest {
            query: &query.id,
            prompt: Prompt::Chat(&query.conversation),
            samples,
        });
        let requests: Vec<SampleRequest<'_>> = requests.collect();
        let groups = sampler.generate_with(&requests, sampling, progress)?;
        let rewards = self.score(&prepared, &groups);
        self.judge(&prepared, groups, rewards)
    }

    /// The rewards of all responses, in one batch.
    fn score(
        &self,
        queries: &[PreparedQuery<'_>],
        groups: &[RolloutGroup],
    ) -> Vec<rerec_rewards::Result<RewardBreakdown>> {
        let samples = queries.iter().zip(groups).flat_map(|(query, group)| {
            let texts = group.responses.iter().map(|response| &*response.text);
            texts.map(|text| query.sample(text))
        });
        self.reward.score(&samples.collect::<Vec<_>>())
    }

    fn judge(
        &self,
        queries: &[PreparedQuery<'_>],
        groups: Vec<RolloutGroup>,
        rewards: Vec<rerec_rewards::Result<RewardBreakdown>>,
    ) -> Result<Vec<AnswerRecord>> {
        let mut rewards = rewards.into_iter();
        let mut first_fault = None;
        let mut records = Vec::with_capacity(queries.len());
        for (query, group) in queries.iter().zip(groups) {
            let mut record = AnswerRecord::of(query, self.catalogue, self.cutoff);
            let responses = group.responses.into_iter();
            for (response, reward) in responses.zip(rewards.by_ref()) {
                match reward {
                    Ok(reward) => record.answers.push(JudgedAnswer::of_response(
                        &reward,
                        response,
                        self.catalogue,
                    )),
                    Err(fault) => {
                        record.error.get_or_insert_with(|| fault.to_string());
                        first_fault.get_or_insert(fault);
                    }
                }
            }
            records.push(record);
        }
        // Single faults are counted; data of which nothing can be scored are an error.
        match first_fault {
            Some(first) if records.iter().all(|record| record.answers.is_empty()) => {
                Err(Error::NothingScored { first })
            }
            _ => Ok(records),
        }
    }
}
