//! `rerec curriculum` as a process.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use assert_cmd::Command;

fn curriculum(args: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rerec"));
    let output = command
        .arg("curriculum")
        .args(args)
        .write_stdin(input)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

const EPOCH: &str = r#"{"query":"a","metric":[1,1,1,1,1]}
{"query":{"row":2},"metric":[0,1,0,0,1]}
{"query":"c","metric":[]}
{"query":4,"metric":[1,1,1,1,0]}
"#;

#[test]
fn drops_the_mastered_and_orders_the_rest() {
    let (status, output, log) = curriculum(&[], EPOCH);
    let expected = r#"{"difficulty":[0.0,0.6,1.0,0.2],"dropped":["a"],"order":[4,{"row":2},"c"]}"#;
    assert_eq!((status, output.trim_end(), log.as_str()), (0, expected, ""));
    let (_, output, _) = curriculum(&["--order", "hard-first", "--tau", "0.5"], EPOCH);
    assert!(
        output.ends_with("\"dropped\":[\"a\",4],\"order\":[\"c\",{\"row\":2}]}\n"),
        "{output}"
    );
}

#[test]
fn state_carries_over_and_survives_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let state_arg = state.to_str().unwrap();
    let args = ["--state", state_arg, "--estimator", "ema", "--recheck", "1"];
    curriculum(&args, EPOCH);
    // The mastered query is due again; half of 0.6 and half of 1.0 make 0.8.
    let second = "{\"query\":{\"row\":2},\"metric\":[0]}\n{\"query\":\"a\",\"metric\":[]}\n{\"query\":5,\"metric\":[]}\n";
    let (status, output, log) = curriculum(&args, second);
    assert_eq!(status, 0);
    assert_eq!(
        output,
        "{\"difficulty\":[0.8,0.0,1.0],\"dropped\":[],\"order\":[\"a\",{\"row\":2},5]}\n"
    );
    assert!(log.contains("1 queries added, 2 removed"), "{log}");

    let before = std::fs::read(&state).unwrap();
    let (status, output, log) = curriculum(&args, "{\"query\":5,\"metric\":[1.5]}\n");
    assert_eq!((status, output.as_str()), (2, ""));
    assert!(
        log.contains("line 1: metric of rollout 0 of query \"5\" must be in [0, 1], got 1.5 (--metric-range sets the range)"),
        "{log}"
    );
    assert_eq!(std::fs::read(&state).unwrap(), before);

    std::fs::write(&state, &before[..before.len() / 2]).unwrap();
    let (status, _, log) = curriculum(&args, second);
    assert_eq!(status, 2);
    assert!(
        log.contains("state.json is damaged: its checksum is "),
        "{log}"
    );
}

#[test]
fn faulty_lines_are_named_or_skipped() {
    let input = "{\"query\":1,\"metric\":[1]}\n{\"query\":2,\"metric\":\"x\"}\n{\"query\":1,\"metric\":[0]}\n{\"query\":3,\"metric\":[0.5]}\n";
    let (status, output, log) = curriculum(&[], input);
    assert_eq!((status, output.as_str()), (2, ""));
    assert!(
        log.contains("line 2: metric: invalid type: string \"x\", expected a sequence"),
        "{log}"
    );
    let (status, output, log) = curriculum(&["--on-error", "skip"], input);
    assert_eq!(status, 0);
    assert_eq!(
        output,
        "{\"difficulty\":[0.0,0.5],\"dropped\":[1],\"order\":[3]}\n"
    );
    assert!(
        log.contains("line 3: query: \"1\" occurs more than once"),
        "{log}"
    );
}

#[test]
fn a_state_forgets_no_query_for_a_faulty_line() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let args = ["--on-error", "skip", "--state", state.to_str().unwrap()];
    curriculum(&args, EPOCH);
    let before = std::fs::read(&state).unwrap();
    let (status, output, log) = curriculum(&args, &EPOCH.replace("[0,1,0,0,1]", "\"x\""));
    assert_eq!((status, output.as_str()), (2, ""));
    assert!(log.contains("line 2: metric: "), "{log}");
    assert_eq!(std::fs::read(&state).unwrap(), before);
    // A metric out of range is skipped: its query is known.
    let (status, output, log) = curriculum(&args, &EPOCH.replace("[0,1,0,0,1]", "[7]"));
    assert_eq!(status, 0);
    assert!(
        output.starts_with("{\"difficulty\":[0.0,0.6,1.0,0.2],"),
        "{output}"
    );
    assert!(!log.contains("removed"), "{log}");
}

#[test]
fn a_mastered_query_is_due_until_it_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let args = ["--state", state.to_str().unwrap(), "--recheck", "2"];
    let order = |metric: &str| {
        let (status, output, log) =
            curriculum(&args, &format!("{{\"query\":1,\"metric\":{metric}}}\n"));
        assert_eq!(status, 0, "{log}");
        output
            .split_once("\"order\":")
            .unwrap()
            .1
            .trim_end()
            .to_owned()
    };
    assert_eq!(order("[1]"), "[]}");
    assert_eq!(order("[]"), "[1]}");
    assert_eq!(order("[]"), "[1]}");
    assert_eq!(order("[1]"), "[]}");
}

#[test]
fn the_range_of_the_metric_is_an_option() {
    let rewards = "{\"query\":1,\"metric\":[1.05,1.07]}\n{\"query\":2,\"metric\":[-0.55,1.05]}\n";
    let (status, output, log) = curriculum(&["--metric-range", "-0.55:1.07"], rewards);
    assert_eq!((status, log.as_str()), (0, ""));
    assert!(
        output.ends_with("\"dropped\":[1],\"order\":[2]}\n"),
        "{output}"
    );
    // (1.05 - 0.25) / 1.6 = 0.5 on average.
    let rescaled = [
        "--metric-range=-0.55:1.05",
        "--rescale",
        "--estimator",
        "beta",
    ];
    let (status, output, log) = curriculum(&rescaled, "{\"query\":2,\"metric\":[-0.55,1.05]}\n");
    assert_eq!((status, log.as_str()), (0, ""));
    assert!(output.starts_with("{\"difficulty\":[0.5]"), "{output}");
    for (range, message) in [
        ("1", "must be LOWEST:HIGHEST, such as -0.55:1.05"),
        ("0:x", "must be LOWEST:HIGHEST, such as -0.55:1.05"),
        (
            "1:0",
            "metric.highest must be above metric.lowest = 1, got 0",
        ),
        (
            "0:inf",
            "metric.highest must be in [-1e100, 1e100], got inf",
        ),
    ] {
        let (status, _, log) = curriculum(&["--metric-range", range], rewards);
        assert_eq!(status, 2);
        assert!(log.contains(message), "{log}");
    }
}

#[test]
fn a_difficulty_that_equals_tau_is_kept() {
    let input = "{\"query\":1,\"metric\":[0.9]}\n{\"query\":2,\"metric\":[0.8,1.0]}\n{\"query\":3,\"metric\":[0.7,1,1]}\n";
    let (_, output, _) = curriculum(&[], input);
    assert!(
        output.ends_with("\"dropped\":[],\"order\":[1,2,3]}\n"),
        "{output}"
    );
}

#[test]
fn a_recheck_needs_a_state() {
    let (status, output, log) = curriculum(&["--recheck", "1"], EPOCH);
    assert_eq!((status, output.as_str()), (2, ""));
    assert!(log.contains("--state <STATE>"), "{log}");
}
