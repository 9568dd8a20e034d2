//! The ReRec training loop: rollouts, reward, advantages, update, curriculum.
//!
//! A thin crate: each part lives in a crate of its own, and the policy is known by its trait alone.
//! [`Trainer`] runs a supervised warm start, then reinforcement, and leaves a run folder behind with
//! metrics, rollouts, learning curves and a checkpoint it can go on from. With the feature `torch`,
//! [`Job`] builds all parts from one configuration file.
#![forbid(unsafe_code)]

mod chart;
mod checkpoint;
mod config;
mod credit;
mod curves;
mod error;
mod evaluation;
#[cfg(feature = "torch")]
mod job;
mod observer;
mod record;
mod run_folder;
mod state;
mod table;
mod trainer;
mod warm_start;

pub use config::{
    AdvantageConfig, CurriculumMetric, EvaluationConfig, ModelShape, ReinforcementConfig,
    TrainConfig, WarmStartConfig,
};
pub use error::{Error, Result};
pub use evaluation::{Accuracy, Evaluation, Phase};
#[cfg(feature = "torch")]
pub use job::Job;
pub use observer::{Event, Observer, Silent};
pub use record::{EpochRecord, MetricsRecord, RolloutRecord, SegmentRecord};
pub use table::accuracy_table;
pub use trainer::{Outcome, Task, Trainer};
