#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod config;
mod curriculum;
mod difficulty;
mod draw;
mod error;
mod order;
mod pool;
mod query;
mod reconcile;
mod schedule;
pub mod simulator;
mod state;
mod statistics;

pub use config::{
    CurriculumConfig, DifficultyConfig, MetricConfig, MixturePart, OrderConfig, PartialBatch,
    Recheck, TooFew,
};
pub use curriculum::Curriculum;
pub use difficulty::{DifficultyEstimator, Estimate, Round};
pub use error::{Error, Result};
pub use order::{Candidates, Order};
pub use query::QuerySpec;
pub use reconcile::Reconciliation;
pub use rerec_text::QueryId;
pub use state::STATE_VERSION;
pub use statistics::{ClassStatistics, EpochStatistics, HISTOGRAM_BINS, PoolStatistics};
