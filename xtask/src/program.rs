//! Programs that tasks run.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::progress::say;

pub(crate) fn cargo(words: &[&str], environment: &Environment) -> Command {
    let mut command = Command::new(&environment.cargo);
    command.args(words).current_dir(&environment.root);
    command
}

/// Runs a program to its end.
pub(crate) fn check(mut command: Command) -> Result<()> {
    let line = line(&command);
    say(format_args!("==> {line}"));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Command {
            command: line,
            status,
        }),
        Err(source) => Err(Error::Start {
            command: line,
            source,
        }),
    }
}

/// Lets a program take the place of this process, so that Ctrl-C and the exit status are its own.
pub(crate) fn hand_over(mut command: Command) -> Result<()> {
    let line = line(&command);
    say(format_args!("==> {line}"));
    Err(Error::Start {
        command: line,
        source: command.exec(),
    })
}

/// The program's name, without its folder, and its words.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words: Vec<_> = std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}
