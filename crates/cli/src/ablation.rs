//! `rerec ablation`: an experiment whose arms differ in a few settings.

mod pool;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args as ClapArgs;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use rerec_report::{ablation_table, write_ablation};
use rerec_trainer::{Ablation, AblationConfig};

use self::pool::{Finished, Pool};
use crate::error::Failure;
use crate::filter::print_text;
use crate::interrupt::interrupt_flag;
use crate::train::bar;

/// Compare ways to train: arms that differ in a few settings, over several worlds and seeds, from shared warm starts
///
/// Each run is a `rerec train` of its own. What is finished is not made again, and what was broken off goes on.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:
  rerec ablation configs/ablation.toml --jobs 2
  rerec ablation configs/ablation.toml --world quickstart
  rerec ablation configs/ablation.toml --world quickstart --table")]
pub(crate) struct Args {
    /// The experiment, a TOML file
    config: PathBuf,
    /// Make the runs of this world only, and print its table; may be given several times [default: all worlds]
    #[arg(long, value_name = "NAME")]
    world: Vec<String>,
    /// Runs at a time [default: as many as there are cores]
    #[arg(long, short)]
    jobs: Option<NonZeroUsize>,
    /// Print the tables of what is finished; run nothing
    #[arg(long)]
    table: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut ablation = Ablation::open(AblationConfig::from_file(&args.config)?)?;
    if !args.world.is_empty() {
        ablation.restrict(&args.world)?;
    }
    if args.table {
        return print_text(&ablation_table(&ablation));
    }
    let cores = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let stop = interrupt_flag("stopping with a checkpoint of each run")?;
    let jobs = args.jobs.unwrap_or(cores).get();
    let mut pool = Pool::new(jobs, stop);
    let mut progress = Progress::new(&ablation, jobs);
    // Learning rates that are chosen on some runs decide which others are due.
    while let Some(finished) = pool.next_finished(&ablation)? {
        ablation.read(&finished.run)?;
        write_ablation(&ablation)?;
        progress.tell(&ablation, &finished);
    }
    progress.bar.finish_and_clear();
    for file in write_ablation(&ablation)? {
        eprintln!("{}", file.display());
    }
    print_text(&ablation_table(&ablation))
}

/// How many runs are finished, and how long the others may take.
struct Progress {
    bar: ProgressBar,
    jobs: usize,
    /// What runs of this process took: a warm start takes many times as long as an arm.
    warm_starts: Times,
    arms: Times,
}

/// How long runs took.
#[derive(Default)]
struct Times {
    sum: Duration,
    runs: u32,
}

impl Times {
    fn add(&mut self, took: Duration) {
        self.sum += took;
        self.runs += 1;
    }

    /// What so many more may take; none while not one is known.
    fn of(&self, runs: usize) -> Option<Duration> {
        match (runs, self.runs) {
            (0, _) => Some(Duration::ZERO),
            (_, 0) => None,
            (more, known) => Some(self.sum * more as u32 / known),
        }
    }
}

impl Progress {
    fn new(ablation: &Ablation, jobs: usize) -> Self {
        // Without the bar's own estimate, which follows its last moments: runs end rarely, and several at once.
        let style =
            ProgressStyle::with_template("{prefix:>16} {bar:28} {pos}/{len}  {elapsed}  {msg}");
        let bar = bar("runs").with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_length(ablation.runs() as u64);
        bar.set_position(ablation.finished() as u64);
        Self {
            bar,
            jobs,
            warm_starts: Times::default(),
            arms: Times::default(),
        }
    }

    fn tell(&mut self, ablation: &Ablation, Finished { run, took }: &Finished) {
        match run.arm {
            None => self.warm_starts.add(*took),
            Some(_) => self.arms.add(*took),
        }
        let (all, finished) = (ablation.runs(), ablation.finished());
        self.bar.set_position(finished as u64);
        let share = ablation
            .outcome(run)
            .map_or(0.0, |one| one.last.overall.share());
        let line = format!(
            "{run}: {:.1} % right ({finished} of {all} runs)",
            100.0 * share
        );
        let left = match self.left(ablation.left()) {
            Some(left) => format!("some {} left", HumanDuration(left)),
            None => "how long the rest takes is not known yet".to_owned(),
        };
        match self.bar.is_hidden() {
            true => eprintln!("{line}, {left}"),
            false => {
                self.bar.println(line);
                self.bar.set_message(left);
            }
        }
    }

    /// What so many warm starts and arms may take; none while no run of a kind that is left has ended.
    fn left(&self, (warm_starts, arms): (usize, usize)) -> Option<Duration> {
        let all = self.warm_starts.of(warm_starts)? + self.arms.of(arms)?;
        let at_once = self.jobs.min(warm_starts + arms).max(1);
        Some(all / at_once as u32)
    }
}
