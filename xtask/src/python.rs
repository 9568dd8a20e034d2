//! What Python is used for here: pip downloads wheels, and an installed PyTorch is looked up.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;

use crate::cache::Cache;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::wheel::Wheel;

pub(crate) const PYTHON: &str = "python3";

/// Every pip takes the same file, whatever Python it belongs to.
const PIP_DOWNLOAD: &str = "-m pip download --quiet --progress-bar off --disable-pip-version-check --no-input \
    --no-cache-dir --retries 2 --no-deps --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311";

/// Prints the folder of an installed PyTorch whose library loads.
const FIND_TORCH: &str = "
import ctypes, importlib.util, os, sys
torch = importlib.util.find_spec('torch')
if torch and torch.origin:
    folder = os.path.dirname(torch.origin)
    ctypes.CDLL(os.path.join(folder, sys.argv[1]))
    print(folder)
";

/// What pip prints when the index does not answer.
const NETWORK_FAULTS: [&str; 6] = [
    "connection broken by",
    "Failed to establish",
    "Max retries exceeded",
    "timed out",
    "Connection aborted",
    "from versions: none",
];

pub(crate) const DISK_FAULTS: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// Whether wheels can be downloaded at all, which is asked before anybody is sent to free disk space.
pub(crate) fn require(environment: &Environment) -> Result<()> {
    match environment.has_program(PYTHON) {
        true => Ok(()),
        false => Err(Error::NoPython),
    }
}

/// Downloads a wheel into the cache; `bar` starts at the bytes of the wheels before it.
pub(crate) fn download(
    environment: &Environment,
    cache: &Cache,
    wheel: &Wheel,
    bar: &ProgressBar,
) -> Result<()> {
    let partial = cache.partial_download()?;
    let log = partial.path().join("log");
    let status = run(
        pip(environment, partial.path(), &log, wheel)?,
        partial.path(),
        bar,
    )?;
    let file = partial.path().join(wheel.file);
    match status.success() && file.exists() {
        true => cache.keep(&file, wheel),
        false => Err(diagnose(&log, wheel)),
    }
}

fn pip(environment: &Environment, folder: &Path, log: &Path, wheel: &Wheel) -> Result<Command> {
    let output = File::create(log).map_err(Error::io("create", log))?;
    let errors = output.try_clone().map_err(Error::io("open", log))?;
    let mut command = environment.command(PYTHON);
    command.args(PIP_DOWNLOAD.split_whitespace());
    command.args([
        "--platform",
        wheel.platform(),
        "--dest",
        ".",
        &wheel.requirement(),
    ]);
    // pip writes to a temporary folder first: here it is on the right disk, and its growth is seen.
    command
        .env("TMPDIR", folder)
        .env("PIP_REQUIRE_VIRTUALENV", "false");
    command.current_dir(folder).stdout(output).stderr(errors);
    Ok(command)
}

