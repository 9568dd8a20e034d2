//! One step of reinforcement: rollouts, rewards, advantages, update, curriculum.

use rerec::{AssessedGroup, AssessedResponse, Assessment, Group, ResponseText};
use rerec_policy::{
    Prompt, Response, RolloutGroup, SampleRequest, Sampling, TrainingGroup, UpdateStats,
};
use rerec_text::QueryId;

use super::{Halting, Trainer, Verdicts};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};
use crate::record::{GroupKind, GroupRecord, MetricsRecord, ResponseRecord, UpdateRecord};

impl Trainer<'_> {
    pub(super) fn step(&mut self, batch: &[QueryId], observer: &mut dyn Observer) -> Halting<()> {
        let epoch = self.curriculum.epoch();
        let groups = self.rollouts(batch, epoch, observer)?;
        let greedy = self.greedy_responses(batch, epoch, observer)?;
        let mut assessed = self.assess(&groups, &greedy)?;
        refuse_without_reward(&mut assessed)?;
        let learning_rate = self.learning_rate();
        let updates = self.update(&groups, &assessed, learning_rate)?;
        self.record_in_curriculum(&assessed)?;

        // The weights have moved: from here on the step counts, and its queries are no longer
        // pending.
        self.state.steps += 1;
        self.state.pending.clear();
        self.state.unvalidated = true;
        let records = self.records(groups, assessed, epoch)?;
        let metrics = MetricsRecord::of(&records, UpdateRecord::of(&updates), learning_rate);
        self.record_queries(batch)?;
        self.ledger.step(&metrics, &records)?;
        let steps_left = self.steps_left();
        let verdict = observer.event(&Event::Step {
            metrics: &metrics,
            steps_left,
        });
        self.validate_and_save(observer)?;
        // Checked last, so that a due evaluation and a due checkpoint are still made.
        self.heed(verdict)
    }

    /// G responses to each query, in the order of the batch.
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
            seed: self.config.seed,
            // Streams are named by purpose, query and sample: a query draws anew in each epoch, and
            // the same when its step is made again.
            purpose: format!("rollouts of epoch {epoch}"),
            ..Default::default()
        };
        let mut groups = self.sample(batch, config.samples, &sampling, observer)?;
        if self.task.engine.is_split() {
            self.take_over_log_probs(&mut groups)?;
        }
        Ok(groups)
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
            seed: self.config.seed,
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
    /// objective is 1 only where both come from one engine.
    fn take_over_log_probs(&mut self, groups: &mut [RolloutGroup]) -> Result<()> {
        let computed = self.task.engine.learner().log_probs(groups)?;
        for (group, log_probs) in groups.iter_mut().zip(computed) {
            for (response, log_probs) in group.responses.iter_mut().zip(log_probs) {
                response.log_probs = log_probs;
            }
        }
        Ok(())
    }

    fn assess(&self, groups: &[RolloutGroup], greedy: &[RolloutGroup]) -> Result<Assessment> {
        let texts: Vec<Vec<ResponseText<'_>>> = groups
            .iter()
            .map(|group| group.responses.iter().map(response_text).collect())
            .collect();
        // In the order of the groups; empty where the estimator asks for none.
        let mut greedy = greedy.iter().filter_map(|group| group.responses.first());
        let asked = groups.iter().zip(&texts).map(|(group, responses)| {
            let prepared = self.queries.get(group.query.as_str())?;
            Ok(Group {
                query: prepared.query.id.as_str(),
                targets: &prepared.targets,
                candidates: prepared.candidates.as_deref(),
                responses,
                greedy: greedy.next().map(|response| response.text.as_str()),
            })
        });
        Ok(self
            .task
            .assessor
            .assess(&asked.collect::<Result<Vec<_>>>()?)?)
    }

    /// The learning rate of the step under way, which the curriculum no longer counts among those left.
    fn learning_rate(&self) -> f64 {
        let config = &self.config.reinforcement;
        let by_data = self.state.steps + 1 + self.curriculum.steps_left(config.epochs) as u64;
        let total = config.max_steps.map_or(by_data, |limit| limit.min(by_data));
        self.schedule.rate(self.state.steps, total)
    }

    /// One update for each mini-batch of whole groups.
    fn update(
        &mut self,
        groups: &[RolloutGroup],
        assessed: &Assessment,
        learning_rate: f64,
    ) -> Halting<Vec<UpdateStats>> {
        let batch = training_groups(groups, assessed);
        let share = batch
            .len()
            .div_ceil(self.config.reinforcement.mini_batches)
            .max(1);
        let mut updates = Vec::new();
        for part in batch.chunks(share) {
            let learner = self.task.engine.learner();
            updates.push(learner.update(part, &self.objective, learning_rate)?);
        }
        // After the last update only: nothing is sampled between them.
        self.task.engine.synchronise()?;
        Ok(updates)
    }

    fn record_in_curriculum(&mut self, assessed: &Assessment) -> Result<()> {
        for group in &assessed.groups {
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

    fn records(
        &self,
        groups: Vec<RolloutGroup>,
        assessed: Assessment,
        epoch: u32,
    ) -> Result<Vec<GroupRecord>> {
        let pairs = groups.into_iter().zip(assessed.groups);
        let record = |(group, assessed): (RolloutGroup, AssessedGroup)| {
            Ok(GroupRecord {
                step: self.state.steps,
                epoch,
                class: self.queries.get(group.query.as_str())?.query.class.clone(),
                kind: kind(&assessed),
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
        pairs.map(record).collect()
    }

    /// Writes down the queries that are asked for the first time.
    fn record_queries(&mut self, batch: &[QueryId]) -> Result<()> {
        for id in batch {
            let prepared = self.queries.get(id.as_str())?;
            let record = || prepared.record(&self.task.dataset.catalogue);
            self.ledger.query(id, record)?;
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

/// The responses with a reward. Others take no part in the update, not even in its denominators.
fn training_groups<'a>(
    groups: &'a [RolloutGroup],
    assessed: &'a Assessment,
) -> Vec<TrainingGroup<'a>> {
    let mut rows = assessed.advantages.rows();
    let mut batch = Vec::with_capacity(groups.len());
    for (group, judged) in groups.iter().zip(&assessed.groups) {
        let responses = group.responses.iter().zip(&judged.responses);
        // Zipped before filtering: responses without a reward have rows too, which are empty.
        let responses = responses.zip(rows.by_ref().take(group.responses.len()));
        let responses = responses
            .filter(|((_, judged), _)| judged.reward.is_ok())
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

/// A step of which nothing could be scored ends the run: its data are at fault, not the model.
fn refuse_without_reward(assessed: &mut Assessment) -> Result<()> {
    let mut responses = assessed
        .groups
        .iter_mut()
        .flat_map(|group| &mut group.responses);
    if responses.any(|one| one.reward.is_ok()) {
        return Ok(());
    }
    let first = assessed
        .groups
        // Drained to own the error: the assessment is not used any more.
        .drain(..)
        .flat_map(|group| group.responses)
        .next();
    match first.map(|one| one.reward) {
        Some(Err(first)) => Err(Error::NothingScored { first }),
        _ => Ok(()),
    }
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
