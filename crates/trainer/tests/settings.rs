//! Settings of the field in the loop, each against numbers worked out by hand: the model is a script, so that every response is known.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::path::Path;
use std::sync::Arc;

use approx::assert_abs_diff_eq;
use rerec::Assessor;
use rerec::rewards::{Attribute, AttributeGraph, Catalogue, DualGraphReward, Item};
use rerec_datasets::{Dataset, Query, QueryClass, Splits};
use rerec_policy::{Cue, Lesson, ScriptedPolicy, TaughtGroup};
use rerec_text::Message;
use rerec_trainer::{
    Engine, Error, Event, GroupRecord, MetricsRecord, Observer, Outcome, RefillRecord, Run, Silent,
    Task, TrainConfig, Trainer, Verdict,
};

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
        history: Vec::new(),
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
    let path = runs.join("config.toml");
    std::fs::write(&path, text).unwrap();
    let overrides: Vec<String> = settings.iter().map(|&o| o.to_owned()).collect();
    TrainConfig::from_file(&path, &overrides)
}

type Script = fn(&str, usize) -> &'static str;

fn policy(script: Script) -> ScriptedPolicy {
    ScriptedPolicy::new(move |cue: Cue<'_>| script(cue.query.as_str(), cue.sample).to_owned())
}

fn assessor(config: &TrainConfig, data: &Dataset) -> Result<Assessor, Error> {
    let catalogue = Arc::new(data.catalogue.clone());
    let graph = Arc::new(AttributeGraph::from_catalogue(&catalogue)?);
    let settings = config.reward.clone();
    let reward = DualGraphReward::new(settings, catalogue.clone(), Some(graph), None)?;
    Ok(Assessor::new(
        config.assessor(),
        &catalogue,
        Arc::new(reward),
    )?)
}

fn run(
    config: &TrainConfig,
    data: &Dataset,
    policy: &mut ScriptedPolicy,
    resume: bool,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let assessor = assessor(config, data)?;
    let task = Task {
        dataset: data,
        assessor: &assessor,
        engine: Engine::One(policy),
    };
    let trainer = match resume {
        true => Trainer::resume(config, task)?,
        false => Trainer::new(config, task)?,
    };
    trainer.run(observer)
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
            assert_abs_diff_eq!(advantage, expected, epsilon = 1e-4);
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

/// Rankings 1, 0, 0 have mean 1/3 and std 1/√3, query alignments 1, 0.5, 0 mean 0.5 and std 0.5; formats are equal.
#[test]
fn parts_of_the_reward_are_normalised_one_by_one() {
    let settings = [
        "advantage.parts=normalised",
        "advantage.estimator=dr_grpo",
        "reward.weights.query=0.2",
    ];
    let told = tell(&settings, &["q1", "q2"], one_hit);
    let root = 3f64.sqrt();
    let ranking = [2.0 / root, -1.0 / root, -1.0 / root];
    let with_hit = [ranking[0] + 0.2, ranking[1], ranking[2] - 0.2];
    assert_advantages(&told.updates[0][0], &with_hit);
    // Without a hit, alignments 0.5, 0, 0 are all there is: they keep their weight, and no more.
    let without = ranking.map(|value| 0.2 * value);
    assert_advantages(&told.updates[0][1], &without);
    // The log and the curriculum have the reward itself.
    let reward = told.groups[0].responses[0].reward.as_ref().unwrap();
    assert_abs_diff_eq!(reward.total, 0.05 + 1.0 + 0.2, epsilon = 1e-12);
}

/// The step for the wrong answer is worse by 0.3 of the sum, not of the reward.
#[test]
fn a_step_penalty_beside_normalised_parts_is_a_share_of_the_sum() {
    let settings = [
        "advantage.parts=normalised",
        "advantage.estimator={ estimator = \"raae\", std = \"none\" }",
        "reward.weights.query=0",
    ];
    let told = tell(&settings, &["q1", "q2"], one_hit);
    let casino = &told.updates[0][0].responses[1].advantages;
    let sum = -1.0 / 3f64.sqrt();
    let whole = casino[7];
    assert_abs_diff_eq!(casino[0] - whole, 0.3 * sum, epsilon = 1e-4);
    assert_eq!((casino[6], casino[21]), (casino[0], whole));
}

#[test]
fn remax_has_no_group_to_normalise_in() {
    let runs = tempfile::tempdir().unwrap();
    let remax = "advantage.estimator=remax";
    for (setting, named) in [
        ("advantage.parts=normalised", "parts"),
        (
            "reinforcement.overlong={ cache = 4, weight = 1.0 }",
            "overlong",
        ),
        ("reinforcement.length={ weight = 1.0 }", "length"),
    ] {
        let refused = config(runs.path(), &[remax, setting])
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("remax") && refused.contains(named),
            "{refused}"
        );
    }
}

/// Rewards of q1: 1.06, 0.055, 0.05; of q2: 0.055, 0.05, 0.05. A penalty of 0.3 · 2 is taken off the step for Casino.
#[test]
fn a_penalty_in_the_advantage_is_bounded_and_beside_a_hit() {
    let settings = |everywhere: bool| {
        format!(
            "advantage.penalty={{ in = \"advantage\", size = 2.0, only_beside_hit = {} }}",
            !everywhere
        )
    };
    let plain = tell(&["advantage.estimator=grpo"], &["q1", "q2"], one_hit);
    for everywhere in [false, true] {
        let settings = ["advantage.estimator=grpo", &settings(everywhere)];
        let told = tell(&settings, &["q1", "q2"], one_hit);
        for (group, (plain, told)) in plain.updates[0].iter().zip(&told.updates[0]).enumerate() {
            for (plain, told) in plain.responses.iter().zip(&told.responses) {
                let is_casino = plain.token_ids.len() == CASINO.len();
                let acts = is_casino && (everywhere || group == 0);
                for (token, (plain, told)) in
                    plain.advantages.iter().zip(&told.advantages).enumerate()
                {
                    let expected = if acts && token < 7 { 0.6 } else { 0.0 };
                    assert_abs_diff_eq!(plain - told, expected, epsilon = 1e-12);
                }
            }
        }
        // The step of the log has the advantage that was learned from.
        let step = &told.groups[0].responses[1].steps[0];
        assert!(step.penalised);
        let learned = told.updates[0][0].responses[1].advantages[0];
        assert_abs_diff_eq!(step.advantage, learned, epsilon = 1e-12);
    }
}

/// RAAE then compares whole rewards: 12 tokens of 1.06, 22 of 0.055, 13 of 0.05.
#[test]
fn raae_sees_whole_rewards_where_the_penalty_is_in_the_advantage() {
    let told = tell(&["advantage.penalty=advantage"], &["q1", "q2"], one_hit);
    let rewards = [vec![1.06; 12], vec![0.055; 22], vec![0.05; 13]].concat();
    let mean = rewards.iter().sum::<f64>() / 47.0;
    let squares: f64 = rewards.iter().map(|r| (r - mean) * (r - mean)).sum();
    let of = |reward: f64| (reward - mean) / ((squares / 46.0).sqrt() + 1e-6);
    let [heat, casino, alien] = &told.updates[0][0].responses[..] else {
        panic!("{told:?}", told = told.updates)
    };
    assert_abs_diff_eq!(heat.advantages[3], of(1.06), epsilon = 1e-9);
    assert_abs_diff_eq!(casino.advantages[3], of(0.055) - 0.3, epsilon = 1e-9);
    assert_abs_diff_eq!(casino.advantages[9], of(0.055), epsilon = 1e-9);
    assert_abs_diff_eq!(alien.advantages[3], of(0.05), epsilon = 1e-9);
}

/// The reward of q2's responses differ by 0.005: over their own std that is 1.15, over the batch's it stays small.
#[test]
fn a_group_without_a_hit_may_be_divided_by_the_std_of_the_batch() {
    let estimator = "advantage.estimator={ estimator = \"grpo\", over = \"batch_without_hit\" }";
    let told = tell(&[estimator], &["q1", "q2"], one_hit);
    let rewards = [1.06, 0.055, 0.05, 0.055, 0.05, 0.05f64];
    let std = |rewards: &[f64]| {
        let mean = rewards.iter().sum::<f64>() / rewards.len() as f64;
        let squares: f64 = rewards.iter().map(|r| (r - mean) * (r - mean)).sum();
        (squares / (rewards.len() - 1) as f64).sqrt()
    };
    let over = |group: &[f64], std: f64| -> Vec<f64> {
        let mean = group.iter().sum::<f64>() / 3.0;
        group.iter().map(|r| (r - mean) / std).collect()
    };
    let own = over(&rewards[..3], std(&rewards[..3]));
    assert_advantages(&told.updates[0][0], &own);
    let small = over(&rewards[3..], std(&rewards));
    assert!(small[0] < 0.01);
    assert_advantages(&told.updates[0][1], &small);
}

/// Casino's 22 tokens are cut at 15, so that its box is lost; its reward counts for the others.
#[test]
fn truncated_responses_may_be_masked() {
    let settings = [
        "reinforcement.max_new_tokens=15",
        "advantage.estimator=dr_grpo",
    ];
    let plain = tell(&settings, &["q1", "q2"], one_hit);
    let masked = ["reinforcement.mask_truncated=true"];
    let told = tell(
        &[&settings[..], &masked[..]].concat(),
        &["q1", "q2"],
        one_hit,
    );
    assert_eq!(plain.updates[0][0].responses.len(), 3);
    let left: Vec<usize> = told.updates[0][0]
        .responses
        .iter()
        .map(|r| r.sample)
        .collect();
    assert_eq!(left, [0, 2]);
    // 1.06, -0.55 and 0.05 have the mean 0.56 / 3.
    let mean = 0.56 / 3.0;
    assert_advantages(&told.updates[0][0], &[1.06 - mean, 0.05 - mean]);
    assert_eq!(
        (plain.metrics[0].masked, told.metrics[0].masked),
        (None, Some(2))
    );
    assert_eq!(plain.metrics[0].reward, told.metrics[0].reward);
}

/// A limit of 24 tokens and a cache of 12: none is lost at 12 tokens, 10 / 12 at 22.
#[test]
fn overlong_responses_lose_along_a_line() {
    let settings = [
        "reinforcement.max_new_tokens=24",
        "reinforcement.overlong={ cache = 12, weight = 0.5 }",
        "advantage.estimator=dr_grpo",
    ];
    let told = tell(&settings, &["q1", "q2"], one_hit);
    let [heat, casino, alien] = &told.groups[0].responses[..] else {
        panic!("{:?}", told.groups[0])
    };
    let total = |one: &rerec_trainer::ResponseRecord| one.reward.as_ref().unwrap().total;
    let expected = [1.06, 0.055 - 0.5 * 10.0 / 12.0, 0.05 - 0.5 / 12.0];
    let totals = [heat, casino, alien].map(total);
    assert_abs_diff_eq!(totals[..], expected[..], epsilon = 1e-12);
    assert_eq!(heat.reward.as_ref().unwrap().terms["overlong"], 0.0);
    let mean = expected.iter().sum::<f64>() / 3.0;
    assert_advantages(&told.updates[0][0], &expected.map(|reward| reward - mean));
}

/// 12 and 30 tokens of right responses: the mean is 21, and 2 of 3 are right.
fn long_and_short(_: &str, sample: usize) -> &'static str {
    [HEAT, "A film by Mann.\n\n\\boxed{Heat }", ALIEN][sample]
}

