//! The paper's rule: a step that names the wrong answer failed to exclude it.

use serde::{Deserialize, Serialize};

use super::{Annotated, CreditRule, Ratios};
use crate::error::{Result, check_at_least_0};
use crate::segment::SegmentKind;

/// Settings of [`StepPenalty`] and [`Decrease`](crate::Decrease).
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

/// The step penalty of the paper (section on reasoning-aware advantage, `w_penalty`).
///
/// Of a response with a wrong answer, a reasoning segment that names a recommended item which is no
/// target keeps `min_ratio` of the reward, every other token `max_ratio`. A right answer keeps
/// `max_ratio` everywhere; without an answer, or without targets to judge it by, all keep the
/// whole reward.
#[derive(Debug, Clone)]
pub struct StepPenalty {
    config: RatioConfig,
}

impl StepPenalty {
    /// Checks the settings.
    ///
    /// # Errors
    /// A ratio that is negative or not finite.
    pub fn new(config: RatioConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { config })
    }
}

impl CreditRule for StepPenalty {
    fn name(&self) -> &'static str {
        "step-penalty"
    }

    fn ratios(&self, response: &Annotated<'_>) -> Ratios {
        let RatioConfig {
            min_ratio,
            max_ratio,
        } = self.config;
        let is_right = match &response.judged.answer {
            Some(answer) if !response.judged.targets.is_empty() => answer.is_right,
            _ => return Ratios::Uniform(1.0),
        };
        // As in the released code: a maximum other than 1 scales right answers too.
        if is_right {
            return Ratios::Uniform(max_ratio);
        }
        let ratio = |(index, segment): (usize, &crate::Segment)| {
            let reasons = segment.kind == SegmentKind::Reasoning;
            if reasons && names_wrong_item(response, index) {
                min_ratio
            } else {
                max_ratio
            }
        };
        let ratios = response.segments.iter().enumerate().map(ratio).collect();
        Ratios::PerSegment {
            ratios,
            elsewhere: max_ratio,
        }
    }
}

fn names_wrong_item(response: &Annotated<'_>, segment: usize) -> bool {
    let mut named = response
        .mentions_in(segment)
        .iter()
        .filter_map(|m| response.item(m));
    // Each recommended item by itself: of a list with a right and a wrong one, only steps for the wrong one failed.
    named.any(|item| item.is_recommended && !item.is_target)
}
