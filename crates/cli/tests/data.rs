//! `rerec data` as a command.
#![allow(clippy::unwrap_used)]

use std::fs;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

fn data(args: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("rerec")
        .unwrap()
        .arg("data")
        .args(args)
        .assert()
}

fn printed(args: &[&str]) -> String {
    String::from_utf8(data(args).success().get_output().stdout.clone()).unwrap()
}

/// What a faulty call says; its exit status is 2.
fn refused(args: &[&str]) -> String {
    let said = data(args).failure().code(2);
    String::from_utf8(said.get_output().stderr.clone()).unwrap()
}

/// Forty books of three authors and two topics, and a configuration that reads them.
fn books(folder: &TempDir) -> String {
    let mut table = "id,title,author,topic,pages\n".to_owned();
    for n in 0..40 {
        let author = ["Anna Ard", "Bo Bex", "Cy Cole"][n % 3];
        let topic = ["ships", "birds"][n % 2];
        table += &format!("b{n},Book {n},{author},{topic},{}\n", 80 + 10 * n);
    }
    fs::write(folder.path().join("books.csv"), table).unwrap();
    let config = format!(
        r#"
seed = 5
[data.catalogue]
items = {{ file = {:?}, attributes = {{ author = "author", topic = "topic" }}, numbers = {{ pages = {{ unit = "pages" }} }} }}
queries = {{ train = 12, validation = 3, test = 3 }}
[data.catalogue.wording]
noun = "book"
[model]
nobody = "looks here"
"#,
        folder.path().join("books.csv")
    );
    write(folder, "books.toml", &config)
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_page_and_json_tell_the_same() {
    let folder = TempDir::new().unwrap();
    let config = books(&folder);
    let page = printed(&["inspect", &config]);
    assert!(
        page.starts_with("40 items\n  author: 100.0 % of the items, 3 values, 3 of them shared"),
        "{page}"
    );
    assert!(
        page.contains("\ntrain: 12 queries\n  classes: 4 explicit, 4 implicit, 4 misinformed\n"),
        "{page}"
    );
    assert!(page.contains("no leaks"), "{page}");
    assert!(
        page.contains("note: no interest queries: there are no ratings"),
        "{page}"
    );
    let json: Value = serde_json::from_str(&printed(&["inspect", &config, "--json"])).unwrap();
    assert_eq!(json["items"], 40);
    assert_eq!(json["splits"][0]["classes"]["implicit"], 4);
    assert_eq!(json["samples"].as_array().unwrap().len(), 9);
    let other = printed(&["inspect", &config, "--seed", "6"]);
    assert_ne!(page, other);
}

#[test]
fn what_is_built_is_read_again() {
    let folder = TempDir::new().unwrap();
    let config = books(&folder);
    let built = folder.path().join("built");
    let built = built.to_str().unwrap();
    data(&["build", &config, "--output", built]).success();
    let again = printed(&["inspect", &format!("{built}/data.toml"), "--json"]);
    let again: Value = serde_json::from_str(&again).unwrap();
    let first: Value = serde_json::from_str(&printed(&["inspect", &config, "--json"])).unwrap();
    for part in ["items", "relations", "splits", "leaks", "samples"] {
        assert_eq!(again[part], first[part], "{part}");
    }
}

#[test]
fn records_for_verl_hold_the_prompt_and_the_right_answer() {
    let folder = TempDir::new().unwrap();
    let config = books(&folder);
    let output = folder.path().join("verl");
    data(&[
        "convert",
        &config,
        "--to",
        "verl",
        "--output",
        output.to_str().unwrap(),
    ])
    .success();
    let train = fs::read_to_string(output.join("train.jsonl")).unwrap();
    assert_eq!(train.lines().count(), 12);
    let record: Value = serde_json::from_str(train.lines().next().unwrap()).unwrap();
    assert_eq!(record["data_source"], "books");
    assert!(
        record["prompt"][0]["content"]
            .as_str()
            .unwrap()
            .contains("\\boxed{")
    );
    assert!(
        record["reward_model"]["ground_truth"][0]
            .as_str()
            .unwrap()
            .starts_with("Book ")
    );
    let unknown = refused(&["convert", &config, "--to", "xml", "--output", "x"]);
    assert!(unknown.contains("expected `jsonl`"), "{unknown}");
}

#[test]
fn a_join_writes_the_catalogue_and_says_what_it_found() {
    let folder = TempDir::new().unwrap();
    let items = write(
        &folder,
        "items.csv",
        "id,title,genre\n1,\"Breakfast Club, The (1985)\",Drama\n2,Heat (1995),Crime\n",
    );
    let train = r#"{"id":"q","conversation":"A film?","targets":["1"],"candidates":["1","2"]}"#;
    let train = write(&folder, "train.jsonl", train);
    let config = format!(
        "[data.files]\ncatalogue = {{ file = {items:?}, attributes = {{ genre = \"genre\" }} }}\nqueries = {{ train = {train:?} }}\n"
    );
    let config = write(&folder, "data.toml", &config);
    let films = write(
        &folder,
        "films.csv",
        "title,year,director\nThe Breakfast Club,1985,John Hughes\n",
    );
    let output = folder.path().join("joined.jsonl");
    let report = printed(&[
        "join",
        &config,
        "--films",
        &films,
        "--output",
        output.to_str().unwrap(),
    ]);
    assert!(
        report.starts_with("1 of 2 items is among the 1 films"),
        "{report}"
    );
    assert!(fs::read_to_string(&output).unwrap().contains("John Hughes"));
}

#[test]
fn faults_name_the_file_and_the_cause() {
    let folder = TempDir::new().unwrap();
    let missing = write(
        &folder,
        "data.toml",
        "[data.catalogue]\nitems = { file = \"no.csv\" }\n",
    );
    let missing = refused(&["inspect", &missing]);
    assert!(
        missing.contains("cannot read no.csv: No such file"),
        "{missing}"
    );
    let misspelt = write(&folder, "other.toml", "[data.catalog]\n");
    let misspelt = refused(&["inspect", &misspelt]);
    assert!(
        misspelt.contains("unknown variant `catalog`, expected one of `quickstart`"),
        "{misspelt}"
    );
    let nothing = refused(&["inspect", "nothing.toml"]);
    assert!(nothing.contains("cannot read nothing.toml"), "{nothing}");
}