#[test]
fn long_right_responses_lose_by_the_success_of_their_group() {
    let settings = [
        "reinforcement.length={ weight = 0.3 }",
        "advantage.estimator=dr_grpo",
    ];
    let told = tell(&settings, &["q1", "q2"], long_and_short);
    let long = &told.groups[0].responses[1];
    assert_eq!(long.tokens, 30);
    let lost = 2.0 / 3.0 * (30.0 / 21.0 - 1.0);
    let reward = long.reward.as_ref().unwrap();
    assert_abs_diff_eq!(reward.terms["length"], -lost, epsilon = 1e-12);
    let rewards = [1.06, 1.06 - 0.3 * lost, 0.05];
    let mean = rewards.iter().sum::<f64>() / 3.0;
    assert_advantages(&told.updates[0][0], &rewards.map(|reward| reward - mean));
}

const SIX: [&str; 6] = ["q1", "q2", "q3", "q4", "q5", "q6"];

/// q1 and q3 are always answered alike, the others differently.
fn two_idle(query: &str, sample: usize) -> &'static str {
    match query {
        "q1" => HEAT,
        "q3" => ALIEN,
        _ => [HEAT, ALIEN, ALIEN][sample],
    }
}

fn learned(update: &[TaughtGroup]) -> Vec<&str> {
    update.iter().map(|group| group.query.as_str()).collect()
}

