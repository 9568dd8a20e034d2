//! The crate's error type.

use std::io;
use std::path::{Path, PathBuf};

use rerec_rewards::ItemId;
use rerec_text::QueryId;

/// Anything that can stop a training run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting lies outside its range.
    #[error("{setting} must be {allowed}, got {got}")]
    InvalidSetting {
        /// The setting.
        setting: String,
        /// What it may be.
        allowed: String,
        /// What it was given.
        got: String,
    },
    /// Settings, or settings and data, that contradict each other.
    #[error("{what}")]
    Contradiction {
        /// Which, and what would do.
        what: String,
    },
    /// A configuration that cannot be read; the cause names key and line.
    #[error("cannot read the settings in {}", path.display())]
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
    #[error("cannot access {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file could not be read or written whole.
    #[error(transparent)]
    Files(#[from] rerec_files::Error),
    /// A file of a run folder that does not hold what it should.
    #[error("{}: {what}", path.display())]
    InvalidFile {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: String,
    },
    /// A run folder that already holds a run.
    #[error("{} already holds a run: resume it, or give this one another name", path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// No run to read or to resume.
    #[error("{} holds no run", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A run without the checkpoint that was asked for.
    #[error("{} has {what}", path.display())]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
        /// What it lacks.
        what: &'static str,
    },
    /// A run resumed with settings that may not change.
    #[error(
        "{} was begun with other settings: {what}. Only the length of a run, its threads, checkpoints and evaluations may change",
        path.display()
    )]
    OtherSettings {
        /// The folder.
        path: PathBuf,
        /// Every key that differs.
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
        query: QueryId,
        /// The item.
        item: ItemId,
    },
    /// A user of whom nothing is known.
    #[error("user {user} has no choices in the data")]
    UnknownUser {
        /// The user.
        user: String,
    },
    /// A checkpoint names a query that the data do not have.
    #[error("query {query} of the checkpoint is not in the data")]
    UnknownQuery {
        /// The query.
        query: QueryId,
    },
    /// No response of a step or an evaluation could be scored.
    #[error("no response could be scored; the first failure")]
    NothingScored {
        /// The first failure.
        #[source]
        first: rerec_rewards::Error,
    },
    /// The policy failed.
    #[error(transparent)]
    Policy(#[from] rerec_policy::Error),
    /// The reward or the item embeddings failed.
    #[error(transparent)]
    Reward(#[from] rerec_rewards::Error),
    /// The assessment of responses failed.
    #[error(transparent)]
    Assessment(#[from] rerec::Error),
    /// The curriculum failed.
    #[error(transparent)]
    Curriculum(#[from] rerec_curriculum::Error),
    /// The data set failed.
    #[error(transparent)]
    Dataset(#[from] rerec_datasets::Error),
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn contradiction(what: impl Into<String>) -> Self {
        Self::Contradiction { what: what.into() }
    }
}

/// Refuses a setting that fails its check.
pub(crate) fn check(
    ok: bool,
    setting: &str,
    got: impl std::fmt::Display,
    allowed: &str,
) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::InvalidSetting {
        setting: setting.to_owned(),
        allowed: allowed.to_owned(),
        got: got.to_string(),
    })
}
