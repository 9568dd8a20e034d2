//! Settings of steps, mentions and rules.

use serde::{Deserialize, Serialize};

use super::CreditRule;
use super::decrease::{Decrease, DecreaseConfig};
use super::rejection::{RejectedCandidate, RejectedTarget, RejectionConfig};
use super::step_penalty::{StepPenalty, StepPenaltyConfig};
use crate::error::Result;
use crate::mention::MentionMode;
use crate::segment::nested::Split;

/// Settings of a [`CreditAssigner`](crate::CreditAssigner).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CreditConfig {
    /// How a response is split into steps, the outermost splitter first. Default paragraphs.
    pub split: Vec<Split>,
    /// What counts as naming an item. Default `title`.
    pub mentions: MentionMode,
    /// The rules, whose ratios multiply. Default the step penalty alone; none keeps all rewards.
    pub rules: Vec<RuleConfig>,
}

impl Default for CreditConfig {
    fn default() -> Self {
        Self {
            split: vec![Split::Paragraph],
            mentions: MentionMode::Title,
            rules: vec![RuleConfig::StepPenalty(StepPenaltyConfig::default())],
        }
    }
}

/// A rule with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "rule", rename_all = "snake_case")]
pub enum RuleConfig {
    /// [`StepPenalty`].
    StepPenalty(StepPenaltyConfig),
    /// [`Decrease`].
    Decrease(DecreaseConfig),
    /// [`RejectedCandidate`].
    RejectedCandidate(RejectionConfig),
    /// [`RejectedTarget`].
    RejectedTarget(RejectionConfig),
}

rerec_text::word_or_table!(
    RuleConfig,
    "rule",
    r#""step_penalty", "decrease", or a table such as { rule = "rejected_candidate", ratio = 1.1 } (or "rejected_target")"#,
    |word| match word {
        "step_penalty" => Some(RuleConfig::StepPenalty(StepPenaltyConfig::default())),
        "decrease" => Some(RuleConfig::Decrease(DecreaseConfig::default())),
        _ => None,
    }
);

impl RuleConfig {
    pub(super) fn build(self) -> Result<Box<dyn CreditRule>> {
        Ok(match self {
            Self::StepPenalty(config) => Box::new(StepPenalty::new(config)?),
            Self::Decrease(config) => Box::new(Decrease::new(config)?),
            Self::RejectedCandidate(config) => Box::new(RejectedCandidate::new(config)?),
            Self::RejectedTarget(config) => Box::new(RejectedTarget::new(config)?),
        })
    }
}
