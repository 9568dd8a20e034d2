//! The whole composition, reward through update, against numbers worked out by hand: the model is a script, so that every
//! response is known.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

#[path = "shared/scripted.rs"]
mod scripted;

use std::path::Path;
use std::sync::Arc;

use approx::assert_abs_diff_eq;
use rerec::Assessor;
use rerec::rewards::{Catalogue, DualGraphConfig, DualGraphReward, Item};
use rerec_datasets::{Dataset, Query, QueryClass, Splits};
use rerec_policy::{Cue, Learner, Lesson, RolloutGroup, Sampler, ScriptedPolicy};
use rerec_text::Message;
use rerec_trainer::{
    Engine, Error, Event, GroupKind, Observer, Outcome, Phase, Run, Silent, Task, TrainConfig,
    Trainer, Verdict,
};

use scripted::{configured, run_with};

const RIGHT: &str = r"\boxed{Heat}";
/// One step that argues for the wrong item, then the wrong answer.
const WRONG: &str = "Casino.\n\\boxed{Casino}";

/// Each query wants "Heat (1995)".
fn query(id: &str) -> Query {
    Query {
        id: id.into(),
        class: QueryClass::EXPLICIT,
        conversation: vec![Message::user(format!("A film by Mann? ({id})"))],
        targets: vec!["heat".into()],
        candidates: Some(vec!["heat".into(), "casino".into()]),
        conditions: Vec::new(),
        history: Vec::new(),
        user: None,
        time: None,
    }
}

/// A query whose data are at fault: its target is no candidate.
fn faulty(id: &str) -> Query {
    Query {
        candidates: Some(vec!["casino".into()]),
        ..query(id)
    }
}

fn dataset(train: Vec<Query>) -> Dataset {
    let items = vec![
        Item::new("heat", "Heat (1995)"),
        Item::new("casino", "Casino (1995)"),
    ];
    Dataset {
        catalogue: Catalogue::new(items).unwrap(),
        ratings: Vec::new(),
        splits: Splits {
            train,
            validation: vec![query("v1"), query("v2")],
            test: vec![query("t1"), faulty("t2")],
        },
        demonstrations: Vec::new(),
        drills: Vec::new(),
        ..Dataset::default()
    }
}

/// A run in a folder of its own, with settings over the defaults here.
fn config(runs: &Path, overrides: &[&str]) -> Result<TrainConfig, Error> {
    let text = format!(
        r#"
name = "scripted"
seed = 3
runs = {runs:?}
embeddings = "none"
graph = "none"
data.quickstart = {{}}

[model]
kind = "fresh"
vocab_size = 420
hidden_size = 8
intermediate_size = 8
layers = 1
heads = 1
kv_heads = 1
max_positions = 64

[warm_start]
steps = 0
demonstrations = 1
drills = 0
learning_rate = 1.0
warmup = 0

[curriculum]
batch_size = 2

[reinforcement]
epochs = 2
samples = 2
temperature = 1.0
max_new_tokens = 64
mini_batches = 1
learning_rate = 0.5
warmup = 0

[checkpoints]
every = 1

[evaluation]
every = 1
"#
    );
    configured(runs, &text, overrides)
}

fn assessor(config: &TrainConfig, data: &Dataset) -> rerec::Result<Assessor> {
    let catalogue = Arc::new(data.catalogue.clone());
    let reward = DualGraphReward::new(DualGraphConfig::paper(), catalogue.clone(), None, None)?;
    Assessor::new(config.assessor(), &catalogue, Arc::new(reward))
}

/// Runs `policy` on two train queries.
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

/// The first sample is right, the second wrong; `greedy` is the most probable response.
fn right_then_wrong(greedy: &'static str) -> ScriptedPolicy {
    ScriptedPolicy::new(move |cue: Cue<'_>| {
        let greedy_or_first = if cue.sampling.temperature == 0.0 {
            greedy
        } else {
            RIGHT
        };
        [greedy_or_first, WRONG][cue.sample].to_owned()
    })
}

