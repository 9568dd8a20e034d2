//! `rerec eval`: how well queries are answered, by a model or without one.

#[cfg(feature = "torch")]
mod abilities;
mod answerer;
#[cfg(feature = "torch")]
mod asking;

use std::fmt::Display;
use std::path::PathBuf;

use rerec_datasets::{Dataset, Query};
use rerec_report::{ModelComparison, Scorecard};
use rerec_rewards::{DualGraphConfig, Metric};
use rerec_trainer::{AnswerRecord, TrainConfig};
use serde::Serialize;

use self::answerer::Answerer;
use crate::error::Failure;
use crate::filter::{print_line, print_text};

/// Evaluate a model or a baseline on held-out queries: accuracy with its interval of 95 %, and list metrics, by class
///
/// Single answers are greedy; several are sampled. `--json` has intervals of all metrics. `--against` compares query by query with
/// another model, a baseline, or answers that an earlier call wrote by `--responses`. `--abilities` asks for something else: what the model
/// can do beside recommending.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rerec eval --baseline bm25 --data configs/quickstart.toml
  rerec eval --run runs/quickstart --against popularity --responses answers.jsonl
  rerec eval --model SmolLM2-135M-Instruct --data configs/movielens.toml --samples 8
  rerec eval --run runs/smollm2-movielens --abilities --against SmolLM2-135M-Instruct")]
