//! Scoring one line.

use std::sync::Arc;

use rerec::Choice;
use rerec_rewards::{
    Answer, Catalogue, DualGraphConfig, DualGraphReward, Error, Reward, RewardBreakdown, Sample,
};
use serde_json::value::RawValue;

use super::{Line, Question, RewardArgs, Scored, Sources};
use crate::error::Failure;
use crate::filter::Rejection;

/// The reward over one catalogue, or the settings for one over each question's own.
pub(crate) enum Scorer {
    Shared(Box<DualGraphReward>),
    PerQuestion(DualGraphConfig),
}

impl Scorer {
    pub(crate) fn new(args: &RewardArgs) -> Result<Self, Failure> {
        let sources = Sources::read(args)?;
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
                Self::PerQuestion(config)
            }
        })
    }

    pub(super) fn score_line(&self, line: Line) -> Result<Scored, Rejection> {
        let question = Question {
            ground_truth: line.ground_truth,
            candidates: line.candidates,
        };
        let breakdown = self.score(line.id.get(), &line.response, &question)?;
        Ok(Scored::new(line.id, breakdown))
    }

    /// Scores one response.
    pub(crate) fn score(
        &self,
        query: &str,
        response: &str,
        question: &Question,
    ) -> Result<RewardBreakdown, Rejection> {
        match self {
            Self::Shared(reward) => score(reward, query, response, question),
            Self::PerQuestion(config) => {
                score(&question.own_reward(config)?, query, response, question)
            }
        }
    }
}

fn score(
    reward: &DualGraphReward,
    query: &str,
    response: &str,
    question: &Question,
) -> Result<RewardBreakdown, Rejection> {
    let candidates = question.candidates.as_deref();
    let choice = Choice::resolve(reward.reader(), &question.ground_truth, candidates)?;
    let sample = Sample {
        query,
        response,
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

impl Question {
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
