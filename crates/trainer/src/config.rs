//! The configuration of a run, as it stands in a TOML file.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use rerec_advantage::{CreditConfig, EstimatorConfig};
use rerec_curriculum::CurriculumConfig;
use rerec_datasets::DataSource;
use rerec_policy::{Decay, DecoderPolicyConfig, ModelConfig, ObjectiveConfig, TokenizerConfig};
use rerec_rewards::{DualGraphConfig, LightGcnConfig, RewardBreakdown, SimilarityConfig};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::{Error, Result, check};

/// Everything a run depends on. An unknown key is an error, in every section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Name of the run; its files go to `<runs>/<name>`. Letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Decides every random choice: the sections' own seeds are set from it and must be left out.
    pub seed: u64,
    /// Folder of all runs, relative to the working directory. Default `runs`.
    #[serde(default = "default_runs")]
    pub runs: PathBuf,
    /// CPU threads of libtorch; a run repeats bit for bit under the same number. Default 2.
    #[serde(default = "default_threads")]
    pub threads: NonZeroUsize,
    /// What is learned from.
    pub data: DataSource,
    /// The tokenizer, trained on the data's texts.
    pub tokenizer: TokenizerConfig,
    /// The shape of the model, drawn afresh.
    pub model: ModelShape,
    /// How the policy spends memory, and its optimiser.
    #[serde(default)]
    pub policy: DecoderPolicyConfig,
    /// The supervised warm start.
    pub warm_start: WarmStartConfig,
    /// LightGCN on the data's ratings, whose embeddings give the preference score.
    #[serde(default)]
    pub embeddings: LightGcnConfig,
    /// How embeddings are compared.
    #[serde(default)]
    pub similarity: SimilarityConfig,
    /// The dual-graph reward.
    #[serde(default)]
    pub reward: DualGraphConfig,
    /// From rewards to advantages.
    #[serde(default)]
    pub advantage: AdvantageConfig,
    /// The curriculum between epochs.
    #[serde(default)]
    pub curriculum: CurriculumConfig,
    /// The clipped objective.
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// Reinforcement.
    pub reinforcement: ReinforcementConfig,
    /// Evaluation.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
}

fn default_runs() -> PathBuf {
    "runs".into()
}

fn default_threads() -> NonZeroUsize {
    const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);
    TWO
}

/// The shape of a Llama-like decoder; the vocabulary comes from the tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layers.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Longest sequence in tokens, prompt and response together.
    pub max_positions: usize,
    /// Standard deviation of the drawn weights. Default 0.02.
    #[serde(default = "default_deviation")]
    pub initializer_range: f64,
}

fn default_deviation() -> f64 {
    0.02
}

impl ModelShape {
    /// The full configuration for a tokenizer of `vocab_size` ids.
    pub fn with_vocab(&self, vocab_size: usize) -> ModelConfig {
        ModelConfig {
            model_type: "llama".to_owned(),
            vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            num_key_value_heads: self.kv_heads,
            head_dim: None,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            rope_scaling: None,
            tie_word_embeddings: true,
            max_position_embeddings: self.max_positions,
            initializer_range: self.initializer_range,
            rest: Default::default(),
        }
    }
}

/// The supervised warm start on the data's demonstrations and drills.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmStartConfig {
    /// Optimiser steps. 0 leaves the warm start out.
    pub steps: u64,
    /// Demonstrations a step, at least 1.
    pub demonstrations: usize,
    /// Drills a step.
    pub drills: usize,
    /// Peak learning rate; it rises over `warmup` steps and falls as `schedule` says. Above 0.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// How the learning rate falls over the steps: `{ kind = "linear" }` (default), `"cosine"` or `"constant"`; the first two with
    /// a `final_share` of the peak in [0, 1], default 0.
    #[serde(default = "default_warm_start_schedule")]
    pub schedule: Decay,
}

fn default_warm_start_schedule() -> Decay {
    Decay::Linear { final_share: 0.0 }
}

/// From rewards to advantages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdvantageConfig {
    /// Segments, mentions and the step penalty.
    pub credit: CreditConfig,
    /// The estimator. Default: RAAE.
    pub estimator: EstimatorConfig,
}

/// What the curriculum takes for the success of a rollout, a number in [0, 1]: the reward or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurriculumMetric {
    /// The reward, scaled to [0, 1] between the least and the largest that the weights allow (the paper's).
    #[default]
    Reward,
    /// 1 for a right answer, 0 for any other (the released code's NDCG at 1).
    Hit,
    /// NDCG at the reward's cut-off; 0 without an answer.
    Ndcg,
    /// 1 with an answer, 0 without.
    Format,
    /// The query alignment score.
    QueryAlignment,
    /// The preference alignment score, moved from [-1, 1] to [0, 1].
    PreferenceAlignment,
    /// A term of that name that was mixed in; it has to lie in [0, 1].
    Term(String),
}