#[test]
fn groups_that_teach_nothing_are_replaced() {
    let told = tell(&["reinforcement.refill_rounds=2"], &SIX, two_idle);
    // q3 is asked for q1 and teaches nothing either, then q4.
    let [first, second] = &told.updates[..] else {
        panic!("{:?}", told.updates)
    };
    assert_eq!(learned(first), ["q4", "q2"]);
    assert_eq!(learned(second), ["q5", "q6"]);
    let refills: Vec<_> = told
        .metrics
        .iter()
        .map(|step| step.refill.unwrap())
        .collect();
    let refill = |rounds, dropped| RefillRecord { rounds, dropped };
    assert_eq!(refills, [refill(2, 2), refill(0, 0)]);
    let step = &told.metrics[0];
    assert_eq!((step.queries, step.groups_without_signal), (4, 2));
    let replaced = told.groups.iter().filter(|group| group.replaced);
    let replaced: Vec<&str> = replaced.map(|group| group.query.as_str()).collect();
    assert_eq!(replaced, ["q3", "q1"]);

    // One round finds only q3: q1 stays, and the denominators count it as ever.
    let told = tell(&["reinforcement.refill_rounds=1"], &SIX, two_idle);
    assert_eq!(learned(&told.updates[0]), ["q1", "q2"]);
    assert_eq!(learned(&told.updates[1]), ["q4", "q5"]);
    // Without the setting nothing is said of it.
    let told = tell(&[], &SIX, two_idle);
    assert_eq!(told.updates.len(), 3);
    assert_eq!(told.metrics[0].refill, None);
}

