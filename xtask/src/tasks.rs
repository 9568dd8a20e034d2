//! The tasks of `cargo xtask`.

use std::process::Command;

use crate::bench_policy;
use crate::bundle::Bundle;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::films;
use crate::gpu_check;
use crate::libtorch::{self, Device};
use crate::pins::{MOVIELENS, SMOLLM2};
use crate::program::{cargo, check, hand_over};
use crate::progress::say;
use crate::python_package;
use crate::torch_version::TORCH_VERSION;

/// What `cargo xtask help` prints.
pub const HELP: &str = "\
Tasks of the project; those that need libtorch set it up themselves.

cargo xtask setup             install libtorch 2.11.0 for CPUs into .libtorch (544 MB to download, 0.5 GB on disk)
cargo xtask setup --cuda      the same with CUDA 13.0 (2.5 GB to download, 3.7 GB on disk)
cargo xtask quickstart [ARG]  train a recommender: rerec train configs/quickstart.toml ARG...
cargo xtask movielens [ARG]   the same on MovieLens-100K and the people of its films: rerec train configs/movielens.toml ARG...
cargo xtask ablation [ARG]    compare ReRec, its parts and other estimators over seeds: rerec ablation configs/ablation.toml ARG...
cargo xtask test [ARG]        pass every test: cargo test --workspace --features rerec-policy/cuda ARG...; fetches SmolLM2-135M for one (93 MB, into data)
cargo xtask bench-policy [OPTION]
                              time and memory of rerec-policy beside transformers, TRL and PEFT, in target/bench-policy
  --only generate|step|lora|cost   one part of it
  --rounds N                       how often each side is measured, in turn; 3 unless given
  --quick                          tiny sizes, to see that all works
  --python PATH                    a Python that has the packages of benches/policy/requirements.txt; without it they are
                                   installed into .bench-venv
cargo xtask bench-peers [OPTION]
                              the Python package beside ranx, pytrec_eval, RecBole, verl, TRL and networkx, in target/bench-peers;
                              --help names the options
cargo xtask gpu-check --bundle FOLDER
                              packs what checks the CUDA kernels and measures a training step on another machine, one that has
                              a GPU and PyTorch 2.11.0 with CUDA 13 and needs no network: at most 60 MiB, at most 8 minutes there
cargo xtask python            the Python package: builds its wheel for release in target/wheels, and passes its tests in .python-venv
cargo xtask python --dev      the same with the development build of the workspace, which tests have made already
cargo xtask python --stubs    writes the stubs of its extension module from the code
cargo xtask python --trl      trains a tiny model for three steps with TRL and the wheel, on a CPU, and passes the tests of the
                              adapters, in .peers-venv (5 GB)
cargo xtask ci                what has to pass before a change is merged: format, lints, documentation, packages, tests; on a CPU
                              with AVX-512 the tests once more as on one without
cargo xtask help              print this

Set-up uses, in this order: the folder that LIBTORCH names, the PyTorch 2.11.0 that is installed for python3, or wheels
from PyPI, fetched by pip and checked by sha256. Downloads are kept in ~/.cache/rerec and may be deleted at any time.
Afterwards plain cargo needs no variable. Called again it does nothing; an interrupted set-up is repaired.
";

/// Runs the task that the words after `cargo xtask` name.
///
/// # Errors
/// No such task, a failed set-up, a failed program.
pub fn run(words: &[&str], environment: &Environment) -> Result<()> {
    match words {
        ["setup"] => set_up(environment, Device::Cpu),
        ["setup", "--cuda"] => set_up(environment, Device::Cuda),
        ["quickstart", rest @ ..] => rerec(["train", "configs/quickstart.toml"], rest, environment),
        ["movielens", rest @ ..] => movielens(rest, environment),
        ["ablation", rest @ ..] => rerec(["ablation", "configs/ablation.toml"], rest, environment),
        ["test", rest @ ..] => test(rest, environment),
        ["bench-policy", rest @ ..] => bench_policy::run(rest, environment),
        ["bench-peers", rest @ ..] => python_package::bench_peers(rest, environment),
        ["gpu-check", rest @ ..] => gpu_check::run(rest, environment),
        ["python", rest @ ..] => python_package::run(rest, environment),
        ["ci"] => ci(environment),
        _ => Err(Error::UnknownTask {
            given: words.join(" "),
        }),
    }
}