/// The advantages of both responses to q1 in the first update of a run.
fn advantages(estimator: &str, greedy: &'static str) -> [Vec<f64>; 2] {
    let runs = tempfile::tempdir().unwrap();
    let estimator = format!("advantage.estimator={estimator}");
    let config = config(runs.path(), &[&estimator, "reinforcement.max_steps=1"]).unwrap();
    let data = dataset(vec![query("q1"), query("q2")]);
    let mut policy = right_then_wrong(greedy);
    run(&config, &data, &mut policy, false, &mut Silent).unwrap();
    let updates = policy.lessons().iter().find_map(|lesson| match lesson {
        Lesson::Update { groups, .. } => Some(groups),
        _ => None,
    });
    let [first, second] = &updates.unwrap()[0].responses[..] else {
        panic!("{updates:?}")
    };
    [first.advantages.clone(), second.advantages.clone()]
}

/// One advantage for all 12 tokens of the right response, and one for all 22 of the wrong one.
#[track_caller]
fn assert_per_response(estimator: &str, greedy: &'static str, expected: [f64; 2]) {
    let [right, wrong] = advantages(estimator, greedy);
    let expected = [vec![expected[0]; 12], vec![expected[1]; 22]];
    assert_abs_diff_eq!(right[..], expected[0][..], epsilon = 1e-12);
    assert_abs_diff_eq!(wrong[..], expected[1][..], epsilon = 1e-12);
}

/// The rewards are 1.05 and 0.05, whatever the lengths.
#[test]
fn outcome_estimators_compare_rewards_of_responses() {
    // (1.05 - 0.55) / (std + eps), where std² = (0.5² + 0.5²) / (2 - 1).
    let grpo = 0.5 / (0.5f64.sqrt() + 1e-6);
    assert_per_response("grpo", WRONG, [grpo, -grpo]);
    assert_per_response("dr_grpo", WRONG, [0.5, -0.5]);
    // Each less the mean of the others.
    assert_per_response("rloo", WRONG, [1.0, -1.0]);
    // The mean weighted by length: (12 · 1.05 + 22 · 0.05) / 34.
    let optimal = 13.7 / 34.0;
    assert_per_response("opo", WRONG, [1.05 - optimal, 0.05 - optimal]);
    // Less the reward of the greedy response.
    assert_per_response("remax", WRONG, [1.0, 0.0]);
    assert_per_response("remax", RIGHT, [0.0, -1.0]);
    // No reward of the batch is 0, so that differences to the mean are scaled by 4 / 4.
    assert_per_response("gpg", WRONG, [0.5, -0.5]);
    // The best less the second best, over the same deviation as GRPO's.
    assert_per_response("pass_k", WRONG, [2.0 * grpo, 0.0]);
}

/// Both groups of the batch are alike: 24 tokens of right responses, 44 of wrong ones.
#[test]
fn reinforce_pp_whitens_over_the_tokens_of_the_batch() {
    let whitened = |[right, wrong]: [f64; 2]| {
        let mean = (24.0 * right + 44.0 * wrong) / 68.0;
        let squares = 24.0 * (right - mean).powi(2) + 44.0 * (wrong - mean).powi(2);
        let deviation = (squares / 67.0 + 1e-8).sqrt();
        // verl's masked mean is off by a hundred-millionth of a token.
        let mean = mean * 68.0 / (68.0 + 1e-8);
        [right, wrong].map(|value| (value - mean) / deviation)
    };
    assert_per_response("reinforce_pp", WRONG, whitened([1.05, 0.05]));
    assert_per_response("reinforce_pp_baseline", WRONG, whitened([0.5, -0.5]));
}

/// The 7 tokens of the wrong step keep 0.7 of 0.05; the line end and the box keep all of it.
#[test]
fn raae_compares_rewards_of_tokens() {
    let rewards = [vec![1.05; 12], vec![0.035; 7], vec![0.05; 15]].concat();
    let mean = (12.0 * 1.05 + 7.0 * 0.035 + 15.0 * 0.05) / 34.0;
    let squares: f64 = rewards.iter().map(|r| (r - mean) * (r - mean)).sum();
    let deviation = (squares / 33.0).sqrt() + 1e-6;
    let expected: Vec<f64> = rewards.iter().map(|r| (r - mean) / deviation).collect();
    let [right, wrong] = advantages("raae", WRONG);
    assert_abs_diff_eq!(right[..], expected[..12], epsilon = 1e-12);
    assert_abs_diff_eq!(wrong[..], expected[12..], epsilon = 1e-12);
}