impl CurriculumMetric {
    /// The success of a rollout whose reward lies in `bounds`.
    ///
    /// # Errors
    /// [`Error::NoMetric`](crate::Error::NoMetric) for a part that the reward does not have.
    pub(crate) fn of(&self, reward: &RewardBreakdown, bounds: (f64, f64)) -> Result<f64> {
        let absent = |name: &str| Error::NoMetric {
            query: reward.query.clone(),
            name: name.to_owned(),
        };
        Ok(match self {
            Self::Reward => ((reward.total - bounds.0) / (bounds.1 - bounds.0)).clamp(0.0, 1.0),
            Self::Hit => f64::from(u8::from(reward.hit)),
            Self::Ndcg => reward.ndcg,
            Self::Format => reward.format + 0.5,
            Self::QueryAlignment => reward
                .query_alignment
                .ok_or_else(|| absent("query_alignment"))?,
            Self::PreferenceAlignment => reward
                .preference_alignment
                .map(|cosine| (cosine + 1.0) / 2.0)
                .ok_or_else(|| absent("preference_alignment"))?,
            Self::Term(name) => *reward.terms.get(name).ok_or_else(|| absent(name))?,
        })
    }
}

/// Reinforcement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReinforcementConfig {
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
    /// Updates that a step's rollouts are split into, by whole queries. At least 1.
    pub mini_batches: usize,
    /// Peak learning rate; it rises over `warmup` steps and falls as `schedule` says. Above 0.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// How the learning rate falls, as in the warm start; default `{ kind = "constant" }`. The end of the run is where the curriculum's
    /// epochs or `max_steps` put it as far as is known at each step.
    #[serde(default = "default_reinforcement_schedule")]
    pub schedule: Decay,
    /// Metric of the curriculum. Default `reward`.
    #[serde(default)]
    pub curriculum_metric: CurriculumMetric,
    /// Steps between checkpoints. Default 10, at least 1.
    #[serde(default = "default_checkpoint_every")]
    pub checkpoint_every: u64,
}

fn default_reinforcement_schedule() -> Decay {
    Decay::Constant {}
}

fn default_checkpoint_every() -> u64 {
    10
}

/// Evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Steps of reinforcement between evaluations on validation queries. Default 5, at least 1.
    pub every: u64,
    /// Most validation queries asked each time. Default 100, at least 1.
    pub validation_queries: usize,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            every: 5,
            validation_queries: 100,
        }
    }
}

impl TrainConfig {
    /// Reads a file, applies overrides (`reinforcement.epochs=2`) and checks the result.
    ///
    /// # Errors
    /// Names the file, key, value and range of what is wrong.
    pub fn from_file(path: &Path, overrides: &[String]) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let fault = |source| Error::ConfigFile {
            path: path.to_owned(),
            source: Box::new(source),
        };
        // Without overrides the text itself is read, so that a fault is shown with its line.
        let config: Self = if overrides.is_empty() {
            toml::from_str(&text).map_err(fault)?
        } else {
            let mut table: Table = toml::from_str(&text).map_err(fault)?;
            overrides
                .iter()
                .try_for_each(|given| set(&mut table, given))?;
            Value::Table(table).try_into().map_err(fault)?
        };
        config.seeded()
    }

    /// Checks the settings and hands the seed to the sections.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`].
    pub fn seeded(mut self) -> Result<Self> {
        self.validate()?;
        let seed = self.seed;
        let adapters = self.policy.lora.as_mut().map(|lora| &mut lora.seed);
        let sections = [
            ("embeddings.seed", &mut self.embeddings.seed),
            ("curriculum.seed", &mut self.curriculum.seed),
        ];
        let adapters = adapters.map(|seed| ("policy.lora.seed", seed));
        for (name, section) in sections.into_iter().chain(adapters) {
            let left_out = *section == 0 || *section == seed;
            check(left_out, name, *section, "left out: the run's seed decides")?;
            *section = seed;
        }
        Ok(self)
    }

    /// Folder of this run.
    pub fn run_folder(&self) -> PathBuf {
        self.runs.join(&self.name)
    }

    fn validate(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let named =
            self.name.chars().all(plain) && self.name.chars().any(|c| c.is_ascii_alphanumeric());
        check(
            named,
            "name",
            &self.name,
            "letters, digits, '-', '_' and '.'",
        )?;
        check(
            self.threads.get() <= 1024,
            "threads",
            self.threads,
            "in [1, 1024]",
        )?;
        let (warm, rl) = (&self.warm_start, &self.reinforcement);
        check(
            rl.queries != Some(0),
            "reinforcement.queries",
            0,
            "at least 1",
        )?;
        let positive = |x: f64| x > 0.0 && x.is_finite();
        for (name, schedule) in [
            ("warm_start.schedule.final_share", warm.schedule),
            ("reinforcement.schedule.final_share", rl.schedule),
        ] {
            let share = schedule.final_share();
            check((0.0..=1.0).contains(&share), name, share, "in [0, 1]")?;
        }
        check(
            warm.demonstrations >= 1,
            "warm_start.demonstrations",
            warm.demonstrations,
            "at least 1",
        )?;
        check(
            positive(warm.learning_rate),
            "warm_start.learning_rate",
            warm.learning_rate,
            "above 0",
        )?;
        check(
            rl.samples >= 2,
            "reinforcement.samples",
            rl.samples,
            "at least 2",
        )?;
        check(
            positive(rl.temperature),
            "reinforcement.temperature",
            rl.temperature,
            "above 0",
        )?;
        check(
            rl.max_new_tokens >= 1,
            "reinforcement.max_new_tokens",
            rl.max_new_tokens,
            "at least 1",
        )?;
        check(
            rl.mini_batches >= 1,
            "reinforcement.mini_batches",
            rl.mini_batches,
            "at least 1",
        )?;
        check(
            positive(rl.learning_rate),
            "reinforcement.learning_rate",
            rl.learning_rate,
            "above 0",
        )?;
        check(
            rl.checkpoint_every >= 1,
            "reinforcement.checkpoint_every",
            rl.checkpoint_every,
            "at least 1",
        )?;
        check(
            self.evaluation.every >= 1,
            "evaluation.every",
            self.evaluation.every,
            "at least 1",
        )?;
        let asked = self.evaluation.validation_queries;
        check(
            asked >= 1,
            "evaluation.validation_queries",
            asked,
            "at least 1",
        )
    }
}

