//! The crate's error type.

use std::path::PathBuf;

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
    /// A folder without any file of a run.
    #[error("{} holds no records of a run", path.display())]
    NoRecords {
        /// The folder.
        path: PathBuf,
    },
    /// What the page is to show cannot be packed.
    #[error("cannot pack the data of the page")]
    Packing(#[from] serde_json::Error),
    /// The folder for the charts cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
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
