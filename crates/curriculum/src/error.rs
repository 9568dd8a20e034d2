//! What can go wrong.

use std::path::PathBuf;

use crate::QueryId;

/// An error of this crate. The curriculum is unchanged by a call that returns one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its range.
    #[error("{setting} must be {allowed}, got {got}")]
    InvalidSetting {
        /// Path of the setting, such as `difficulty.ema.weight`.
        setting: &'static str,
        /// The value found.
        got: String,
        /// The allowed range.
        allowed: String,
    },
    /// A quota names a class that no query has.
    #[error("quotas names the class {class:?}, which no query has; the classes are {known:?}")]
    UnknownClass {
        /// The class named.
        class: String,
        /// Classes of the data set.
        known: Vec<String>,
    },
    /// There is nothing to schedule.
    #[error("the data set holds no queries")]
    NoQueries,
    /// More queries or classes than the tables can number.
    #[error("at most {allowed} {what} can be scheduled")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The largest number.
        allowed: usize,
    },
    /// Two queries share an id.
    #[error("query id {:?} occurs more than once", id.as_str())]
    DuplicateQuery {
        /// The id.
        id: QueryId,
    },
    /// A record names a query that is not in the data set.
    #[error("query id {:?} is not in the data set", id.as_str())]
    UnknownQuery {
        /// The id.
        id: QueryId,
    },
    /// A record without any rollout.
    #[error("query {:?} was recorded without any rollout", id.as_str())]
    NoRollouts {
        /// The query.
        id: QueryId,
    },
    /// A metric is NaN or outside the configured range.
    #[error("metric of rollout {rollout} of query {:?} must be in [{lowest}, {highest}], got {got}", id.as_str())]
    Metric {
        /// The query.
        id: QueryId,
        /// Position of the rollout in the record, from 0.
        rollout: usize,
        /// The value found.
        got: f64,
        /// Lower bound of the configured range.
        lowest: f64,
        /// Upper bound of the configured range.
        highest: f64,
    },
    /// A state was written by a later version of this crate.
    #[error("state version {found} is newer than {supported}, the newest this build reads")]
    FutureVersion {
        /// Version of the state.
        found: u32,
        /// Newest version this build reads.
        supported: u32,
    },
    /// A state contradicts itself.
    #[error("inconsistent state: {detail}")]
    InconsistentState {
        /// What contradicts what.
        detail: String,
    },
    /// A state file is not a curriculum state, or the first line of one is cut short.
    #[error("{} does not hold a curriculum state: {cause}", path.display())]
    StateFormat {
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped; part of the message, and so no source beside it.
        cause: serde_json::Error,
    },
    /// A state file is cut short or was damaged since it was written.
    #[error("{} is damaged: its checksum is {found}, it should be {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What its first line says.
        expected: String,
        /// What the rest of it sums up to.
        found: String,
    },
    /// A state file cannot be read or written.
    #[error("{}", with_cause(_0))]
    File(rerec_files::Error),
}

// By hand: what thiserror derives makes the error a source too, and its cause would be told twice.
impl From<rerec_files::Error> for Error {
    fn from(error: rerec_files::Error) -> Self {
        Self::File(error)
    }
}

/// The message of an error, followed by why.
fn with_cause(error: &rerec_files::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
