//! A whole run from one configuration.

use std::fs;

use rerec::Assessor;
use rerec_datasets::Dataset;
use rerec_files::CHECKSUMS;
use rerec_policy::{DecoderPolicy, set_threads};

use crate::config::TrainConfig;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files::CONFIG;
use crate::ledger;
use crate::observer::{Event, Observer};
use crate::prompt_lengths::PromptLengths;
use crate::resume::same_run;
use crate::run::Run;
use crate::trainer::{Outcome, Task, Trainer};

/// Where the item embeddings that a run trained are kept.
const EMBEDDINGS: &str = "item_embeddings.safetensors";
/// Where a model is kept whose adapters are trained.
const BASE: &str = "base";

/// Whether a run is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It begins in a folder of its own.
    New,
    /// It goes on from its newest checkpoint.
    Resume,
}

/// Data, assessor and policy of a run, built from its configuration.
#[derive(Debug)]
pub struct Job {
    config: TrainConfig,
    start: Start,
    dataset: Dataset,
    assessor: Assessor,
    policy: DecoderPolicy,
}

impl Job {
    /// Checks the run's folder, reads or invents the data, trains the item embeddings and opens the model.
    ///
    /// # Errors
    /// Settings that are at fault, a folder that holds another run, missing data: all before any long work. Then whatever a part
    /// reports.
    pub fn new(config: TrainConfig, start: Start, observer: &mut dyn Observer) -> Result<Self> {
        config.validate()?;
        let folder = config.run_folder();
        // Killed while its folder was made: nothing is there to go on from.
        let start = match start {
            Start::Resume if ledger::is_barely_begun(&folder) => Start::New,
            start => start,
        };
        match start {
            Start::New => ledger::refuse_used(&folder)?,
            Start::Resume => same_run(&folder, Run::open(&folder)?.config(), &config)?,
        }
        set_threads(config.threads);
        config.reinforcement.check_for_one_engine()?;
        let mut dataset = config.data.load(config.seed)?;
        config.check_against(&dataset)?;
        let (settings, corpus) = (config.policy.clone(), dataset.corpus());
        let mut policy = DecoderPolicy::open(&config.model, settings, corpus, config.seed)?;
        let (room, new_tokens) = (
            policy.model().max_position_embeddings,
            config.reinforcement.max_new_tokens,
        );
        let lengths = PromptLengths::new(&dataset, policy.tokenizer(), room, new_tokens)?;
        let mut remarks = lengths.settle(&mut dataset, &config)?;
        remarks.splice(0..0, dataset.remarks.iter().cloned());
        remarks.extend(emulated(&config));
        for remark in &remarks {
            // A request to end the run is heard at its first step.
            let _ = observer.event(&Event::Warning(remark));
        }
        // After data and model were read: settings that they do not fit leave no folder behind.
        if start == Start::New {
            ledger::create(&config)?;
        }
        let kept = folder.join(EMBEDDINGS);
        let reward = keep_base(&mut policy, &config).and_then(|()| {
            let source = config.reward_source();
            source.build(&dataset, Some(&kept), observer)
        });
        if reward.is_err() && start == Start::New {
            // Nothing was run, so that the next attempt need not be a resumption. What this one did not write stays.
            let _ = fs::remove_file(folder.join(CONFIG));
            let _ = fs::remove_dir_all(folder.join(BASE));
            let _ = fs::remove_dir(&folder);
        }
        let assessor = Assessor::new(config.assessor(), &dataset.catalogue, reward?)?;
        Ok(Self {
            config,
            start,
            dataset,
            assessor,
            policy,
        })
    }

    /// The data.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The policy.
    pub fn policy(&self) -> &DecoderPolicy {
        &self.policy
    }

    /// Runs to the end, or until the observer stops it.
    ///
    /// # Errors
    /// As [`Trainer::new`], [`Trainer::resume`] and [`Trainer::run`].
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        let task = Task {
            dataset: &self.dataset,
            assessor: &self.assessor,
            engine: Engine::One(&mut self.policy),
        };
        let trainer = match self.start {
            Start::New => Trainer::begin(&self.config, task)?,
            Start::Resume => Trainer::resume(&self.config, task)?,
        };
        trainer.run(observer)
    }
}

/// Says beforehand that a number format makes a run many times as long as another.
pub(crate) fn emulated(config: &TrainConfig) -> Option<String> {
    let policy = &config.policy;
    policy.precision.is_emulated_on(policy.device).then(|| {
        "this CPU has no instructions for bf16, so that a step takes many times as long as in f32: \
         policy.precision = \"auto\" takes what the machine is fast in"
            .to_owned()
    })
}

/// Writes a model that gets adapters into the run's folder, unless it was loaded from a folder of its own: checkpoints then hold
/// the adapters and a pointer to it.
fn keep_base(policy: &mut DecoderPolicy, config: &TrainConfig) -> Result<()> {
    let folder = config.run_folder().join(BASE);
    // The list of checksums is written last: a folder without it was cut off, and is written again.
    let is_kept = policy.base().is_some() || folder.join(CHECKSUMS).exists();
    if config.policy.lora.is_none() || is_kept {
        return Ok(());
    }
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    Ok(policy.save_base(&folder)?)
}
