//! One step of reinforcement: rollouts, reward, advantages, update, curriculum.

use std::collections::BTreeMap;

use rerec_curriculum::QueryId;
use rerec_policy::{
    Finish, Prompt, RolloutGroup, SampleRequest, Sampling, TrainingGroup, UpdateStats,
};
use rerec_rewards::{RewardBreakdown, RewardSummary};

use super::{
    Halt, Step, Trainer,
    evaluate::{by_class, mean},
    go_on,
};
use crate::{
    MetricsRecord, RolloutRecord,
    credit::{Credited, Rollout, Scored},
    error::{Error, Result},
    observer::{Event, Observer},
};

type Rewards = Vec<rerec_rewards::Result<RewardBreakdown>>;

impl Trainer<'_> {
    pub(super) fn step(&mut self, batch: &[String], observer: &mut dyn Observer) -> Step<()> {
        let epoch = self.curriculum.epoch();
        let groups = self.sample_groups(batch, epoch, observer)?;
        let rollouts = Rollout::of(&groups);
        let rewards = self.score(&rollouts);
        let scored = self.scored(&rollouts, &rewards)?;
        let credited = self.crediter.credit(&scored)?;
        let learning_rate = self.learning_rate();
        let updates = self.update(&groups, &scored, &credited, learning_rate)?;
        self.record_in_curriculum(&scored)?;

        self.state.steps += 1;
        self.state.pending.clear();
        let mut metrics = summarise(&scored, &credited, &rewards, &updates);
        metrics.step = self.state.steps;
        metrics.epoch = epoch;
        metrics.queries = batch.len();
        metrics.learning_rate = learning_rate;
        if self
            .state
            .steps
            .is_multiple_of(self.config.evaluation.every)
        {
            metrics.validation = by_class(&self.validate(observer)?);
        }
        self.keep(&metrics, &rollouts, &rewards, &credited, epoch)?;
        let steps_left = self.steps_left();
        let flow = observer.event(&Event::Step {
            metrics: &metrics,
            steps_left,
        });
        let checkpoint_every = self.config.reinforcement.checkpoint_every;
        if self.state.steps.is_multiple_of(checkpoint_every) {
            self.curves.draw(&self.folder)?;
            self.checkpoint(observer)?;
        }
        go_on(flow)
    }

    /// G responses to each query, in the order of the batch.
    fn sample_groups(
        &mut self,
        batch: &[String],
        epoch: u32,
        observer: &mut dyn Observer,
    ) -> Step<Vec<RolloutGroup>> {
        let config = &self.config.reinforcement;
        let ids: Vec<QueryId> = batch.iter().map(|id| id.as_str().into()).collect();
        let request = |id| -> Result<SampleRequest<'_>> {
            let id: &QueryId = id;
            let prepared = self
                .queries
                .get(id.as_str())
                .ok_or_else(|| Error::InvalidFile {
                    path: self.folder.path().join("curriculum.json"),
                    what: format!("query {id} is not in the data"),
                })?;
            Ok(SampleRequest {
                query: id,
                prompt: Prompt::Chat(&prepared.query.conversation),
                samples: config.samples,
            })
        };
        let requests = ids.iter().map(request).collect::<Result<Vec<_>>>()?;
        let sampling = Sampling {
            temperature: config.temperature,
            max_new_tokens: config.max_new_tokens,
            seed: self.config.seed,
            purpose: format!("rollouts of epoch {epoch}"),
            ..Default::default()
        };
        let watch = &mut |progress| observer.event(&Event::Sampling(progress));
        Ok(self
            .task
            .policy
            .generate_with(&requests, &sampling, watch)?)
    }

    fn score(&self, rollouts: &[Rollout]) -> Rewards {
        let samples: Vec<_> = rollouts
            .iter()
            .map(|r| self.sample(&r.query, &r.response.text))
            .collect();
        self.task.reward.score(&samples)
    }

    /// The rollouts that have a reward; the others are counted, and left out of everything else.
    fn scored<'s>(&self, rollouts: &'s [Rollout], rewards: &'s Rewards) -> Result<Vec<Scored<'s>>> {
        let scored: Vec<Scored<'s>> = rollouts
            .iter()
            .zip(rewards)
            .filter_map(|(rollout, reward)| {
                let prepared = self.queries.get(rollout.query.as_str())?;
                Some(Scored {
                    rollout,
                    reward: reward.as_ref().ok()?,
                    targets: prepared.targets.clone(),
                    candidates: prepared.candidates.clone().unwrap_or_default(),
                })
            })
            .collect();
        match rewards.iter().find_map(|r| r.as_ref().err()) {
            Some(first) if scored.is_empty() => Err(Error::NothingScored {
                step: self.state.steps + 1,
                first: first.to_string(),
            }),
            _ => Ok(scored),
        }
    }

    /// The learning rate of the step under way, which the curriculum no longer counts among those left.
    fn learning_rate(&self) -> f64 {
        let config = &self.config.reinforcement;
        let by_data = self.state.steps + 1 + self.curriculum.steps_left(config.epochs) as u64;
        let total = config.max_steps.map_or(by_data, |limit| limit.min(by_data));
        self.schedule.rate(self.state.steps, total)
    }

    /// One update for each mini-batch of whole queries.
    fn update(
        &mut self,
        groups: &[RolloutGroup],
        scored: &[Scored<'_>],
        credited: &Credited,
        learning_rate: f64,
    ) -> Step<Vec<UpdateStats>> {
        let mut scored = scored.iter().zip(credited.advantages.rows()).peekable();
        let mut all: Vec<TrainingGroup<'_>> = Vec::with_capacity(groups.len());
        for group in groups {
            let is_its = |one: &(&Scored<'_>, &[f64])| group.query == one.0.rollout.query.as_str();
            let mut kept = TrainingGroup {
                responses: Vec::new(),
                ..group.with_advantages([])
            };
            while let Some((one, advantages)) = scored.next_if(is_its) {
                kept.responses
                    .push(one.rollout.response.with_advantages(advantages));
            }
            all.push(kept);
        }
        let share = all
            .len()
            .div_ceil(self.config.reinforcement.mini_batches)
            .max(1);
        let mut updates = Vec::new();
        for part in all.chunks(share) {
            let policy = &mut self.task.policy;
            updates.push(policy.update(part, &self.objective, learning_rate)?);
        }
        Ok(updates)
    }

    fn record_in_curriculum(&mut self, scored: &[Scored<'_>]) -> Result<()> {
        let bounds = self.task.reward.bounds();
        let metric = &self.config.reinforcement.curriculum_metric;
        for group in scored.chunk_by(|a, b| a.rollout.query == b.rollout.query) {
            let values: Vec<f64> = group
                .iter()
                .map(|one| metric.of(one.reward, bounds))
                .collect::<Result<_>>()?;
            let id = QueryId::from(group[0].rollout.query.as_str());
            self.curriculum.record(&id, &values)?;
        }
        Ok(())
    }

    /// Writes the step's lines.
    fn keep(
        &mut self,
        metrics: &MetricsRecord,
        rollouts: &[Rollout],
        rewards: &Rewards,
        credited: &Credited,
        epoch: u32,
    ) -> Result<(), Halt> {
        let mut segments = credited.segments.iter();
        for (rollout, reward) in rollouts.iter().zip(rewards) {
            let segments = reward.as_ref().ok().and_then(|_| segments.next());
            self.rollouts.push(&RolloutRecord {
                step: metrics.step,
                epoch,
                query: rollout.query.clone(),
                sample: rollout.response.sample,
                response: rollout.response.text.clone(),
                tokens: rollout.response.token_ids.len(),
                finish: rollout.response.finish,
                reward: reward.as_ref().ok().cloned(),
                error: reward.as_ref().err().map(ToString::to_string),
                segments: segments.cloned().unwrap_or_default(),
            })?;
        }
        self.metrics.push(metrics)?;
        self.curves.step(metrics);
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

fn summarise(
    scored: &[Scored<'_>],
    credited: &Credited,
    rewards: &Rewards,
    updates: &[UpdateStats],
) -> MetricsRecord {
    let reward = RewardSummary::of(rewards);
    let groups = GroupKinds::of(scored, &credited.signal);
    let rollouts = || scored.iter().map(|one| &one.rollout.response);
    let log_probs = || rollouts().flat_map(|r| &r.log_probs).map(|&x| f64::from(x));
    let penalised = credited
        .segments
        .iter()
        .flatten()
        .filter(|s| s.penalised)
        .count();
    MetricsRecord {
        step: 0,
        epoch: 0,
        queries: 0,
        learning_rate: 0.0,
        accuracy: reward.hits as f64 / reward.scored.max(1) as f64,
        reward,
        groups_with_hit: groups.with_hit,
        groups_shaped_only: groups.shaped_only,
        groups_without_signal: groups.without_signal,
        segments_penalised: penalised,
        mean_tokens: mean(rollouts().map(|r| r.token_ids.len() as f64)),
        truncated: mean(rollouts().map(|r| f64::from(u8::from(r.finish == Finish::Length)))),
        entropy: -mean(log_probs()),
        loss: mean(updates.iter().map(|u| u.loss)),
        kl: mean(updates.iter().map(|u| u.kl)),
        clip_fraction: mean(updates.iter().map(|u| u.clip_fraction)),
        max_log_ratio: updates.iter().map(|u| u.max_log_ratio).fold(0.0, f64::max),
        grad_norm: mean(updates.iter().map(|u| u.grad_norm)),
        validation: BTreeMap::new(),
    }
}

/// Groups by what their spread is made of.
#[derive(Default)]
struct GroupKinds {
    with_hit: usize,
    shaped_only: usize,
    without_signal: usize,
}

impl GroupKinds {
    fn of(scored: &[Scored<'_>], signal: &BTreeMap<String, bool>) -> Self {
        let mut kinds = Self::default();
        for group in scored.chunk_by(|a, b| a.rollout.query == b.rollout.query) {
            let teaches = signal
                .get(&group[0].rollout.query)
                .copied()
                .unwrap_or(false);
            match (teaches, group.iter().any(|one| one.reward.hit)) {
                (false, _) => kinds.without_signal += 1,
                (true, true) => kinds.with_hit += 1,
                (true, false) => kinds.shaped_only += 1,
            }
        }
        kinds
    }
}
