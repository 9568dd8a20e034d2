//! The crate's error type.

/// Anything that keeps a report from being made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The records of the run cannot be read.
    #[error(transparent)]
    Run(#[from] rerec_trainer::Error),
    /// A file of the report cannot be written.
    #[error(transparent)]
    Files(#[from] rerec_files::Error),
    /// A metric does not exist, or answers cannot be measured by it.
    #[error(transparent)]
    Metric(#[from] rerec_rewards::Error),
    /// A chart cannot be drawn.
    #[error("cannot draw the chart {title:?}: {what}")]
    Chart {
        /// Its title.
        title: String,
        /// What the drawing library says.
        what: String,
    },
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;