pub(crate) struct Args {
    #[cfg(feature = "torch")]
    #[command(flatten)]
    model: crate::model::ModelArgs,
    /// Rank by random, popularity, lightgcn, bm25 or overlap instead of asking a model
    #[arg(long, value_name = "NAME", value_parser = answerer::baseline)]
    baseline: Option<rerec_trainer::Baseline>,
    /// A TOML file with a table `[data]` [default: the run's data]
    #[arg(long, value_name = "CONFIG")]
    data: Option<PathBuf>,
    /// Seed of the data and of everything drawn [default: the configuration's]
    #[arg(long)]
    seed: Option<u64>,
    /// The queries: train, validation or test
    #[arg(long, default_value = "test", value_parser = ["train", "validation", "test"])]
    split: String,
    /// Ask the first N queries only
    #[arg(long, value_name = "N")]
    queries: Option<usize>,
    /// Answers to each query; more than one are sampled, and pass@k is reported
    #[arg(long, value_name = "N", default_value_t = 1)]
    samples: usize,
    /// Temperature of sampling [default: 0 for one answer, 1 for several]
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// Longest response in tokens [default: the run's, or 512]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Metrics of the listed items, such as ndcg@10, separated by commas
    #[arg(
        long,
        value_name = "METRICS",
        value_delimiter = ',',
        default_value = "ndcg@10,hit_rate@10,mrr@10"
    )]
    metrics: Vec<Metric>,
    /// Compare with this: a baseline's name, a run, a model, or a file written by --responses
    #[arg(long, value_name = "OTHER")]
    against: Option<String>,
    /// Test general abilities instead: instructions that a program can check, questions of general knowledge, prose
    #[cfg(feature = "torch")]
    #[arg(long, conflicts_with_all = ["baseline", "data", "split", "queries", "samples", "temperature", "metrics"])]
    abilities: bool,
    /// Write what was answered, one line per query
    #[arg(long, value_name = "FILE")]
    responses: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Outcome {
    scores: Scorecard,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

#[derive(Serialize)]
struct Against {
    name: String,
    scores: Scorecard,
    comparison: ModelComparison,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    args.responses
        .as_deref()
        .map_or(Ok(()), rerec_files::check_output)?;
    #[cfg(feature = "torch")]
    if args.abilities {
        return abilities::run(args);
    }
    // Everything that can be wrong with the arguments shows before a query is asked.
    let answerer = Answerer::of(args)?;
    let other = args
        .against
        .as_deref()
        .map(|name| Answerer::named(args, name))
        .transpose()?;
    let run = args.run()?;
    let (dataset, seed) = args.dataset(run.as_ref())?;
    let reward = run.as_ref().map(|run| run.reward.clone());
    let asked = Asked {
        queries: args.queries(&dataset)?,
        seed,
        samples: args.samples,
        temperature: args.temperature,
        max_new_tokens: args.max_new_tokens,
        // All are judged alike.
        judge: reward.unwrap_or_default(),
        dataset: &dataset,
    };
    let answers = answerer.answers(&asked)?;
    if let Some(path) = &args.responses {
        rerec_datasets::write_jsonl(path, &answers)?;
    }
    let score = |answers: &[AnswerRecord]| Scorecard::of(answers, &args.metrics, asked.seed);
    let against = |(name, other): (&String, Answerer)| {
        let other = other.answers(&asked)?;
        Ok::<_, Failure>(Against {
            name: name.clone(),
            scores: score(&other)?,
            // The other one first: the difference is what this one gains.
            comparison: ModelComparison::of(&other, &answers, asked.seed),
        })
    };
    let other = args.against.as_ref().zip(other);
    let outcome = Outcome {
        scores: score(&answers)?,
        against: other.map(against).transpose()?,
    };
    match args.json {
        true => print_line(&outcome),
        false => outcome.print(),
    }
}

impl Outcome {
    fn print(&self) -> Result<(), Failure> {
        let against = self.against.as_ref();
        print_scores(
            &self.scores,
            against.map(|other| (&*other.name, &other.scores, &other.comparison)),
        )
    }
}

/// Prints scores and, where there is another one to compare with, its name, its scores and the comparison.
fn print_scores<S: Display, C: Display>(
    scores: &S,
    against: Option<(&str, &S, &C)>,
) -> Result<(), Failure> {
    print_text(scores)?;
    let Some((name, others, comparison)) = against else {
        return Ok(());
    };
    print_text(&format_args!(
        "\n{name}:\n\n{others}\nFirst {name}, then what was asked for:\n\n{comparison}"
    ))
}

impl Args {
    #[cfg(feature = "torch")]
    fn run(&self) -> Result<Option<TrainConfig>, Failure> {
        self.model.run()
    }

    #[cfg(not(feature = "torch"))]
    fn run(&self) -> Result<Option<TrainConfig>, Failure> {
        Ok(None)
    }

    /// Whether something is set that a baseline has no use for.
    fn asks_a_model(&self) -> bool {
        #[cfg(feature = "torch")]
        let model = self.model.is_set();
        #[cfg(not(feature = "torch"))]
        let model = false;
        model || self.samples != 1 || self.temperature.is_some() || self.max_new_tokens.is_some()
    }

    /// The data and their seed.
    fn dataset(&self, run: Option<&TrainConfig>) -> Result<(Dataset, u64), Failure> {
        match (&self.data, run) {
            (Some(path), _) => crate::data::of_config(path, self.seed),
            (None, Some(run)) => {
                let seed = self.seed.unwrap_or(run.seed);
                Ok((run.data.load(seed)?, seed))
            }
            (None, None) => Err(Failure::NoData),
        }
    }

    /// The queries to ask, at least one.
    fn queries<'d>(&self, dataset: &'d Dataset) -> Result<&'d [Query], Failure> {
        let splits = dataset.splits.named();
        let split = splits.into_iter().find(|(name, _)| *name == self.split);
        let all = split.map_or(&[][..], |(_, queries)| queries);
        let asked = &all[..all.len().min(self.queries.unwrap_or(usize::MAX))];
        match asked.is_empty() {
            true => Err(Failure::NoQueries {
                split: self.split.clone(),
            }),
            false => Ok(asked),
        }
    }
}

/// The queries and how they are asked.
#[cfg_attr(
    not(feature = "torch"),
    allow(dead_code, reason = "only a model is sampled from")
)]
pub(crate) struct Asked<'a> {
    dataset: &'a Dataset,
    queries: &'a [Query],
    seed: u64,
    samples: usize,
    temperature: Option<f64>,
    max_new_tokens: Option<usize>,
    judge: DualGraphConfig,
}
