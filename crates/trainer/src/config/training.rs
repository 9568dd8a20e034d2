//! The sections that are the trainer's own.

use rerec::{CurriculumMetric, LengthPenalty, OverlongPenalty};
use rerec_policy::{Decay, Finish};
use serde::{Deserialize, Serialize};

use crate::baseline::Baseline;
use crate::correction::SamplerCorrection;
use crate::error::{Error, Result, check};

/// The supervised warm start on the data's demonstrations and drills.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmStartConfig {
    /// Steps before all others on the data's drills of reading, for models from nothing: a model copies and compares after a few
    /// hundred steps of that, and after thousands where it learns everything at once. Default: none.
    #[serde(default)]
    pub reading: Option<ReadingConfig>,
    /// Optimiser steps on demonstrations and drills. 0 leaves the warm start out, its reading too.
    pub steps: u64,
    /// Demonstrations per step, at least 1.
    pub demonstrations: usize,
    /// Drills per step.
    pub drills: usize,
    /// Peak learning rate; it rises over `warmup` steps and falls as `schedule` says. Above 0.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// How the learning rate falls over the steps: `{ kind = "linear" }` (default), `"cosine"` or `"constant"`; the first two with
    /// a `final_share` of the peak in [0, 1], default 0.
    #[serde(default = "falling")]
    pub schedule: Decay,
}

/// The steps of [`WarmStartConfig::reading`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingConfig {
    /// Optimiser steps. 0 leaves the reading out.
    pub steps: u64,
    /// Drills per step, at least 1.
    pub drills: usize,
    /// Peak learning rate; it rises over the warm start's `warmup` steps and falls as `schedule` says. Above 0.
    pub learning_rate: f64,
    /// How the learning rate falls over these steps. Default: as in the warm start.
    #[serde(default)]
    pub schedule: Option<Decay>,
    /// Drills of reading in each later step of the warm start, so that they are not unlearned. Default 0.
    #[serde(default)]
    pub kept: usize,
}

fn falling() -> Decay {
    Decay::Linear { final_share: 0.0 }
}

impl WarmStartConfig {
    /// All steps, those of reading included.
    pub fn all_steps(&self) -> u64 {
        self.reading_steps() + self.steps
    }

    /// The steps of reading, of which there are none without a warm start.
    pub(crate) fn reading_steps(&self) -> u64 {
        let reading = self.reading.filter(|_| self.steps > 0);
        reading.map_or(0, |reading| reading.steps)
    }

    pub(super) fn validate(&self) -> Result<()> {
        let (rate, shown) = (self.learning_rate, self.demonstrations);
        check(shown >= 1, "warm_start.demonstrations", shown, "at least 1")?;
        if let Some(reading) = &self.reading {
            reading.validate(self.schedule)?;
        }
        check_rate("warm_start", rate, self.schedule)
    }
}

impl ReadingConfig {
    fn validate(&self, schedule: Decay) -> Result<()> {
        let section = "warm_start.reading";
        let drills = self.drills;
        check(
            drills >= 1,
            &format!("{section}.drills"),
            drills,
            "at least 1",
        )?;
        check_rate(
            section,
            self.learning_rate,
            self.schedule.unwrap_or(schedule),
        )
    }
}

