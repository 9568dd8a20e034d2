//! Prints the stubs that the extension module in the library given says of itself.
//!
//! An example and no task: what reads libraries need not be compiled before everything else.
#![allow(clippy::print_stdout, reason = "the stubs go to standard output")]
#![allow(clippy::print_stderr, reason = "a program reports on standard error")]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let library = std::env::args_os().nth(1).unwrap_or_default();
    match stubs(Path::new(&library)) {
        Ok(stubs) => {
            print!("{stubs}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprint!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn stubs(library: &Path) -> Result<String, String> {
    let module = pyo3_introspection::introspect_cdylib(library, "_rerec");
    let module = module.map_err(|error| format!("{error:#}"))?;
    let files = pyo3_introspection::module_stub_files(&module);
    let stubs = files.into_values().next();
    stubs.ok_or_else(|| "no module".to_owned())
}
