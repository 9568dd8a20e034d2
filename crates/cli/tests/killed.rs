//! A run that is killed at random moments and resumed ends as one that never was.
//!
//! `REREC_KILLS=100 cargo test -p rerec-cli --test killed` kills more often.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Everything that a run keeps: adapters, the best checkpoint, embeddings, all logs.
fn settings(runs: &Path) -> String {
    format!(
        r#"
name = "tiny"
seed = 5
threads = 1
runs = {runs:?}
evaluation = {{ every = 1, validation_queries = 4 }}
checkpoints = {{ every = 1, best = "accuracy" }}
policy.lora = {{ rank = 4, alpha = 8 }}

[data.quickstart]
items = 60
users = 40
queries = {{ train = 12, validation = 4, test = 5 }}
demonstrator.drills = 8

[model]
kind = "fresh"
vocab_size = 420
hidden_size = 16
intermediate_size = 32
layers = 1
heads = 2
kv_heads = 1
max_positions = 1024

[warm_start]
steps = 2
demonstrations = 2
drills = 2
learning_rate = 1e-3
warmup = 1

[embeddings.lightgcn]
dimension = 8
max_epochs = 2

[curriculum]
batch_size = 4

[reinforcement]
epochs = 2
max_steps = 4
samples = 2
temperature = 1.0
max_new_tokens = 12
mini_batches = 1
learning_rate = 1e-3
warmup = 0
"#
    )
}

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
    fs::write(&config, settings(&runs)).unwrap();
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
