//! `rerec segment`: the steps of each response and the reward of each token.

use std::sync::Arc;

use rerec_advantage::{
    AdvantageError, Answer, CreditAssigner, CreditConfig, DecreaseConfig, ItemNames, MentionMode,
    RatioConfig, Rollout, RuleConfig, SegmentKind, Split,
};
use rerec_rewards::{AnswerChoice, AnswerReader, Catalogue, Item, TitleMatch, list_entries};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Failure;
use crate::filter::{FilterArgs, Rejection};
use crate::score::{Titles, named};

/// Split responses into steps and give each token the part of the reward that its step earned
///
/// An answer is right if the first item in its box is in the ground truth. Where it is wrong, a step that names an item of the box
/// keeps only the least ratio of the reward.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  printf '%s\\n' '{\"id\":1,\"response\":\"Heat it is.\\n\\\\boxed{Heat}\",\"token_byte_lens\":[11,1,12],\"ground_truth\":[\"Up\"],\"reward\":0.5}' | rerec segment
  {\"id\":1,\"segments\":[{\"start\":0,\"end\":12,\"kind\":\"reasoning\",\"penalised\":true},{\"start\":12,\"end\":24,\"kind\":\"answer\",\"penalised\":false}],\"token_rewards\":[0.35,0.5,0.5]}")]
pub(crate) struct Args {
    /// What the worst token keeps of the reward
    #[arg(long, default_value_t = 0.7)]
    min_ratio: f64,
    /// What the best token keeps of the reward
    #[arg(long, default_value_t = 1.0)]
    max_ratio: f64,
    /// Punish steps that name the wrong answer, or decrease credit with the distance to a right item's name
    #[arg(long, value_enum, default_value = "rule")]
    mode: Mode,
    /// How a response is split: paragraph, sentence, step, think; several, from the outermost in, with commas
    #[arg(long, value_delimiter = ',', default_value = "paragraph", value_parser = named::<Split>)]
    split: Vec<Split>,
    /// What counts as naming an item: whole titles on word boundaries, or any equal characters
    #[arg(long, value_enum, default_value = "title")]
    mentions: Mentions,
    /// Which box is the answer: last, first
    #[arg(long, default_value = "last", value_parser = named::<AnswerChoice>)]
    answer: AnswerChoice,
    /// How titles are compared: title, exact
    #[arg(long = "match", value_name = "MATCH", default_value = "title", value_parser = named::<TitleMatch>)]
    title_match: TitleMatch,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    Rule,
    Decrease,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Mentions {
    Title,
    Substring,
}

#[derive(Deserialize)]
struct Line {
    id: Box<RawValue>,
    response: String,
    token_byte_lens: Vec<u32>,
    ground_truth: Titles,
    reward: f64,
}

#[derive(Serialize)]
struct Segmented {
    id: Box<RawValue>,
    segments: Vec<Span>,
    token_rewards: Vec<f64>,
}

#[derive(Serialize)]
struct Span {
    start: usize,
    end: usize,
    kind: SegmentKind,
    penalised: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let assigner = CreditAssigner::new(args.config())?;
    args.filter
        .answer("id", |line| args.segment(&assigner, line))
}

impl Args {
    fn config(&self) -> CreditConfig {
        let ratios = RatioConfig {
            min_ratio: self.min_ratio,
            max_ratio: self.max_ratio,
        };
        let rule = match self.mode {
            Mode::Rule => RuleConfig::StepPenalty(ratios),
            Mode::Decrease => RuleConfig::Decrease(DecreaseConfig {
                ratios,
                ..DecreaseConfig::default()
            }),
        };
        CreditConfig {
            split: self.split.clone(),
            mentions: self.mention_mode(),
            rules: vec![rule],
        }
    }

    /// Each mode of the released code has its own way with case.
    fn mention_mode(&self) -> MentionMode {
        match (self.mentions, self.mode) {
            (Mentions::Title, _) => MentionMode::Title,
            (Mentions::Substring, Mode::Rule) => MentionMode::Substring,
            (Mentions::Substring, Mode::Decrease) => MentionMode::SubstringIgnoreCase,
        }
    }

    fn segment(&self, assigner: &CreditAssigner, line: Line) -> Result<Segmented, Rejection> {
        let targets = distinct(line.ground_truth);
        let reader = self.reader(&targets)?;
        let read = reader
            .read(&line.response, None)
            .filter(|answer| !answer.items.is_empty());
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let name = |item: &'_ rerec_rewards::AnswerItem| match item.index {
            Some(index) => targets[index.position()].to_owned(),
            None => item.text.clone(),
        };
        let names: Vec<String> = read
            .iter()
            .flat_map(|answer| &answer.items)
            .map(name)
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let answer = read.map(|answer| Answer {
            is_right: answer
                .items
                .first()
                .is_some_and(|item| item.index.is_some()),
            span: answer.span,
            items: &names,
        });
        let rollout = Rollout {
            response: &line.response,
            token_byte_lens: &line.token_byte_lens,
            answer,
            targets: &targets,
            reward: line.reward,
        };
        let refuse = |error: AdvantageError| Rejection::new(field(&error), error);
        let lexicon = assigner
            .lexicon(targets.iter().map(|title| self.names(title)))
            .map_err(refuse)?;
        let credit = assigner.assign(&rollout, &lexicon).map_err(refuse)?;
        let steps = credit.annotated.segments.iter().zip(&credit.steps);
        let segments = steps.map(|(segment, step)| Span {
            start: segment.span.start,
            end: segment.span.end,
            kind: segment.kind,
            penalised: step.penalised,
        });
        Ok(Segmented {
            id: line.id,
            segments: segments.collect(),
            token_rewards: credit.token_rewards,
        })
    }

    /// A target's names: the released decrease mode knows titles with their year only.
    fn names(&self, title: &str) -> ItemNames {
        match self.mentions {
            Mentions::Title => ItemNames::from_title(title),
            Mentions::Substring => ItemNames::new(title),
        }
    }

    /// Reads answers in terms of the targets.
    fn reader(&self, targets: &[String]) -> Result<AnswerReader, Rejection> {
        let items = targets
            .iter()
            .map(|title| Item::new(title.as_str(), title.as_str()));
        let catalogue = Catalogue::new(items.collect())
            .map_err(|error| Rejection::new("ground_truth", error))?;
        Ok(AnswerReader::new(
            Arc::new(catalogue),
            self.title_match,
            self.answer,
        ))
    }
}

/// The titles, each once, without blanks around them.
fn distinct(titles: Titles) -> Vec<String> {
    let all: Vec<String> = match titles {
        Titles::Each(titles) => titles.iter().map(|title| title.trim().to_owned()).collect(),
        Titles::Joined(text) => {
            let entries = list_entries(&text, 0..text.len()).into_iter();
            entries.map(|entry| entry.text.into_owned()).collect()
        }
    };
    let mut distinct: Vec<String> = Vec::with_capacity(all.len());
    for title in all {
        if !title.is_empty() && !distinct.contains(&title) {
            distinct.push(title);
        }
    }
    distinct
}

/// The field of the line that an error is about.
fn field(error: &AdvantageError) -> &'static str {
    match error {
        AdvantageError::ByteLengths { .. } => "token_byte_lens",
        AdvantageError::NonFiniteReward { .. } => "reward",
        AdvantageError::Blank { .. } => "ground_truth",
        _ => "response",
    }
}