fn set_up(environment: &Environment, device: Device) -> Result<()> {
    let folder = libtorch::set_up(environment, device)?;
    say(format_args!(
        "libtorch {} is ready in {}",
        TORCH_VERSION,
        folder.display()
    ));
    Ok(())
}

/// Builds the command and hands over to it.
fn rerec(task: [&str; 2], rest: &[&str], environment: &Environment) -> Result<()> {
    libtorch::set_up(environment, Device::Cpu)?;
    let words = [
        "run",
        "--release",
        "--package",
        "rerec-cli",
        "--bin",
        "rerec",
        "--",
    ];
    hand_over(cargo(&[&words, &task[..], rest].concat(), environment))
}

fn movielens(rest: &[&str], environment: &Environment) -> Result<()> {
    fetch(&MOVIELENS, "data/ml-100k", environment)?;
    films::fetch(environment)?;
    rerec(["train", "configs/movielens.toml"], rest, environment)
}

fn fetch(bundle: &Bundle, folder: &str, environment: &Environment) -> Result<()> {
    let folder = environment.root.join(folder);
    match bundle.is_installed(&folder) {
        true => Ok(()),
        false => bundle.install(environment, &folder),
    }
}

/// The CUDA kernels are linted and, where NVRTC is found, compiled by tests on machines without a GPU too.
pub(crate) const WITH_KERNELS: &str = "rerec-policy/cuda";

const TEST: [&str; 4] = ["test", "--workspace", "--features", WITH_KERNELS];

fn test(rest: &[&str], environment: &Environment) -> Result<()> {
    prepare_tests(environment)?;
    hand_over(cargo(&[&TEST, rest].concat(), environment))
}

fn prepare_tests(environment: &Environment) -> Result<()> {
    libtorch::set_up(environment, Device::Cpu)?;
    // Without a network all other tests still run.
    if let Err(error) = fetch(&SMOLLM2, "data/smollm2", environment) {
        say(format_args!(
            "{} was not fetched, its test is skipped: {error}",
            SMOLLM2.name
        ));
    }
    Ok(())
}

/// The metrics of ranked lists compile without graphs, embeddings and threads.
const METRICS_ALONE: [&str; 6] = [
    "check",
    "--package",
    "rerec-rewards",
    "--no-default-features",
    "--features",
    "ranking",
];

/// Parquet is in the wheel, and not in the tests of the workspace, which need not build it.
const PARQUET: [&str; 7] = [
    "test",
    "--package",
    "rerec-datasets",
    "--features",
    "parquet",
    "--test",
    "parquet",
];

/// Every library and the command make a package, with all files that they include; nothing is compiled or sent.
const PACKAGES: [&str; 16] = [
    "package",
    "--workspace",
    "--exclude",
    "rerec-benches",
    "--exclude",
    "rerec-examples",
    "--exclude",
    "rerec-gpu-check",
    "--exclude",
    "rerec-tests",
    "--exclude",
    "xtask",
    "--exclude",
    "rerec-python",
    "--no-verify",
    "--allow-dirty",
];

fn ci(environment: &Environment) -> Result<()> {
    check(cargo(&["fmt", "--all", "--check"], environment))?;
    // The lints need the headers of libtorch; the tests reuse what is compiled for them.
    set_up(environment, Device::Cpu)?;
    let lint = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        WITH_KERNELS,
        "--",
        "--deny",
        "warnings",
    ];
    check(cargo(&lint, environment))?;
    let mut document = cargo(
        &[
            "doc",
            "--workspace",
            "--no-deps",
            "--features",
            WITH_KERNELS,
        ],
        environment,
    );
    document.env("RUSTDOCFLAGS", "--deny warnings");
    check(document)?;
    check(cargo(&METRICS_ALONE, environment))?;
    check(cargo(&PACKAGES, environment))?;
    prepare_tests(environment)?;
    check(cargo(&TEST, environment))?;
    if has_avx512() {
        check(as_without_avx512(cargo(&TEST, environment)))?;
    }
    check(cargo(&PARQUET, environment))?;
    python_package::run(&["--dev"], environment)
}

/// Numbers have to hold on every CPU, and libtorch and oneDNN choose other code where AVX-512 is missing.
fn as_without_avx512(mut command: Command) -> Command {
    say("The tests once more, as on a CPU without AVX-512");
    command.env("ATEN_CPU_CAPABILITY", "avx2");
    command.env("ONEDNN_MAX_CPU_ISA", "AVX2");
    command
}

fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}
