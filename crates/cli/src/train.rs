//! `rerec train`: a whole run from a configuration file.

mod progress;

use std::{path::PathBuf, time::Instant};

use clap::Args as ClapArgs;
use rerec_policy::tune_allocator;
use rerec_report::{accuracy_table, write_summary};
use rerec_trainer::{Job, Outcome, Plan, Run, Start, TrainConfig};

use self::progress::Bars;
pub(crate) use self::progress::bar;
use crate::error::Failure;
use crate::filter::{print_line, print_text};
use crate::interrupt::interrupt_flag;

/// Train a recommender: warm start, reinforcement, table and learning curves.
///
/// Example: rerec train configs/quickstart.toml --set seed=3 --set name=third
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The run's configuration, a TOML file.
    config: PathBuf,
    /// Override a setting; may be given again.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Go on from the run's newest checkpoint.
    #[arg(long)]
    resume: bool,
    /// Say what the run will do and need, and whether anything keeps it from beginning; train nothing.
    #[arg(long, conflicts_with = "resume")]
    check: bool,
    /// With --check, print it as JSON.
    #[arg(long, requires = "check")]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    // First of all: what was allocated before keeps the old settings.
    tune_allocator();
    let begun = Instant::now();
    let config = TrainConfig::from_file(&args.config, &args.overrides)?;
    if args.check {
        return check(&config, args.json);
    }
    let folder = config.run_folder();
    let mut bars = Bars::new(interrupt_flag("stopping with a checkpoint")?);
    let start = if args.resume {
        Start::Resume
    } else {
        Start::New
    };
    if args.resume {
        // A run without records has made no steps; one that is no run is refused below.
        let steps = Run::open(&folder).and_then(|run| run.metrics());
        bars.recall(steps.unwrap_or_default());
    }
    let mut job = Job::new(config, start, &mut bars)?;
    bars.say(&overview(&job));
    let outcome = job.run(&mut bars)?;
    bars.finish();
    write_summary(&Run::open(&folder)?)?;
    match outcome {
        Outcome::Finished(evaluations) => {
            let minutes = begun.elapsed().as_secs_f64() / 60.0;
            let table = accuracy_table(&evaluations);
            eprintln!("\nAccuracy on held-out queries, in percent:\n\n{table}");
            eprintln!(
                "{minutes:.1} minutes. Learning curves, metrics, rollouts, checkpoint: {}",
                folder.display()
            );
        }
        Outcome::Stopped => return Err(Failure::Stopped { run: folder }),
    }
    Ok(())
}

/// Prints what the run would do. Exit status 1 says that something keeps it from beginning.
fn check(config: &TrainConfig, json: bool) -> Result<(), Failure> {
    let plan = Plan::new(config)?;
    match json {
        true => print_line(&plan)?,
        false => print_text(&plan)?,
    }
    match plan.is_sound() {
        true => Ok(()),
        false => Err(Failure::Unsound),
    }
}

fn overview(job: &Job) -> String {
    let data = job.dataset();
    let splits = &data.splits;
    format!(
        "{} items, {} ratings; {} train, {} validation and {} test queries; a policy of {:.2} million weights",
        data.catalogue.len(),
        data.ratings.len(),
        splits.train.len(),
        splits.validation.len(),
        splits.test.len(),
        job.policy().parameters() as f64 / 1e6
    )
}
