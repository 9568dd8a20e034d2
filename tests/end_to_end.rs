//! Whole runs, small: they learn, they repeat, they resume, and they refuse what cannot be.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::{fs, path::Path, sync::Arc};

use rerec::Assessor;
use rerec_datasets::{Dataset, Demonstration, Query, QueryClass, Splits};
use rerec_policy::DecoderPolicy;
use rerec_rewards::{Catalogue, DualGraphReward, Item};
use rerec_text::Message;
use rerec_trainer::{
    Engine, Error, Event, Job, Observer, Outcome, Phase, Run, Silent, Start, Task, TrainConfig,
    Trainer, Verdict,
};

const TITLES: [&str; 4] = [
    "Velmora (1987)",
    "Kestrin (1994)",
    "Dorbrel (1966)",
    "Talmaro (1958)",
];

/// A run of seconds: an invented world with few films, two warm-up steps, few and short responses.
fn tiny(runs: &Path) -> String {
    format!(
        r#"
name = "tiny"
seed = 5
threads = 1
runs = {runs:?}
evaluation = {{ every = 2, validation_queries = 4 }}

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
max_positions = 512

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
mini_batches = 2
learning_rate = 1e-3
warmup = 1

[checkpoints]
every = 1
"#
    )
}

fn config(runs: &Path, overrides: &[&str]) -> Result<TrainConfig, Error> {
    let path = runs.join("config.toml");
    fs::write(&path, tiny(runs)).unwrap();
    let overrides: Vec<String> = overrides.iter().map(|&o| o.to_owned()).collect();
    TrainConfig::from_file(&path, &overrides)
}

fn run(runs: &Path, overrides: &[&str], start: Start, observer: &mut dyn Observer) -> Outcome {
    let mut job = Job::new(config(runs, overrides).unwrap(), start, observer).unwrap();
    job.run(observer).unwrap()
}

fn lines(runs: &Path, name: &str) -> String {
    fs::read_to_string(runs.join("tiny").join(name)).unwrap()
}

/// Ends the run once `after` steps of reinforcement are done, while it samples the next.
struct StopDuring {
    after: u64,
    seen: u64,
}

impl Observer for StopDuring {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        match event {
            Event::Step { .. } => self.seen += 1,
            Event::Sampling(progress) if self.seen == self.after && progress.done == 0 => {
                return Verdict::Stop;
            }
            _ => {}
        }
        Verdict::Continue
    }
}

#[test]
fn one_seed_gives_one_run() {
    let (a, b, c) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let first = run(a.path(), &[], Start::New, &mut Silent);
    assert_eq!(run(b.path(), &[], Start::New, &mut Silent), first);
    for name in [
        "metrics.jsonl",
        "rollouts.jsonl",
        "epochs.jsonl",
        "evaluations.jsonl",
    ] {
        assert_eq!(lines(a.path(), name), lines(b.path(), name));
    }
    run(c.path(), &["seed=6"], Start::New, &mut Silent);
    assert_ne!(
        lines(a.path(), "metrics.jsonl"),
        lines(c.path(), "metrics.jsonl")
    );
}

/// Stopped in the middle of the second step and resumed, a run ends with the numbers it would have had.
#[test]
fn a_resumed_run_gives_the_same_numbers() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = run(whole.path(), &[], Start::New, &mut Silent);
    let stopped = run(
        parts.path(),
        &[],
        Start::New,
        &mut StopDuring { after: 1, seen: 0 },
    );
    assert_eq!(stopped, Outcome::Stopped);
    assert_eq!(lines(parts.path(), "metrics.jsonl").lines().count(), 1);
    assert_eq!(run(parts.path(), &[], Start::Resume, &mut Silent), expected);
    for name in ["metrics.jsonl", "rollouts.jsonl", "epochs.jsonl"] {
        assert_eq!(lines(whole.path(), name), lines(parts.path(), name));
    }
}

