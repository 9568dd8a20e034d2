//! `cargo xtask python`: the Python package, its wheel, its stubs and its tests.

mod stubs;
mod wheel_file;

use std::fs;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::libtorch::{self, Device};
use crate::program::{cargo, check};
use crate::tasks::WITH_KERNELS;
use crate::virtual_environment::{VirtualEnvironment, pip_install};

/// The package below the root of the checkout.
const PACKAGE: &str = "bindings/python";

/// What builds and tests it: numpy is all that it needs to run.
const TESTS: VirtualEnvironment = VirtualEnvironment {
    requirements: "bindings/python/requirements.txt",
    folder: ".python-venv",
    whole: true,
};

/// The trainers that it plugs into, and what it is measured beside.
const PEERS: VirtualEnvironment = VirtualEnvironment {
    requirements: "bindings/python/requirements-peers.txt",
    folder: ".peers-venv",
    whole: true,
};

/// Runs the task that the words behind `cargo xtask python` name.
///
/// # Errors
/// Other words; packages that cannot be installed; a failed build or test; stubs that are not those of the code.
pub(crate) fn run(words: &[&str], environment: &Environment) -> Result<()> {
    match words {
        [] => test(release(environment)?, TESTS, "tests", environment),
        ["--dev"] => test(development(environment)?, TESTS, "tests", environment),
        ["--stubs"] => stubs::write(&build_library(environment)?, environment),
        ["--trl"] => with_trainers(environment),
        _ => Err(Error::Options {
            task: "python",
            given: words.join(" "),
            expected: "nothing, --dev, --stubs or --trl",
        }),
    }
}

/// `cargo xtask bench-peers`: the package beside other libraries of Python, as `bindings/python/benches/peers` measures it; `words` are options
/// of that program.
///
/// # Errors
/// Packages that cannot be installed, a failed build or measurement.
pub(crate) fn bench_peers(words: &[&str], environment: &Environment) -> Result<()> {
    let python = install(&release(environment)?, PEERS, environment)?;
    let folder = environment.root.join("target/bench-peers");
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let mut bench = environment.command(&python);
    bench
        .arg(environment.root.join(PACKAGE).join("benches/peers"))
        .arg("--output")
        .arg(folder.join("peers.md"))
        .args(words);
    check(bench)
}

/// Installs a wheel and passes the tests in a folder of the package.
fn test(
    wheel: PathBuf,
    packages: VirtualEnvironment,
    tests: &str,
    environment: &Environment,
) -> Result<()> {
    let python = install(&wheel, packages, environment)?;
    pytest(&python, tests, environment)
}

fn with_trainers(environment: &Environment) -> Result<()> {
    let python = install(&release(environment)?, PEERS, environment)?;
    pytest(&python, "tests/trainers", environment)?;
    let mut train = environment.command(&python);
    train.arg(
        environment
            .root
            .join(PACKAGE)
            .join("examples/train_with_trl.py"),
    );
    check(train)
}

fn install(
    wheel: &Path,
    packages: VirtualEnvironment,
    environment: &Environment,
) -> Result<PathBuf> {
    let python = packages.set_up(environment)?;
    let mut install = pip_install(&python, environment);
    install
        // The same version with other contents is another wheel.
        .args(["--quiet", "--no-deps", "--force-reinstall"])
        .arg(wheel);
    check(install)?;
    Ok(python)
}

fn pytest(python: &Path, tests: &str, environment: &Environment) -> Result<()> {
    let mut pytest = environment.command(python);
    let folder = environment.root.join(PACKAGE);
    pytest.args(["-m", "pytest", "--quiet", tests]);
    check_in(pytest, &folder)
}

fn check_in(mut command: std::process::Command, folder: &Path) -> Result<()> {
    command.current_dir(folder);
    check(command)
}

/// The wheel that users get. What a module says of itself is lost in a release build: the stubs are compared by `--dev`.
fn release(environment: &Environment) -> Result<PathBuf> {
    let python = TESTS.set_up(environment)?;
    let wheels = environment.root.join("target/wheels");
    let mut build = environment.command(&python);
    build
        .args(["-m", "maturin", "build", "--release", "--out"])
        .arg(&wheels);
    check_in(build, &environment.root.join(PACKAGE))?;
    wheel_file::newest(&wheels)
}

/// A wheel of the development build, for tests on the machine that builds it.
fn development(environment: &Environment) -> Result<PathBuf> {
    let library = build_library(environment)?;
    stubs::check(&library, environment)?;
    let python = TESTS.set_up(environment)?;
    wheel_file::pack(&library, &python, environment)
}

/// The extension module.
fn build_library(environment: &Environment) -> Result<PathBuf> {
    libtorch::set_up(environment, Device::Cpu)?;
    build(&["--lib"], environment)?;
    Ok(environment.root.join("target/debug/lib_rerec.so"))
}

/// Builds with the features that the tests of the workspace were built with: that way nothing but the target itself is compiled for
/// it. maturin would build its dependencies anew, with the features that it alone asks for.
fn build(target: &[&str], environment: &Environment) -> Result<()> {
    // A test among what is built, a quick one: with it cargo takes the features of development dependencies, as it did for all tests.
    let with_tests = ["--test", "golden_rewards", "--features", WITH_KERNELS];
    let words = [&["build", "--workspace"], target, &with_tests].concat();
    check(cargo(&words, environment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Machine;

    #[test]
    fn other_words_are_refused() {
        let machine = Machine::new();
        let refused = run(&["--release"], &machine.environment).unwrap_err();
        let message = "python takes nothing, --dev, --stubs or --trl; got `--release`";
        assert_eq!(refused.to_string(), message);
    }
}
