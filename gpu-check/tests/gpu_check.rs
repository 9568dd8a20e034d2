//! The GPU check as far as a machine without a GPU takes it: tiny sizes on the CPU, parts that cannot run, crash or hang.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Report {
    parts: BTreeMap<String, Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    outcome: String,
    reason: Option<String>,
    seconds: f64,
    lines: Vec<Value>,
}

impl Report {
    fn ours(&self) -> impl Iterator<Item = (&String, &Part)> {
        let is_ours = |name: &str| name != "machine" && !name.ends_with("by transformers");
        self.parts.iter().filter(move |(name, _)| is_ours(name))
    }

    fn lines(&self, start: &str) -> Vec<&Value> {
        let named = self.ours().filter(|(name, _)| name.starts_with(start));
        named.flat_map(|(_, part)| &part.lines).collect()
    }
}

/// The report and its page; nothing where there is no Python.
fn run(binary: &Path, words: &[&str]) -> Option<(Report, String)> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/run.py"))
        .args(words)
        .arg("--binary")
        .arg(binary)
        .arg("--output")
        .arg(folder.path())
        .env("OMP_NUM_THREADS", "1")
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no python3");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    let report = serde_json::from_str(&read("gpu-check.json")).unwrap();
    Some((report, read("gpu-check.md")))
}

fn checker() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_gpu-check"))
}

/// A checker that is a shell script.
fn script(folder: &Path, text: &str) -> std::path::PathBuf {
    let (source, script) = (folder.join("source"), folder.join("gpu-check"));
    fs::write(&source, format!("#!/bin/sh\n{text}\n")).unwrap();
    // Another process writes it: a program that this one has open for writing in any thread cannot be started.
    let mut install = Command::new("install");
    install.arg("-m755").args([&source, &script]);
    assert!(install.status().unwrap().success());
    script
}

#[test]
fn every_part_runs_in_tiny_sizes_on_the_cpu() {
    let Some((report, page)) = run(checker(), &["--tiny", "--device", "cpu"]) else {
        return;
    };
    for (name, part) in report.ours() {
        assert_eq!(part.outcome, "done", "{name}: {part:?}");
        assert!(!part.lines.is_empty(), "{name}");
    }
    for line in report.lines("parity ") {
        assert_eq!(line["beyond"], Value::Array(Vec::new()), "{line}");
        assert!(line["comparisons"].as_u64().unwrap() > 1, "{line}");
    }
    assert_eq!(report.lines("parity ").len(), 9);
    assert_eq!(report.lines("bandwidth").len(), 8);
    assert_eq!(report.lines("bandwidth")[0]["share_of_copy"], 1.0);
    let rows: Vec<&Value> = report
        .lines("generate ")
        .iter()
        .map(|l| &l["rows"])
        .collect();
    assert_eq!(rows, [1, 4]);
    assert_eq!(report.lines("step ").len(), 2);
    for line in report.lines("step ") {
        assert_eq!(line["tokens"], 32);
        let seconds = |name: &str| line[format!("{name}_seconds")].as_f64().unwrap();
        assert!(
            seconds("sampling") > 0.0 && seconds("update") > 0.0,
            "{line}"
        );
    }
    for words in [
        "| decode_attention | 16 | all hold |",
        "\n| copy | 2.1 |",
        "\n| tiny, rerec-policy ",
        "| 100 % |",
    ] {
        assert!(page.contains(words), "{words} is not in {page}");
    }
}

#[test]
fn a_part_says_what_it_could_not_do() {
    if rerec_policy::ops::has_kernels() {
        eprintln!("skipped: there is a GPU");
        return;
    }
    let Some((report, page)) = run(checker(), &["--tiny"]) else {
        return;
    };
    for (name, part) in report.ours() {
        assert_eq!(part.outcome, "failed", "{name}");
        let reason = part.reason.as_deref().unwrap();
        let expected = match name.starts_with("step ") || name.starts_with("generate ") {
            true => "device must be cpu: there is no such GPU, got cuda:0",
            false => "there is no GPU: libtorch sees none",
        };
        assert_eq!(reason, expected, "{name}");
        assert!(page.contains(&format!("| {name} |")), "{name}");
    }
    assert!(page.contains("Nothing was measured."), "{page}");
}

#[test]
fn a_crash_and_a_hang_cost_no_other_part_and_not_what_was_measured_before() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
line() { echo "{\"compared\": \"$1\", \"comparisons\": 1, \"beyond\": [], \"worst\": null}"; }
case "$1 $2" in
"parity rms_norm") line first; echo '{"half'; sleep 100;;
"parity rotate") line second; echo "a fault" >&2; kill -SEGV $$;;
"parity "*) line "$2";;
*) exit 1;;
esac"#;
    let binary = script(folder.path(), text);
    // A tenth of the usual time.
    let Some((report, page)) = run(&binary, &["--tiny", "--seconds", "47"]) else {
        return;
    };
    let part = |name: &str| &report.parts[name];
    let slow = part("parity rms_norm");
    assert_eq!((slow.outcome.as_str(), slow.lines.len()), ("too slow", 1));
    assert_eq!(slow.reason.as_deref(), Some("stopped after 4 s"));
    assert!(slow.seconds < 50.0, "{slow:?}");
    let crashed = part("parity rotate");
    assert_eq!(crashed.outcome, "failed");
    let reason = "killed by SIGSEGV; its last words: a fault";
    assert_eq!(crashed.reason.as_deref(), Some(reason));
    assert_eq!(part("parity swiglu").outcome, "done");
    assert_eq!(part("step tiny").reason.as_deref(), Some("it said nothing"));
    for name in ["first", "second", "swiglu", "draw"] {
        assert!(
            page.contains(&format!("| {name} | 1 | all hold |")),
            "{page}"
        );
    }
}

#[test]
fn parts_that_have_no_time_left_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let binary = script(folder.path(), "exit 0");
    let Some((report, _)) = run(&binary, &["--tiny", "--seconds", "0.5"]) else {
        return;
    };
    for (name, part) in report.ours() {
        assert_eq!(part.outcome, "not run", "{name}");
        let reason = "the 0.5 s of all parts were used up";
        assert_eq!(part.reason.as_deref(), Some(reason), "{name}");
    }
}
