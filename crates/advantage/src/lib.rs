//! Reasoning-aware advantage estimation: from responses and their rewards to one advantage per token.
//!
//! A [`CreditAssigner`] splits a response into steps ([`Segmenter`]), finds the items that each names ([`Lexicon`]) and
//! gives every token the part of the reward that its step earned ([`CreditRule`]). An [`AdvantageEstimator`] compares
//! the [`TokenRewards`] of a group. An [`Explanation`] shows both, step by step.
#![forbid(unsafe_code)]

mod advantages;
mod batch;
mod common_word;
mod credit;
mod error;
mod estimator;
mod explain;
mod group;
mod mention;
mod ragged;
mod segment;

pub use advantages::{AdvantageValues, Advantages};
pub use batch::RolloutBatch;
pub use credit::assigner::{Credit, CreditAssigner, StepCredit};
pub use credit::config::{CreditConfig, RuleConfig};
pub use credit::decrease::{Decay, Decrease, DecreaseConfig};
pub use credit::rejection::{RejectedCandidate, RejectedTarget, RejectionConfig};
pub use credit::step_penalty::{Penalised, RatioConfig, StepPenalty, StepPenaltyConfig};
pub use credit::{Annotated, CreditRule, JudgedAnswer, JudgedResponse, MentionedItem, Ratios};
pub use error::{Error, Result};
pub use estimator::config::{EstimatorConfig, Preset};
pub use estimator::gae::{Gae, GaeConfig};
pub use estimator::group_relative::{
    Baseline, BaselineConfig, GroupBaseline, Grpo, GrpoConfig, Singleton,
};
pub use estimator::pass_at_k::PassAtK;
pub use estimator::raae::Raae;
pub use estimator::reinforce_pp::{
    MaskedGap, ReinforcePp, ReinforcePpBaseline, ReinforcePpBaselineConfig, ReinforcePpConfig,
};
pub use estimator::remax::Remax;
pub use estimator::spread::{SpreadConfig, StdOver};
pub use estimator::statistics::Std;
pub use estimator::whitening::{VarianceGuard, WhiteningConfig};
pub use estimator::{AdvantageEstimator, Needs, RewardLevel};
pub use explain::{ExplainedStep, Explanation, NamedItem};
pub use group::Groups;
pub use mention::lexicon::Lexicon;
pub use mention::{Mention, MentionMode};
pub use ragged::{Ragged, TokenMask, TokenRewards};
#[cfg(feature = "tokenizers")]
pub use rerec_text::TokenBytes;
pub use rerec_text::{ItemNames, LossyText, TokenSpans, lossy_text};
pub use segment::marker::StepMarkers;
pub use segment::nested::{Nested, Split};
pub use segment::paragraph::Paragraphs;
pub use segment::sentence::Sentences;
pub use segment::tag::ThinkTags;
pub use segment::{Segment, SegmentKind, Segmenter, cut_answer};

/// The code of the README, kept running.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
