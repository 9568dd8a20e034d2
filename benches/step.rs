//! What a step costs besides its model: 512 queries with five responses each, from the order of the queries to the lines in the run
//! folder. The model is a script; its answers are those of the demonstrator, of some 300 bytes, and each byte is a token.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rerec::Assessor;
use rerec::rewards::{AttributeGraph, DualGraphReward};
use rerec_datasets::Dataset;
use rerec_policy::{Cue, QueryId, ScriptedPolicy};
use rerec_trainer::{Engine, Silent, Task, TrainConfig, Trainer};
use tempfile::TempDir;

const QUERIES: usize = 512;
const SAMPLES: usize = 5;

const CONFIG: &str = r#"
name = "bench"
seed = 3
embeddings = "none"
model = { kind = "fresh", vocab_size = 420, hidden_size = 8, intermediate_size = 8, layers = 1, heads = 1, kv_heads = 1, max_positions = 64 }
warm_start = { steps = 0, demonstrations = 1, drills = 0, learning_rate = 1.0, warmup = 0 }
curriculum.batch_size = 512

[data.quickstart]
queries = { train = 512, validation = 0, test = 0, candidates = 20 }
demonstrator = { per_query = 5, haste_first = 0.3, haste_later = 0.03 }

[reinforcement]
epochs = 1
max_steps = 1
samples = 5
temperature = 1.0
max_new_tokens = 4096
mini_batches = 1
learning_rate = 0.5
warmup = 0
"#;

fn config(folder: &TempDir) -> TrainConfig {
    let path = folder.path().join("bench.toml");
    std::fs::write(&path, CONFIG).unwrap();
    let runs = format!("runs={:?}", folder.path().join("runs"));
    TrainConfig::from_file(&path, &[runs]).unwrap()
}

fn assessor(config: &TrainConfig, data: &Dataset) -> Assessor {
    let catalogue = Arc::new(data.catalogue.clone());
    let graph = Arc::new(AttributeGraph::from_catalogue(&catalogue).unwrap());
    let reward = DualGraphReward::new(config.reward.clone(), catalogue.clone(), Some(graph), None);
    let reward = Arc::new(reward.unwrap());
    Assessor::new(config.assessor(), &catalogue, reward).unwrap()
}

fn policy(answers: &Arc<HashMap<QueryId, Vec<String>>>) -> ScriptedPolicy {
    let answers = answers.clone();
    ScriptedPolicy::new(move |cue: Cue<'_>| answers[cue.query][cue.sample].clone())
}

fn step(c: &mut Criterion) {
    let folder = TempDir::new().unwrap();
    let config = config(&folder);
    let data = config.data.load(config.seed).unwrap();
    let assessor = assessor(&config, &data);
    let mut answers: HashMap<QueryId, Vec<String>> = HashMap::new();
    for shown in &data.demonstrations {
        let of_query = answers.entry(shown.query.clone()).or_default();
        of_query.push(shown.response.clone());
    }
    assert!(answers.len() == QUERIES && answers.values().all(|of| of.len() == SAMPLES));
    let answers = Arc::new(answers);
    let mut group = c.benchmark_group("step_without_model");
    group.sample_size(10);
    group.bench_function("512 queries, 5 responses", |b| {
        b.iter_batched(
            || {
                std::fs::remove_dir_all(config.run_folder()).ok();
                policy(&answers)
            },
            |mut policy| {
                let task = Task {
                    dataset: &data,
                    assessor: &assessor,
                    engine: Engine::One(&mut policy),
                };
                let trainer = Trainer::new(&config, task).unwrap();
                trainer.run(&mut Silent).unwrap()
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
