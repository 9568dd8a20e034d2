#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod checkpoint;
mod config;
mod engine;
mod error;
mod evaluation;
mod evaluator;
pub mod files;
#[cfg(feature = "torch")]
mod job;
mod ledger;
mod observer;
mod query_table;
mod record;
mod resume;
mod reward_source;
mod run;
mod state;
mod trainer;
mod warm_start;

pub use config::{
    AdvantageConfig, BestBy, CheckpointConfig, EvaluationConfig, ReinforcementConfig, TrainConfig,
    WarmStartConfig,
};
pub use engine::Engine;
pub use error::{Error, Result};
pub use evaluation::{Accuracy, Evaluation, Phase};
pub use evaluator::Evaluator;
#[cfg(feature = "torch")]
pub use job::{Job, Start};
pub use observer::{Event, Observer, Silent, Verdict};
pub use record::{
    EpochRecord, GroupKind, GroupRecord, MetricsRecord, QueryRecord, ResponseRecord, UpdateRecord,
};
pub use reward_source::{EmbeddingSource, GraphSource, RewardSource};
pub use run::{Records, Run};
pub use trainer::{Outcome, Task, Trainer};