/// The curriculum knows every query that was tried, also those that were dropped.
#[test]
fn the_curriculum_records_what_was_replaced() {
    let runs = tempfile::tempdir().unwrap();
    let config = config(runs.path(), &["reinforcement.refill_rounds=5"]).unwrap();
    run(
        &config,
        &dataset(&SIX),
        &mut policy(two_idle),
        false,
        &mut Silent,
    )
    .unwrap();
    let epochs = Run::open(config.run_folder()).unwrap().epochs().unwrap();
    let epoch = &epochs[0].statistics;
    assert_eq!((epoch.served, epoch.recorded, epoch.missed), (6, 6, 0));
    assert_eq!(epoch.batches, 2);
}

/// Stops once so many responses have been sampled.
struct AfterResponses(usize);

impl Observer for AfterResponses {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        if matches!(event, Event::Sampling(_)) {
            self.0 = self.0.saturating_sub(1);
        }
        match self.0 {
            0 => Verdict::Stop,
            _ => Verdict::Continue,
        }
    }
}

/// A step asks 2, 1 and 1 queries three times each: it is broken off in every one of them, and between steps.
#[test]
fn a_run_that_was_stopped_while_refilling_goes_on_to_the_same_numbers() {
    let data = dataset(&SIX);
    let settings = |runs: &Path| config(runs, &["reinforcement.refill_rounds=2"]).unwrap();
    let whole = tempfile::tempdir().unwrap();
    let one = settings(whole.path());
    let mut expected = policy(two_idle);
    run(&one, &data, &mut expected, false, &mut Silent).unwrap();
    for responses in 1..18 {
        let parts = tempfile::tempdir().unwrap();
        let other = settings(parts.path());
        let mut stop = AfterResponses(responses);
        let stopped = run(&other, &data, &mut policy(two_idle), false, &mut stop).unwrap();
        assert_eq!(stopped, Outcome::Stopped, "{responses}");
        let mut resumed = policy(two_idle);
        run(&other, &data, &mut resumed, true, &mut Silent).unwrap();
        assert_eq!(resumed.lessons(), expected.lessons(), "{responses}");
        for name in ["metrics.jsonl", "rollouts.jsonl", "epochs.jsonl"] {
            let read = |config: &TrainConfig| {
                std::fs::read_to_string(config.run_folder().join(name)).unwrap()
            };
            assert_eq!(read(&one), read(&other), "{name} after {responses}");
        }
    }
}

