//! The paper's rule: a step that names the wrong answer failed to exclude it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Annotated, CreditRule, Ratios};
use crate::error::{Result, check_at_least_0};
use crate::segment::sentence::Sentences;
use crate::segment::{SegmentKind, Segmenter};

/// Settings of [`Decrease`](crate::Decrease).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RatioConfig {
    /// The least that a token keeps of its reward, `1 - w_penalty`, at least 0. Default 0.7.
    pub min_ratio: f64,
    /// The most that a token keeps of its reward, at least 0. Default 1.
    pub max_ratio: f64,
}

impl Default for RatioConfig {
    fn default() -> Self {
        Self {
            min_ratio: 0.7,
            max_ratio: 1.0,
        }
    }
}

impl RatioConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_at_least_0("min_ratio", self.min_ratio)?;
        check_at_least_0("max_ratio", self.max_ratio)
    }
}

/// Settings of [`StepPenalty`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepPenaltyConfig {
    /// The least that a token keeps of its reward, `1 - w_penalty`, at least 0. Default 0.7.
    pub min_ratio: f64,
    /// The most that a token keeps of its reward, at least 0. Default 1.
    pub max_ratio: f64,
    /// What is penalised. Default `steps`, as in the paper.
    pub on: Penalised,
}

impl Default for StepPenaltyConfig {
    fn default() -> Self {
        RatioConfig::default().into()
    }
}

impl From<RatioConfig> for StepPenaltyConfig {
    fn from(ratios: RatioConfig) -> Self {
        let RatioConfig {
            min_ratio,
            max_ratio,
        } = ratios;
        Self {
            min_ratio,
            max_ratio,
            on: Penalised::Steps,
        }
    }
}

/// What of a response a [`StepPenalty`] falls on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Penalised {
    /// Each step that names a wrongly recommended item, all of it (the paper's).
    #[default]
    Steps,
    /// The last sentence of each such step: of "\[2\] Heat: crime yes, comedy no. It fits." what was concluded, not what was checked.
    Verdicts,
    /// The first such step alone: those behind it follow from it.
    FirstStep,
}

/// The step penalty of the paper (section on reasoning-aware advantage, `w_penalty`).
///
/// Of a response with a wrong answer, a reasoning segment that names a recommended item which is no
/// target keeps `min_ratio` of the reward, every other token `max_ratio`; [`Penalised`] narrows that down. A right answer keeps
/// `max_ratio` everywhere; without an answer, or without targets to judge it by, all keep the
/// whole reward.
///
/// ```
/// use rerec_advantage::{
///     CreditAssigner, CreditConfig, ItemNames, JudgedAnswer, JudgedResponse, Penalised, RuleConfig, StepPenaltyConfig,
/// };
///
/// let judged = JudgedResponse {
///     response: "Heat: crime yes, comedy no. It fits.\n\\boxed{Heat}",
///     token_byte_lens: &[27, 9, 1, 12],
///     answer: Some(JudgedAnswer { span: 37..49, items: &["Heat (1995)"], is_right: false }),
///     targets: &["Ed (1996)"],
///     reward: 0.5,
/// };
/// let token_rewards = |on| {
///     let rules = vec![RuleConfig::StepPenalty(StepPenaltyConfig { on, ..Default::default() })];
///     let assigner = CreditAssigner::new(CreditConfig { rules, ..Default::default() })?;
///     let lexicon = assigner.lexicon(["Heat (1995)", "Ed (1996)"].map(ItemNames::from_title))?;
///     Ok::<_, rerec_advantage::Error>(assigner.assign(&judged, &lexicon)?.token_rewards)
/// };
/// assert_eq!(token_rewards(Penalised::Steps)?, [0.35, 0.35, 0.5, 0.5]);
/// assert_eq!(token_rewards(Penalised::Verdicts)?, [0.5, 0.35, 0.5, 0.5]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StepPenalty {
    config: StepPenaltyConfig,
}

impl StepPenalty {
    /// Checks the settings.
    ///
    /// # Errors
    /// A ratio that is negative or not finite.
    pub fn new(config: StepPenaltyConfig) -> Result<Self> {
        let StepPenaltyConfig {
            min_ratio,
            max_ratio,
            ..
        } = config;
        RatioConfig {
            min_ratio,
            max_ratio,
        }
        .check()?;
        Ok(Self { config })
    }
}

impl CreditRule for StepPenalty {
    fn name(&self) -> &'static str {
        "step-penalty"
    }

    fn ratios(&self, response: &Annotated<'_>) -> Ratios {
        let StepPenaltyConfig {
            min_ratio,
            max_ratio,
            on,
        } = self.config;
        let is_right = match &response.judged.answer {
            Some(answer) if !response.judged.targets.is_empty() => answer.is_right,
            _ => return Ratios::Uniform(1.0),
        };
        // As in the released code: a maximum other than 1 scales right answers too.
        if is_right {
            return Ratios::Uniform(max_ratio);
        }
        let mut wrong: Vec<usize> = (0..response.segments.len())
            .filter(|&index| response.segments[index].kind == SegmentKind::Reasoning)
            .filter(|&index| names_wrong_item(response, index))
            .collect();
        if on == Penalised::FirstStep {
            wrong.truncate(1);
        }
        let elsewhere = max_ratio;
        if on == Penalised::Verdicts {
            let verdicts = wrong
                .iter()
                .map(|&index| (verdict(response, index), min_ratio));
            return Ratios::PerSpan {
                ratios: verdicts.collect(),
                elsewhere,
            };
        }
        let mut ratios = vec![max_ratio; response.segments.len()];
        for index in wrong {
            ratios[index] = min_ratio;
        }
        Ratios::PerSegment { ratios, elsewhere }
    }
}

/// The bytes of the last sentence of a segment.
fn verdict(response: &Annotated<'_>, segment: usize) -> Range<usize> {
    let content = response.segments[segment].content.clone();
    let text = response
        .judged
        .response
        .get(content.clone())
        .unwrap_or_default();
    let last = Sentences.segment(text).pop();
    last.map_or(content.clone(), |sentence| {
        content.start + sentence.content.start..content.start + sentence.content.end
    })
}

fn names_wrong_item(response: &Annotated<'_>, segment: usize) -> bool {
    let mut named = response
        .mentions_in(segment)
        .iter()
        .filter_map(|m| response.item(m));
    // Each recommended item by itself: of a list with a right and a wrong one, only steps for the wrong one failed.
    named.any(|item| item.is_recommended && !item.is_target)
}
