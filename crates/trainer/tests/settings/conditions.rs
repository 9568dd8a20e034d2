//! Partial credit by the conditions of a query.

use super::*;

fn asked(value: &str) -> Vec<Attribute> {
    let (relation, value) = ("is".to_owned(), value.to_owned());
    vec![Attribute { relation, value }]
}

/// Casino shares one of Heat's two attributes, but none that q1 asks for; q2 asks for the one, and q3 for what no item has.
#[test]
fn wrong_answers_earn_the_conditions_that_they_meet() {
    let mut data = dataset(&["q1", "q2", "q3"]);
    for (query, value) in data.splits.train.iter_mut().zip(["mann", "crime", "noir"]) {
        query.conditions = asked(value);
    }
    let runs = tempfile::tempdir().unwrap();
    let settings = ["condition_weight=0.4", "reward.weights.query=0.0"];
    let config = config(runs.path(), &settings).unwrap();
    run(
        &config,
        &data,
        &mut policy(|_, _| CASINO),
        false,
        &mut Silent,
    )
    .unwrap();
    let groups = Run::open(config.run_folder()).unwrap().groups().unwrap();
    let mut totals: Vec<(String, f64)> = groups
        .map(Result::unwrap)
        .map(|group| {
            let reward = group.responses[0].reward.as_ref().unwrap();
            (group.query.to_string(), reward.total)
        })
        .collect();
    totals.sort_by(|(a, _), (b, _)| a.cmp(b));
    // 0.1 · 0.5 for the box; q3 has the query alignment score, 1 of 2, instead.
    for ((query, total), (expected, credit)) in
        totals
            .into_iter()
            .zip([("q1", 0.0), ("q2", 1.0), ("q3", 0.5)])
    {
        assert_eq!(query, expected);
        assert_abs_diff_eq!(total, 0.05 + 0.4 * credit, epsilon = 1e-12);
    }
}

/// What an observer was warned of.
#[derive(Default)]
struct Warnings(Vec<String>);

impl Observer for Warnings {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        if let Event::Warning(what) = event {
            self.0.push((*what).to_owned());
        }
        Verdict::Continue
    }
}

#[test]
fn queries_that_earn_no_or_misleading_credit_are_counted() {
    let mut data = dataset(&["q1", "q2", "q3"]);
    // Known and met; no condition; met by Alien instead of the target.
    data.splits.train[0].conditions = asked("mann");
    data.splits.train[2].conditions = asked("horror");
    let runs = tempfile::tempdir().unwrap();
    let config = config(runs.path(), &["condition_weight=0.4"]).unwrap();
    let mut warnings = Warnings::default();
    let source = config.reward_source();
    source.build(&data, None, &mut warnings).unwrap();
    let [without, misled] = &warnings.0[..] else {
        panic!("{:?}", warnings.0)
    };
    assert!(
        without.starts_with("1 of 3 queries state no condition"),
        "{without}"
    );
    assert!(
        misled.starts_with("the targets of 1 of 3 queries do not meet"),
        "{misled}"
    );
}

#[test]
fn a_weight_that_nothing_could_earn_is_refused() {
    let runs = tempfile::tempdir().unwrap();
    let mut noir = dataset(&["q1"]);
    noir.splits.train[0].conditions = asked("noir");
    let read = |settings: &[&str]| config(runs.path(), settings);
    let weighed = read(&["condition_weight=0.4"]).unwrap();
    let unknown = assessor(&weighed, &noir).map(drop).unwrap_err();
    assert!(
        unknown
            .to_string()
            .contains("no query states a condition that an item"),
        "{unknown}"
    );
    for (settings, said) in [
        (
            ["condition_weight=0.4", "graph=none"],
            "graph = \"none\" tells no attributes",
        ),
        (
            ["condition_weight=inf", "seed=3"],
            "condition_weight must be finite, got inf",
        ),
    ] {
        let refused = read(&settings).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}
