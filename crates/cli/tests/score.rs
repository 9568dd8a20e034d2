//! `rerec score` as a pipe.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::{Value, json};

fn score(args: &[&str], lines: &[Value]) -> assert_cmd::assert::Assert {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Command::cargo_bin("rerec")
        .unwrap()
        .arg("score")
        .args(args)
        .write_stdin(input)
        .assert()
}

fn answers(output: &assert_cmd::assert::Assert) -> Vec<Value> {
    let output = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn near(value: &Value, expected: f64) -> bool {
    (value.as_f64().unwrap() - expected).abs() < 1e-12
}

#[test]
fn a_line_needs_no_catalogue() {
    let lines = [
        json!({"id": 7, "response": r"so \boxed{heat}", "ground_truth": "Heat (1995);Thief (1981)"}),
        json!({"id": ["x"], "response": "Heat", "ground_truth": ["Heat"]}),
        json!({"id": "c", "response": r"\boxed{Casino}", "ground_truth": ["Heat"], "candidates": ["Heat", "Casino"]}),
    ];
    let output = score(&[], &lines).success();
    let expected = [
        json!({"id": 7, "answer": ["heat"], "format": 0.5, "ndcg": 1.0, "ranking": 1.0, "query_alignment": null,
               "preference_alignment": null, "total": 1.05, "flags": []}),
        json!({"id": ["x"], "answer": null, "format": -0.5, "ndcg": 0.0, "ranking": -0.5, "query_alignment": null,
               "preference_alignment": null, "total": -0.55, "flags": ["no_box"]}),
        json!({"id": "c", "answer": ["Casino"], "format": 0.5, "ndcg": 0.0, "ranking": 0.0, "query_alignment": null,
               "preference_alignment": null, "total": 0.05, "flags": []}),
    ];
    assert_eq!(answers(&output), expected);
}

#[test]
fn graph_and_embeddings_score_a_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let graph =
        "Heat\tdirector\tMann\nHeat\tgenre\tcrime\nThief\tdirector\tMann\nAlien\tgenre\thorror\n";
    std::fs::write(path("graph.tsv"), graph).unwrap();
    std::fs::write(
        path("vectors.tsv"),
        "Heat\t3\t4\nThief\t4\t3\nAlien\t1\t0\n",
    )
    .unwrap();
    let args = [
        "--graph",
        &path("graph.tsv"),
        "--embeddings",
        &path("vectors.tsv"),
        "--weight",
        "query=0.5",
    ];
    let line = json!({"id": 1, "response": r"\boxed{THIEF}", "ground_truth": ["Heat"]});
    let output = score(&args, &[line]).success();
    let scored = &answers(&output)[0];
    assert!(near(&scored["query_alignment"], 0.5));
    assert!((scored["preference_alignment"].as_f64().unwrap() - 0.96).abs() < 1e-6);
    assert!((scored["total"].as_f64().unwrap() - (0.05 + 0.25 + 0.0096)).abs() < 1e-7);
}

#[test]
fn an_answer_that_the_files_do_not_know_is_no_fault_of_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("graph.tsv"), "Heat\tgenre\tcrime\n").unwrap();
    std::fs::write(path("vectors.tsv"), "Heat\t3\t4\nAlien\t4\t-3\n").unwrap();
    let items = ["Heat", "Thief", "Alien"].map(|id| json!({"id": id, "title": id}).to_string());
    std::fs::write(path("items.jsonl"), items.join("\n")).unwrap();
    let args = [
        "--catalogue",
        &path("items.jsonl"),
        "--graph",
        &path("graph.tsv"),
        "--embeddings",
        &path("vectors.tsv"),
    ];
    let line = |answer: &str, target: &str| json!({"id": 1, "response": format!("\\boxed{{{answer}}}"), "ground_truth": [target]});
    let output = score(&args, &[line("Thief", "Heat")]).success();
    let scored = &answers(&output)[0];
    assert!(near(&scored["query_alignment"], 0.0) && near(&scored["preference_alignment"], 0.0));
    assert_eq!(scored["flags"], json!(["no_embedding"]));
    let output = score(&args, &[line("Heat", "Thief")]).code(2);
    let report = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(
        report.contains("line 1: ground_truth: item `Thief` has no attribute in the graph"),
        "{report}"
    );
}

#[test]
fn vectors_that_point_the_same_way_are_told_and_can_be_centred() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.tsv");
    std::fs::write(&path, "Heat\t10\t1\nThief\t10\t-1\n").unwrap();
    let line = json!({"id": 1, "response": r"\boxed{Thief}", "ground_truth": ["Heat"]});
    let scored = |more: &[&str]| {
        let args = [&["--embeddings", path.to_str().unwrap()], more].concat();
        let output = score(&args, std::slice::from_ref(&line)).success();
        let report = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        let cosine = answers(&output)[0]["preference_alignment"]
            .as_f64()
            .unwrap();
        (cosine, report.contains("--similarity centred_cosine"))
    };
    // cos((10, 1), (10, -1)) = 99/101; their mean is (10, 0).
    let (cosine, warned) = scored(&[]);
    assert!((cosine - 99.0 / 101.0).abs() < 1e-6 && warned);
    let (cosine, warned) = scored(&["--similarity", "centred_cosine"]);
    assert!((cosine + 1.0).abs() < 1e-6 && !warned);
}

