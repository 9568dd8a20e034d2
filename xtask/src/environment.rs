//! What a task may know of the machine it runs on.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The machine as the tasks see it; tests make one of their own.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Root of the checkout.
    pub root: PathBuf,
    /// Where downloads are kept.
    pub cache: PathBuf,
    /// `PATH`, where programs are looked up.
    pub path: OsString,
    /// A libtorch of the user's own, from `LIBTORCH`.
    pub libtorch: Option<PathBuf>,
    /// C++ compiler, from `CXX`, else `c++`.
    pub compiler: String,
    /// The running cargo.
    pub cargo: OsString,
    /// Processor architecture, as Rust names it.
    pub arch: &'static str,
    /// Operating system, as Rust names it.
    pub os: &'static str,
}

impl Environment {
    /// Reads the variables of this process.
    pub fn from_process() -> Self {
        let root = root();
        Self {
            cache: cache(&root),
            path: env::var_os("PATH").unwrap_or_default(),
            libtorch: own_libtorch(&root),
            compiler: env::var("CXX").unwrap_or_else(|_| "c++".to_owned()),
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            arch: env::consts::ARCH,
            os: env::consts::OS,
            root,
        }
    }

    /// The folder that plain cargo takes libtorch from, see `.cargo/config.toml`.
    pub fn libtorch_folder(&self) -> PathBuf {
        self.root.join(".libtorch")
    }

    /// A program that is looked up on this environment's `PATH`.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.env("PATH", &self.path);
        command
    }

    /// Whether `program` is a path to a file or the name of one on `PATH`.
    pub(crate) fn has_program(&self, program: &str) -> bool {
        env::split_paths(&self.path).any(|folder| folder.join(program).is_file())
    }
}

fn root() -> PathBuf {
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = PathBuf::from(manifest);
    manifest.parent().unwrap_or(&manifest).to_owned()
}

/// `$XDG_CACHE_HOME/rerec`, else `~/.cache/rerec`, else a folder of the checkout.
fn cache(root: &Path) -> PathBuf {
    let home = || env::home_dir().map(|home| home.join(".cache"));
    env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(home)
        .map_or_else(
            || root.join("target/downloads"),
            |cache| cache.join("rerec"),
        )
}

/// `LIBTORCH`, unless it is the value that cargo gives it where the user has set none.
fn own_libtorch(root: &Path) -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("LIBTORCH").filter(|value| !value.is_empty())?);
    (folder != root.join(".libtorch")).then_some(folder)
}
