//! `rerec segment` and `rerec advantage` as pipes.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;

/// Standard output, standard error and the exit status.
fn run(args: &[&str], input: &str) -> (String, String, i32) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rerec"));
    let output = command.args(args).write_stdin(input).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code().unwrap(),
    )
}

const WRONG: &str = r#"{"id":1,"response":"Heat it is.\n\\boxed{Heat}","token_byte_lens":[11,1,12],"ground_truth":["Ed"],"reward":0.5}"#;

#[test]
fn a_step_that_names_the_wrong_answer_is_penalised() {
    let (output, messages, status) = run(&["segment"], WRONG);
    let expected = concat!(
        r#"{"id":1,"segments":[{"start":0,"end":12,"kind":"reasoning","penalised":true},"#,
        r#"{"start":12,"end":24,"kind":"answer","penalised":false}],"token_rewards":[0.35,0.5,0.5],"reward":0.5}"#,
        "\n"
    );
    assert_eq!(
        (output.as_str(), messages.as_str(), status),
        (expected, "", 0)
    );
}

#[test]
fn a_right_answer_by_another_spelling_keeps_its_reward() {
    let line = r#"{"id":"a","response":"Heat.\n\\boxed{heat}","token_byte_lens":[6,12],"ground_truth":"Heat (1995); Ed (1996)","reward":1.05}"#;
    let (output, _, _) = run(&["segment"], line);
    assert!(
        output.contains(r#""token_rewards":[1.05,1.05]"#),
        "{output}"
    );
    let (output, _, _) = run(&["segment", "--match", "exact"], line);
    assert!(
        output.contains(r#""token_rewards":[0.735,1.05]"#),
        "{output}"
    );
}

#[test]
fn credit_decreases_with_the_distance_to_a_target() {
    let line = r#"{"id":1,"response":"Ed or on","token_byte_lens":[2,3,3],"ground_truth":["Ed"],"reward":1}"#;
    let (output, _, _) = run(
        &["segment", "--mode", "decrease", "--min-ratio", "0.5"],
        line,
    );
    assert!(
        output.contains(r#""token_rewards":[1.0,0.75,0.5]"#),
        "{output}"
    );
}

#[test]
fn credit_decays_exponentially_at_a_given_rate() {
    let line = r#"{"id":1,"response":"Ed or on","token_byte_lens":[2,3,3],"ground_truth":["Ed"],"reward":1}"#;
    let halving = ["--min-ratio", "0.5", "--decay-rate", "0.6931471805599453"];
    let (output, _, _) = run(
        &[&["segment", "--mode", "decrease"], &halving[..]].concat(),
        line,
    );
    // 0.5 + 0.5 * 2^-d at the distances 0, 1, 2.
    assert!(
        output.contains(r#""token_rewards":[1.0,0.75,0.625]"#),
        "{output}"
    );
    let (_, messages, status) = run(&["segment", "--decay-rate", "0.03"], line);
    let message = "rerec: --decay-rate needs --mode decrease\n";
    assert_eq!((messages.as_str(), status), (message, 2));
}

#[test]
fn rejections_earn_credit_or_a_penalty() {
    let line = r#"{"id":1,"response":"Heat is not sad.\nEd is not, it fails.\n\\boxed{Ed}","token_byte_lens":[17,21,10],"ground_truth":["Ed (1996)"],"candidates":["Ed (1996)","Heat (1995)"],"reward":1}"#;
    let (output, _, _) = run(&["segment"], line);
    assert!(
        output.contains(r#""token_rewards":[1.0,1.0,1.0]"#),
        "{output}"
    );
    let rejections = ["--reject-candidate", "1.5", "--reject-target", "0.5"];
    let (output, _, _) = run(&[&["segment"], &rejections[..]].concat(), line);
    assert!(
        output.contains(r#""token_rewards":[1.5,0.5,1.0]"#),
        "{output}"
    );
}

#[test]
fn a_candidate_hides_the_shorter_name_inside_its_own() {
    let line = r#"{"id":1,"response":"Toy Story 2 fits.\n\\boxed{Toy Story}","token_byte_lens":[18,17],"ground_truth":["Heat (1995)"],CANDIDATES"reward":1}"#;
    let (output, _, _) = run(&["segment"], &line.replace("CANDIDATES", ""));
    assert!(output.contains("[0.7,1.0]"), "{output}");
    let candidates = r#""candidates":["Toy Story (1995)","Toy Story 2 (1999)"],"#;
    let (output, _, _) = run(&["segment"], &line.replace("CANDIDATES", candidates));
    assert!(output.contains("[1.0,1.0]"), "{output}");
}

#[test]
fn splitters_nest() {
    let line = r#"{"id":1,"response":"<think>a\nb</think>c\nd","token_byte_lens":[21],"ground_truth":["Ed"],"reward":1}"#;
    let (output, _, _) = run(&["segment", "--split", "think,paragraph"], line);
    assert_eq!(output.matches("\"reasoning\"").count(), 2);
    assert_eq!(output.matches("\"answer\"").count(), 1);
}

#[test]
fn lengths_that_do_not_add_up_are_a_fault_of_the_line() {
    let line = WRONG.replace("[11,1,12]", "[11,1]");
    let (output, messages, status) = run(&["segment"], &line);
    let message = "rerec: line 1: token_byte_lens: token byte lengths must add up to the response's 24 bytes, got 12\n";
    assert_eq!(
        (output.as_str(), messages.as_str(), status),
        ("", message, 2)
    );
    let (_, messages, status) = run(&["segment", "--min-ratio", "-1"], WRONG);
    assert_eq!(status, 2, "{messages}");
}

const GROUP: &str = r#"{"group":"q","token_rewards":[[1,2],[3]]}"#;

#[test]
fn tokens_are_compared_within_their_group() {
    let (output, messages, status) = run(&["advantage", "--eps", "0"], GROUP);
    let expected = "{\"group\":\"q\",\"advantages\":[[-1.0,0.0],[1.0]]}\n";
    assert_eq!(
        (output.as_str(), messages.as_str(), status),
        (expected, "", 0)
    );
}

#[test]
fn outcome_estimators_take_the_sum_of_valid_tokens() {
    let line = r#"{"group":1,"token_rewards":[[1,2,9],[1]],"mask":[[1,1,0],[1]]}"#;
    let (output, _, _) = run(&["advantage", "--estimator", "dr-grpo"], line);
    assert_eq!(
        output,
        "{\"group\":1,\"advantages\":[[1.0,1.0,0.0],[-1.0]]}\n"
    );
}

#[test]
fn outcomes_are_compared_where_they_are_given() {
    let line = r#"{"group":1,"token_rewards":[[1,1],[1,1,1,1]],"rewards":[1,1]}"#;
    for estimator in [
        "grpo",
        "dr-grpo",
        "rloo",
        "opo",
        "gpg",
        "pass-k",
        "reinforce-pp",
        "reinforce-pp-baseline",
    ] {
        let (output, messages, _) = run(&["advantage", "--estimator", estimator], line);
        let expected = "{\"group\":1,\"advantages\":[[0.0,0.0],[0.0,0.0,0.0,0.0]]}\n";
        assert_eq!(
            (output.as_str(), messages.as_str()),
            (expected, ""),
            "{estimator}"
        );
    }
    let line = r#"{"group":1,"token_rewards":[[9,9],[9]],"rewards":[0,1]}"#;
    let (output, _, _) = run(&["advantage", "--estimator", "dr-grpo"], line);
    assert_eq!(output, "{\"group\":1,\"advantages\":[[-0.5,-0.5],[0.5]]}\n");
    // The outcome comes in at the last token: each of the two has it still to come.
    let line = line.replace("[0,1]}", "[0,1],\"baselines\":[0.25,0.25]}");
    let (output, _, _) = run(&["advantage", "--estimator", "remax"], &line);
    assert_eq!(
        output,
        "{\"group\":1,\"advantages\":[[-0.25,-0.25],[0.75]]}\n"
    );
}

#[test]
fn outcomes_alone_are_enough() {
    let line = r#"{"group":1,"rewards":[0,1],"mask":[[1,1,0],[1]]}"#;
    let (output, _, _) = run(&["advantage", "--estimator", "dr-grpo"], line);
    assert_eq!(
        output,
        "{\"group\":1,\"advantages\":[[-0.5,-0.5,0.0],[0.5]]}\n"
    );
    let (output, _, _) = run(
        &["advantage", "--estimator", "dr-grpo"],
        r#"{"group":1,"rewards":[0,1]}"#,
    );
    assert_eq!(output, "{\"group\":1,\"advantages\":[[-0.5],[0.5]]}\n");
    for (line, message) in [
        (
            r#"{"group":1}"#,
            "line 1: token_rewards: missing: a group has token_rewards, rewards or both",
        ),
        (
            r#"{"group":1,"token_rewards":[[1],[2]],"rewards":[1]}"#,
            "line 1: rewards: outcomes must have one entry for each of the 2 responses, got 1",
        ),
    ] {
        let (_, messages, status) = run(&["advantage", "--estimator", "grpo"], line);
        assert_eq!((messages, status), (format!("rerec: {message}\n"), 2));
    }
}

/// The group that the recipe of the help makes of segmented responses.
fn grouped(segmented: &str) -> String {
    let lines = segmented
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let (mut token_rewards, mut rewards) = (Vec::new(), Vec::new());
    for line in lines {
        token_rewards.push(line["token_rewards"].clone());
        rewards.push(line["reward"].clone());
    }
    serde_json::json!({ "group": 1, "token_rewards": token_rewards, "rewards": rewards })
        .to_string()
}

const RIGHT: &str = r#"{"id":[1,0],"response":"Ed it is.\n\\boxed{Ed}","token_byte_lens":[9,1,10],"ground_truth":["Ed"],"reward":1.0}
{"id":[1,1],"response":"Ed it is. Yes, yes, yes.\n\\boxed{Ed}","token_byte_lens":[9,5,5,5,1,10],"ground_truth":["Ed"],"reward":1.0}
"#;

#[test]
fn segments_piped_to_an_outcome_estimator_are_compared_by_their_rewards() {
    let (segmented, _, _) = run(&["segment"], RIGHT);
    let (output, _, _) = run(&["advantage", "--estimator", "grpo"], &grouped(&segmented));
    assert_eq!(
        output,
        "{\"group\":1,\"advantages\":[[0.0,0.0,0.0],[0.0,0.0,0.0,0.0,0.0,0.0]]}\n"
    );
}

#[test]
fn the_help_says_what_outcome_estimators_take() {
    let (help, _, _) = run(&["advantage", "--help"], "");
    assert!(
        help.contains("given token_rewards alone takes their sum"),
        "{help}"
    );
    assert!(help.contains("rewards: map(.reward)"), "{help}");
}

#[test]
fn sums_that_differ_by_rounding_alone_are_equal() {
    let line = r#"{"group":1,"token_rewards":[[0.1,0.2,0.3],[0.3,0.2,0.1],[0.6]]}"#;
    let (output, _, _) = run(&["advantage", "--estimator", "grpo", "--eps", "0"], line);
    assert_eq!(
        output,
        "{\"group\":1,\"advantages\":[[0.0,0.0,0.0],[0.0,0.0,0.0],[0.0]]}\n"
    );
}

#[test]
fn remax_and_gae_read_their_own_inputs() {
    let line = r#"{"group":1,"token_rewards":[[0,1]],"baselines":[0.25]}"#;
    let (output, _, _) = run(&["advantage", "--estimator", "remax"], line);
    assert_eq!(output, "{\"group\":1,\"advantages\":[[0.75,0.75]]}\n");
    let (_, messages, status) = run(&["advantage", "--estimator", "gae"], line);
    let message = "rerec: line 1: values: gae needs values, which the batch does not have\n";
    assert_eq!((messages.as_str(), status), (message, 2));
}

#[test]
fn presets_and_settings() {
    let alone = r#"{"group":1,"token_rewards":[[0.5]]}"#;
    let (output, _, _) = run(&["advantage", "--estimator", "rloo"], alone);
    assert_eq!(output, "{\"group\":1,\"advantages\":[[0.5]]}\n");
    let (_, messages, status) = run(
        &["advantage", "--estimator", "rloo", "--preset", "trl"],
        alone,
    );
    let message = "rerec: line 1: token_rewards: rloo needs at least 2 responses in a group, got 1 in group 0\n";
    assert_eq!((messages.as_str(), status), (message, 2));
    let (_, messages, status) = run(&["advantage", "--estimator", "rloo", "--eps", "1"], alone);
    let message = "rerec: cannot set up the estimator: unknown field `eps`, expected `singleton`\n";
    assert_eq!((messages.as_str(), status), (message, 2));
}

#[test]
fn a_faulty_group_is_answered_under_its_name() {
    let lines = format!("{{\"group\":[7],\"token_rewards\":[]}}\n{GROUP}\n");
    let (output, messages, status) = run(
        &["advantage", "--on-error", "skip", "--std", "none"],
        &lines,
    );
    let expected = "{\"group\":[7],\"error\":\"token_rewards: group 0 must have at least 1 response, got 0\"}\n\
        {\"group\":\"q\",\"advantages\":[[-1.0,0.0],[1.0]]}\n";
    assert_eq!((output.as_str(), status), (expected, 0));
    assert!(messages.contains("line 1"));
}