/// Each token is twice as likely under the learner as under the sampler.
#[test]
fn a_sampler_that_is_not_the_learner_is_made_up_for() {
    let data = dataset(&["q1", "q2"]);
    let learn = |correction: Option<&str>| {
        let runs = tempfile::tempdir().unwrap();
        let setting = correction.map(|given| format!("reinforcement.sampler_correction={given}"));
        let settings = setting.iter().map(String::as_str);
        let settings: Vec<&str> = settings.chain(["advantage.estimator=grpo"]).collect();
        let config = config(runs.path(), &settings).unwrap();
        let mut sampler = policy(one_hit).with_log_prob(-1.0 - 2f32.ln());
        let mut learner = policy(one_hit);
        let task = Task {
            dataset: &data,
            assessor: &assessor(&config, &data).unwrap(),
            engine: Engine::Two {
                sampler: &mut sampler,
                learner: &mut learner,
            },
        };
        let trainer = Trainer::new(&config, task).unwrap();
        trainer.run(&mut Silent).unwrap();
        let update = updates(&learner).remove(0);
        for response in update.iter().flat_map(|group| &group.responses) {
            assert!(response.old_log_probs.iter().all(|&p| p == -1.0));
        }
        let metrics = Run::open(config.run_folder()).unwrap().metrics().unwrap();
        (update, metrics[0].sampler)
    };
    let (plain, unsaid) = learn(None);
    assert_eq!(unsaid, None);
    for (correction, weight, masked) in [
        ("{ kind = \"token_truncated\", most = 1.5 }", 1.5, 0),
        (
            "{ kind = \"geometric_masked\", least = 0.9, most = 2.1 }",
            1.0,
            0,
        ),
        (
            "{ kind = \"geometric_masked\", least = 0.99, most = 1.01 }",
            0.0,
            6,
        ),
        ("{ kind = \"sequence_masked\", most = 3.0 }", 0.0, 6),
    ] {
        let (update, said) = learn(Some(correction));
        for (plain, got) in plain.iter().zip(&update) {
            let expected = plain.responses.iter().map(|one| weight * one.advantages[0]);
            assert_advantages(got, &expected.collect::<Vec<_>>());
        }
        let said = said.unwrap();
        assert_abs_diff_eq!(said.mean_gap, 2f64.ln(), epsilon = 1e-6);
        assert_eq!(said.masked, masked, "{correction}");
    }
}

#[test]
fn a_sampler_that_is_the_learner_needs_no_correction() {
    let runs = tempfile::tempdir().unwrap();
    let correction = "reinforcement.sampler_correction={ kind = \"token_truncated\", most = 2.0 }";
    let config = config(runs.path(), &[correction]).unwrap();
    let data = dataset(&["q1", "q2"]);
    let refused = run(&config, &data, &mut policy(one_hit), false, &mut Silent).unwrap_err();
    assert!(
        refused.to_string().contains("here they are one"),
        "{refused}"
    );
    assert!(!config.run_folder().exists());
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