#[test]
fn an_estimator_that_needs_a_critic_is_refused_before_any_work() {
    let runs = tempfile::tempdir().unwrap();
    let error = config(runs.path(), &["advantage.estimator=gae"]).unwrap_err();
    assert!(error.to_string().contains("gae"), "{error}");
    assert!(error.to_string().contains("critic"), "{error}");
}

/// The records hold what was sampled and what became of it, and metrics are their sums.
#[test]
fn a_step_is_recorded() {
    let runs = tempfile::tempdir().unwrap();
    let config = config(runs.path(), &["reinforcement.max_steps=1"]).unwrap();
    let data = dataset(vec![query("q1"), query("q2")]);
    run(
        &config,
        &data,
        &mut right_then_wrong(WRONG),
        false,
        &mut Silent,
    )
    .unwrap();
    let run = Run::open(config.run_folder()).unwrap();
    let groups: Vec<_> = run.groups().unwrap().map(Result::unwrap).collect();
    assert_eq!(groups.len(), 2);
    assert_eq!(
        (groups[0].kind, groups[0].responses.len()),
        (GroupKind::WithHit, 2)
    );
    let wrong = &groups[0].responses[1];
    assert_eq!(
        (wrong.text.as_str(), wrong.tokens, wrong.log_prob),
        (WRONG, 22, -22.0)
    );
    let [argument, answer] = &wrong.steps[..] else {
        panic!("{:?}", wrong.steps)
    };
    assert_eq!(
        (argument.span.clone(), argument.penalised, answer.penalised),
        (0..7, true, false)
    );
    assert_eq!(argument.items[0].name, "Casino (1995)");
    assert_eq!(argument.items[0].spans, vec![0..6; 1]);
    assert_eq!(wrong.token_byte_lens, [1; 22]);
    let queries: Vec<_> = run.queries().unwrap().map(Result::unwrap).collect();
    let asked = queries.iter().find(|asked| asked.query == "q1").unwrap();
    assert_eq!(
        (queries.len(), &asked.conversation),
        (2, &query("q1").conversation)
    );
    let titles = ["Heat (1995)", "Casino (1995)"].map(str::to_owned);
    assert_eq!(asked.targets, titles[..1]);
    assert_eq!(asked.candidates.as_deref(), Some(&titles[..]));
    assert!(argument.advantage < answer.advantage);

    let metrics = run.metrics().unwrap();
    let [step] = &metrics[..] else {
        panic!("{metrics:?}")
    };
    assert_eq!((step.step, step.epoch, step.queries), (1, 1, 2));
    assert_eq!(
        (step.accuracy, step.groups_with_hit, step.steps_penalised),
        (0.5, 2, 2)
    );
    assert_abs_diff_eq!(step.reward.total.unwrap(), 0.55, epsilon = 1e-12);
    assert_eq!(
        (step.mean_tokens, step.entropy, step.learning_rate),
        (17.0, 1.0, 0.5)
    );
}

/// A query whose data are at fault takes no part: not in the update, not in the curriculum, not in an evaluation.
#[test]
fn what_cannot_be_scored_is_counted_and_left_out() {
    let runs = tempfile::tempdir().unwrap();
    let config = config(runs.path(), &["reinforcement.max_steps=1"]).unwrap();
    let data = dataset(vec![query("q1"), faulty("q2")]);
    let mut policy = right_then_wrong(WRONG);
    let outcome = run(&config, &data, &mut policy, false, &mut Silent).unwrap();
    let Some(Lesson::Update { groups, .. }) = policy.lessons().last() else {
        panic!("{:?}", policy.lessons())
    };
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].query, "q1");
    let run = Run::open(config.run_folder()).unwrap();
    let step = run.metrics().unwrap().remove(0);
    assert_eq!((step.reward.scored, step.reward.failed), (2, 2));
    let record = run.groups().unwrap().nth(1).unwrap().unwrap();
    let fault = record.responses[0].error.as_deref().unwrap();
    assert!(
        fault.contains("not among the candidates") || fault.contains("candidate"),
        "{fault}"
    );

    let Outcome::Finished(evaluations) = outcome else {
        panic!("{outcome:?}")
    };
    let last = evaluations.last().unwrap();
    assert_eq!((last.overall.asked, last.unscored), (1, 1));
    assert_eq!((last.overall.guess(), last.overall.ndcg), (0.5, 0.0));
    let wrong = [("t1".into(), false)].into();
    assert_eq!(last.outcomes, [(QueryClass::EXPLICIT, wrong)].into());
}

