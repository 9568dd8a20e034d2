//! Ranking metrics against the libraries that define them, see the header of `data/ranking.json`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use rerec_rewards::{
    Conventions, Evaluator, Gain, Metric, Pool, PrecisionDenominator, PrecisionNorm, RankedQuery,
    Relevance,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    duplicate_cases: Vec<Duplicates>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    ranked: Vec<String>,
    rels: BTreeMap<String, f64>,
    k: usize,
    #[serde(flatten)]
    libraries: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Duplicates {
    ranked: Vec<String>,
    rels: BTreeMap<String, f64>,
    k: usize,
    capped: BTreeMap<String, f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("data/ranking.json")).unwrap()
}

fn evaluate(
    ranked: &[String],
    rels: &BTreeMap<String, f64>,
    metric: &str,
    conventions: Conventions,
) -> f64 {
    let metric: Metric = metric.parse().unwrap();
    let grades: Vec<(String, f64)> = rels
        .iter()
        .map(|(item, grade)| (item.clone(), *grade))
        .collect();
    let query = RankedQuery {
        ranked,
        relevance: Relevance::Grades(&grades),
    };
    Evaluator::new(vec![metric], conventions)
        .unwrap()
        .evaluate(&query)
        .unwrap()[0]
}

/// Compares every case with a library's value for (its name of a metric, ours) and returns how many there were.
fn compare(
    library: &str,
    metrics: &[(&str, &str)],
    conventions: Conventions,
    tolerance: f64,
) -> usize {
    let mut compared = 0;
    for case in golden().cases {
        for (theirs, ours) in metrics {
            let expected = match &case.libraries[library] {
                Value::Object(values) => values.get(*theirs).and_then(Value::as_f64),
                value => value.as_f64(),
            };
            let Some(expected) = expected else { continue };
            let metric = ours.replace("@k", &format!("@{}", case.k));
            let got = evaluate(&case.ranked, &case.rels, &metric, conventions);
            assert!(
                (got - expected).abs() <= tolerance,
                "{library} {theirs} of {}: {got} for {expected}",
                case.id
            );
            compared += 1;
        }
    }
    compared
}

#[test]
fn trec_eval() {
    let metrics = [
        ("ndcg@k", "ndcg@k"),
        ("precision@k", "precision@k"),
        ("recall@k", "recall@k"),
        ("success@k", "hit_rate@k"),
        ("map@k", "map@k"),
        ("ndcg", "ndcg"),
        ("map", "map"),
        ("mrr", "mrr"),
        ("rprec", "r_precision"),
        ("bpref", "bpref"),
        ("set_f1", "f1"),
    ];
    assert_eq!(
        compare("pytrec_eval", &metrics, Conventions::trec_eval(), 1e-9),
        1100
    );
}

#[test]
fn ranx() {
    let metrics = [
        ("ndcg@k", "ndcg@k"),
        ("dcg@k", "dcg@k"),
        ("precision@k", "precision@k"),
        ("recall@k", "recall@k"),
        ("f1@k", "f1@k"),
        ("hit_rate@k", "hit_rate@k"),
        ("hits@k", "hits@k"),
        ("mrr@k", "mrr@k"),
        ("map@k", "map@k"),
        ("ndcg", "ndcg"),
        ("map", "map"),
        ("mrr", "mrr"),
        ("r-precision", "r_precision"),
        ("rbp.80", "rbp"),
    ];
    assert_eq!(compare("ranx", &metrics, Conventions::ranx(), 1e-9), 1400);
    // Where nothing was judged as not relevant, ranx divides by zero.
    assert_eq!(
        compare("ranx", &[("bpref", "bpref")], Conventions::ranx(), 1e-9),
        36
    );
    let burges = Conventions {
        gain: Gain::Exponential,
        ..Conventions::ranx()
    };
    let metrics = [("ndcg_burges@k", "ndcg@k"), ("dcg_burges@k", "dcg@k")];
    assert_eq!(compare("ranx", &metrics, burges, 1e-9), 200);
}

#[test]
fn recbole() {
    let metrics = [
        ("ndcg@k", "ndcg@k"),
        ("recall@k", "recall@k"),
        ("precision@k", "precision@k"),
        ("hit@k", "hit_rate@k"),
        ("mrr@k", "mrr@k"),
        ("map@k", "map@k"),
    ];
    assert_eq!(
        compare("recbole", &metrics, Conventions::recbole(), 1e-9),
        600
    );
}

#[test]
fn gdeval_prints_five_decimals() {
    let conventions = Conventions {
        gain: Gain::Exponential,
        ..Conventions::trec_eval()
    };
    let metrics = [("ndcg_exp@k", "ndcg@k"), ("err@k", "err@k")];
    assert_eq!(compare("gdeval", &metrics, conventions, 1.1e-5), 200);
}

#[test]
fn cwl() {
    assert_eq!(
        compare("cwl_rbp.80", &[("", "rbp")], Conventions::trec_eval(), 1e-9),
        100
    );
}

#[test]
fn scikit_learn_knows_the_list_alone() {
    let conventions = Conventions {
        pool: Pool::Listed,
        ..Conventions::trec_eval()
    };
    assert_eq!(
        compare("sklearn", &[("ndcg@k", "ndcg@k")], conventions, 1e-9),
        97
    );
}

#[test]
fn torchmetrics_knows_the_list_alone_in_single_precision() {
    let listed = Conventions {
        pool: Pool::Listed,
        average_precision: PrecisionNorm::Hits,
        ..Conventions::trec_eval()
    };
    let metrics = [
        ("ndcg@k", "ndcg@k"),
        ("map@k", "map@k"),
        ("mrr@k", "mrr@k"),
        ("precision@k", "precision@k"),
        ("recall@k", "recall@k"),
        ("hit@k", "hit_rate@k"),
        ("rprec", "r_precision"),
    ];
    assert_eq!(
        compare("torchmetrics_list_only", &metrics, listed, 1e-5),
        700
    );
    let adaptive = Conventions {
        precision: PrecisionDenominator::Listed,
        ..listed
    };
    assert_eq!(
        compare(
            "torchmetrics_list_only",
            &[("precision@k_adaptive", "precision@k")],
            adaptive,
            1e-5
        ),
        100
    );
}

#[test]
fn duplicates_keep_the_first() {
    for case in golden().duplicate_cases {
        for (metric, expected) in &case.capped {
            let metric = format!("{metric}@{}", case.k);
            let got = evaluate(&case.ranked, &case.rels, &metric, Conventions::trec_eval());
            assert!(
                (got - expected).abs() < 1e-9,
                "{metric}: {got} for {expected}"
            );
        }
    }
}
