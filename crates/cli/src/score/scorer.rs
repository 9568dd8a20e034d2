//! Scoring one line.

use std::sync::Arc;

use rerec::Choice;
use rerec_rewards::{
    Answer, Catalogue, DualGraphConfig, DualGraphReward, Error, Reward, RewardBreakdown, Sample,
};
use serde_json::value::RawValue;

use super::{Args, Line, Scored, Sources};
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
    let candidates = line.candidates.as_deref();
    let choice = Choice::resolve(reward.reader(), &line.ground_truth, candidates)?;
    let sample = Sample {
        query: line.id.get(),
        response: &line.response,
        targets: &choice.targets,
        candidates: choice.candidates.as_deref(),
    };
    match reward.score(&[sample]).pop() {
        Some(Ok(breakdown)) => Ok(breakdown),
        // The cause alone: the message of the sample names the query, which the number of the line
        // tells already. Only targets can make the reward refuse; no response does.
        Some(Err(Error::Sample { cause, .. })) => Err(Rejection::new("ground_truth", cause)),
        Some(Err(error)) => Err(Rejection::new("response", error)),
        None => Err(Rejection::new("response", "not scored")),
    }
}

impl Line {
    /// A reward over the candidates or, where there are none, the ground truth.
    fn own_reward(&self, config: &DualGraphConfig) -> Result<DualGraphReward, Rejection> {
        let candidates = self.candidates.as_deref();
        // The catalogue is made of this field, which is at fault where that is refused.
        let field = candidates.map_or("ground_truth", |_| "candidates");
        let reward = || -> rerec::Result<DualGraphReward> {
            let catalogue = Choice::own_catalogue(&self.ground_truth, candidates)?;
            let reward = DualGraphReward::new(config.clone(), Arc::new(catalogue), None, None)?;
            Ok(reward)
        };
        reward().map_err(|error| Rejection::new(field, error))
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

impl From<rerec::Error> for Rejection {
    fn from(error: rerec::Error) -> Self {
        let field = match &error {
            rerec::Error::UnknownTitle { what, .. } | rerec::Error::AmbiguousTitle { what, .. }
                if *what == "candidates" =>
            {
                "candidates"
            }
            _ => "ground_truth",
        };
        match error {
            rerec::Error::Advantage(error) => error.into(),
            error => Self::new(field, error),
        }
    }
}