#[test]
fn a_step_of_which_nothing_can_be_scored_ends_the_run() {
    let runs = tempfile::tempdir().unwrap();
    let config = config(runs.path(), &[]).unwrap();
    let data = dataset(vec![faulty("q1"), faulty("q2")]);
    let error = run(
        &config,
        &data,
        &mut right_then_wrong(WRONG),
        false,
        &mut Silent,
    );
    assert!(
        matches!(error, Err(Error::NothingScored { .. })),
        "{error:?}"
    );
}

/// What an observer wants after so many steps.
struct After(u64, Verdict);

impl Observer for After {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        match event {
            Event::Step { metrics, .. } if metrics.step == self.0 => self.1,
            _ => Verdict::Continue,
        }
    }
}

/// Wants to stop in the middle of the evaluation on validation queries that follows a step.
struct InValidation {
    after: u64,
    steps: u64,
}

impl Observer for InValidation {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        match event {
            Event::Step { metrics, .. } => self.steps = metrics.step,
            Event::Evaluating(Phase::Reinforcement, _) if self.steps == self.after => {
                return Verdict::Stop;
            }
            _ => {}
        }
        Verdict::Continue
    }
}

#[test]
fn a_stopped_run_goes_on_to_the_same_numbers() {
    assert_goes_on(&mut After(2, Verdict::Stop));
    assert_goes_on(&mut InValidation { after: 2, steps: 0 });
}

fn assert_goes_on(stop: &mut dyn Observer) {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = dataset(vec![query("q1"), query("q2"), query("q3"), query("q4")]);
    let settings = |runs: &Path| config(runs, &["reinforcement.max_steps=3"]).unwrap();
    let (one, other) = (settings(whole.path()), settings(parts.path()));
    let mut policy = right_then_wrong(WRONG);
    let expected = run(&one, &data, &mut policy, false, &mut Silent).unwrap();

    let stopped = run(&other, &data, &mut right_then_wrong(WRONG), false, stop).unwrap();
    assert_eq!(stopped, Outcome::Stopped);
    let mut resumed = right_then_wrong(WRONG);
    assert_eq!(
        run(&other, &data, &mut resumed, true, &mut Silent).unwrap(),
        expected
    );
    assert_eq!(resumed.lessons(), policy.lessons());
    for name in [
        "metrics.jsonl",
        "rollouts.jsonl",
        "epochs.jsonl",
        "evaluations.jsonl",
        "queries.jsonl",
    ] {
        let read = |config: &TrainConfig| std::fs::read_to_string(config.run_folder().join(name));
        assert_eq!(read(&one).unwrap(), read(&other).unwrap(), "{name}");
    }
}

#[test]
fn a_finished_run_is_evaluated_and_can_be_prolonged() {
    let runs = tempfile::tempdir().unwrap();
    let data = dataset(vec![query("q1"), query("q2"), query("q3"), query("q4")]);
    let short = config(runs.path(), &[]).unwrap();
    let mut finish = After(1, Verdict::Finish);
    let outcome = run(
        &short,
        &data,
        &mut right_then_wrong(WRONG),
        false,
        &mut finish,
    )
    .unwrap();
    let Outcome::Finished(evaluations) = outcome else {
        panic!("{outcome:?}")
    };
    let last = evaluations.last().unwrap();
    assert_eq!((last.phase, last.step), (Phase::Final, 1));

    let long = config(
        runs.path(),
        &["reinforcement.epochs=3", "checkpoints.every=7", "threads=1"],
    )
    .unwrap();
    let outcome = run(
        &long,
        &data,
        &mut right_then_wrong(WRONG),
        true,
        &mut Silent,
    )
    .unwrap();
    let Outcome::Finished(evaluations) = outcome else {
        panic!("{outcome:?}")
    };
    let last: Vec<u64> = evaluations
        .iter()
        .filter(|e| e.phase == Phase::Final)
        .map(|e| e.step)
        .collect();
    assert_eq!(last, [6]);
}