/// With adapters the model is written once; a checkpoint holds the adapters and points to it.
#[test]
fn adapters_are_resumed_beside_one_base() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lora = ["policy.lora={ rank = 2 }"];
    let expected = run(whole.path(), &lora, Start::New, &mut Silent);
    let mut stop = StopDuring { after: 1, seen: 0 };
    let stopped = run(parts.path(), &lora, Start::New, &mut stop);
    assert_eq!(stopped, Outcome::Stopped);
    let resumed = run(parts.path(), &lora, Start::Resume, &mut Silent);
    assert_eq!(resumed, expected);
    for name in ["metrics.jsonl", "rollouts.jsonl"] {
        assert_eq!(lines(whole.path(), name), lines(parts.path(), name));
    }
    let folder = parts.path().join("tiny");
    assert!(folder.join("base/model.safetensors").is_file());
    let checkpoint = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join("policy").is_dir())
        .unwrap();
    assert!(!checkpoint.join("policy/model.safetensors").exists());
}

#[test]
fn a_run_leaves_its_files() {
    let runs = tempfile::tempdir().unwrap();
    let outcome = run(runs.path(), &[], Start::New, &mut Silent);
    let Outcome::Finished(evaluations) = outcome else {
        panic!("{outcome:?}")
    };
    let phases: Vec<Phase> = evaluations.iter().map(|e| e.phase).collect();
    assert_eq!(phases, [Phase::Untrained, Phase::WarmStart, Phase::Final]);
    let run = Run::open(runs.path().join("tiny")).unwrap();
    let groups: Vec<_> = run.groups().unwrap().map(Result::unwrap).collect();
    assert_eq!(groups.len(), 4 * 4);
    for response in groups.iter().flat_map(|group| &group.responses) {
        let spans: Vec<_> = response
            .steps
            .iter()
            .map(|step| step.span.clone())
            .collect();
        assert!(spans.is_sorted_by_key(|span| span.end), "{spans:?}");
        assert!(
            spans
                .iter()
                .all(|span| response.text.get(span.clone()).is_some())
        );
        let reward = response.reward.as_ref().unwrap();
        assert_eq!(reward.answer.is_some(), reward.format > 0.0);
    }
    let epochs = run.epochs().unwrap();
    let [epoch] = &epochs[..] else {
        panic!("one epoch of three batches ended in four steps: {epochs:?}")
    };
    assert_eq!((epoch.step, epoch.statistics.served), (3, 12));
    // Before and after: the test queries; after the warm start and every two steps: validation queries.
    assert_eq!(run.evaluations().unwrap().len(), 3 + 3);
    rerec_report::write_summary(&run).unwrap();
    assert!(lines(runs.path(), "curves.svg").contains("</svg>"));
    assert!(lines(runs.path(), "accuracy.md").contains("| all | 5 |"));
}

#[test]
fn a_second_run_does_not_overwrite_the_first() {
    let runs = tempfile::tempdir().unwrap();
    let settings = ["reinforcement.max_steps=1"];
    run(runs.path(), &settings, Start::New, &mut Silent);
    let refused = |start, overrides: &[&str]| {
        Job::new(config(runs.path(), overrides).unwrap(), start, &mut Silent).unwrap_err()
    };
    // Before the data are read or the embeddings trained.
    assert!(matches!(refused(Start::New, &[]), Error::RunExists { .. }));
    let other = refused(Start::Resume, &["reinforcement.samples=4"]).to_string();
    assert!(
        other.contains("reinforcement.samples was 2, is 4"),
        "{other}"
    );
}

/// A run that was killed before its first checkpoint begins again, with the embeddings that it had trained.
#[test]
fn a_run_without_a_checkpoint_begins_again() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = run(whole.path(), &[], Start::New, &mut Silent);
    drop(Job::new(config(killed.path(), &[]).unwrap(), Start::New, &mut Silent).unwrap());
    assert_eq!(
        run(killed.path(), &[], Start::Resume, &mut Silent),
        expected
    );
}

#[test]
fn nothing_to_resume_is_said() {
    let runs = tempfile::tempdir().unwrap();
    let job = Job::new(
        config(runs.path(), &[]).unwrap(),
        Start::Resume,
        &mut Silent,
    );
    assert!(matches!(job, Err(Error::NoRun { .. })));
}