#[test]
fn a_catalogue_tells_ids_and_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.jsonl");
    let fact = json!({"relation": "genre", "value": "crime"});
    let items = [
        json!({"id": "6", "title": "Heat (1995)", "attributes": [fact]}),
        json!({"id": "7", "title": "Casino (1995)", "aliases": ["Kasino"], "attributes": [fact]}),
    ];
    std::fs::write(&path, items.map(|item| item.to_string()).join("\n")).unwrap();
    let line = json!({"id": 1, "response": r"\boxed{Kasino}", "ground_truth": ["Heat"]});
    let output = score(&["--catalogue", path.to_str().unwrap()], &[line]).success();
    assert!(near(&answers(&output)[0]["query_alignment"], 1.0));
}

#[test]
fn faulty_lines_name_their_field() {
    let fine = json!({"id": 1, "response": "", "ground_truth": ["Heat"]});
    for (line, message) in [
        (
            json!({"id": 2, "response": "", "ground_truth": []}),
            "line 2: ground_truth: no target given",
        ),
        (
            json!({"id": 2, "response": "", "ground_truth": 3}),
            "line 2: ground_truth: expected a list of titles",
        ),
        (
            json!({"id": 2, "ground_truth": ["Heat"]}),
            "line 2: missing field `response`",
        ),
        (
            json!({"id": 2, "response": "", "ground_truth": ["Heat"], "candidates": ["Alien"]}),
            "line 2: ground_truth: `Heat` is not in the catalogue",
        ),
    ] {
        let output = score(&[], &[fine.clone(), line.clone()]).code(2);
        let report = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(report.contains(message), "{report}");
        let output = score(&["--on-error", "skip"], &[line, fine.clone()]).success();
        assert_eq!(answers(&output)[0]["id"], 2);
        assert!(
            answers(&output)[0]["error"].is_string() && answers(&output)[1]["total"].is_number()
        );
    }
}

#[test]
fn settings_are_checked_before_the_first_line() {
    for (args, message) in [
        (&["--k", "0"][..], "cutoff must be at least 1, got 0"),
        (&["--answer", "middle"], "expected `last` or `first`"),
        (
            &["--weight", "colour=1"],
            "expected one of `format`, `query`, `preference`",
        ),
        (&["--graph", "nowhere.tsv"], "nowhere.tsv"),
        (&["--graph", "nowhere.xml"], "unknown file ending"),
    ] {
        let output = score(args, &[]).code(2);
        let report = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(report.contains(message), "{report}");
    }
}

/// Scores one answer by a graph alone: its query alignment.
fn query_alignment(graph: &str, answer: &str, truth: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.gexf");
    std::fs::write(&path, format!("<gexf><graph>{graph}</graph></gexf>")).unwrap();
    let line =
        json!({"id": 1, "response": format!("\\boxed{{{answer}}}"), "ground_truth": [truth]});
    let output = score(&["--graph", path.to_str().unwrap()], &[line]).success();
    answers(&output)[0]["query_alignment"].clone()
}

#[test]
fn people_of_one_name_are_two_and_keys_of_parallel_edges_are_relations() {
    let homonyms = "<nodes><node id='m1' label='Heat'/><node id='m2' label='Casino'/>
        <node id='p1' label='John Smith'/><node id='p2' label='John Smith'/></nodes>
        <edges><edge source='m1' target='p1'/><edge source='m2' target='p2'/></edges>";
    assert_eq!(query_alignment(homonyms, "Casino", "Heat"), 0.0);
    let edge = |target: &str, key: &str| {
        format!(
            "<edge source='{target}' target='Mann'><attvalues><attvalue for='0' value='{key}'/></attvalues></edge>"
        )
    };
    let keys = format!(
        "<attributes class='edge'><attribute id='0' title='networkx_key' type='string'/></attributes>
        <nodes><node id='Heat'/><node id='Mann'/><node id='Thief'/></nodes><edges>{}{}{}</edges>",
        edge("Heat", "director"),
        edge("Heat", "writer"),
        edge("Thief", "director"),
    );
    assert_eq!(query_alignment(&keys, "Thief", "Heat"), 0.5);
}

#[test]
fn a_header_row_is_said_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.tsv");
    std::fs::write(&path, "\u{feff}head\ttail\nHeat\tCrime\n").unwrap();
    let line = json!({"id": 1, "response": "\\boxed{head}", "ground_truth": ["Heat"]});
    let output = score(&["--graph", path.to_str().unwrap()], &[line]).success();
    assert_eq!(answers(&output)[0]["flags"], json!(["unknown_item"]));
    let said = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(
        said.contains("the first line is a header: head, tail"),
        "{said}"
    );
}
