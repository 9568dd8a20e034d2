//! A run that is killed at random moments and resumed ends as one that never was.
//!
//! `REREC_KILLS=100 cargo test -p rerec-cli --test killed` kills more often.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

#[path = "shared/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tiny::tiny;

/// Everything that a run keeps: adapters, the best checkpoint, embeddings, all logs.
const KEPT: &str = r#"
evaluation = { every = 1, validation_queries = 4 }
checkpoints = { every = 1, warm_start_minutes = 0, best = "accuracy" }
policy.lora = { rank = 4, alpha = 8 }
"#;

fn train(config: &Path, resume: bool) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rerec"));
    command.arg("train").arg(config);
    if resume {
        command.arg("--resume");
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn configured(folder: &Path) -> (PathBuf, PathBuf) {
    let (config, runs) = (folder.join("tiny.toml"), folder.join("runs"));
    fs::write(&config, tiny(&runs, KEPT, 4)).unwrap();
    (config, runs.join("tiny"))
}

/// The files of a run but for checkpoints' numbers and times: a killed run writes more checkpoints.
fn outcome(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in [
        "metrics.jsonl",
        "rollouts.jsonl",
        "evaluations.jsonl",
        "epochs.jsonl",
        "queries.jsonl",
        "accuracy.md",
    ] {
        files.insert(name.to_owned(), fs::read(run.join(name)).unwrap());
    }
    let entries = fs::read_dir(run)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut checkpoints: Vec<PathBuf> = entries
        .filter(|path| path.join("policy").is_dir())
        .collect();
    checkpoints.sort();
    for (place, checkpoint) in checkpoints.iter().enumerate() {
        for name in [
            "policy/adapter/adapter_model.safetensors",
            "policy/optimizer.safetensors",
            "curriculum.json",
        ] {
            files.insert(
                format!("{place} {name}"),
                fs::read(checkpoint.join(name)).unwrap(),
            );
        }
    }
    files.insert(
        "embeddings".to_owned(),
        fs::read(run.join("item_embeddings.safetensors")).unwrap(),
    );
    files
}

#[test]
fn a_killed_run_ends_as_one_that_never_was() {
    let kills: usize = std::env::var("REREC_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let whole = tempfile::tempdir().unwrap();
    let (config, run) = configured(whole.path());
    let begun = Instant::now();
    assert!(train(&config, false).status().unwrap().success());
    let lasts = begun.elapsed();
    let expected = outcome(&run);

    // Low-discrepancy delays reach into every part of a run, also into its beginning and into saving.
    let delay = |kill: usize| lasts.mul_f64((kill as f64 * 0.618_033_988_75 + 0.05).fract());
    let (mut killed, mut rounds) = (0, 0);
    while killed < kills {
        let folder = tempfile::tempdir().unwrap();
        let (config, run) = configured(folder.path());
        rounds += 1;
        loop {
            let mut child = train(&config, run.is_dir()).spawn().unwrap();
            let until = Instant::now() + delay(killed);
            let ended = loop {
                match child.try_wait().unwrap() {
                    Some(status) => break Some(status),
                    None if Instant::now() > until && killed < kills => break None,
                    None => std::thread::sleep(Duration::from_millis(2)),
                }
            };
            match ended {
                Some(status) => {
                    assert!(status.success(), "round {rounds} after {killed} kills");
                    break;
                }
                None => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    killed += 1;
                }
            }
        }
        let got = outcome(&run);
        for (name, bytes) in &expected {
            assert!(
                got[name] == *bytes,
                "{name} differs in round {rounds} after {killed} kills"
            );
        }
        assert_eq!(got.len(), expected.len());
    }
}
