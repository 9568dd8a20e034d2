//! The configurations of this repository are read, and the example of the guide becomes the queries that the guide speaks of.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use rerec_datasets::Inspection;
use rerec_trainer::{Ablation, AblationConfig, TrainConfig};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The file that is no run's configuration.
const EXPERIMENT: &str = "ablation.toml";

/// Reading it reads the settings of every arm in every world.
#[test]
fn the_experiment_begins_with_the_warm_starts_of_its_worlds() {
    let mut config = AblationConfig::from_file(&root().join("configs").join(EXPERIMENT)).unwrap();
    config.runs = tempfile::tempdir().unwrap().path().to_owned();
    let worlds = config.worlds.len();
    let seeds: usize = config.worlds.iter().map(|world| world.seeds.len()).sum();
    let ablation = Ablation::open(config).unwrap();
    let due: Vec<String> = ablation.due().iter().map(ToString::to_string).collect();
    assert!(seeds >= 10, "{seeds}");
    assert_eq!(due.len(), seeds);
    // The first seed of each world comes before the second of any.
    assert_eq!(due[..worlds], ["six-101/warm", "rare-201/warm"]);
}

#[test]
fn every_configuration_is_read() {
    let folders = ["configs", "examples/recipes"].map(|folder| root().join(folder));
    let entries = folders.iter().flat_map(|folder| folder.read_dir().unwrap());
    let files = entries.map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .filter(|path| !path.ends_with(EXPERIMENT))
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let config = TrainConfig::from_file(&file, &[]).unwrap();
        assert_eq!(config.name, file.file_stem().unwrap().to_str().unwrap());
    }
}

#[test]
fn two_tables_of_recipes_become_queries() {
    let example = root().join("examples/recipes");
    // Its paths are relative to the root of the repository; a test runs in the folder of its package.
    let overrides = [("items", "recipes.csv"), ("ratings", "ratings.csv")]
        .map(|(part, file)| format!("data.catalogue.{part}.file={:?}", example.join(file)));
    let config = TrainConfig::from_file(&example.join("recipes.toml"), &overrides).unwrap();
    let dataset = config.data.load(config.seed).unwrap();
    let inspection = Inspection::new(&dataset, "words", |prompt| {
        prompt[0].content.split_whitespace().count()
    });
    assert_eq!((inspection.items, inspection.ratings), (200, 3360));
    let queries: Vec<usize> = inspection
        .splits
        .iter()
        .map(|split| split.queries)
        .collect();
    assert_eq!(queries, [4000, 80, 200]);
    assert!(inspection.leaks.is_empty(), "{:?}", inspection.leaks);
    let covered = inspection
        .relations
        .iter()
        .map(|covered| covered.relation.as_str());
    assert!(covered.eq(["cuisine", "ingredient", "time", "time range"]));
    let texts = dataset
        .splits
        .train
        .iter()
        .map(|query| query.conversation[0].content.as_str());
    let texts: Vec<&str> = texts.collect();
    for part in [
        "recipe with ",
        "that takes under 30 minutes",
        "that shares an ingredient with \"",
        "of its cuisine",
        "like those I liked",
    ] {
        assert!(texts.iter().any(|text| text.contains(part)), "{part}");
    }
}
