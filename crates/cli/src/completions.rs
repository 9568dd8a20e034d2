//! `rerec completions`: what a shell proposes.

use std::io;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::Cli;

/// Print what lets a shell complete this command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rerec completions bash > ~/.local/share/bash-completion/completions/rerec")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) {
    generate(args.shell, &mut Cli::command(), "rerec", &mut io::stdout());
}