/// Reinforcement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReinforcementConfig {
    /// Decides the order of the queries and what is sampled. Default: the run's seed; another one repeats reinforcement on the same
    /// data and warm start.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Train queries that the curriculum schedules: the first so many. None: all.
    #[serde(default)]
    pub queries: Option<usize>,
    /// Epochs of the curriculum. 0 leaves reinforcement out.
    pub epochs: u32,
    /// Most steps in all; none: as many as the epochs have.
    #[serde(default)]
    pub max_steps: Option<u64>,
    /// Responses sampled for each query, G. At least 2.
    pub samples: usize,
    /// Softmax temperature of sampling. Above 0.
    pub temperature: f64,
    /// Longest response in tokens. At least 1.
    pub max_new_tokens: usize,
    /// Updates that a step's rollouts are split into, by whole queries. At least 1, at most the batch size of the curriculum.
    pub mini_batches: usize,
    /// Peak learning rate; it rises over `warmup` steps and falls as `schedule` says. Above 0.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// How the learning rate falls, as in the warm start; default `{ kind = "constant" }`. The end of the run is where the
    /// curriculum's epochs or `max_steps` put it as far as is known at each step.
    #[serde(default = "constant")]
    pub schedule: Decay,
    /// What becomes of queries whose prompt leaves no room for `max_new_tokens`. Default `refuse`.
    #[serde(default)]
    pub overlong_prompts: OverlongPrompts,
    /// Metric of the curriculum. Default `reward`.
    #[serde(default)]
    pub curriculum_metric: CurriculumMetric,
    /// Most rounds in which groups that teach nothing are replaced by further queries of the epoch (DAPO's dynamic sampling, arXiv
    /// 2503.14476). Each round asks as many queries as groups are missing; the curriculum records all of them. Default 0: none are.
    #[serde(default)]
    pub refill_rounds: u32,
    /// Whether responses that the token limit cut off are masked (DAPO's overlong filtering, arXiv 2503.14476): their rewards stay in the
    /// log and in the means of their groups, but nothing is learned from them, and no denominator counts their tokens. Default false.
    #[serde(default)]
    pub mask_truncated: bool,
    /// The soft penalty of overlong responses: `{ cache = 64, weight = 1.0 }`. Default: none.
    #[serde(default)]
    pub overlong: Option<OverlongConfig>,
    /// The penalty of right responses that are longer than others, scaled by the success of their group: `{ weight = 0.1 }`.
    /// Default: none.
    #[serde(default)]
    pub length: Option<LengthPenalty>,
    /// What makes up for a sampler that is not the learner, where they are two engines: `{ kind = "token_truncated", most = 2.0 }`.
    /// Default: none.
    #[serde(default)]
    pub sampler_correction: Option<SamplerCorrection>,
}

/// An [`OverlongPenalty`] whose longest response is that of sampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlongConfig {
    /// Tokens before the limit over which the penalty grows. In [1, `max_new_tokens`].
    pub cache: usize,
    /// Weight in the reward. Above 0.
    pub weight: f64,
}

/// What becomes of queries whose prompt and longest response together exceed what the model can read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlongPrompts {
    /// The run does not begin.
    #[default]
    Refuse,
    /// They are counted and left out, in all splits. A prompt is never cut: what it asks for may be in the part that is lost.
    LeaveOut,
}

fn constant() -> Decay {
    Decay::Constant {}
}

impl ReinforcementConfig {
    /// Whether nothing is learned from a response that ended so.
    pub(crate) fn masks(&self, finish: Finish) -> bool {
        self.mask_truncated && finish == Finish::Length
    }

    pub(super) fn overlong(&self) -> Option<OverlongPenalty> {
        self.overlong
            .map(|OverlongConfig { cache, weight }| OverlongPenalty {
                max_tokens: self.max_new_tokens,
                cache,
                weight,
            })
    }

    /// Refuses what makes up for a sampler of its own where one model samples and learns.
    pub(crate) fn check_for_one_engine(&self) -> Result<()> {
        match self.sampler_correction {
            None => Ok(()),
            Some(_) => Err(Error::contradiction(
                "reinforcement.sampler_correction makes up for a sampler that is not the learner, but here they are one",
            )),
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let at_least = |least: usize, name, value: usize| {
            let allowed = format!("at least {least}");
            check(
                value >= least,
                &format!("reinforcement.{name}"),
                value,
                &allowed,
            )
        };
        at_least(1, "queries", self.queries.unwrap_or(1))?;
        // A single response has no other to be compared with.
        at_least(2, "samples", self.samples)?;
        at_least(1, "max_new_tokens", self.max_new_tokens)?;
        at_least(1, "mini_batches", self.mini_batches)?;
        let temperature = self.temperature;
        let is_warm = temperature > 0.0 && temperature.is_finite();
        check(is_warm, "reinforcement.temperature", temperature, "above 0")?;
        let correction = self.sampler_correction.as_ref();
        correction.map_or(Ok(()), SamplerCorrection::validate)?;
        check_rate("reinforcement", self.learning_rate, self.schedule)
    }
}

fn check_rate(section: &str, rate: f64, schedule: Decay) -> Result<()> {
    let positive = rate > 0.0 && rate.is_finite();
    check(
        positive,
        &format!("{section}.learning_rate"),
        rate,
        "above 0",
    )?;
    let share = schedule.final_share();
    let within = (0.0..=1.0).contains(&share);
    check(
        within,
        &format!("{section}.schedule.final_share"),
        share,
        "in [0, 1]",
    )
}

/// Which checkpoints are written and kept. The last is always kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Steps of reinforcement between checkpoints. Default 10, at least 1.
    pub every: u64,
    /// Minutes of the warm start between checkpoints: its steps take from milliseconds to minutes. Default 10, at least 0, which is one
    /// after each step.
    pub warm_start_minutes: f64,
    /// Also keeps the checkpoint that was best on validation queries by this metric. Default: none.
    pub best: Option<BestBy>,
}

