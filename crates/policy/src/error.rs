//! The crate's error type.

use std::{
    io,
    path::{Path, PathBuf},
};

use rerec_files::Checksum;
use rerec_text::QueryId;

/// Anything that can go wrong in a policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model that cannot be written in a format.
    #[error("this model cannot be written as GGUF: {what}")]
    NotExportable {
        /// What stands against it.
        what: String,
    },
    /// A setting lies outside its range.
    #[error("{setting} must be {allowed}, got {got}")]
    InvalidSetting {
        /// The setting.
        setting: &'static str,
        /// The value it was given.
        got: String,
        /// The values it may have.
        allowed: &'static str,
    },
    /// A query that cannot be sampled or learned from.
    #[error("query {query}: {what}")]
    InvalidQuery {
        /// Its id.
        query: QueryId,
        /// What is wrong with its prompt or with what is asked for.
        what: String,
    },
    /// A response that cannot be scored or learned from.
    #[error("query {query}, sample {sample}: {what}")]
    InvalidResponse {
        /// The query it answers.
        query: QueryId,
        /// Its index within the group.
        sample: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A supervised example that cannot be learned from.
    #[error("example {index}: {what}")]
    InvalidExample {
        /// Position in the batch.
        index: usize,
        /// What is wrong with it.
        what: String,
    },
    /// Token ids that the model cannot read.
    #[error("token ids: {what}")]
    InvalidIds {
        /// What is wrong with them.
        what: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// There is no reference policy.
    #[error(
        "no reference policy was anchored: an objective with a KL coefficient above 0 and scores by the reference need one"
    )]
    NoReference,
    /// Adapters were asked for, and there are none.
    #[error("the policy has no adapters: its configuration needs lora")]
    NoAdapter,
    /// A file could not be read or written.
    #[error("cannot access {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
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
    /// A file that cannot be read or written, or is not the one that its folder's checksums were made of.
    #[error(transparent)]
    File(#[from] rerec_files::Error),
    /// The model that a checkpoint's adapters belong to has moved.
    #[error(
        "{checkpoint} holds adapters of a model whose file {file} is missing; put the model back there"
    )]
    BaseMissing {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// Where the model's file was.
        file: PathBuf,
    },
    /// The model that a checkpoint's adapters belong to has changed.
    #[error(
        "{checkpoint} holds adapters of another model: its file {file} holds {found}, expected {expected}"
    )]
    BaseChanged {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The file that changed.
        file: PathBuf,
        /// What it held when the checkpoint was written.
        expected: Checksum,
        /// What it holds now.
        found: Checksum,
    },
    /// What the model computes stopped being a number.
    #[error("{what} is {value}; the weights were left as they were")]
    NotFinite {
        /// What is not finite.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// The tokenizer failed.
    #[cfg(feature = "tokenizer")]
    #[error("tokenizer: {0}")]
    Tokenizer(#[source] tokenizers::Error),
    /// The tokenizer's files hold no chat template.
    #[error(
        "the tokenizer has no chat template: tokenizer_config.json needs chat_template, or the folder chat_template.jinja"
    )]
    NoChatTemplate,
    /// The chat template failed.
    #[cfg(feature = "tokenizer")]
    #[error("chat template: {0}")]
    ChatTemplate(#[from] minijinja::Error),
    /// The hub did not give a file.
    #[cfg(feature = "hub")]
    #[error("cannot fetch {file} of {repo} from the Hugging Face hub")]
    Hub {
        /// The model.
        repo: String,
        /// The file.
        file: String,
        /// The cause.
        source: Box<hf_hub::api::sync::ApiError>,
    },
    /// A model on the hub without a file it cannot be loaded without.
    #[cfg(feature = "hub")]
    #[error("model {repo} at {revision} has no file {file}")]
    NotOnHub {
        /// The model.
        repo: String,
        /// The branch, tag or commit.
        revision: String,
        /// The file.
        file: String,
    },
    /// libtorch failed.
    #[cfg(feature = "torch")]
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// A tensor that a kernel cannot work on.
    #[cfg(feature = "cuda")]
    #[error("{name} is {got}, expected {expected}")]
    InvalidTensorArgument {
        /// The argument.
        name: &'static str,
        /// Kind, shape and device, or whatever else does not fit.
        got: String,
        /// What it has to be.
        expected: String,
    },
    /// A kernel does not compile.
    #[cfg(feature = "cuda")]
    #[error("kernel {name} does not compile for {architecture}: {log}")]
    Kernel {
        /// The source.
        name: &'static str,
        /// The GPU's, such as `sm_90`.
        architecture: String,
        /// The compiler's log.
        log: String,
    },
    /// Kernels cannot be compiled on this machine.
    #[cfg(feature = "cuda")]
    #[error("no CUDA kernels: {what}")]
    NoCuda {
        /// What is missing.
        what: String,
    },
    /// The CUDA driver failed.
    #[cfg(feature = "cuda")]
    #[error("cuda: {0}")]
    Cuda(#[from] cudarc::driver::DriverError),
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed access to `path`.
pub(crate) fn io_fault(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    |source| Error::Io { path, source }
}

/// Refuses a setting that fails its check.
pub(crate) fn check(
    ok: bool,
    setting: &'static str,
    got: impl std::fmt::Display,
    allowed: &'static str,
) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::InvalidSetting {
        setting,
        got: got.to_string(),
        allowed,
    })
}

#[cfg(all(feature = "torch", not(feature = "hub")))]
impl Error {
    /// A model of the hub in a build that cannot download.
    pub(crate) fn no_hub() -> Self {
        Self::InvalidSetting {
            setting: "model.kind",
            got: "hub".to_owned(),
            allowed: "fresh, folder or gguf: this build lacks the feature hub",
        }
    }
}
