//! `rerec report` as a command.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;

fn report(args: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("rerec").unwrap();
    command.arg("report").args(args).assert()
}

/// A step of a run that has not come any further.
const STEP: &str = r#"{"step": 1, "epoch": 1, "queries": 4, "learning_rate": 0.1, "accuracy": 0.5, "groups_with_hit": 4,
    "groups_shaped_only": 0, "groups_without_signal": 0, "steps_penalised": 0, "mean_tokens": 9.0, "truncated": 0.0,
    "entropy": 1.0, "loss": 0.0, "kl": 0.0, "clip_fraction": 0.0, "max_log_ratio": 0.0, "grad_norm": 1.0,
    "reward": {"scored": 10, "failed": 0, "hits": 5, "flags": {}, "total": 0.5, "format": 0.5, "ndcg": 0.5,
    "ranking": 0.5, "query_alignment": null, "preference_alignment": null}}"#;

#[test]
fn a_page_lies_beside_its_run_and_charts_where_they_are_wanted() {
    let run = tempfile::tempdir().unwrap();
    let path = |name: &str| run.path().join(name).to_str().unwrap().to_owned();
    let line = STEP.replace('\n', " ") + "\n";
    std::fs::write(path("metrics.jsonl"), line).unwrap();
    let folder = run.path().to_str().unwrap();
    report(&[folder, "--charts", &path("charts")]).success();
    let page = std::fs::read_to_string(path("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>"));
    let reward = std::fs::read_to_string(path("charts/reward.csv")).unwrap();
    assert_eq!(reward, "step,reward\n1,0.5\n");
}

#[test]
fn a_folder_without_a_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let asserted = report(&[folder.path().to_str().unwrap()]).code(2);
    let said = String::from_utf8_lossy(&asserted.get_output().stderr).into_owned();
    assert!(said.contains("holds no records of a run"), "{said}");
}
