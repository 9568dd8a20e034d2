//! The crate's error type.

use std::path::PathBuf;

/// Anything that can stop a training run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting lies outside its range.
    #[error("{name} must be {allowed}, got {value}")]
    InvalidConfig {
        /// The setting.
        name: String,
        /// What it was given.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// A configuration that cannot be read; the cause names key and line.
    #[error("cannot read the settings in {path}")]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<toml::de::Error>,
    },
    /// An override that is not `key=value`.
    #[error("override {given:?}: {what}")]
    Override {
        /// What was given.
        given: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file could not be read or written.
    #[error("cannot access {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of a run folder that does not hold what it should.
    #[error("{path}: {what}")]
    InvalidFile {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: String,
    },
    /// A run folder that already holds a run.
    #[error("{path} already holds a run: resume it, or give this one another name")]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing to resume from.
    #[error("{path} holds no whole checkpoint to resume from")]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
    },
    /// A run resumed under other settings than it began with.
    #[error("{path} was made with other settings; resume with the same ones. What differs: {what}")]
    OtherSettings {
        /// The folder.
        path: PathBuf,
        /// The first key that differs.
        what: String,
    },
    /// A query is not one message.
    #[error("query {query}: the conversation must be one message")]
    Conversation {
        /// The query.
        query: String,
    },
    /// A query names an item that the catalogue does not have.
    #[error("query {query}: item {item} is not in the catalogue")]
    UnknownItem {
        /// The query.
        query: String,
        /// The item.
        item: String,
    },
    /// The curriculum asks for a part that the reward does not have.
    #[error("curriculum_metric asks for {name}, which the reward of query {query} does not have")]
    NoMetric {
        /// The query.
        query: String,
        /// The part.
        name: String,
    },
    /// No response of a step could be scored.
    #[error("step {step}: no response could be scored; the first failure: {first}")]
    NothingScored {
        /// The step.
        step: u64,
        /// The first failure.
        first: String,
    },
    /// A picture could not be drawn.
    #[error("{path}: {what}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        what: String,
    },
    /// The policy failed.
    #[error(transparent)]
    Policy(#[from] rerec_policy::Error),
    /// The reward failed.
    #[error(transparent)]
    Reward(#[from] rerec_rewards::Error),
    /// The advantages failed.
    #[error(transparent)]
    Advantage(#[from] rerec_advantage::Error),
    /// The curriculum failed.
    #[error(transparent)]
    Curriculum(#[from] rerec_curriculum::Error),
    /// The data set failed.
    #[error(transparent)]
    Dataset(#[from] rerec_datasets::Error),
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Refuses a setting that fails its check.
pub(crate) fn check(
    ok: bool,
    name: &str,
    value: impl std::fmt::Display,
    allowed: &str,
) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::InvalidConfig {
        name: name.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_owned(),
    })
}
