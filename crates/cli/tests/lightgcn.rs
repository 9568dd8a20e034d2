//! `rerec lightgcn` as a command.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;

fn lightgcn(args: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("rerec")
        .unwrap()
        .arg("lightgcn")
        .args(args)
        .assert()
}

/// Forty users of two tastes, twenty items each.
fn pairs() -> String {
    let pairs = (0..40).flat_map(|user| (0..40).map(move |item| (user, item)));
    let liked = pairs.filter(|(user, item)| user % 2 == item % 2 && (user + 3 * item) % 7 != 0);
    liked
        .map(|(user, item)| format!("u{user}\tt{taste}i{item}\n", taste = item % 2))
        .collect()
}

#[test]
fn embeddings_know_the_tastes_and_the_summary_says_how_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("pairs.tsv"), pairs()).unwrap();
    let (input, items, users) = (
        path("pairs.tsv"),
        path("items.tsv"),
        path("users.safetensors"),
    );
    let args = [
        "--output",
        &items,
        "--users",
        &users,
        "--dimension",
        "8",
        "--batch-size",
        "64",
    ];
    let held_out = [
        "--validation",
        "0.1",
        "--test",
        "0.1",
        "--max-epochs",
        "40",
        "--seed",
        "3",
    ];
    let output = lightgcn(&[&[input.as_str()], &args[..], &held_out[..]].concat()).success();
    let output = output.get_output();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&summary["users"], &summary["items"]),
        (&40.into(), &40.into())
    );
    assert_eq!(summary["test"]["users"], 40);
    // Of the twenty to twenty-four items left, two or fewer are right.
    assert!(
        summary["test"]["recall_at_10"].as_f64().unwrap() > 0.6,
        "{summary}"
    );
    assert!(summary["contrast"].is_null());
    let epochs = summary["epochs"].as_u64().unwrap() as usize;
    let progress = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(
        progress
            .lines()
            .filter(|line| line.starts_with("epoch "))
            .count(),
        epochs
    );

    let table = rerec_rewards::EmbeddingTable::read(items.as_ref()).unwrap();
    let row = |id: &str| table.row(id).unwrap();
    assert!(row("t0i0").dot(&row("t0i2")) > row("t0i0").dot(&row("t1i1")));
    assert_eq!(
        rerec_rewards::EmbeddingTable::read(users.as_ref())
            .unwrap()
            .len(),
        40
    );
}

#[test]
fn faults_exit_with_2_and_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("pairs.tsv"), "ann\theat\nann\n").unwrap();
    let message = |args: &[&str]| {
        let assert = lightgcn(args).code(2);
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    let (input, output) = (path("pairs.tsv"), path("items.tsv"));
    let faulty = message(&[&input, "--output", &output]);
    assert_eq!(faulty, format!("rerec: line 2 of {input}: no item\n"));
    let settings = message(&[&input, "--output", &output, "--dimension", "0"]);
    assert_eq!(settings, "rerec: dimension must be 1 to 65536, got 0\n");
    std::fs::write(&input, "ann\theat\nbob\talien\n").unwrap();
    let few = message(&[&input, "--output", &output, "--validation", "0.1"]);
    assert_eq!(
        few,
        "rerec: validation_fraction of 0.1 holds out nothing, since no user has more than 1 interactions; set it to 0 to train on all of them, or raise it\n"
    );
    assert!(!std::path::Path::new(&output).exists());
}

#[test]
fn outputs_that_cannot_be_written_are_found_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let input = path("pairs.tsv");
    std::fs::write(&input, "ann\theat\nann\tthief\nbob\theat\nbob\talien\n").unwrap();
    std::fs::create_dir(path("folder.tsv")).unwrap();
    let good = path("items.tsv");
    for (output, users, said) in [
        (path("x.bin"), None, "unknown file ending"),
        (path("missing/x.tsv"), None, "cannot write"),
        (path("folder.tsv"), None, "cannot write"),
        (input.clone(), None, "which the input names already"),
        (good.clone(), Some(path("us.bin")), "unknown file ending"),
        (good.clone(), Some(path("missing/us.npy")), "cannot write"),
        (
            good.clone(),
            Some(path("./items.tsv")),
            "which --output names already",
        ),
    ] {
        let mut args = vec![input.as_str(), "--output", &output];
        args.extend(users.iter().flat_map(|users| ["--users", users.as_str()]));
        let assert = lightgcn(&args).code(2);
        let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(
            stderr.contains(said) && !stderr.contains("epoch 1:"),
            "{stderr}"
        );
    }
    assert!(!folder.path().join("items.tsv").exists());
}

#[test]
fn few_pairs_train_by_default_and_a_header_is_no_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let input = path("pairs.tsv");
    std::fs::write(&input, "user_id\titem_id\nu1\ti1\nu1\ti2\nu2\ti1\nu2\ti3\n").unwrap();
    let output = path("items.tsv");
    let args = [
        &input,
        "--output",
        &output,
        "--max-epochs",
        "2",
        "--dimension",
        "4",
    ];
    let assert = lightgcn(&args).success();
    let summary: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    assert_eq!(
        (&summary["users"], &summary["epochs"]),
        (&2.into(), &2.into())
    );
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(
        stderr.contains("the first line is a header: user_id, item_id"),
        "{stderr}"
    );
    assert!(stderr.contains("no user has ten pairs"), "{stderr}");
    let asked = lightgcn(&[&args[..], &["--validation", "0.1"]].concat()).code(2);
    let stderr = String::from_utf8(asked.get_output().stderr.clone()).unwrap();
    assert!(
        stderr.contains("validation_fraction of 0.1 holds out nothing"),
        "{stderr}"
    );
}