#[test]
fn settings_that_a_resumed_run_may_not_change_are_all_named() {
    let runs = tempfile::tempdir().unwrap();
    let data = dataset(vec![query("q1"), query("q2")]);
    let first = config(runs.path(), &["reinforcement.max_steps=1"]).unwrap();
    run(
        &first,
        &data,
        &mut right_then_wrong(WRONG),
        false,
        &mut Silent,
    )
    .unwrap();
    let other = config(runs.path(), &["reinforcement.samples=3", "reward.cutoff=2"]).unwrap();
    let refused = run(
        &other,
        &data,
        &mut right_then_wrong(WRONG),
        true,
        &mut Silent,
    );
    let refused = refused.unwrap_err().to_string();
    for expected in [
        "reinforcement.samples was 2, is 3",
        "reward.cutoff was 1, is 2",
    ] {
        assert!(refused.contains(expected), "{refused}");
    }
    let again = run(
        &first,
        &data,
        &mut right_then_wrong(WRONG),
        false,
        &mut Silent,
    );
    assert!(matches!(again, Err(Error::RunExists { .. })), "{again:?}");
    let elsewhere = config(runs.path(), &["name=none"]).unwrap();
    let missing = run(
        &elsewhere,
        &data,
        &mut right_then_wrong(WRONG),
        true,
        &mut Silent,
    );
    assert!(matches!(missing, Err(Error::NoRun { .. })), "{missing:?}");
}

/// A configuration that was made in code passes the same gate as one from a file.
#[test]
fn nobody_is_trusted_to_have_validated() {
    let runs = tempfile::tempdir().unwrap();
    let data = dataset(vec![query("q1"), query("q2")]);
    let mut config = config(runs.path(), &[]).unwrap();
    config.reinforcement.mini_batches = 0;
    let refused = run(
        &config,
        &data,
        &mut right_then_wrong(WRONG),
        false,
        &mut Silent,
    );
    let message = "reinforcement.mini_batches must be at least 1, got 0";
    assert_eq!(refused.unwrap_err().to_string(), message);
    assert!(!config.run_folder().exists());
}

/// The right answer is the greedy one after the first update only.
fn best_in_the_middle() -> ScriptedPolicy {
    ScriptedPolicy::new(|cue: Cue<'_>| {
        let updates = cue
            .lessons
            .iter()
            .filter(|l| matches!(l, Lesson::Update { .. }))
            .count();
        let greedy = if updates == 1 { RIGHT } else { WRONG };
        let first = if cue.sampling.temperature == 0.0 {
            greedy
        } else {
            RIGHT
        };
        [first, WRONG][cue.sample].to_owned()
    })
}

#[test]
fn the_best_checkpoint_and_the_last_are_kept() {
    let runs = tempfile::tempdir().unwrap();
    let data = dataset(vec![query("q1"), query("q2")]);
    let settings = [
        "reinforcement.epochs=4",
        "checkpoints.best=accuracy",
        "curriculum.too_few=all",
    ];
    let config = config(runs.path(), &settings).unwrap();
    let mut policy = best_in_the_middle();
    run(&config, &data, &mut policy, false, &mut Silent).unwrap();
    let mut kept: Vec<_> = std::fs::read_dir(config.run_folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("policy").is_dir())
        .collect();
    kept.sort();
    let updates = |folder: &Path| {
        let mut restored = best_in_the_middle();
        restored.restore(&folder.join("policy")).unwrap();
        let lessons = restored.lessons().iter();
        lessons
            .filter(|lesson| matches!(lesson, Lesson::Update { .. }))
            .count()
    };
    let kept: Vec<usize> = kept.iter().map(|folder| updates(folder)).collect();
    assert_eq!(kept, [1, 4]);
}