/// Runs pip to its end, showing how the download in `folder` grows.
fn run(mut pip: Command, folder: &Path, bar: &ProgressBar) -> Result<ExitStatus> {
    let start = bar.position();
    let mut child = pip.spawn().map_err(spawn_error)?;
    loop {
        let status = child.try_wait().map_err(spawn_error)?;
        bar.set_position(start + largest_file(folder));
        if let Some(status) = status {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

pub(crate) fn spawn_error(source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::NoPython,
        _ => Error::Start {
            command: PYTHON.to_owned(),
            source,
        },
    }
}

/// Size of the largest file below `folder`; what vanishes meanwhile counts as nothing.
fn largest_file(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => largest_file(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.max().unwrap_or(0)
}

/// Finds the cause in what pip printed.
fn diagnose(log: &Path, wheel: &Wheel) -> Error {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line_with = |faults: &[&str]| {
        text.lines()
            .find(|line| faults.iter().any(|fault| line.contains(fault)))
    };
    if text.contains("No module named pip") {
        Error::NoPip
    } else if line_with(&DISK_FAULTS).is_some() {
        Error::NoSpaceLeft {
            place: log.parent().unwrap_or(log).to_owned(),
        }
    } else if let Some(line) = line_with(&NETWORK_FAULTS) {
        Error::NoNetwork {
            wheel: wheel.file,
            reason: system_error(line).to_owned(),
        }
    } else {
        let reason = text
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or("no message");
        Error::Pip {
            wheel: wheel.file,
            reason: reason.trim_start_matches("ERROR: ").to_owned(),
        }
    }
}

/// The heart of a line such as `… connection: [Errno -2] Name or service not known'))': /simple/torch/`.
fn system_error(line: &str) -> &str {
    let from_number = line.find("[Errno").and_then(|start| line.get(start..));
    let heart = from_number.and_then(|text| text.split('\'').next());
    heart.unwrap_or_else(|| line.trim_start_matches("ERROR: "))
}

/// The folder of the PyTorch that is installed for python3, if its `library` loads.
pub(crate) fn installed_torch(environment: &Environment, library: &str) -> Option<PathBuf> {
    let mut python = environment.command(PYTHON);
    // Not the folder of the user, which may hold a torch.py.
    let outcome = python
        .args(["-c", FIND_TORCH, library])
        .current_dir("/")
        .output()
        .ok()?;
    let text = String::from_utf8(outcome.stdout).ok()?;
    let folder = PathBuf::from(text.trim_end_matches('\n'));
    (outcome.status.success() && folder.is_absolute()).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Machine;
    use crate::pins::RECBOLE;
    use crate::progress;

    fn failure(machine: &Machine) -> String {
        let cache = Cache::open(&machine.environment.cache).unwrap();
        let bar = progress::bytes("Downloading", RECBOLE.bytes);
        let failure = download(&machine.environment, &cache, &RECBOLE, &bar)
            .unwrap_err()
            .to_string();
        assert!(!failure.contains('\n'), "{failure}");
        failure
    }

    fn failure_of(script: &str) -> String {
        let machine = Machine::new();
        machine.program("python3", script);
        failure(&machine)
    }

    #[test]
    fn no_python() {
        let failure = failure(&Machine::new());
        assert!(
            failure.starts_with("no Python: `python3` is not on PATH"),
            "{failure}"
        );
        assert!(
            failure.contains("apt install python3 python3-pip"),
            "{failure}"
        );
    }

    #[test]
    fn no_pip() {
        let failure = failure_of("echo '/usr/bin/python3: No module named pip' >&2; exit 1");
        assert!(failure.starts_with("python3 has no pip"), "{failure}");
        assert!(failure.contains("apt install python3-pip"), "{failure}");
    }

    #[test]
    fn no_network() {
        let failure = failure_of(
            "/bin/cat >&2 <<'END'\n\
             WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection \
             broken by 'NewConnectionError('<HTTPSConnection object at 0x7fb1>: Failed to establish a new connection: \
             [Errno -2] Name or service not known')': /simple/recbole/\n\
             ERROR: Could not find a version that satisfies the requirement recbole==1.2.1 (from versions: none)\n\
             ERROR: No matching distribution found for recbole==1.2.1\n\
             END\n\
             exit 1",
        );
        let cause = "no network: pip cannot reach the package index for recbole-1.2.1-py3-none-any.whl \
                     ([Errno -2] Name or service not known); check the connection";
        assert!(failure.starts_with(cause), "{failure}");
    }

    #[test]
    fn a_disk_that_fills_up_meanwhile() {
        let failure = failure_of(
            "echo 'ERROR: Could not install: [Errno 28] No space left on device' >&2; exit 1",
        );
        assert!(
            failure.starts_with("disk full: no space left to write "),
            "{failure}"
        );
    }

    #[test]
    fn a_version_that_the_index_lacks() {
        let failure = failure_of(
            "echo 'ERROR: No matching distribution found for recbole==1.2.1' >&2; exit 1",
        );
        let cause = "pip could not download recbole-1.2.1-py3-none-any.whl: \
                     No matching distribution found for recbole==1.2.1; check `python3 -m pip config list`";
        assert!(failure.starts_with(cause), "{failure}");
    }

    #[test]
    fn a_pip_that_does_nothing() {
        let failure = failure_of("exit 0");
        assert!(
            failure.contains("recbole-1.2.1-py3-none-any.whl: no message"),
            "{failure}"
        );
    }

    #[test]
    fn every_pip_is_asked_for_the_same_file() {
        let machine = Machine::new();
        machine.program("python3", "echo \"$@\" >&2; exit 1");
        let asked = failure(&machine);
        for words in [
            "-m pip download",
            "--no-deps",
            "--only-binary=:all:",
            "--implementation cp --python-version 3.11 --abi cp311 --platform any",
            "recbole==1.2.1",
        ] {
            assert!(asked.contains(words), "{asked}");
        }
    }
}
