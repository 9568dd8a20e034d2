//! The configurations of this repository are read, and the example of the guide becomes the queries that the guide speaks of.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use rerec_datasets::Inspection;
use rerec_trainer::{Ablation, AblationConfig, TrainConfig, World};

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
    let first = [
        "quickstart-121/warm",
        "rare-221/warm",
        "lenient-221/warm",
        "lenient-222/warm",
        "hard-232/warm",
        "transfer-243/warm",
        "movielens-253/warm",
        "quickstart-111/warm",
        "rare-211/warm",
        "lenient-261/warm",
        "hard-231/warm",
        "transfer-241/warm",
        "movielens-251/warm",
        "quickstart-112/warm",
    ];
    assert_eq!(due_first[..first.len()], first);
    let config = ablation.config();
    let count = |seeds: fn(&World) -> usize| config.worlds.iter().map(seeds).sum::<usize>();
    let seeds = count(|world| world.seeds.len());
    assert!(seeds >= 10, "{seeds}");
    assert_eq!(
        due_first.len(),
        seeds + count(|world| world.tuning_seeds.len())
    );

    assert_eq!(
        ablation.left(),
        (due_first.len(), ablation.runs() - due_first.len())
    );

    for run in ablation.due() {
        let world = if run.to_string().starts_with("movielens") {
            "movielens.toml"
        } else {
            "quickstart.toml"
        };
        assert!(ablation.base(&run).unwrap().ends_with(world), "{run}");
    }

    ablation.restrict(&["rare".to_owned()]).unwrap();
    assert!(due(&ablation).iter().all(|run| run.starts_with("rare-")));
    // A warm start and twelve arms, of two seeds; under two rates on the tuning seed.
    assert_eq!(ablation.runs(), 1 + 12 * 2 + 2 * (1 + 12));
    let refused = ablation.restrict(&["six".to_owned()]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        r#"world must be one of ["quickstart", "rare", "lenient", "hard", "transfer", "movielens"], got six"#
    );
}

#[test]
fn the_other_experiments_are_read() {
    let repeats = due(&experiment("ablation-repeats.toml"));
    assert_eq!(repeats[0], "lenient-261/warm");
    let variants = due(&experiment("ablation-variants.toml"));
    let warm = [221, 222, 223].map(|seed| format!("lenient-{seed}/warm"));
    assert_eq!(variants, warm);
    let longer = due(&experiment("ablation-longer.toml"));
    assert_eq!(longer[0], "lenient-261/warm");
}

#[test]
fn a_world_from_another_experiment_has_its_settings_before_its_own() {
    let world = |name: &str| {
        let ablation = experiment(name);
        let mut worlds = ablation.config().worlds.iter();
        worlds.find(|one| one.name == "lenient").unwrap().clone()
    };
    let origin = world("ablation.toml").set;
    assert!(origin.contains(&"data.quickstart.demonstrator.leniency=0.6".to_owned()));
    let longer = world("ablation-longer.toml");
    let (shared, own) = longer.set.split_at(origin.len());
    assert_eq!(shared, origin);
    assert_eq!(
        own,
        ["reinforcement.max_steps=60", "reinforcement.epochs=8"]
    );
    assert!(longer.config.unwrap().ends_with("configs/quickstart.toml"));
}

#[test]
fn a_world_is_taken_from_an_experiment_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = |world: &str, from: &str| {
        format!(
            "name = 'e'\nconfig = 'c.toml'\n[[worlds]]\nname = '{world}'\n{from}seeds = [1]\n[[arms]]\nname = 'a'"
        )
    };
    let write = |file: &str, text: String| std::fs::write(folder.path().join(file), text).unwrap();
    write("one.toml", experiment("dry", ""));
    write("two.toml", experiment("wet", "from = 'one.toml'\n"));
    write("three.toml", experiment("wet", "from = 'two.toml'\n"));
    let refused = |file: &str| {
        let read = AblationConfig::from_file(&folder.path().join(file));
        read.unwrap_err().to_string()
    };
    assert_eq!(
        refused("two.toml"),
        r#"world must be one of ["dry"], got wet"#
    );
    assert_eq!(
        refused("three.toml"),
        "worlds.wet.from must be an experiment that has the world's settings itself, got two.toml"
    );
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