#[test]
fn patience_ends_a_run_that_gets_no_better() {
    let runs = tempfile::tempdir().unwrap();
    let data = dataset(vec![query("q1"), query("q2")]);
    let settings = [
        "reinforcement.epochs=9",
        "checkpoints.best=mrr",
        "curriculum.too_few=all",
        "evaluation.patience=2",
    ];
    let config = config(runs.path(), &settings).unwrap();
    let mut policy = best_in_the_middle();
    run(&config, &data, &mut policy, false, &mut Silent).unwrap();
    let run = Run::open(config.run_folder()).unwrap();
    let validations = run.evaluations().unwrap().into_iter();
    let validations = validations.filter(|e| e.phase == Phase::Reinforcement);
    let ranks: Vec<f64> = validations.map(|e| e.overall.mrr).collect();
    // The second was the best, and two were no better.
    assert_eq!(ranks, [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(run.metrics().unwrap().len(), 3);
    // The test query whose target is no candidate takes no part.
    let baselines = run.baselines().unwrap();
    let names: Vec<&str> = baselines.iter().map(|one| one.baseline.name()).collect();
    assert_eq!(names, ["popularity", "bm25", "overlap"]);
    for one in &baselines {
        assert_eq!((one.overall.asked, one.overall.by_chance), (1, 0.5));
        assert_eq!(one.classes.len(), 1);
    }
    let timings = run.timings().unwrap();
    assert!(timings.iter().map(|timing| timing.step).eq(1..=3));
    // Two queries, two responses, one token a character.
    let tokens = 2 * (RIGHT.len() + WRONG.len());
    assert!(
        timings
            .iter()
            .all(|one| one.tokens == tokens && one.total >= one.sampling)
    );
    let refused = self::config(runs.path(), &["evaluation.patience=2"]).unwrap_err();
    assert!(
        refused.to_string().contains("checkpoints.best"),
        "{refused}"
    );
}

/// A sampler that is not the learner: it follows, and its own log-probabilities are not trusted.
struct Remote {
    inner: ScriptedPolicy,
    followed: usize,
}

impl Sampler for Remote {
    fn generate_with(
        &mut self,
        requests: &[rerec_policy::SampleRequest<'_>],
        sampling: &rerec_policy::Sampling,
        progress: &mut dyn FnMut(rerec_policy::Progress) -> std::ops::ControlFlow<()>,
    ) -> rerec_policy::Result<Vec<RolloutGroup>> {
        self.inner.generate_with(requests, sampling, progress)
    }

    fn follow(&mut self, _learner: &dyn Learner) -> rerec_policy::Result<()> {
        self.followed += 1;
        Ok(())
    }
}

#[test]
fn sampler_and_learner_may_be_two() {
    let runs = tempfile::tempdir().unwrap();
    let data = dataset(vec![query("q1"), query("q2")]);
    let config = config(runs.path(), &["reinforcement.max_steps=1"]).unwrap();
    let assessor = assessor(&config, &data).unwrap();
    let mut sampler = Remote {
        inner: right_then_wrong(WRONG).with_log_prob(-3.0),
        followed: 0,
    };
    let mut learner = ScriptedPolicy::new(|_| String::new()).with_log_prob(-2.0);
    let task = Task {
        dataset: &data,
        assessor: &assessor,
        engine: Engine::Two {
            sampler: &mut sampler,
            learner: &mut learner,
        },
    };
    Trainer::new(&config, task)
        .unwrap()
        .run(&mut Silent)
        .unwrap();
    let Some(Lesson::Update { groups, .. }) = learner.lessons().last() else {
        panic!("{:?}", learner.lessons())
    };
    assert_eq!(groups[0].responses[0].old_log_probs, [-2.0; 12]);
    // After the anchor and after the update.
    assert_eq!(sampler.followed, 2);
}
