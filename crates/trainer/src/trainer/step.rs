//! One step of reinforcement: rollouts, rewards, advantages, update, curriculum.

use std::time::Instant;

use rerec::{AssessedGroup, AssessedResponse, Assessment, Group, ResponseText};
use rerec_advantage::Ragged;
use rerec_policy::{
    Prompt, Response, RolloutGroup, SampleRequest, Sampling, TrainingGroup, UpdateStats,
};
use rerec_text::QueryId;

use super::attempt::{Attempt, Try};
use super::{Halting, Trainer, Verdicts};
use crate::config::ReinforcementConfig;
use crate::correction::TokenWeights;
use crate::error::Result;
use crate::observer::{Event, Observer};
use crate::record::{
    GroupKind, GroupRecord, MetricsRecord, ResponseRecord, TimingRecord, UpdateRecord,
};

impl Trainer<'_> {
    pub(super) fn step(&mut self, batch: &[QueryId], observer: &mut dyn Observer) -> Halting<()> {
        let begun = Instant::now();
        self.timing = TimingRecord::default();
        let epoch = self.curriculum.epoch();
        let attempt = self.attempt(batch, epoch, observer)?;
        let learning_rate = self.learning_rate();
        let weights = self.token_weights(&attempt.kept);
        let updates = self.update(&attempt, weights.as_ref(), learning_rate)?;
        // Only now: a step that is broken off finds the curriculum as it was, and asks the same queries again.
        self.curriculum.serve_more(attempt.refill.dropped);
        self.record_in_curriculum(attempt.assessed_groups())?;

        // The weights have moved: from here on the step counts, and its queries are no longer
        // pending.
        self.state.steps += 1;
        self.state.pending.clear();
        self.state.unvalidated = true;
        let refill = attempt.refill;
        let records = self.records(attempt, epoch)?;
        let update = UpdateRecord::of(&updates);
        let metrics = MetricsRecord {
            masked: self.masked(&records),
            refill: (self.config.reinforcement.refill_rounds > 0).then_some(refill),
            sampler: weights.as_ref().map(TokenWeights::record),
            ..MetricsRecord::of(&records, update, learning_rate)
        };
        self.record_queries(&records)?;
        self.ledger.step(&metrics, &records)?;
        let timing = TimingRecord {
            step: self.state.steps,
            total: begun.elapsed().as_secs_f64(),
            ..self.timing
        };
        self.ledger.timing(&timing)?;
        let steps_left = self.steps_left();
        let verdict = observer.event(&Event::Step {
            metrics: &metrics,
            steps_left,
        });
        self.validate_and_save(observer)?;
        // Checked last, so that a due evaluation and a due checkpoint are still made.
        self.heed(verdict)
    }

    /// G responses to each query, in the order of the batch, and what they are compared with.
    pub(super) fn tries(
        &mut self,
        batch: &[QueryId],
        epoch: u32,
        observer: &mut dyn Observer,
    ) -> Halting<Vec<Try>> {
        let begun = Instant::now();
        let mut groups = self.rollouts(batch, epoch, observer)?;
        let sampled = match self.task.engine.is_split() {
            true => self.take_over_log_probs(&mut groups)?,
            false => Vec::new(),
        };
        let greedy = self.greedy_responses(batch, epoch, observer)?;
        self.timing.sampling += begun.elapsed().as_secs_f64();
        let responses = groups.iter().flat_map(|group| &group.responses);
        self.timing.tokens += responses.map(|one| one.token_ids.len()).sum::<usize>();
        let mut sampled = sampled.into_iter();
        // Empty where the estimator asks for none.
        let mut greedy = greedy.into_iter();
        let one = |group| {
            let greedy = greedy
                .next()
                .and_then(|group| group.responses.into_iter().next());
            Try {
                group,
                greedy,
                sampler_log_probs: sampled.next().unwrap_or_default(),
            }
        };
        Ok(groups.into_iter().map(one).collect())
    }

    fn rollouts(
        &mut self,
        batch: &[QueryId],
        epoch: u32,
        observer: &mut dyn Observer,
    ) -> Halting<Vec<RolloutGroup>> {
        let config = &self.config.reinforcement;
        let sampling = Sampling {
            temperature: config.temperature,
            max_new_tokens: config.max_new_tokens,
            seed: self.config.reinforcement_seed(),
            // Streams are named by purpose, query and sample: a query draws anew in each epoch, and
            // the same when its step is made again.
            purpose: format!("rollouts of epoch {epoch}"),
            ..Default::default()
        };
        self.sample(batch, config.samples, &sampling, observer)
    }

    /// The most probable response to each query, for estimators that compare with it; none for others.
    fn greedy_responses(
        &mut self,
        batch: &[QueryId],
        epoch: u32,
        observer: &mut dyn Observer,
    ) -> Halting<Vec<RolloutGroup>> {
        if !self.task.assessor.needs_greedy_responses() {
            return Ok(Vec::new());
        }
        let sampling = Sampling {
            seed: self.config.reinforcement_seed(),
            purpose: format!("baselines of epoch {epoch}"),
            ..Sampling::greedy(self.config.reinforcement.max_new_tokens)
        };
        self.sample(batch, 1, &sampling, observer)
    }

    fn sample(
        &mut self,
        batch: &[QueryId],
        samples: usize,
        sampling: &Sampling,
        observer: &mut dyn Observer,
    ) -> Halting<Vec<RolloutGroup>> {
        let request = |id| {
            let query = self.queries.get(id)?.query;
            Ok(SampleRequest {
                query: &query.id,
                prompt: Prompt::Chat(&query.conversation),
                samples,
            })
        };
        let requests = batch.iter().map(|id| request(id.as_str()));
        let requests = requests.collect::<Result<Vec<_>>>()?;
        let mut verdicts = Verdicts::default();
        let watch = &mut |progress| verdicts.hear(observer.event(&Event::Sampling(progress)));
        let sampler = self.task.engine.sampler();
        let groups = sampler.generate_with(&requests, sampling, watch);
        self.finishing |= verdicts.finish;
        Ok(groups?)
    }

    /// Puts the learner's log-probabilities in the place of those of a sampler that computes otherwise: the ratio of the
    /// objective is 1 only where both come from one engine. Returns the sampler's, `[group][response][token]`.
    fn take_over_log_probs(&mut self, groups: &mut [RolloutGroup]) -> Result<Vec<Vec<Vec<f32>>>> {
        let computed = self.task.engine.learner().log_probs(groups)?;
        let take_over = |(group, computed): (&mut RolloutGroup, Vec<Vec<f32>>)| {
            let responses = group.responses.iter_mut().zip(computed);
            responses
                .map(|(response, ours)| std::mem::replace(&mut response.log_probs, ours))
                .collect()
        };
        Ok(groups.iter_mut().zip(computed).map(take_over).collect())
    }

    pub(super) fn assess(&self, tries: &[Try]) -> Result<Assessment> {
        let texts: Vec<Vec<ResponseText<'_>>> = tries
            .iter()
            .map(|one| one.group.responses.iter().map(response_text).collect())
            .collect();
        let asked = tries.iter().zip(&texts).map(|(one, responses)| {
            let prepared = self.queries.get(one.group.query.as_str())?;
            Ok(Group {
                query: prepared.query.id.as_str(),
                targets: &prepared.targets,
                candidates: prepared.candidates.as_deref(),
                responses,
                greedy: one.greedy.as_ref().map(|response| response.text.as_str()),
            })
        });
        let asked = asked.collect::<Result<Vec<_>>>()?;
        let mut assessed = self.task.assessor.assess(&asked)?;
        if self.config.reinforcement.mask_truncated {
            self.heed_masks(tries, &mut assessed);
        }
        Ok(assessed)
    }

    /// What is masked has an advantage from which nothing is learned: a group teaches by its other responses.
    fn heed_masks(&self, tries: &[Try], assessed: &mut Assessment) {
        let mut rows = assessed.advantages.rows();
        for (one, judged) in tries.iter().zip(&mut assessed.groups) {
            let responses = &one.group.responses;
            let rows: Vec<&[f64]> = rows.by_ref().take(responses.len()).collect();
            judged.teaches = responses.iter().zip(rows).any(|(response, row)| {
                !self.config.reinforcement.masks(response.finish)
                    && row.iter().any(|&each| each != 0.0)
            });
        }
    }

    /// The learning rate of the step under way, which the curriculum no longer counts among those left.
    fn learning_rate(&self) -> f64 {
        let config = &self.config.reinforcement;
        let by_data = self.state.steps + 1 + self.curriculum.steps_left(config.epochs) as u64;
        let total = config.max_steps.map_or(by_data, |limit| limit.min(by_data));
        self.schedule.rate(self.state.steps, total)
    }

    /// The weight of each token of all responses, where something makes up for the sampler.
    fn token_weights(&self, tries: &[Try]) -> Option<TokenWeights> {
        let correction = self.config.reinforcement.sampler_correction?;
        let mut weights = TokenWeights::default();
        for one in tries {
            for (response, sampled) in one.group.responses.iter().zip(&one.sampler_log_probs) {
                weights.add(correction, &response.log_probs, sampled);
            }
        }
        Some(weights)
    }

    /// One update for each mini-batch of whole groups.
    fn update(
        &mut self,
        attempt: &Attempt,
        weights: Option<&TokenWeights>,
        learning_rate: f64,
    ) -> Halting<Vec<UpdateStats>> {
        let estimated = &attempt.assessed.advantages;
        let weighed = weights.map(|weights| weights.weigh(estimated));
        let advantages = weighed.as_ref().unwrap_or(estimated);
        let batch = training_groups(attempt, advantages, &self.config.reinforcement);
        let share = batch
            .len()
            .div_ceil(self.config.reinforcement.mini_batches)
            .max(1);
        let begun = Instant::now();
        let mut updates = Vec::new();
        for part in batch.chunks(share) {
            let learner = self.task.engine.learner();
            updates.push(learner.update(part, &self.objective, learning_rate)?);
        }
        // After the last update only: nothing is sampled between them.
        self.task.engine.synchronise()?;
        self.timing.updating += begun.elapsed().as_secs_f64();
        Ok(updates)
    }

    fn record_in_curriculum<'g>(
        &self,
        groups: impl Iterator<Item = &'g AssessedGroup>,
    ) -> Result<()> {
        for group in groups {
            let metrics: Vec<f64> = group
                .responses
                .iter()
                .filter_map(|one| one.metric)
                .collect();
            // A query whose data are at fault was never tried.
            if !metrics.is_empty() {
                self.curriculum.record(&group.query, &metrics)?;
            }
        }
        Ok(())
    }

    fn records(&self, attempt: Attempt, epoch: u32) -> Result<Vec<GroupRecord>> {
        let kept = attempt.kept.into_iter().zip(attempt.assessed.groups);
        let kept = kept.map(|(one, assessed)| (one, assessed, false));
        let replaced = attempt.replaced.into_iter();
        let replaced = replaced.map(|(one, assessed)| (one, assessed, true));
        let record = |(one, assessed, replaced): (Try, AssessedGroup, bool)| {
            let group = one.group;
            Ok(GroupRecord {
                step: self.state.steps,
                epoch,
                class: self.queries.get(group.query.as_str())?.query.class.clone(),
                kind: kind(&assessed),
                replaced,
                baseline: assessed.baseline,
                query: group.query,
                responses: group
                    .responses
                    .into_iter()
                    .zip(assessed.responses)
                    .map(|(response, assessed)| response_record(response, assessed))
                    .collect(),
            })
        };
        kept.chain(replaced).map(record).collect()
    }

    /// The responses that the token limit cut off, where these are masked.
    fn masked(&self, records: &[GroupRecord]) -> Option<usize> {
        // What was replaced was not to be learned from in any case.
        let kept = records.iter().filter(|group| !group.replaced);
        let responses = kept.flat_map(|group| &group.responses);
        let settings = &self.config.reinforcement;
        let is_masked = |one: &&ResponseRecord| settings.masks(one.finish) && one.reward.is_some();
        settings
            .mask_truncated
            .then(|| responses.filter(is_masked).count())
    }

    /// Writes down the queries that are asked for the first time.
    fn record_queries(&mut self, groups: &[GroupRecord]) -> Result<()> {
        for GroupRecord { query, .. } in groups {
            let prepared = self.queries.get(query.as_str())?;
            let record = || prepared.record(&self.task.dataset.catalogue);
            self.ledger.query(query, record)?;
        }
        Ok(())
    }

    pub(super) fn validate_and_save(&mut self, observer: &mut dyn Observer) -> Halting<()> {
        let step = self.state.steps;
        let best_before = self.state.best;
        if step.is_multiple_of(self.config.evaluation.every) {
            self.validate(observer)?;
        }
        self.state.unvalidated = false;
        // Kept at once: the next step changes the weights.
        let is_best = self.state.best != best_before;
        if is_best || step.is_multiple_of(self.config.checkpoints.every) {
            self.checkpoint(observer)?;
        }
        Ok(())
    }

    fn steps_left(&self) -> usize {
        let config = &self.config.reinforcement;
        let by_data = self.curriculum.steps_left(config.epochs);
        let by_limit = config
            .max_steps
            .map(|most| most.saturating_sub(self.state.steps) as usize);
        by_limit.map_or(by_data, |limit| limit.min(by_data))
    }
}

