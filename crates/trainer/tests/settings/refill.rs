//! Groups that teach nothing, and what takes their place.

use super::*;

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

/// All of q1's responses are cut at 15 tokens, one of them behind the right box.
fn one_cut(query: &str, sample: usize) -> &'static str {
    match query {
        "q1" => ["\\boxed{Heat}, by Mann.", CASINO, CASINO][sample],
        _ => [HEAT, ALIEN, ALIEN][sample],
    }
}

#[test]
fn a_group_whose_advantages_are_all_masked_is_replaced() {
    let refilled = [
        "reinforcement.refill_rounds=1",
        "reinforcement.max_new_tokens=15",
    ];
    let told = tell(&refilled, &SIX, one_cut);
    assert_eq!(learned(&told.updates[0]), ["q1", "q2"]);
    let masked = [&refilled[..], &["reinforcement.mask_truncated=true"]].concat();
    let told = tell(&masked, &SIX, one_cut);
    assert_eq!(learned(&told.updates[0]), ["q3", "q2"]);
    assert_eq!(told.metrics[0].groups_without_signal, 1);
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
