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

/// Whether a file is an experiment, not a run's configuration.
fn is_experiment(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.starts_with("ablation")
}

/// Reading one reads the settings of every arm in every world.
fn experiment(name: &str) -> Ablation {
    let file = root().join("configs").join(name);
    let mut config = AblationConfig::from_file(&file).unwrap();
    assert_eq!(file.file_stem().unwrap().to_str(), Some(&*config.name));
    config.runs = tempfile::tempdir().unwrap().path().to_owned();
    Ablation::open(config).unwrap()
}

fn due(ablation: &Ablation) -> Vec<String> {
    ablation.due().iter().map(ToString::to_string).collect()
}

#[test]
fn the_experiment_begins_with_the_warm_starts_of_its_worlds() {
    let mut ablation = experiment("ablation.toml");
    let due_first = due(&ablation);
    // The worlds' seeds for tuning, then the first seed of each world before the second of any.
    let first = [121, 221, 253, 111, 211, 251, 112];
    let worlds = ["quickstart", "rare", "movielens"].iter().cycle();
    let warm = |(world, seed): (&&str, &i32)| format!("{world}-{seed}/warm");
    let first: Vec<String> = worlds.zip(&first).map(warm).collect();
    assert_eq!(due_first[..first.len()], first);
    let config = ablation.config();
    let seeds: usize = config.worlds.iter().map(|world| world.seeds.len()).sum();
    assert!(seeds >= 10, "{seeds}");
    // Each world has one seed more, for tuning.
    assert_eq!(due_first.len(), seeds + config.worlds.len());

    let bases = ablation.due().into_iter().take(3);
    let bases: Vec<PathBuf> = bases
        .map(|run| ablation.base(&run).unwrap().to_owned())
        .collect();
    let files = ["quickstart.toml", "quickstart.toml", "movielens.toml"];
    assert!(
        bases
            .iter()
            .zip(files)
            .all(|(base, file)| base.ends_with(file)),
        "{bases:?}"
    );

    ablation.restrict(&["rare".to_owned()]).unwrap();
    assert!(due(&ablation).iter().all(|run| run.starts_with("rare-")));
    // A warm start and twelve arms; under two rates on the tuning seed.
    assert_eq!(ablation.runs(), 1 + 12 * 2 + 10 * (1 + 12));
    let refused = ablation.restrict(&["six".to_owned()]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        r#"world must be one of ["quickstart", "rare", "movielens"], got six"#
    );
}

#[test]
fn the_other_experiments_are_read() {
    let harder = due(&experiment("ablation-harder.toml"));
    assert_eq!(harder[..2], ["hard-231/warm", "transfer-241/warm"]);
    let variants = due(&experiment("ablation-variants.toml"));
    assert_eq!(variants, ["rare-221/warm", "rare-222/warm"]);
}

#[test]
fn every_configuration_is_read() {
    let folders = ["configs", "examples/recipes"].map(|folder| root().join(folder));
    let entries = folders.iter().flat_map(|folder| folder.read_dir().unwrap());
    let files = entries.map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .filter(|path| !is_experiment(path))
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
