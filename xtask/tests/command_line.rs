//! The tasks as a user types them, with a cargo that only tells what it was asked for.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A checkout without libtorch; the user has one elsewhere.
struct Checkout(TempDir);

impl Checkout {
    fn new() -> Self {
        let checkout = Self(tempfile::tempdir().unwrap());
        let libtorch = checkout.0.path().join("libtorch");
        for (name, text) in [
            (
                "include/torch/headeronly/version.h",
                "#define TORCH_VERSION \"2.11.0\"",
            ),
            ("lib/libtorch_cpu.so", ""),
        ] {
            write(&libtorch.join(name), text);
        }
        checkout
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        let script = self.0.path().join(name);
        let source = script.with_extension("sh");
        write(&source, &format!("#!/bin/sh\n{text}\n"));
        // Another process writes the program, see `fake::Machine::program`.
        let install = Command::new("install")
            .arg("-m755")
            .args([&source, &script])
            .status();
        assert!(install.unwrap().success());
        script
    }

    /// Runs a task with `cargo` played by a shell command, the words it is given in `$*`.
    fn xtask(&self, words: &[&str], cargo: &str) -> Output {
        let script = self.program("cargo", cargo);
        // Nothing is downloaded.
        self.program("python3", "exit 1");
        let path = std::env::var("PATH").unwrap();
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(words)
            .env("CARGO_MANIFEST_DIR", self.0.path().join("xtask"))
            .env("CARGO", script)
            .env("LIBTORCH", self.0.path().join("libtorch"))
            .env("XDG_CACHE_HOME", self.0.path().join("cache"))
            .env("PATH", format!("{}:{path}", self.0.path().display()))
            // Tests are passed once more with it on a CPU that has AVX-512.
            .env_remove("ATEN_CPU_CAPABILITY")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn quickstart_trains_in_the_root_and_passes_words_on() {
    let checkout = Checkout::new();
    let output = checkout.xtask(
        &["quickstart", "--set", "seed=7"],
        "pwd; echo \"$*\"; exit 3",
    );
    let root = checkout.0.path().canonicalize().unwrap();
    let command = "run --release --package rerec-cli --bin rerec -- train configs/quickstart.toml --set seed=7";
    assert_eq!(stdout(&output), format!("{}\n{command}\n", root.display()));
    assert_eq!(
        output.status.code(),
        Some(3),
        "the status is that of the run"
    );
}

#[test]
fn test_runs_every_test_of_the_workspace() {
    let output = Checkout::new().xtask(&["test", "--", "--nocapture"], "echo \"$*\"");
    assert_eq!(
        stdout(&output),
        "test --workspace --features rerec-policy/cuda -- --nocapture\n"
    );
    assert!(output.status.success());
    let skipped = "SmolLM2-135M-Instruct was not fetched, its test is skipped: ";
    assert!(stderr(&output).contains(skipped), "{}", stderr(&output));
}

#[test]
fn ci_denies_warnings_and_ends_with_the_tests_of_the_python_package() {
    let script = "echo \"$* $RUSTDOCFLAGS$ATEN_CPU_CAPABILITY\"";
    let output = Checkout::new().xtask(&["ci"], script);
    let expected = "fmt --all --check \n\
                    clippy --workspace --all-targets --features rerec-policy/cuda -- --deny warnings \n\
                    doc --workspace --no-deps --features rerec-policy/cuda --deny warnings\n\
                    check --package rerec-rewards --no-default-features --features ranking \n\
                    package --workspace --exclude rerec-benches --exclude rerec-examples --exclude rerec-gpu-check --exclude rerec-tests --exclude xtask \
                    --exclude rerec-python --no-verify --allow-dirty \n\
                    test --workspace --features rerec-policy/cuda \n";
    let printed = &stdout(&output);
    let rest = printed.strip_prefix(expected).expect(printed);
    let again = "test --workspace --features rerec-policy/cuda avx2\n";
    let rest = rest.strip_prefix(again).unwrap_or(rest);
    let parquet = "test --package rerec-datasets --features parquet --test parquet \n";
    let rest = rest.strip_prefix(parquet).expect(printed);
    let module = "build --workspace --lib --test golden_rewards --features rerec-policy/cuda \n";
    assert_eq!(rest, module);
    // There is no package in this checkout.
    let missing = "bindings/python/python/rerec/_rerec.pyi";
    assert!(stderr(&output).contains(missing), "{}", stderr(&output));
}

#[test]
fn ci_stops_at_the_first_failure() {
    let output = Checkout::new().xtask(&["ci"], "echo \"$1\"; [ \"$1\" = fmt ]");
    assert_eq!(stdout(&output), "fmt\nclippy\n");
    let failure = "error: `cargo clippy --workspace --all-targets --features rerec-policy/cuda -- --deny warnings` failed (exit status: 1)\n";
    assert!(stderr(&output).ends_with(failure), "{}", stderr(&output));
    assert!(!output.status.success());
}

#[test]
fn an_unknown_task_is_named() {
    let output = Checkout::new().xtask(&["setup", "--gpu"], "exit 1");
    assert_eq!(
        stderr(&output),
        "error: unknown task `setup --gpu`: `cargo xtask help` lists the tasks\n"
    );
    assert!(!output.status.success());
}

#[test]
fn help_names_every_task() {
    for words in [&["help"][..], &["--help"], &[]] {
        let output = Checkout::new().xtask(words, "exit 1");
        for task in [
            "setup",
            "setup --cuda",
            "quickstart",
            "movielens",
            "python",
            "test",
            "bench-policy",
            "gpu-check",
            "ci",
        ] {
            assert!(
                stdout(&output).contains(&format!("\ncargo xtask {task} ")),
                "{task}"
            );
        }
        assert!(output.status.success());
    }
}
