//! The crate's error type.

use std::path::PathBuf;

/// Anything that can go wrong in a policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting lies outside its range.
    #[error("{name} must be {allowed}, got {value}")]
    InvalidConfig {
        /// The setting.
        name: &'static str,
        /// What it was given.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A batch whose parts disagree.
    #[error("sequence {index}: {what}")]
    InvalidSequence {
        /// Position in the batch.
        index: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Nothing to anchor the KL term to.
    #[error(
        "the objective has a KL coefficient of {coefficient}, but no reference policy was anchored"
    )]
    NoReference {
        /// The KL coefficient.
        coefficient: f64,
    },
    /// Adapters were asked for, and there are none.
    #[error("the policy has no adapters: its configuration needs lora")]
    NoAdapter,
    /// A file could not be read or written.
    #[error("cannot access {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file that does not hold what it should.
    #[error("{path}: {what}")]
    InvalidFile {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: String,
    },
    /// A tensor of a checkpoint that does not fit the model.
    #[error("{path}: tensor {name} {what}")]
    InvalidTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The loss or the gradient stopped being a number.
    #[error("{what} is {value} in this update; the weights were left as they were")]
    NotFinite {
        /// What is not finite.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// The tokenizer failed.
    #[cfg(feature = "torch")]
    #[error("tokenizer: {0}")]
    Tokenizer(#[source] tokenizers::Error),
    /// The tokenizer's files hold no chat template.
    #[error(
        "the tokenizer has no chat template: tokenizer_config.json needs chat_template, or the folder chat_template.jinja"
    )]
    NoChatTemplate,
    /// The chat template failed.
    #[cfg(feature = "torch")]
    #[error("chat template: {0}")]
    ChatTemplate(#[from] minijinja::Error),
    /// libtorch failed.
    #[cfg(feature = "torch")]
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Refuses a setting that fails its check.
pub(crate) fn check(
    ok: bool,
    name: &'static str,
    value: impl std::fmt::Display,
    allowed: &'static str,
) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::InvalidConfig {
        name,
        value: value.to_string(),
        allowed,
    })
}
