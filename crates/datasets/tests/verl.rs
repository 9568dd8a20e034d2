//! Records made for verl, in several dialects.
#![allow(clippy::unwrap_used)]

use std::fs;

use rerec_datasets::{
    DataSource, Dataset, QueryClass, VerlConfig, VerlRecord, WorldConfig, read_jsonl, write_jsonl,
};
use tempfile::TempDir;

fn load(train: &str, more: &str) -> Result<Dataset, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    fs::write(folder.path().join("train.jsonl"), train).unwrap();
    fs::write(
        folder.path().join("items.csv"),
        "id,title\n1,Heat (1995)\n2,Steins;Gate\n3,\"Matrix, The (1999)\"\n",
    )
    .unwrap();
    let config = format!(
        "train = \"{path}/train.jsonl\"\n{}",
        more.replace("{}", path)
    );
    let config: VerlConfig = toml::from_str(&config).unwrap();
    let dataset = DataSource::Verl(config).load(0);
    dataset.map_err(|error| error.to_string().replace(path, "."))
}

const CATALOGUE: &str = "catalogue = { file = \"{}/items.csv\" }";

#[test]
fn ground_truths_are_read_in_every_form() {
    let prompt = r#""prompt": [{"role": "user", "content": "?"}]"#;
    let truths = [
        (
            r#""reward_model": {"style": "rule", "ground_truth": ["Heat", "The Matrix"]}"#,
            vec!["1", "3"],
        ),
        (
            r#""reward_model": {"ground_truth": "Heat;The Matrix"}"#,
            vec!["1", "3"],
        ),
        (
            r#""reward_model": {"ground_truth": "Heat[SEP]Steins;Gate"}"#,
            vec!["1", "2"],
        ),
        (
            r#""reward_model": {"ground_truth": "[\"Steins;Gate\"]"}"#,
            vec!["2"],
        ),
        (
            r#""reward_model": {"ground_truth": "Steins;Gate"}"#,
            vec!["2"],
        ),
        (
            r#""reward_model": "{\"ground_truth\": [\"Heat\"]}""#,
            vec!["1"],
        ),
        (r#""ground_truth": 3"#, vec!["3"]),
    ];
    for (truth, expected) in truths {
        let dataset = load(&format!("{{{prompt}, {truth}}}"), CATALOGUE).unwrap();
        let targets: Vec<&str> = dataset.splits.train[0]
            .targets
            .iter()
            .map(|id| id.as_str())
            .collect();
        assert_eq!(targets, expected, "{truth}");
    }
}

#[test]
fn ids_classes_candidates_and_history_come_from_extra_info() {
    let record = |extra: &str| {
        format!(
            r#"{{"prompt": "Say.", "data_source": "films", "reward_model": {{"ground_truth": "Heat"}}{extra}}}"#
        )
    };
    let query = |extra: &str| load(&record(extra), CATALOGUE).unwrap().splits.train[0].clone();
    let full = query(
        r#", "extra_info": {"index": 17, "candidates": ["1", "Matrix"], "history": "2", "split": "train"}, "my_column": [1]"#,
    );
    assert_eq!(
        (full.id.as_str(), full.class.label()),
        ("train-17", "films")
    );
    assert_eq!(full.candidates.unwrap(), ["1", "3"]);
    assert_eq!(full.history, ["2"]);
    let folded = query(r#", "extra_info": "{\"id\": \"a-1\", \"class\": \"implicit\"}""#);
    assert_eq!(
        (folded.id.as_str(), folded.class),
        ("a-1", QueryClass::IMPLICIT)
    );
    let bare = query("");
    assert_eq!(bare.id.as_str().len(), 16, "a hash of the conversation");
    assert_eq!(bare.candidates, None);
}

#[test]
fn without_a_catalogue_the_names_are_the_items() {
    let record =
        r#"{"prompt": "?", "reward_model": {"ground_truth": ["A"]}, "candidates": ["A", "B"]}"#;
    let dataset = load(record, "").unwrap();
    assert_eq!(dataset.catalogue.len(), 2);
    assert_eq!(dataset.splits.train[0].targets[0], "A");
    assert_eq!(
        dataset.remarks[0],
        "no catalogue is given: the names in the records are the items"
    );
}

#[test]
fn faults_name_line_and_field() {
    let truth = r#""reward_model": {"ground_truth": "Heat"}"#;
    assert_eq!(
        load(r#"{"prompt": "?"}"#, CATALOGUE).unwrap_err(),
        "line 1 of ./train.jsonl: reward_model must hold ground_truth, a text or a list of texts that is not empty, got nothing"
    );
    assert_eq!(
        load(
            &format!(
                r#"{{"prompt": [{{"role": "user", "content": [{{"type": "image"}}]}}], {truth}}}"#
            ),
            CATALOGUE
        )
        .unwrap_err(),
        "line 1 of ./train.jsonl: prompt must be a text or a list of messages {\"role\": text, \"content\": text}, got a list of 1"
    );
    assert_eq!(
        load(
            &format!("{{\"prompt\": \"?\", {truth}}}\n\n{{\"prompt\": \"?\", {truth}}}"),
            CATALOGUE
        )
        .unwrap_err()
        .split(", got ")
        .next(),
        Some(
            "line 3 of ./train.jsonl: extra_info.index must give each record an id of its own, but line 1 of ./train.jsonl has it too"
        )
    );
    assert_eq!(
        load(
            r#"{"prompt": "?", "reward_model": {"ground_truth": "Hete"}}"#,
            CATALOGUE
        )
        .unwrap_err(),
        "line 1 of ./train.jsonl: ground_truth must be the title of an item of the catalogue, got \"Hete\""
    );
}

/// What this project writes for verl, it reads.
#[test]
fn own_records_come_back() {
    let world = Dataset::quickstart(0, &WorldConfig::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("records.jsonl");
    let test = &world.splits.test;
    let records = test
        .iter()
        .map(|query| VerlRecord::new(query, &world.catalogue, "films", "test").unwrap());
    write_jsonl(&path, records).unwrap();
    write_jsonl(&folder.path().join("items.jsonl"), world.catalogue.items()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let annotated = text.replacen('{', r#"{"my_column": 1, "#, 1);
    fs::write(&path, annotated).unwrap();
    let records: Vec<VerlRecord> = read_jsonl(&path).unwrap();
    assert_eq!(records[0].rest["my_column"], 1, "extra columns are kept");
    let at = folder.path().to_str().unwrap();
    let config =
        format!("train = \"{at}/records.jsonl\"\ncatalogue = {{ file = \"{at}/items.jsonl\" }}");
    let dataset = Dataset::from_verl(&toml::from_str(&config).unwrap()).unwrap();
    assert_eq!(dataset.splits.train, *test);
    assert_eq!(dataset.catalogue.items(), world.catalogue.items());
}

#[test]
fn what_a_query_has_no_place_for_is_written_again() {
    let record = r#"{"data_source": "shop", "ability": "choice", "prompt": [{"role": "user", "content": "A film?"}],
        "reward_model": {"style": "rule", "ground_truth": "Heat", "scale": 0.5},
        "extra_info": {"index": 4, "split": "train", "answer": ["x", "y"], "tool": {"name": "find", "on": true}}, "note": "checked"}"#;
    let dataset = load(&record.replace('\n', " "), CATALOGUE).unwrap();
    let folder = TempDir::new().unwrap();
    dataset
        .write(folder.path(), rerec_datasets::Format::Verl, "other")
        .unwrap();
    let written = fs::read_to_string(folder.path().join("train.jsonl")).unwrap();
    let written: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["data_source"], "shop");
    assert_eq!(written["ability"], "choice");
    assert_eq!(written["note"], "checked");
    assert_eq!(
        written["reward_model"],
        serde_json::json!({"style": "rule", "ground_truth": ["Heat (1995)"], "scale": 0.5})
    );
    let extra = &written["extra_info"];
    assert_eq!(
        (&extra["index"], &extra["query"]),
        (&4.into(), &"train-4".into())
    );
    assert_eq!(extra["answer"], serde_json::json!(["x", "y"]));
    assert_eq!(
        extra["tool"],
        serde_json::json!({"name": "find", "on": true})
    );
    // Read again it is the same.
    let again = load(&written.to_string(), CATALOGUE).unwrap();
    assert_eq!(again.splits, dataset.splits);
    assert_eq!(again.extra, dataset.extra);
}

#[test]
fn conditions_are_read_where_no_other_tool_has_its_own() {
    let record = |extra: &str| {
        let record = r#"{"prompt": "A film?", "reward_model": {"ground_truth": "Heat"}, "extra_info": {EXTRA}}"#;
        load(&record.replace("EXTRA", extra), CATALOGUE)
    };
    let asked = r#""query_conditions": [{"relation": "genre", "value": "Crime"}], "conditions": {"temperature": 0.5}"#;
    let dataset = record(asked).unwrap();
    let query = &dataset.splits.train[0];
    assert_eq!(query.conditions[0].value, "Crime");
    let extra = &dataset.extra[&query.id]["extra_info"];
    assert_eq!(
        *extra,
        serde_json::json!({"conditions": {"temperature": 0.5}})
    );
    let refused = record(&asked.replace("\"value\"", "\"values\"")).unwrap_err();
    assert!(
        refused.contains("must hold query_conditions, a list of"),
        "{refused}"
    );
}
