//! What one does with a trained model: check, train, evaluate, ask, export.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

#[path = "shared/tiny.rs"]
mod tiny;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;

use tiny::tiny;

fn rerec(args: &[&str]) -> Assert {
    Command::cargo_bin("rerec").unwrap().args(args).assert()
}

fn printed(args: &[&str]) -> String {
    String::from_utf8(rerec(args).success().get_output().stdout.clone()).unwrap()
}

fn refused(args: &[&str], code: i32) -> String {
    let said = rerec(args).failure().code(code);
    String::from_utf8(said.get_output().stderr.clone()).unwrap()
}

fn answers(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_trained_model_is_checked_evaluated_asked_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (config, run) = (path("tiny.toml"), path("runs/tiny"));
    fs::write(&config, tiny(&folder.path().join("runs"), "", 2)).unwrap();

    let plan: Value =
        serde_json::from_str(&printed(&["train", &config, "--check", "--json"])).unwrap();
    assert_eq!(
        (&plan["steps"], &plan["responses_per_step"]),
        (&2.into(), &8.into())
    );
    assert!(!Path::new(&run).exists(), "a check leaves nothing behind");
    let correction = "reinforcement.sampler_correction={ kind = 'token_truncated', most = 2.0 }";
    let one = refused(&["train", &config, "--set", correction], 2);
    assert!(one.contains("here they are one"), "{one}");
    assert!(
        !Path::new(&run).exists(),
        "a refused run leaves nothing behind"
    );
    let long = refused(
        &[
            "train",
            &config,
            "--check",
            "--set",
            "reinforcement.max_new_tokens=2000",
        ],
        1,
    );
    assert!(long.contains("the run cannot begin"), "{long}");

    rerec(&["train", &config]).success();
    // The same greedy answers from the run, from its folder for transformers, and from a file for llama.cpp.
    let (model, gguf) = (path("model"), path("model.gguf"));
    rerec(&["export", "--run", &run, "--output", &model]).success();
    rerec(&["export", "--run", &run, "--output", &gguf, "--type", "f16"]).success();
    let asked = |of: [&str; 2], name: &str| {
        let file = path(name);
        let json = printed(&[
            "eval",
            of[0],
            of[1],
            "--data",
            &config,
            "--max-new-tokens",
            "12",
            "--responses",
            &file,
            "--json",
        ]);
        let outcome: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            outcome["scores"]["rows"]
                .as_array()
                .unwrap()
                .last()
                .unwrap()["queries"],
            6
        );
        answers(&file)
    };
    let own = asked(["--run", &run], "run.jsonl");
    assert_eq!(asked(["--model", &model], "folder.jsonl"), own);
    let text = |answers: &[Value]| -> Vec<String> {
        let text = |answer: &Value| answer["answers"][0]["response"]["text"].to_string();
        answers.iter().map(text).collect()
    };
    assert_eq!(text(&asked(["--model", &gguf], "gguf.jsonl")), text(&own));

    let table = printed(&[
        "eval",
        "--run",
        &run,
        "--against",
        &path("run.jsonl"),
        "--queries",
        "6",
    ]);
    assert!(
        table.contains("| all | 6 |") && table.contains("0.0 [0.0, 0.0] | 0 | 0 | 1.000 |"),
        "{table}"
    );
    // A model on both sides.
    let table = printed(&["eval", "--run", &run, "--against", &model, "--queries", "2"]);
    assert!(table.contains("| all | 2 |"), "{table}");
    let said = printed(&[
        "ask",
        "--run",
        &run,
        "--max-new-tokens",
        "4",
        "--candidates",
        "3",
        "--json",
        "a western film",
    ]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["candidates"].as_array().unwrap().len(), 3);
    assert!(
        said["response"].is_string() && said["flags"].is_array(),
        "{said}"
    );

    // A conversation longer than the context goes on without its oldest questions.
    let question = format!("{}a western film\n", "something calm, ".repeat(20));
    let talk = ["ask", "--run", &run, "--max-new-tokens", "4", "--json"];
    let mut command = Command::cargo_bin("rerec").unwrap();
    let talk = command
        .args(talk)
        .write_stdin(question.repeat(8))
        .assert()
        .success();
    let output = talk.get_output();
    assert_eq!(
        output.stdout.iter().filter(|&&byte| byte == b'\n').count(),
        8
    );
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(warned.contains("which are forgotten"), "{warned}");

    let used = refused(&["export", "--run", &run, "--output", &model], 2);
    assert!(used.contains("holds files already"), "{used}");
    let best = refused(&["eval", "--run", &run, "--checkpoint", "best"], 2);
    assert!(best.contains("no best checkpoint"), "{best}");
}

#[test]
fn what_names_no_model_or_no_data_is_told_what_would() {
    let said = refused(&["eval", "--data", "x.toml"], 2);
    assert!(said.contains("--baseline NAME"), "{said}");
    let said = refused(&["ask", "--model", "nowhere", "x"], 2);
    assert!(said.contains("--catalogue FILE"), "{said}");
    let said = refused(&["eval", "--run", "nowhere"], 2);
    assert!(said.contains("nowhere holds no run"), "{said}");
}
