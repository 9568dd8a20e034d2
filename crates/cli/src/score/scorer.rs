//! Scoring one line.

use std::collections::HashSet;
use std::sync::Arc;

use rerec_rewards::{
    Answer, AnswerReader, Catalogue, DualGraphConfig, DualGraphReward, Error, Flag, Item,
    ItemIndex, Reward, RewardBreakdown, Sample, TitleLookup, list_titles,
};
use serde_json::value::RawValue;

use super::{Args, Line, Scored, Sources, Titles};
use crate::error::Failure;
use crate::filter::Rejection;

/// The reward over one catalogue, or the settings for one over each line's own.
pub(super) enum Scorer {
    Shared(Box<DualGraphReward>),
    PerLine(DualGraphConfig),
}

impl Scorer {
    pub(super) fn new(args: &Args, sources: &Sources) -> Result<Self, Failure> {
        let config = args.config();
        let reward = |catalogue: Arc<Catalogue>| {
            DualGraphReward::new(
                config.clone(),
                catalogue,
                sources.graph.clone(),
                sources.embeddings.clone(),
            )
        };
        Ok(match &sources.catalogue {
            Some(catalogue) => Self::Shared(Box::new(reward(catalogue.clone())?)),
            None => {
                // The settings are at fault now, not on each line.
                reward(Arc::default())?;
                Self::PerLine(config)
            }
        })
    }

    pub(super) fn score(&self, line: Line) -> Result<Scored, Rejection> {
        let breakdown = match self {
            Self::Shared(reward) => score(reward, &line),
            Self::PerLine(config) => score(&line.own_reward(config)?, &line),
        };
        Ok(Scored::new(line.id, breakdown?))
    }
}

fn score(reward: &DualGraphReward, line: &Line) -> Result<RewardBreakdown, Rejection> {
    let reader = reward.reader();
    let candidates = line
        .candidates
        .as_ref()
        .map(|titles| resolve_each(reader, titles, None));
    let candidates = candidates
        .transpose()
        .map_err(|cause| Rejection::new("candidates", cause))?;
    let targets = match &line.ground_truth {
        Titles::Each(titles) => resolve_each(reader, titles, candidates.as_deref()),
        Titles::Joined(titles) => resolve_joined(reader, titles, candidates.as_deref()),
    };
    let targets = targets.map_err(|cause| Rejection::new("ground_truth", cause))?;
    let sample = Sample {
        query: line.id.get(),
        response: &line.response,
        targets: &targets,
        candidates: candidates.as_deref(),
    };
    match reward.score(&[sample]).pop() {
        Some(Ok(breakdown)) => Ok(breakdown),
        Some(Err(Error::Sample { cause, .. })) => Err(Rejection::new("ground_truth", cause)),
        Some(Err(error)) => Err(Rejection::new("response", error)),
        None => Err(Rejection::new("response", "not scored")),
    }
}

fn resolve_each(
    reader: &AnswerReader,
    titles: &[String],
    candidates: Option<&[ItemIndex]>,
) -> Result<Vec<ItemIndex>, String> {
    let resolve = |title: &String| match reader.matcher().lookup(title, candidates) {
        TitleLookup::Found(item) => Ok(item),
        TitleLookup::Ambiguous(_) => Err(format!("`{title}` stands for several items")),
        TitleLookup::Unknown => Err(format!("`{title}` is not in the catalogue")),
    };
    titles.iter().map(resolve).collect()
}

fn resolve_joined(
    reader: &AnswerReader,
    titles: &str,
    candidates: Option<&[ItemIndex]>,
) -> Result<Vec<ItemIndex>, String> {
    let items = reader.list(titles, candidates).into_iter();
    items
        .map(|item| match item.flag {
            Some(Flag::AmbiguousTitle) => Err(format!("`{}` stands for several items", item.text)),
            _ => item
                .index
                .ok_or_else(|| format!("`{}` is not in the catalogue", item.text)),
        })
        .collect()
}

impl Line {
    /// A reward over the candidates or, where there are none, the ground truth.
    fn own_reward(&self, config: &DualGraphConfig) -> Result<DualGraphReward, Rejection> {
        let (field, titles) = match (&self.candidates, &self.ground_truth) {
            (Some(titles), _) => ("candidates", titles.clone()),
            (None, Titles::Each(titles)) => ("ground_truth", titles.clone()),
            (None, Titles::Joined(titles)) => ("ground_truth", list_titles(titles)),
        };
        let mut known = HashSet::with_capacity(titles.len());
        let distinct = titles.iter().filter(|&title| known.insert(title));
        let items = distinct
            .map(|title| Item::new(title.as_str(), title.as_str()))
            .collect();
        let reward = |items| {
            DualGraphReward::new(config.clone(), Arc::new(Catalogue::new(items)?), None, None)
        };
        reward(items).map_err(|error| Rejection::new(field, error))
    }
}

impl Scored {
    fn new(id: Box<RawValue>, breakdown: RewardBreakdown) -> Self {
        let texts = |answer: Answer| answer.items.into_iter().map(|item| item.text).collect();
        Self {
            id,
            answer: breakdown.answer.map(texts),
            format: breakdown.format,
            ndcg: breakdown.ndcg,
            ranking: breakdown.ranking,
            query_alignment: breakdown.query_alignment,
            preference_alignment: breakdown.preference_alignment,
            total: breakdown.total,
            flags: breakdown.flags,
        }
    }
}