fn response_text(response: &Response) -> ResponseText<'_> {
    ResponseText {
        text: &response.text,
        token_byte_lens: &response.token_byte_lens,
    }
}

/// The responses with a reward, without those that are masked. Others take no part in the update, not even in its denominators.
fn training_groups<'a>(
    attempt: &'a Attempt,
    advantages: &'a Ragged<f64>,
    settings: &ReinforcementConfig,
) -> Vec<TrainingGroup<'a>> {
    let mut rows = advantages.rows();
    let mut batch = Vec::with_capacity(attempt.kept.len());
    for (Try { group, .. }, judged) in attempt.kept.iter().zip(&attempt.assessed.groups) {
        let responses = group.responses.iter().zip(&judged.responses);
        // Zipped before filtering: responses without a reward have rows too, which are empty.
        let responses = responses.zip(rows.by_ref().take(group.responses.len()));
        let responses = responses
            .filter(|((_, judged), _)| judged.reward.is_ok())
            .filter(|((response, _), _)| !settings.masks(response.finish))
            .map(|((response, _), advantages)| response.with_advantages(advantages));
        batch.push(TrainingGroup {
            query: &group.query,
            prompt_ids: &group.prompt_ids,
            temperature: group.temperature,
            responses: responses.collect(),
        });
    }
    batch.retain(|group| !group.responses.is_empty());
    batch
}

fn kind(group: &AssessedGroup) -> GroupKind {
    let is_hit = |one: &AssessedResponse| one.reward.as_ref().is_ok_and(|reward| reward.hit);
    match (group.teaches, group.responses.iter().any(is_hit)) {
        (false, _) => GroupKind::WithoutSignal,
        (true, true) => GroupKind::WithHit,
        (true, false) => GroupKind::ShapedOnly,
    }
}

fn response_record(response: Response, assessed: AssessedResponse) -> ResponseRecord {
    ResponseRecord {
        sample: response.sample,
        tokens: response.token_ids.len(),
        token_byte_lens: response.token_byte_lens,
        finish: response.finish,
        log_prob: response.log_probs.iter().map(|&x| f64::from(x)).sum(),
        text: response.text,
        error: assessed.reward.as_ref().err().map(ToString::to_string),
        reward: assessed.reward.ok(),
        steps: assessed.steps,
    }
}
