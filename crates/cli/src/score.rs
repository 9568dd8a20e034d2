//! `rerec score`: the reward of each response, with its parts.

mod scorer;
mod sources;

use std::path::PathBuf;

use rerec::Titles;
use rerec_rewards::{
    AnswerChoice, DualGraphConfig, Flag, ListAlignment, MissingPolicy, RewardWeights, Similarity,
    TitleMatch,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(crate) use self::scorer::Scorer;
use self::sources::Sources;
use crate::error::Failure;
use crate::filter::FilterArgs;

/// Score responses that recommend items in a \boxed{…}
///
/// Items are matched by title. The catalogue is, unless given, the items of the graph and of the embeddings; without
/// these, the candidates or the ground truth of each line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  printf '%s\\n' '{\"id\":1,\"response\":\"so \\\\boxed{heat}\",\"ground_truth\":[\"Heat (1995)\"]}' | rerec score
  {\"id\":1,\"answer\":[\"heat\"],\"format\":0.5,\"ndcg\":1.0,\"ranking\":1.0,\"query_alignment\":null,\"preference_alignment\":null,\"total\":1.05,\"flags\":[]}")]
pub(crate) struct Args {
    #[command(flatten)]
    reward: RewardArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// The reward and its files.
#[derive(Debug, clap::Args)]
pub(crate) struct RewardArgs {
    /// Attributes of items: .gexf, .tsv (item, attribute or item, relation, attribute), .jsonl
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// Vectors of items with their ids: .safetensors, .npy with .ids beside it, .tsv
    #[arg(long, value_name = "FILE")]
    embeddings: Option<PathBuf>,
    /// Items, one a line: {"id": …, "title": …, "aliases": […], "year": …, "attributes": […]}
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Cut-off of NDCG and of list alignments
    #[arg(long, default_value_t = 1)]
    k: usize,
    /// Which box is the answer: last, first
    #[arg(long, default_value = "last", value_parser = named::<AnswerChoice>)]
    answer: AnswerChoice,
    /// How titles are compared: title, exact
    #[arg(long = "match", value_name = "MATCH", default_value = "title", value_parser = named::<TitleMatch>)]
    title_match: TitleMatch,
    /// How the alignments of several items become one: first, mean, discounted
    #[arg(long, default_value = "first", value_parser = named::<ListAlignment>)]
    alignment: ListAlignment,
    /// Weight of a part: format=0.1, query=0.01, preference=0.01; may be given for each
    #[arg(long = "weight", value_name = "PART=WEIGHT", value_parser = weight)]
    weights: Vec<(Part, f64)>,
    /// How vectors are compared: cosine, centred_cosine (after their mean is taken away)
    #[arg(long, default_value = "cosine", value_parser = named::<Similarity>)]
    similarity: Similarity,
    /// Alignment where the graph or the embeddings lack a ground truth, or the embeddings a chosen item; unless given,
    /// the former is a fault of the line and the latter 0 with a flag
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    missing: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Format,
    Query,
    Preference,
}

/// A setting by the name that it has in files.
pub(crate) fn named<T: DeserializeOwned>(name: &str) -> Result<T, serde_json::Error> {
    serde_json::from_value(name.into())
}

fn weight(text: &str) -> Result<(Part, f64), String> {
    let (part, weight) = text.split_once('=').ok_or("need PART=WEIGHT")?;
    let part = named(part).map_err(|error| error.to_string())?;
    let weight = weight
        .parse()
        .map_err(|_| format!("`{weight}` is no number"))?;
    Ok((part, weight))
}

#[derive(Deserialize)]
struct Line {
    id: Box<RawValue>,
    response: String,
    ground_truth: Titles,
    candidates: Option<Vec<String>>,
}

/// What a response was asked for, by titles.
#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    pub(crate) ground_truth: Titles,
    pub(crate) candidates: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Scored {
    id: Box<RawValue>,
    answer: Option<Vec<String>>,
    format: f64,
    ndcg: f64,
    ranking: f64,
    query_alignment: Option<f64>,
    preference_alignment: Option<f64>,
    total: f64,
    flags: Vec<Flag>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let scorer = Scorer::new(&args.reward)?;
    args.filter.answer("id", |line| scorer.score_line(line))
}

impl RewardArgs {
    fn config(&self) -> DualGraphConfig {
        let mut weights = RewardWeights::default();
        for (part, weight) in &self.weights {
            match part {
                Part::Format => weights.format = *weight,
                Part::Query => weights.query = *weight,
                Part::Preference => weights.preference = *weight,
            }
        }
        DualGraphConfig {
            weights,
            cutoff: self.k,
            answer: self.answer,
            title_match: self.title_match,
            alignment: self.alignment,
            ..DualGraphConfig::paper()
        }
    }

    fn missing(&self) -> MissingPolicy {
        self.missing
            .map_or(MissingPolicy::Error, MissingPolicy::Score)
    }
}
