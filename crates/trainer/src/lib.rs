#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod abilities;
mod ablation;
mod answers;
mod assistant;
mod baseline;
mod checkpoint;
mod config;
mod correction;
mod engine;
mod error;
mod evaluation;
mod evaluator;
pub mod files;
#[cfg(feature = "torch")]
mod job;
mod ledger;
mod observer;
#[cfg(feature = "torch")]
mod plan;
#[cfg(feature = "torch")]
mod prompt_lengths;
mod query_table;
mod record;
mod resume;
mod reward_source;
mod run;
mod state;
mod tensorboard;
mod trainer;
mod warm_start;

pub use abilities::{
    Abilities, AbilityTest, Instruction, InstructionAnswer, PassageScore, QuestionAnswer,
};
pub use ablation::{Ablation, AblationConfig, AblationRun, Arm, ArmOutcome, ArmRun, World};
pub use answers::{AnswerRecord, JudgedAnswer, WrittenResponse};
pub use assistant::{Advice, Asked, Assistant};
pub use baseline::{Baseline, BaselineRecord};
pub use config::{
    AdvantageConfig, BestBy, CheckpointConfig, EvaluationConfig, OverlongConfig, OverlongPrompts,
    ReadingConfig, ReinforcementConfig, TrainConfig, WarmStartConfig,
};
pub use correction::SamplerCorrection;
pub use engine::Engine;
pub use error::{Error, Result};
pub use evaluation::{Evaluation, Phase, Scores};
pub use evaluator::Evaluator;
#[cfg(feature = "torch")]
pub use job::{Job, Start};
pub use observer::{Event, Observer, Silent, Verdict};
#[cfg(feature = "torch")]
pub use plan::Plan;
pub use record::{
    EpochRecord, GroupKind, GroupRecord, MetricsRecord, QueryRecord, RefillRecord, ResponseRecord,
    SamplerRecord, TimingRecord, UpdateRecord, WarmStartRecord,
};
pub use reward_source::{EmbeddingSource, GraphSource, RewardSource};
pub use run::{Kept, Records, Run};
pub use trainer::{Outcome, Task, Trainer};
