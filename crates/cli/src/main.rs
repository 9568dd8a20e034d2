//! The `rerec` command: argument parsing and pipes around the library crates.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "a command reports on standard error")]

#[cfg(feature = "torch")]
mod ablation;
mod advantage;
#[cfg(feature = "torch")]
mod ask;
mod completions;
mod curriculum;
mod data;
mod error;
mod eval;
#[cfg(feature = "torch")]
mod export;
mod filter;
#[cfg(feature = "torch")]
mod interrupt;
mod lightgcn;
#[cfg(feature = "torch")]
mod model;
mod report;
mod score;
mod segment;
mod serve_reward;
#[cfg(feature = "torch")]
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Reinforcement fine-tuning that teaches a language model to reason its way to a recommendation.
#[derive(Debug, Parser)]
#[command(name = "rerec", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "torch")]
    Ablation(ablation::Args),
    Advantage(advantage::Args),
    #[cfg(feature = "torch")]
    Ask(ask::Args),
    Completions(completions::Args),
    Curriculum(curriculum::Args),
    #[command(subcommand)]
    Data(data::Args),
    Eval(eval::Args),
    #[cfg(feature = "torch")]
    Export(export::Args),
    Lightgcn(lightgcn::Args),
    Report(report::Args),
    Score(score::Args),
    Segment(segment::Args),
    ServeReward(serve_reward::Args),
    #[cfg(feature = "torch")]
    Train(train::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        #[cfg(feature = "torch")]
        Command::Ablation(args) => ablation::run(&args),
        Command::Advantage(args) => advantage::run(&args),
        #[cfg(feature = "torch")]
        Command::Ask(args) => ask::run(&args),
        Command::Completions(args) => {
            completions::run(&args);
            Ok(())
        }
        Command::Curriculum(args) => curriculum::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Eval(args) => eval::run(&args),
        #[cfg(feature = "torch")]
        Command::Export(args) => export::run(&args),
        Command::Lightgcn(args) => lightgcn::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Segment(args) => segment::run(&args),
        Command::ServeReward(args) => serve_reward::run(&args),
        #[cfg(feature = "torch")]
        Command::Train(args) => train::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // `rerec score … | head` closes the pipe early, which is no error.
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("rerec: {}", failure.with_causes());
            failure.exit_code()
        }
    }
}
