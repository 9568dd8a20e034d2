//! `rerec segment`: the steps of each response and the reward of each token.

use std::collections::HashSet;
use std::sync::Arc;

use rerec::{Crediter, ResponseText, Titles};
use rerec_advantage::{
    CreditAssigner, CreditConfig, Decay, DecreaseConfig, MentionMode, RatioConfig, RejectionConfig,
    RuleConfig, SegmentKind, Split,
};
use rerec_rewards::{
    AnswerChoice, AnswerItem, AnswerReader, Catalogue, Item, ItemIndex, TitleMatch, list_titles,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Failure;
use crate::filter::{FilterArgs, Rejection};
use crate::score::named;

/// Split responses into steps and give each token the part of the reward that its step earned
///
/// An answer is right if the first item in its box is in the ground truth. Where it is wrong, a step that names an item of the box
/// keeps only the least ratio of the reward. A line may list its "candidates": a name is then not taken for a shorter one inside
/// it, and --reject-candidate knows what may be rejected. Rejections are read from English cue words; ratios of rules multiply.
/// The reward of the response is passed on: rerec advantage, whose help has the recipe, needs both.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  printf '%s\\n' '{\"id\":1,\"response\":\"Heat it is.\\n\\\\boxed{Heat}\",\"token_byte_lens\":[11,1,12],\"ground_truth\":[\"Up\"],\"reward\":0.5}' | rerec segment
  {\"id\":1,\"segments\":[{\"start\":0,\"end\":12,\"kind\":\"reasoning\",\"penalised\":true},{\"start\":12,\"end\":24,\"kind\":\"answer\",\"penalised\":false}],\"token_rewards\":[0.35,0.5,0.5],\"reward\":0.5}")]
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
    /// With --mode decrease: credit falls with exp(-RATE * distance in tokens) instead of linearly; the released code's is 0.03
    #[arg(long, value_name = "RATE")]
    decay_rate: Option<f64>,
    /// What a step keeps that rejects a wrong candidate, such as 1.1: credit for weighing it
    #[arg(long, value_name = "RATIO")]
    reject_candidate: Option<f64>,
    /// What a step keeps that rejects an item of the ground truth, such as 0.8
    #[arg(long, value_name = "RATIO")]
    reject_target: Option<f64>,
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
    #[serde(default)]
    candidates: Vec<String>,
    reward: f64,
}

#[derive(Serialize)]
struct Segmented {
    id: Box<RawValue>,
    segments: Vec<Span>,
    token_rewards: Vec<f64>,
    reward: f64,
}

#[derive(Serialize)]
struct Span {
    start: usize,
    end: usize,
    kind: SegmentKind,
    penalised: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.decay_rate.is_some() && args.mode != Mode::Decrease {
        return Err(Failure::UnusedDecayRate);
    }
    let config = args.config();
    // The settings are at fault now, not on each line.
    CreditAssigner::new(config.clone())?;
    args.filter.answer("id", |line| args.segment(&config, line))
}

impl Args {
    fn config(&self) -> CreditConfig {
        let ratios = RatioConfig {
            min_ratio: self.min_ratio,
            max_ratio: self.max_ratio,
        };
        let rule = match self.mode {
            Mode::Rule => RuleConfig::StepPenalty(ratios.into()),
            Mode::Decrease => RuleConfig::Decrease(DecreaseConfig {
                ratios,
                decay: self.decay_rate.map_or(Decay::Linear, Decay::Exponential),
            }),
        };
        let rejection = |rule: fn(RejectionConfig) -> RuleConfig| {
            move |ratio| rule(RejectionConfig::english(ratio))
        };
        let candidate = self
            .reject_candidate
            .map(rejection(RuleConfig::RejectedCandidate));
        let target = self
            .reject_target
            .map(rejection(RuleConfig::RejectedTarget));
        CreditConfig {
            split: self.split.clone(),
            mentions: self.mention_mode(),
            rules: [rule].into_iter().chain(candidate).chain(target).collect(),
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

    fn segment(&self, config: &CreditConfig, line: Line) -> Result<Segmented, Rejection> {
        let targets = distinct(self.targets(line.ground_truth, &line.candidates)?);
        let num_targets = targets.len();
        let catalogue = catalogue(&distinct(targets.into_iter().chain(line.candidates)))?;
        // The titles are the targets first, then the other candidates.
        let items: Vec<ItemIndex> = catalogue.iter().map(|(index, _)| index).collect();
        // Without candidates: the catalogue holds the items of this line and no others.
        let read = self.reader(&catalogue).read(&line.response, None);
        let answer = read.as_ref().and_then(|answer| {
            let first = answer.items.first()?;
            let is_right = first.index.is_some_and(|i| i.position() < num_targets);
            Some((answer, is_right))
        });
        let response = ResponseText {
            text: &line.response,
            token_byte_lens: &line.token_byte_lens,
        };
        let crediter = Crediter::new(config.clone(), &catalogue)?;
        let query = crediter.query(&items[..num_targets], Some(&items))?;
        let (segments, token_rewards) = query.credit(&response, answer, line.reward, |credit| {
            let steps = credit.annotated.segments.iter().zip(&credit.steps);
            let segments = steps.map(|(segment, step)| Span {
                start: segment.span.start,
                end: segment.span.end,
                kind: segment.kind,
                penalised: step.penalised,
            });
            (segments.collect(), credit.token_rewards)
        })?;
        Ok(Segmented {
            id: line.id,
            segments,
            token_rewards,
            reward: line.reward,
        })
    }

    /// The titles of the ground truth; one text is split where its parts are candidates.
    fn targets(&self, titles: Titles, candidates: &[String]) -> Result<Vec<String>, Rejection> {
        match titles {
            Titles::Each(titles) => Ok(titles),
            // No title is known here: the text is split by its form alone.
            Titles::Joined(text) if candidates.is_empty() => Ok(list_titles(&text)),
            Titles::Joined(text) => {
                let candidates = distinct(candidates.iter().cloned());
                let reader = self.reader(&catalogue(&candidates)?);
                let items = reader.list(&text, None).into_iter();
                let title = |item: AnswerItem| match item.index {
                    // The catalogue was made of these titles, in their order.
                    Some(index) => candidates[index.position()].clone(),
                    None => item.text,
                };
                Ok(items.map(title).collect())
            }
        }
    }

    /// Reads answers in terms of a catalogue.
    fn reader(&self, catalogue: &Arc<Catalogue>) -> AnswerReader {
        AnswerReader::new(catalogue.clone(), self.title_match, self.answer)
    }
}

/// Some titles as a catalogue, in their order.
fn catalogue(titles: &[String]) -> Result<Arc<Catalogue>, Rejection> {
    let items = titles
        .iter()
        .map(|title| Item::new(title.as_str(), title.as_str()));
    let catalogue = Catalogue::new(items.collect());
    catalogue
        .map(Arc::new)
        .map_err(|error| Rejection::new("ground_truth", error))
}

/// Texts without blanks around them, each once, in the order in which they come first.
fn distinct(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let trimmed = texts.into_iter().map(|text| text.trim().to_owned());
    trimmed
        .filter(|text| !text.is_empty() && seen.insert(text.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::distinct;

    #[test]
    fn each_title_once_in_order() {
        let titles = ["Up", " Heat ", "", "Heat", "\t", "Up", "Jaws"].map(str::to_owned);
        assert_eq!(distinct(titles), ["Up", "Heat", "Jaws"]);
    }
}