/// Sets one `dotted.key=value`; the value is read as TOML, or as a string where it is none.
fn set(table: &mut Table, given: &str) -> Result<()> {
    let fault = |what: &str| Error::Override {
        given: given.to_owned(),
        what: what.to_owned(),
    };
    let (key, text) = given
        .split_once('=')
        .ok_or_else(|| fault("must be key=value"))?;
    let (key, text) = (key.trim(), text.trim());
    let value = toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts
        .pop()
        .filter(|part| !part.is_empty())
        .ok_or_else(|| fault("has no key"))?;
    let mut at = table;
    for part in parts {
        let entry = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = entry
            .as_table_mut()
            .ok_or_else(|| fault(&format!("{part} is not a section")))?;
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_curriculum_may_follow_any_part_of_the_reward() {
        let reward = RewardBreakdown {
            query: "q7".to_owned(),
            format: 0.5,
            ndcg: 0.25,
            ranking: 0.25,
            query_alignment: Some(0.75),
            preference_alignment: Some(-0.5),
            terms: [("novelty".to_owned(), 0.1)].into(),
            total: 0.5,
            hit: false,
            flags: Vec::new(),
            answer: None,
        };
        let term = |name: &str| CurriculumMetric::Term(name.to_owned());
        for (metric, expected) in [
            (CurriculumMetric::Reward, 0.625),
            (CurriculumMetric::Hit, 0.0),
            (CurriculumMetric::Ndcg, 0.25),
            (CurriculumMetric::Format, 1.0),
            (CurriculumMetric::QueryAlignment, 0.75),
            (CurriculumMetric::PreferenceAlignment, 0.25),
            (term("novelty"), 0.1),
        ] {
            assert_eq!(
                metric.of(&reward, (-0.75, 1.25)).unwrap(),
                expected,
                "{metric:?}"
            );
        }
        let refused = term("nvelty").of(&reward, (-0.75, 1.25)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "curriculum_metric asks for nvelty, which the reward of query q7 does not have"
        );
        let read: BTreeMap<String, CurriculumMetric> =
            toml::from_str("a = 'ndcg'\nb = { term = 'novelty' }").unwrap();
        assert_eq!(read["b"], term("novelty"));
    }

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

    #[test]
    fn overrides_reach_into_sections() {
        let mut table: Table = toml::from_str("a = 1\n[b]\nc = 'x'").unwrap();
        for given in ["a=2", "b.c = y", "b.d.e=[1, 2]"] {
            set(&mut table, given).unwrap();
        }
        let expected: Table = toml::from_str("a = 2\n[b]\nc = 'y'\n[b.d]\ne = [1, 2]").unwrap();
        assert_eq!(table, expected);
    }

    #[test]
    fn faulty_overrides_are_named() {
        let mut table: Table = toml::from_str("a = 1").unwrap();
        let refused = |given: &str, table: &mut Table| set(table, given).unwrap_err().to_string();
        assert_eq!(
            refused("epochs", &mut table),
            "override \"epochs\": must be key=value"
        );
        assert_eq!(
            refused("a.b=1", &mut table),
            "override \"a.b=1\": a is not a section"
        );
    }
}