/// By what evaluations on validation queries are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// Share of right answers.
    Accuracy,
    /// Mean NDCG at the reward's cut-off.
    Ndcg,
    /// Mean reciprocal rank of the first target in the answer.
    Mrr,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self {
            every: 10,
            warm_start_minutes: 10.0,
            best: None,
        }
    }
}

impl CheckpointConfig {
    pub(super) fn validate(&self) -> Result<()> {
        check(
            self.every >= 1,
            "checkpoints.every",
            self.every,
            "at least 1",
        )?;
        let minutes = self.warm_start_minutes;
        check(
            minutes >= 0.0,
            "checkpoints.warm_start_minutes",
            minutes,
            "at least 0",
        )
    }
}

/// Evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Steps of reinforcement between evaluations on validation queries. Default 5, at least 1.
    pub every: u64,
    /// Most validation queries asked each time. Default 100, at least 1.
    pub validation_queries: usize,
    /// Whether test queries are asked before any training too: an untrained model answers at length, and what a trained one answers may
    /// be known. Default true.
    pub untrained: bool,
    /// Baselines whose rankings of the test queries stand beside the model's answers in `baselines.jsonl`. Default popularity, BM25 and
    /// attribute overlap; LightGCN has to be trained first.
    pub baselines: Vec<Baseline>,
    /// Reinforcement ends after so many evaluations in a row of which none was better than the best by `checkpoints.best`, which is then
    /// needed. Default: none, it goes on to its end; at least 1.
    pub patience: Option<u64>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            every: 5,
            validation_queries: 100,
            untrained: true,
            baselines: vec![Baseline::Popularity, Baseline::Bm25, Baseline::Overlap],
            patience: None,
        }
    }
}

impl EvaluationConfig {
    pub(super) fn validate(&self) -> Result<()> {
        check(
            self.every >= 1,
            "evaluation.every",
            self.every,
            "at least 1",
        )?;
        let asked = self.validation_queries;
        check(
            asked >= 1,
            "evaluation.validation_queries",
            asked,
            "at least 1",
        )?;
        let patience = self.patience.unwrap_or(1);
        check(patience >= 1, "evaluation.patience", patience, "at least 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_the_sections_own_unless_given() {
        let warm = "steps = 9\ndemonstrations = 1\ndrills = 0\nlearning_rate = 1.0\nwarmup = 4\n";
        let read = |more: &str| toml::from_str::<WarmStartConfig>(&format!("{warm}{more}"));
        let linear = Decay::Linear { final_share: 0.0 };
        assert_eq!(read("").unwrap().schedule, linear);
        let cosine = read("schedule = { kind = 'cosine', final_share = 0.1 }").unwrap();
        assert_eq!(cosine.schedule, Decay::Cosine { final_share: 0.1 });
        let unknown = read("schedule = { kind = 'constant', final_share = 0.1 }");
        assert!(unknown.unwrap_err().message().contains("final_share"));
        let reinforcement = "epochs = 1\nsamples = 2\ntemperature = 1.0\nmax_new_tokens = 8\nmini_batches = 1\n\
                             learning_rate = 1.0\nwarmup = 5";
        let read: ReinforcementConfig = toml::from_str(reinforcement).unwrap();
        assert_eq!(read.schedule, Decay::Constant {});
    }
}
