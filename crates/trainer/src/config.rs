//! The configuration of a run, as it stands in a TOML file.

mod overrides;
mod training;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use rerec::{AssessorConfig, CurriculumMetric, PenaltyIn, RewardParts};
use rerec_advantage::{CreditConfig, EstimatorConfig};
use rerec_curriculum::{CurriculumConfig, MetricConfig};
use rerec_datasets::{DataSource, Dataset};
use rerec_policy::{DecoderPolicyConfig, ModelSource, Objective, ObjectiveConfig, Schedule};
use rerec_rewards::{DualGraphConfig, SimilarityConfig};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use self::training::{
    BestBy, CheckpointConfig, EvaluationConfig, OverlongConfig, OverlongPrompts, ReadingConfig,
    ReinforcementConfig, WarmStartConfig,
};
use crate::error::{Error, Result, check};
use crate::reward_source::{EmbeddingSource, GraphSource, RewardSource};

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
    /// Weight in the reward of the share of a query's own conditions that the answer meets
    /// ([`ConditionCredit`](rerec_rewards::ConditionCredit)), finite. Needs a graph, and queries that state conditions. Default 0:
    /// no such term (the paper's).
    #[serde(default)]
    pub condition_weight: f64,
    /// Where catalogue, ratings and queries come from.
    pub data: DataSource,
    /// Where the model comes from.
    pub model: ModelSource,
    /// How the policy spends memory, and its optimiser.
    #[serde(default)]
    pub policy: DecoderPolicyConfig,
    /// The supervised warm start.
    pub warm_start: WarmStartConfig,
    /// The dual-graph reward.
    #[serde(default)]
    pub reward: DualGraphConfig,
    /// The item-attribute graph of the query alignment score. Default: that of the catalogue.
    #[serde(default)]
    pub graph: GraphSource,
    /// The item embeddings of the preference alignment score. Default: LightGCN on the data's ratings.
    #[serde(default)]
    pub embeddings: EmbeddingSource,
    /// How embeddings are compared.
    #[serde(default)]
    pub similarity: SimilarityConfig,
    /// From rewards to advantages.
    #[serde(default)]
    pub advantage: AdvantageConfig,
    /// The curriculum between epochs. The range of its metric follows from the reward and must be left out.
    #[serde(default)]
    pub curriculum: CurriculumConfig,
    /// The clipped objective.
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// Reinforcement.
    pub reinforcement: ReinforcementConfig,
    /// Which checkpoints are written and kept.
    #[serde(default)]
    pub checkpoints: CheckpointConfig,
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

/// Refuses a name that cannot be a folder's everywhere.
pub(crate) fn check_folder_name(setting: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let named = name.chars().all(plain) && name.chars().any(|c| c.is_ascii_alphanumeric());
    check(named, setting, name, "letters, digits, '-', '_' and '.'")
}

/// From rewards to advantages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdvantageConfig {
    /// Segments, mentions and the step penalty.
    pub credit: CreditConfig,
    /// Where the step penalty acts. Default `reward` (the paper's).
    pub penalty: PenaltyIn,
    /// How the parts of the reward become one number. Default `summed` (the paper's).
    pub parts: RewardParts,
    /// The estimator. Default: RAAE.
    pub estimator: EstimatorConfig,
}

impl TrainConfig {
    /// Reads a file, applies overrides (`reinforcement.epochs=2`) and checks the result.
    ///
    /// # Errors
    /// Names the file, key, value and range of what is wrong.
    pub fn from_file(path: &Path, overrides: &[String]) -> Result<Self> {
        let text = rerec_files::read_text(path)?;
        let fault = |source| Error::ConfigFile {
            path: path.to_owned(),
            source: Box::new(source),
        };
        // Without overrides the text itself is read, so that a fault is shown with its line.
        let config: Self = if overrides.is_empty() {
            toml::from_str(&text).map_err(fault)?
        } else {
            let mut table: Table = toml::from_str(&text).map_err(fault)?;
            let set = |given: &String| overrides::set(&mut table, given);
            overrides.iter().try_for_each(set)?;
            Value::Table(table).try_into().map_err(fault)?
        };
        config.seeded()
    }

    /// Hands the run's seed to the sections and checks every setting.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`], [`Error::Contradiction`].
    pub fn seeded(mut self) -> Result<Self> {
        let seed = self.seed;
        let adapters = self.policy.lora.as_mut().map(|lora| &mut lora.seed);
        let sections = [
            ("embeddings.lightgcn.seed", self.embeddings.seed_mut()),
            ("policy.lora.seed", adapters),
        ];
        for (name, section) in sections {
            let Some(section) = section else { continue };
            // The run's own seed is allowed, so that the settings that a run has saved can be read
            // again.
            let left_out = *section == 0 || *section == seed;
            check(left_out, name, *section, "left out: the run's seed decides")?;
            *section = seed;
        }
        self.seed_curriculum()?;
        self.validate()?;
        Ok(self)
    }

    /// The order of the queries is a part of reinforcement, which may have a seed of its own.
    fn seed_curriculum(&mut self) -> Result<()> {
        let seed = self.reinforcement_seed();
        let given = self.curriculum.seed;
        let allowed = "left out: the seed of reinforcement decides";
        let left_out = given == 0 || given == seed;
        check(left_out, "curriculum.seed", given, allowed)?;
        self.curriculum.seed = seed;
        Ok(())
    }

