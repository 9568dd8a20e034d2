//! Settings of the field in the loop, each against numbers worked out by hand: the model is a script, so that every response is known.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

mod advantage;
mod conditions;
mod length;
mod refill;
mod sampler;
#[path = "../shared/scripted.rs"]
mod scripted;

use std::path::Path;

use approx::assert_abs_diff_eq;
use rerec::Assessor;
use rerec::rewards::{Attribute, Catalogue, Item};
use rerec_datasets::{Dataset, Query, QueryClass, Splits};
use rerec_policy::{Cue, Lesson, ScriptedPolicy, TaughtGroup};
use rerec_text::Message;
use rerec_trainer::{
    Engine, Error, Event, GroupRecord, MetricsRecord, Observer, Outcome, RefillRecord, Run, Silent,
    Task, TrainConfig, Trainer, Verdict,
};

use scripted::{configured, run_with};

/// 12 tokens.
const HEAT: &str = r"\boxed{Heat}";
/// 22 tokens: one step that argues for the wrong item, then the wrong answer, which shares one of Heat's two attributes.
const CASINO: &str = "Casino.\n\\boxed{Casino}";
/// 13 tokens: a wrong answer that shares nothing.
const ALIEN: &str = r"\boxed{Alien}";

/// Each query wants "Heat (1995)".
fn query(id: &str) -> Query {
    Query {
        id: id.into(),
        class: QueryClass::EXPLICIT,
        conversation: vec![Message::user(format!("A film by Mann? ({id})"))],
        targets: vec!["heat".into()],
        candidates: Some(vec!["heat".into(), "casino".into(), "alien".into()]),
        conditions: Vec::new(),
        history: Vec::new(),
        user: None,
        time: None,
    }
}

fn dataset(train: &[&str]) -> Dataset {
    let item = |id: &str, title: &str, facts: &[&str]| {
        let fact = |value: &&str| Attribute {
            relation: "is".into(),
            value: (*value).into(),
        };
        Item {
            attributes: facts.iter().map(fact).collect(),
            ..Item::new(id, title)
        }
    };
    let items = vec![
        item("heat", "Heat (1995)", &["crime", "mann"]),
        item("casino", "Casino (1995)", &["crime"]),
        item("alien", "Alien (1979)", &["horror"]),
    ];
    Dataset {
        catalogue: Catalogue::new(items).unwrap(),
        splits: Splits {
            train: train.iter().map(|id| query(id)).collect(),
            ..Splits::default()
        },
        ..Dataset::default()
    }
}

/// A run in a folder of its own, with settings over the defaults here.
fn config(runs: &Path, settings: &[&str]) -> Result<TrainConfig, Error> {
    let text = format!(
        r#"
name = "scripted"
seed = 3
runs = {runs:?}
embeddings = "none"
data.quickstart = {{}}
model = {{ kind = "fresh", vocab_size = 420, hidden_size = 8, intermediate_size = 8, layers = 1, heads = 1, kv_heads = 1, max_positions = 64 }}
warm_start = {{ steps = 0, demonstrations = 1, drills = 0, learning_rate = 1.0, warmup = 0 }}
curriculum.batch_size = 2
checkpoints.every = 1

[reinforcement]
epochs = 1
samples = 3
temperature = 1.0
max_new_tokens = 64
mini_batches = 1
learning_rate = 0.5
warmup = 0
"#
    );
    configured(runs, &text, settings)
}

type Script = fn(&str, usize) -> &'static str;

fn policy(script: Script) -> ScriptedPolicy {
    ScriptedPolicy::new(move |cue: Cue<'_>| script(cue.query.as_str(), cue.sample).to_owned())
}

fn assessor(config: &TrainConfig, data: &Dataset) -> Result<Assessor, Error> {
    let reward = config.reward_source().build(data, None, &mut Silent)?;
    Ok(Assessor::new(config.assessor(), &data.catalogue, reward)?)
}

fn run(
    config: &TrainConfig,
    data: &Dataset,
    policy: &mut ScriptedPolicy,
    resume: bool,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    run_with(
        &assessor(config, data)?,
        config,
        data,
        policy,
        resume,
        observer,
    )
}

/// What a run with these settings taught and wrote.
struct Told {
    /// The groups of each update.
    updates: Vec<Vec<TaughtGroup>>,
    metrics: Vec<MetricsRecord>,
    groups: Vec<GroupRecord>,
}

fn tell(settings: &[&str], train: &[&str], script: Script) -> Told {
    let runs = tempfile::tempdir().unwrap();
    let config = config(runs.path(), settings).unwrap();
    let mut policy = policy(script);
    run(&config, &dataset(train), &mut policy, false, &mut Silent).unwrap();
    let written = Run::open(config.run_folder()).unwrap();
    Told {
        updates: updates(&policy),
        metrics: written.metrics().unwrap(),
        groups: written.groups().unwrap().map(Result::unwrap).collect(),
    }
}

fn updates(policy: &ScriptedPolicy) -> Vec<Vec<TaughtGroup>> {
    let update = |lesson: &Lesson| match lesson {
        Lesson::Update { groups, .. } => Some(groups.clone()),
        _ => None,
    };
    policy.lessons().iter().filter_map(update).collect()
}

/// A number for all tokens of each response of a group.
#[track_caller]
fn assert_advantages(group: &TaughtGroup, expected: &[f64]) {
    assert_eq!(group.responses.len(), expected.len());
    for (response, &expected) in group.responses.iter().zip(expected) {
        for &advantage in &response.advantages {
            assert_abs_diff_eq!(advantage, expected, epsilon = 1e-5);
        }
    }
}

/// q1 has a right answer, q2 has none.
fn one_hit(query: &str, sample: usize) -> &'static str {
    match query {
        "q1" => [HEAT, CASINO, ALIEN][sample],
        _ => [CASINO, ALIEN, ALIEN][sample],
    }
}

/// Settings of the objective pass through the loop to the learner, and are refused where a run is checked.
#[test]
fn settings_of_the_objective_are_checked_with_the_run() {
    let runs = tempfile::tempdir().unwrap();
    let settings = [
        "objective.surrogate=dppo_kl",
        "objective.clip_low=0.05",
        "objective.clip_high=0.05",
        "objective.unbiased_kl=true",
        "objective.top_entropy=0.2",
    ];
    assert_eq!(
        config(runs.path(), &settings)
            .unwrap()
            .objective
            .top_entropy,
        0.2
    );
    let refused = config(runs.path(), &["objective.top_entropy=0.0"]).unwrap_err();
    let message = "top_entropy must be in (0, 1], got 0";
    assert!(refused.to_string().contains(message), "{refused}");
}
