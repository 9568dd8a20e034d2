//! The commands of the documents on data are typed in their order, and the configurations in them are read.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use rerec_datasets::{CatalogueConfig, DataSource};
use serde::Deserialize;
use tempfile::TempDir;

const README: &str = "crates/datasets/README.md";
const GUIDE: &str = "docs/guide/own-catalogue.md";

/// Commands that no test types, and why.
const LEFT_OUT: [(&str, &str); 2] = [
    (
        "cargo xtask setup",
        "fetches libtorch, without which this test would not link",
    ),
    (
        "cargo build --release --package rerec-cli",
        "builds what this test runs",
    ),
];

/// A run of two steps: what its settings do for quality is not what the document promises.
const SHORT: [&str; 10] = [
    "data.catalogue.queries.train=40",
    "data.catalogue.queries.validation=4",
    "data.catalogue.queries.test=4",
    "data.catalogue.demonstrator.drills=40",
    "embeddings.lightgcn.max_epochs=2",
    "warm_start.steps=2",
    "reinforcement.queries=16",
    "reinforcement.max_steps=1",
    "reinforcement.max_new_tokens=16",
    "evaluation.validation_queries=4",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The blocks of a document that are marked by a language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

/// A folder with the files of the repository that the commands name.
fn checkout() -> TempDir {
    let folder = TempDir::new().unwrap();
    for part in ["configs", "examples/recipes"] {
        let copy = folder.path().join(part);
        fs::create_dir_all(&copy).unwrap();
        for entry in root().join(part).read_dir().unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

/// Types a command, unless it is left out; says whether it did.
fn typed(line: &str, folder: &Path) -> bool {
    let line = line.split('#').next().unwrap().trim();
    if line.is_empty() || LEFT_OUT.iter().any(|(command, _)| *command == line) {
        return false;
    }
    let (program, arguments) = line.split_once(' ').unwrap();
    assert!(
        ["rerec", "target/release/rerec"].contains(&program),
        "{line}"
    );
    let is_run = arguments.starts_with("train ");
    if is_run && cfg!(not(feature = "torch")) {
        return false;
    }
    let mut command = Command::cargo_bin("rerec").unwrap();
    command
        .current_dir(folder)
        .args(arguments.split_whitespace());
    if is_run {
        command.args(SHORT.iter().flat_map(|set| ["--set", set]));
    }
    command.assert().success();
    true
}

#[test]
fn every_command_runs() {
    for (document, commands) in [(README, 5), (GUIDE, 3)] {
        let folder = checkout();
        let blocks = blocks(document, "sh");
        let lines = blocks.iter().flat_map(|block| block.lines());
        let count = lines.filter(|line| typed(line, folder.path())).count();
        // Training needs libtorch.
        assert!(count >= commands, "{document}: {count} commands");
    }
}

/// What a configuration says of data; a run's other tables are not looked at.
#[derive(Deserialize)]
struct Config {
    data: DataSource,
}

fn read(text: &str) -> DataSource {
    toml::from_str::<Config>(text)
        .unwrap_or_else(|error| panic!("{text}\n{error}"))
        .data
}

fn catalogue(text: &str) -> CatalogueConfig {
    match read(text) {
        DataSource::Catalogue(config) => *config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_configuration_of_the_readme_is_read() {
    let blocks = blocks(README, "toml");
    assert!(blocks.len() >= 4, "{blocks:?}");
    blocks.iter().for_each(|block| drop(read(block)));
}

#[test]
fn the_guide_goes_through_the_example() {
    let guide = catalogue(&blocks(GUIDE, "toml").concat());
    let example = fs::read_to_string(root().join("examples/recipes/recipes.toml")).unwrap();
    let example = catalogue(&example);
    assert_eq!(guide.items, example.items);
    assert_eq!(guide.ratings, example.ratings);
    assert_eq!(guide.wording, example.wording);
    assert_eq!(guide.queries, example.queries);
}