    /// The seed of sampling and of the order of the queries.
    pub(crate) fn reinforcement_seed(&self) -> u64 {
        self.reinforcement.seed.unwrap_or(self.seed)
    }

    /// Folder of this run.
    pub fn run_folder(&self) -> PathBuf {
        self.runs.join(&self.name)
    }

    /// The settings of the assessor.
    pub fn assessor(&self) -> AssessorConfig {
        AssessorConfig {
            credit: self.advantage.credit.clone(),
            penalty: self.advantage.penalty,
            parts: self.advantage.parts,
            overlong: self.reinforcement.overlong(),
            length: self.reinforcement.length,
            estimator: self.advantage.estimator,
            curriculum_metric: self.reinforcement.curriculum_metric.clone(),
        }
    }

    /// The sources of the reward.
    pub fn reward_source(&self) -> RewardSource {
        RewardSource {
            dual_graph: self.reward.clone(),
            condition_weight: self.condition_weight,
            graph: self.graph.clone(),
            embeddings: self.embeddings.clone(),
            similarity: self.similarity,
        }
    }

    /// Checks every section, and that they do not contradict each other: everything that can be known before the data are read.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`], [`Error::Contradiction`], or what a section's own crate says.
    pub fn validate(&self) -> Result<()> {
        self.validate_run()?;
        self.warm_start.validate()?;
        self.reinforcement.validate()?;
        self.checkpoints.validate()?;
        self.evaluation.validate()?;
        if self.evaluation.patience.is_some() && self.checkpoints.best.is_none() {
            return Err(Error::contradiction(
                "evaluation.patience waits for a better evaluation: checkpoints.best has to say by which metric",
            ));
        }
        self.validate_parts()?;
        self.validate_metric()
    }

    fn validate_run(&self) -> Result<()> {
        check_folder_name("name", &self.name)?;
        let threads = self.threads.get();
        check(threads <= 1024, "threads", threads, "in [1, 1024]")
    }

    /// The parts that are built from settings alone are built and dropped: their crates know their ranges.
    fn validate_parts(&self) -> Result<()> {
        let rl = &self.reinforcement;
        Objective::new(self.objective.clone())?;
        Schedule::new(rl.learning_rate, rl.warmup, rl.schedule)?;
        self.assessor().validate()?;
        self.reward_source().validate()?;
        self.curriculum.validate()?;
        let (parts, batch) = (rl.mini_batches, self.curriculum.batch_size);
        let allowed = format!("at most curriculum.batch_size, {batch}");
        check(
            parts <= batch,
            "reinforcement.mini_batches",
            parts,
            &allowed,
        )
    }

    fn validate_metric(&self) -> Result<()> {
        // A section that is left out reads as its default: the two cannot be told apart.
        let left_out = self.curriculum.metric == MetricConfig::default();
        let allowed = "left out: the reward knows its range";
        check(left_out, "curriculum.metric", "a range", allowed)?;
        let absent = match &self.reinforcement.curriculum_metric {
            CurriculumMetric::QueryAlignment => self.graph == GraphSource::None,
            CurriculumMetric::PreferenceAlignment => self.embeddings == EmbeddingSource::None,
            _ => false,
        };
        match absent {
            true => Err(Error::contradiction(
                "reinforcement.curriculum_metric asks for a part of the reward that graph or embeddings turn off",
            )),
            false => Ok(()),
        }
    }

    /// Checks the settings against the data.
    ///
    /// # Errors
    /// [`Error::Contradiction`].
    pub(crate) fn check_against(&self, data: &Dataset) -> Result<()> {
        let shown = data.demonstrations.len() + data.drills.len();
        if self.warm_start.steps > 0 && shown == 0 {
            return Err(Error::contradiction(
                "warm_start.steps is above 0, but the data have neither demonstrations nor drills to learn from; set it to 0",
            ));
        }
        if self.warm_start.reading.is_some() && data.reading.is_empty() {
            return Err(Error::contradiction(
                "warm_start.reading reads out options, but the data have no such drills: set reading_drills of the data's demonstrator, or leave it out",
            ));
        }
        let mut queries = data.splits.queries();
        if self.condition_weight != 0.0 && queries.all(|query| query.conditions.is_empty()) {
            return Err(Error::contradiction(
                "condition_weight asks which conditions an item meets, but no query of the data states any",
            ));
        }
        if self.checkpoints.best.is_some() && data.splits.validation.is_empty() {
            return Err(Error::contradiction(
                "checkpoints.best compares evaluations on validation queries, but the data have none",
            ));
        }
        Ok(())
    }

    /// These settings with what a resumed run may change taken from others: its length, its place, threads, checkpoints and
    /// evaluations.
    pub(crate) fn with_changeable_settings_of(&self, other: &Self) -> Self {
        let mut settings = self.clone();
        // Name and folder: a run may have been moved.
        settings.name.clone_from(&other.name);
        settings.runs.clone_from(&other.runs);
        settings.threads = other.threads;
        settings.checkpoints = other.checkpoints;
        settings.evaluation.clone_from(&other.evaluation);
        settings.reinforcement.max_steps = other.reinforcement.max_steps;
        settings.reinforcement.epochs = other.reinforcement.epochs;
        settings
    }
}
