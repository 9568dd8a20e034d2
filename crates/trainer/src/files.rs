//! Names of the files in a run's folder.

/// The settings.
pub const CONFIG: &str = "config.toml";
/// A [`WarmStartRecord`](crate::WarmStartRecord) per step of the warm start.
pub const WARM_START: &str = "warm_start.jsonl";
/// A [`MetricsRecord`](crate::MetricsRecord) per step.
pub const METRICS: &str = "metrics.jsonl";
/// A [`GroupRecord`](crate::GroupRecord) per query of a step.
pub const ROLLOUTS: &str = "rollouts.jsonl";
/// A [`QueryRecord`](crate::QueryRecord) per query that was asked.
pub const QUERIES: &str = "queries.jsonl";
/// An [`EpochRecord`](crate::EpochRecord) per epoch of the curriculum.
pub const EPOCHS: &str = "epochs.jsonl";
/// An [`Evaluation`](crate::Evaluation) per evaluation.
pub const EVALUATIONS: &str = "evaluations.jsonl";
/// A [`BaselineRecord`](crate::BaselineRecord) per baseline.
pub const BASELINES: &str = "baselines.jsonl";
/// A [`TimingRecord`](crate::TimingRecord) per step.
pub const TIMINGS: &str = "timings.jsonl";
