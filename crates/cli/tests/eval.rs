//! `rerec eval` with baselines, which need no model.
#![allow(clippy::unwrap_used)]

use std::fs;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;

fn eval(args: &[&str]) -> Assert {
    Command::cargo_bin("rerec")
        .unwrap()
        .arg("eval")
        .args(args)
        .assert()
}

fn printed(args: &[&str]) -> String {
    String::from_utf8(eval(args).success().get_output().stdout.clone()).unwrap()
}

fn refused(args: &[&str]) -> String {
    let said = eval(args).failure().code(2);
    String::from_utf8(said.get_output().stderr.clone()).unwrap()
}

/// A small invented world.
fn world(folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("world.toml");
    let text = "seed = 3\n[data.quickstart]\n\
                queries = { train = 12, validation = 4, test = 40 }\ndemonstrator.drills = 8\n";
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_baseline_is_scored_by_class_and_compared_query_by_query() {
    let folder = tempfile::tempdir().unwrap();
    let (world, answers) = (world(&folder), folder.path().join("answers.jsonl"));
    let answers = answers.to_str().unwrap();
    let json = printed(&[
        "--baseline",
        "overlap",
        "--data",
        &world,
        "--against",
        "random",
        "--responses",
        answers,
        "--json",
    ]);
    let outcome: Value = serde_json::from_str(&json).unwrap();
    let row = |of: &Value| of["rows"].as_array().unwrap().last().unwrap().clone();
    let (scores, against) = (row(&outcome["scores"]), &outcome["against"]);
    assert_eq!(
        (&scores["queries"], &scores["samples"]),
        (&40.into(), &1.into())
    );
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
    // Attributes that the query names tell more than nothing.
    let (accuracy, random) = (
        number(&scores["accuracy"], "value"),
        number(&row(&against["scores"])["accuracy"], "value"),
    );
    assert!(accuracy > random, "{accuracy} {random}");
    assert!(number(&scores["metrics"]["mrr@10"], "value") >= accuracy);
    let comparison = row(&against["comparison"]);
    assert!((number(&comparison["difference"], "value") - (accuracy - random)).abs() < 1e-12);
    assert_eq!(fs::read_to_string(answers).unwrap().lines().count(), 40);
    // Written answers are read again: against themselves nothing differs.
    let table = printed(&[
        "--baseline",
        "overlap",
        "--data",
        &world,
        "--against",
        answers,
    ]);
    assert!(
        table.contains("| 0.0 [0.0, 0.0] | 0 | 0 | 1.000 |"),
        "{table}"
    );
}

#[test]
fn mistakes_are_told_with_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder);
    let said = refused(&["--baseline", "best", "--data", &world]);
    assert!(
        said.contains("random, popularity, lightgcn, bm25, overlap"),
        "{said}"
    );
    let said = refused(&["--baseline", "random", "--data", &world, "--samples", "8"]);
    assert!(said.contains("options of models"), "{said}");
    let said = refused(&["--baseline", "random"]);
    assert!(said.contains("--data CONFIG is needed"), "{said}");
    let said = refused(&[
        "--baseline",
        "random",
        "--data",
        &world,
        "--metrics",
        "ndcg@0",
    ]);
    assert!(said.contains("ndcg@0"), "{said}");
    let said = refused(&[
        "--baseline",
        "random",
        "--data",
        &world,
        "--against",
        "nowhere.jsonl",
    ]);
    assert!(
        said.contains("--against nowhere.jsonl: there is no baseline"),
        "{said}"
    );
}
