//! Runs of a scripted policy.

use std::path::Path;

use rerec::Assessor;
use rerec_datasets::Dataset;
use rerec_policy::ScriptedPolicy;
use rerec_trainer::{Engine, Error, Observer, Outcome, Task, TrainConfig, Trainer};

/// A configuration with overrides, as it is read from a file in the folder of its runs.
pub(crate) fn configured(
    runs: &Path,
    text: &str,
    overrides: &[&str],
) -> Result<TrainConfig, Error> {
    let path = runs.join("config.toml");
    std::fs::write(&path, text).unwrap();
    let overrides: Vec<String> = overrides.iter().map(|&o| o.to_owned()).collect();
    TrainConfig::from_file(&path, &overrides)
}

/// Begins or resumes a run whose model samples and learns, and takes it to its end.
pub(crate) fn run_with(
    assessor: &Assessor,
    config: &TrainConfig,
    data: &Dataset,
    policy: &mut ScriptedPolicy,
    resume: bool,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let task = Task {
        dataset: data,
        assessor,
        engine: Engine::One(policy),
    };
    let trainer = match resume {
        true => Trainer::resume(config, task)?,
        false => Trainer::new(config, task)?,
    };
    trainer.run(observer)
}
