//! Why a command failed, and its exit status.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::filter::Fault;

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A line of the input is faulty.
    #[error(transparent)]
    Line(#[from] Fault),
    /// Standard input cannot be read.
    #[error("cannot read standard input")]
    Read(#[source] io::Error),
    /// Standard output cannot be written.
    #[error("cannot write standard output")]
    Write(#[source] io::Error),
    /// A file cannot be read or written, or is not text.
    #[error(transparent)]
    File(#[from] rerec_files::Error),
    /// A line of a catalogue is no item.
    #[error("line {line} of {}: {cause}", path.display())]
    CatalogueLine {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it, by column.
        cause: String,
    },
    /// Two files of one command are one and the same.
    #[error("{option} names {}, which {other} names already", path.display())]
    SameFile {
        /// The option whose file is refused.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What names it too.
        other: &'static str,
    },
    /// Segments or advantages refuse their settings.
    #[error(transparent)]
    Advantage(#[from] rerec_advantage::Error),
    /// A decay rate for credit that does not decay.
    #[error("--decay-rate needs --mode decrease")]
    UnusedDecayRate,
    /// The estimator has no such setting.
    #[error("cannot set up the estimator")]
    Estimator(#[source] serde_json::Error),
    /// The reward refuses its settings or its files.
    #[error(transparent)]
    Rewards(#[from] rerec_rewards::Error),
    /// The server cannot listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A configuration does not say where the data are.
    #[error("cannot read {}", path.display())]
    DataConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// Data cannot be read or composed.
    #[error(transparent)]
    Data(#[from] rerec_datasets::Error),
    /// A configuration cannot be written as TOML.
    #[error("cannot write TOML")]
    Toml(#[source] toml::ser::Error),
    /// Nothing says who answers.
    #[error("name who answers: {ANSWERERS}")]
    NoAnswerer,
    /// Nothing says which model is meant.
    #[cfg(feature = "torch")]
    #[error("name a model: --run RUN, or --model FOLDER or FILE.gguf")]
    NoModel,
    /// A baseline is given settings of a model.
    #[error(
        "--baseline ranks items: options of models and of sampling do not belong to it; compare with a model by --against"
    )]
    OnlyForModels,
    /// A test of abilities is to be compared with what cannot be asked.
    #[cfg(feature = "torch")]
    #[error("--against {name}: --abilities compares with a run or a model only")]
    AbilitiesOfNoModel {
        /// The name.
        name: String,
    },
    /// Several answers that cannot differ, or none.
    #[cfg(feature = "torch")]
    #[error("--samples must be at least 1, and above 1 only at a --temperature above 0")]
    SamplesAlike,
    /// A name that stands for nothing.
    #[error(
        "--against {name}: there is no baseline (random, popularity, lightgcn, bm25, overlap), run, model or file of answers of that name"
    )]
    NoSuchAnswerer {
        /// The name.
        name: String,
    },
    /// Nothing says which data are meant.
    #[error("--data CONFIG is needed, a TOML file with a table [data]; only a run knows its own")]
    NoData,
    /// Nothing says which items are meant.
    #[cfg(feature = "torch")]
    #[error("--catalogue FILE is needed; only a run knows its own")]
    NoCatalogue,
    /// A number format for what is no GGUF file.
    #[cfg(feature = "torch")]
    #[error("--type belongs to a GGUF file, whose name ends in .gguf")]
    TypeWithoutGguf,
    /// A folder cannot be made or looked into.
    #[cfg(feature = "torch")]
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A run of an experiment failed.
    #[cfg(feature = "torch")]
    #[error("{run} ended with {status}; what it said is in {}", log.display())]
    AblationRun {
        /// The run.
        run: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The file with its output.
        log: PathBuf,
    },
    /// A process cannot be begun or waited for.
    #[cfg(feature = "torch")]
    #[error("cannot run a process")]
    Process(#[source] io::Error),
    /// A folder for new files holds others.
    #[cfg(feature = "torch")]
    #[error("{} holds files already; name a new folder", path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A split without queries.
    #[error("the data have no {split} queries")]
    NoQueries {
        /// The split.
        split: String,
    },
    /// A tokenizer cannot be read, or refuses a prompt.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Policy(#[from] rerec_policy::Error),
    /// A run cannot go on.
    #[error(transparent)]
    Run(#[from] rerec_trainer::Error),
    /// The tables and pictures of a run cannot be made.
    #[error(transparent)]
    Report(#[from] rerec_report::Error),
    /// A check found what keeps a run from beginning.
    #[cfg(feature = "torch")]
    #[error("the run cannot begin")]
    Unsound,
    /// A run was interrupted, and can go on.
    #[cfg(feature = "torch")]
    #[error("stopped with a checkpoint in {}; go on with --resume", run.display())]
    Stopped {
        /// Its folder.
        run: PathBuf,
    },
    /// Ctrl-C cannot be listened to.
    #[cfg(feature = "torch")]
    #[error("cannot listen for Ctrl-C")]
    Interrupt(#[source] std::io::Error),
    /// The curriculum refuses its settings, its data set or its state.
    #[error(transparent)]
    Curriculum(#[from] rerec_curriculum::Error),
}

#[cfg(feature = "torch")]
const ANSWERERS: &str = "--run RUN, --model FOLDER or FILE.gguf, or --baseline NAME";
#[cfg(not(feature = "torch"))]
const ANSWERERS: &str = "--baseline NAME; this build has no language models";

impl Failure {
    /// 1 when standard input or output fail or a check says no, 130 after an interruption, else 2: input or settings are at fault.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Read(_) | Self::Write(_) => ExitCode::from(1),
            #[cfg(feature = "torch")]
            Self::Unsound => ExitCode::from(1),
            #[cfg(feature = "torch")]
            Self::Stopped { .. }
            | Self::Run(rerec_trainer::Error::Policy(rerec_policy::Error::Cancelled))
            | Self::Policy(rerec_policy::Error::Cancelled) => ExitCode::from(130),
            _ => ExitCode::from(2),
        }
    }

    /// Whether the reader of our output went away, as `head` does.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message, followed by those of its causes.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        // Transparent variants pass on the cause of their error: no message comes twice.
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}
