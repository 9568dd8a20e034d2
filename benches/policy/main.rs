//! Our side of `cargo xtask bench-policy`, and its report. Every measurement is a process of its own that prints one line of
//! JSON; `generate.py` and `step.py` take the same words for transformers and TRL.

mod case;
mod chart;
mod cost;
mod generate;
mod machine;
mod measure;
mod prompts;
mod report;
mod step;

use std::{error, fs, num::NonZeroUsize, path::PathBuf, process::ExitCode, result};

use clap::Parser;
use rerec_policy::{DecoderPolicy, DecoderPolicyConfig, set_threads, tune_allocator};

use crate::{case::Case, cost::CostCase, prompts::PromptsRequest};

type Result<T> = result::Result<T, Box<dyn error::Error>>;

/// Threads of every process on both sides.
const THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

#[derive(Debug, Parser)]
enum Command {
    /// Writes a GGUF file as a Hugging Face folder, for both sides.
    Convert { gguf: PathBuf, folder: PathBuf },
    /// Writes prompts of an exact length with their ids, for both sides.
    Prompts(PromptsRequest),
    /// Samples groups of responses.
    Generate(Case),
    /// Takes one GRPO step: sampling, advantages, update.
    Step(Case),
    /// Measures what training costs by response length, group size and vocabulary.
    Cost(CostCase),
    /// Turns the measurements of a folder into `report.md` and `cost.svg`.
    Report { folder: PathBuf },
}

fn main() -> ExitCode {
    tune_allocator();
    set_threads(THREADS);
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            measure::complain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Convert { gguf, folder } => {
            let policy = DecoderPolicy::from_gguf(&gguf, DecoderPolicyConfig::default())?;
            fs::create_dir_all(&folder)?;
            Ok(policy.save_merged(&folder)?)
        }
        Command::Prompts(request) => request.write(),
        Command::Generate(case) => measure::print(&generate::run(&case)?),
        Command::Step(case) => measure::print(&step::run(&case)?),
        Command::Cost(case) => case.run(measure::print),
        Command::Report { folder } => report::write(&folder),
    }
}