#[test]
fn impossible_settings_name_key_value_and_range() {
    let runs = tempfile::tempdir().unwrap();
    let refusal = |overrides: &[&str]| {
        let error: Box<dyn std::error::Error> = match config(runs.path(), overrides) {
            Err(error) => error.into(),
            Ok(config) => Job::new(config, Start::New, &mut Silent)
                .unwrap_err()
                .into(),
        };
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        format!("{error}: {cause}")
    };
    for (given, expected) in [
        (
            "reinforcement.samples=1",
            "reinforcement.samples must be at least 2, got 1",
        ),
        (
            "reinforcement.temperature=-1.0",
            "reinforcement.temperature must be above 0, got -1",
        ),
        ("name=a/b", "name must be letters"),
        ("curriculum.seed=9", "curriculum.seed must be left out"),
        ("reinforcement.sampels=4", "unknown field `sampels`"),
        (
            "model.heads=3",
            "num_attention_heads must be a divisor of hidden_size, got 3",
        ),
        (
            "model.vocab_size=100",
            "vocab_size must be at least 260, got 100",
        ),
        (
            "policy.micro_batch_tokens=0",
            "micro_batch_tokens must be at least 1, got 0",
        ),
    ] {
        let got = refusal(&[given]);
        assert!(got.contains(expected), "{given}: {got}");
    }
    let missing = TrainConfig::from_file(Path::new("no/such.toml"), &[]).unwrap_err();
    assert!(missing.to_string().contains("no/such.toml"));
}

/// Four queries that each want one of four titles, and demonstrations that answer at random: what is right can
/// be learned from the reward alone.
fn guessing_game() -> Dataset {
    let catalogue = Catalogue::new(TITLES.map(|title| Item::new(title, title)).into()).unwrap();
    let query = |i: usize| Query {
        id: format!("q{i}").into(),
        class: QueryClass::EXPLICIT,
        conversation: vec![Message::user(format!("Query {i}.\n"))],
        targets: vec![TITLES[i].into()],
        candidates: Some(TITLES.map(Into::into).into()),
        conditions: Vec::new(),
        history: Vec::new(),
        user: None,
        time: None,
    };
    let queries: Vec<Query> = (0..4).map(query).collect();
    let demonstrations = (0..16)
        .map(|i| Demonstration {
            query: queries[i / 4].id.clone(),
            conversation: queries[i / 4].conversation.clone(),
            response: format!("\\boxed{{{}}}", TITLES[i % 4]),
        })
        .collect();
    Dataset {
        catalogue,
        ratings: Vec::new(),
        splits: Splits {
            train: queries.clone(),
            validation: queries.clone(),
            test: queries,
        },
        demonstrations,
        drills: Vec::new(),
        ..Dataset::default()
    }
}

#[test]
fn reinforcement_learns_what_only_the_reward_knows() {
    let runs = tempfile::tempdir().unwrap();
    let config = config(
        runs.path(),
        &[
            "model.hidden_size=32",
            "model.intermediate_size=64",
            "model.initializer_range=0.1",
            "warm_start.steps=150",
            "warm_start.demonstrations=16",
            "warm_start.learning_rate=1e-2",
            "reinforcement.epochs=25",
            "reinforcement.max_steps=25",
            "reinforcement.samples=16",
            "reinforcement.max_new_tokens=40",
            "reinforcement.learning_rate=3e-3",
            "curriculum.too_few=all",
            "objective.kl_coefficient=0.001",
        ],
    )
    .unwrap();
    let dataset = guessing_game();
    let reward = DualGraphReward::new(
        config.reward.clone(),
        dataset.catalogue.clone().into(),
        None,
        None,
    )
    .unwrap();
    let (settings, corpus) = (config.policy.clone(), dataset.corpus());
    let mut policy = DecoderPolicy::open(&config.model, settings, corpus, config.seed).unwrap();
    let assessor = Assessor::new(config.assessor(), &dataset.catalogue, Arc::new(reward)).unwrap();
    let task = Task {
        dataset: &dataset,
        assessor: &assessor,
        engine: Engine::One(&mut policy),
    };
    let outcome = Trainer::new(&config, task)
        .unwrap()
        .run(&mut Silent)
        .unwrap();
    let Outcome::Finished(evaluations) = outcome else {
        panic!("{outcome:?}")
    };
    let [_, warm, last] = &evaluations[..] else {
        panic!("{evaluations:?}")
    };
    assert_eq!(
        warm.without_answer, 0,
        "the warm start teaches to answer: {warm:?}"
    );
    assert!(
        warm.overall.right <= 3,
        "demonstrations say nothing of what is right: {warm:?}"
    );
    assert_eq!(last.overall.right, 4, "{last:?}");
}
