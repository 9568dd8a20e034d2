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
    /// A tokenizer cannot be read, or refuses a prompt.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Policy(#[from] rerec_policy::Error),
    /// A run cannot go on.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Run(#[from] rerec_trainer::Error),
    /// The tables and pictures of a run cannot be made.
    #[error(transparent)]
    Report(#[from] rerec_report::Error),
    /// Ctrl-C cannot be listened to.
    #[cfg(feature = "torch")]
    #[error("cannot listen for Ctrl-C")]
    Interrupt(#[from] ctrlc::Error),
    /// The curriculum refuses its settings, its data set or its state.
    #[error(transparent)]
    Curriculum(#[from] rerec_curriculum::Error),
}

impl Failure {
    /// 1 when the machine failed, 2 when the input or the settings are at fault.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Read(_) | Self::Write(_) => ExitCode::from(1),
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
