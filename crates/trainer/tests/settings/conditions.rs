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

#[test]
fn a_weight_that_nothing_could_earn_is_refused() {
    let runs = tempfile::tempdir().unwrap();
    let refused = |settings: &[&str], data: &Dataset| {
        let config = config(runs.path(), settings)?;
        assessor(&config, data).map(drop)
    };
    let message =
        |settings: &[&str], data: &Dataset| refused(settings, data).unwrap_err().to_string();
    let (plain, mut noir) = (dataset(&["q1"]), dataset(&["q1"]));
    noir.splits.train[0].conditions = asked("noir");
    for data in [&plain, &noir] {
        let message = message(&["condition_weight=0.4"], data);
        assert!(message.contains("no query states a condition"), "{message}");
    }
    let no_graph = message(&["condition_weight=0.4", "graph=none"], &noir);
    assert!(no_graph.contains("there is no graph"), "{no_graph}");
    let infinite = message(&["condition_weight=inf"], &plain);
    assert!(
        infinite.contains("condition_weight must be finite, got inf"),
        "{infinite}"
    );
    refused(&[], &plain).unwrap();
}
