//! Catalogue, ratings and queries in files of one's own.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use rerec_datasets::{DataSource, Dataset, FilesConfig, QueryClass};
use tempfile::TempDir;

/// A folder with the files, and what the configuration makes of them; `{}` in it stands for the folder.
fn load(files: &[(&str, &str)], config: &str) -> Result<Dataset, String> {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    read(folder.path(), config)
}

fn read(folder: &Path, config: &str) -> Result<Dataset, String> {
    let path = folder.to_str().unwrap();
    let config: FilesConfig =
        toml::from_str(&config.replace("{}", path)).map_err(|error| error.message().to_owned())?;
    let dataset = DataSource::Files(config).load(0);
    dataset.map_err(|error| error.to_string().replace(path, "."))
}

const ITEMS_CSV: &str = "sku,name,genres,made\n\
    7,\"Saffron Rice, plain\",rice|saffron,\n\
    8,Lentil Soup,lentils,1999\n\
    9,Toast,,2004\n";
const STARS_CSV: &str = "who,what,stars\nann,7,5\nann,8,1.5\nbob,9,4\n";
const TRAIN_JSONL: &str = r#"{"id": "q1", "class": "explicit", "conversation": "Something with saffron?", "targets": ["7"], "candidates": ["7", "8"], "note": 3}
{"id": "q2", "conversation": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Quick!"}], "targets": ["9"], "history": [8]}
"#;
const CONFIG: &str = r#"
catalogue = { file = "{}/items.csv", id = "sku", title = "name", year = "made", attributes = { genres = "ingredient" } }
ratings = { file = "{}/stars.csv", user = "who", item = "what", rating = "stars", scale = [0.5, 5.0] }
queries = { train = "{}/train.jsonl" }
"#;

fn all() -> [(&'static str, &'static str); 3] {
    [
        ("items.csv", ITEMS_CSV),
        ("stars.csv", STARS_CSV),
        ("train.jsonl", TRAIN_JSONL),
    ]
}

#[test]
fn three_files_make_a_dataset() {
    let dataset = load(&all(), CONFIG).unwrap();
    let rice = &dataset.catalogue.items()[0];
    assert_eq!(rice.title, "Saffron Rice, plain");
    let values: Vec<&str> = rice.attributes.iter().map(|a| a.value.as_str()).collect();
    assert_eq!(values, ["rice", "saffron"]);
    assert_eq!(dataset.catalogue.items()[1].year, Some(1999));
    let [first, second] = &dataset.splits.train[..] else {
        panic!("{:?}", dataset.splits)
    };
    assert_eq!(first.class, QueryClass::EXPLICIT);
    assert_eq!(first.conversation[0].content, "Something with saffron?");
    assert_eq!(first.candidates.as_ref().unwrap().len(), 2);
    assert_eq!(second.class, QueryClass::UNLABELLED);
    assert_eq!(second.conversation.len(), 2);
    assert_eq!(
        (second.candidates.as_ref(), second.history[0].as_str()),
        (None, "8")
    );
}

#[test]
fn one_star_is_a_rating_but_no_choice() {
    let dataset = load(&all(), CONFIG).unwrap();
    assert_eq!(dataset.ratings.len(), 3);
    assert!(dataset.choices().eq([("ann", "7"), ("bob", "9")]));
}

#[test]
fn every_row_is_a_choice_where_no_column_of_ratings_is_named() {
    let dataset = load(
        &all(),
        &CONFIG.replace("rating = \"stars\", scale = [0.5, 5.0]", ""),
    )
    .unwrap();
    assert_eq!(dataset.choices().count(), 3);
    assert!(dataset.remarks[0].ends_with(
        "stars.csv: no column of ratings is named, so that every row counts as a choice"
    ));
}

#[test]
fn what_is_missing_is_said() {
    let bare = "catalogue = { file = \"{}/items.csv\", id = \"sku\", title = \"name\" }\nqueries = { train = \"{}/train.jsonl\" }";
    assert_eq!(
        load(&all(), bare).unwrap().remarks,
        [
            "queries without candidates: any item of the catalogue may be answered",
            "no test queries: nothing is reported at the end",
        ]
    );
}

#[test]
fn titles_stand_for_items_as_in_the_reward() {
    let by_title = CONFIG.replace("train.jsonl\"", "train.jsonl\", items = \"titles\"");
    let train = r#"{"id": "q1", "conversation": "?", "targets": "the lentil soup", "candidates": "TOAST|Lentil Soup (1999)"}"#;
    let files = [all()[0], all()[1], ("train.jsonl", train)];
    let dataset = load(&files, &by_title).unwrap();
    assert_eq!(dataset.splits.train[0].targets[0], "8");
    assert_eq!(dataset.splits.train[0].candidates.as_ref().unwrap()[0], "9");
    let train = train.replace("TOAST", "Toasty");
    let files = [all()[0], all()[1], ("train.jsonl", &train)];
    assert_eq!(
        load(&files, &by_title).unwrap_err(),
        "line 1 of ./train.jsonl: candidates must be the title of an item of the catalogue, got \"Toasty\""
    );
}

#[test]
fn ratings_of_other_items_are_refused_or_counted() {
    let stars = format!("{STARS_CSV}ann,77,5\n");
    let files = [all()[0], ("stars.csv", &stars), all()[2]];
    assert_eq!(
        load(&files, CONFIG).unwrap_err(),
        "line 5 of ./stars.csv: what must be an item of the catalogue (skip_unknown = true leaves others out), got \"77\""
    );
    let skipping = CONFIG.replace("scale =", "skip_unknown = true, scale =");
    let dataset = load(&files, &skipping).unwrap();
    assert_eq!(dataset.ratings.len(), 3);
    assert!(
        dataset.remarks[0]
            .ends_with("1 ratings of items that are not in the catalogue are left out")
    );
}

#[test]
fn attributes_of_a_catalogue_in_jsonl_name_their_relations() {
    let items = r#"{"id": 7, "title": "A", "attributes": {"genre": ["x", "y"], "time": 30, "origin": null}}
{"id": 8, "title": "B", "attributes": [{"relation": "genre", "value": "x"}], "aliases": ["Bee"]}"#;
    let config =
        "catalogue = { file = \"{}/items.jsonl\" }\nqueries = { train = \"{}/train.jsonl\" }";
    let train = r#"{"id": "q", "conversation": "?", "targets": [7]}"#;
    let dataset = load(&[("items.jsonl", items), ("train.jsonl", train)], config).unwrap();
    let facts = |place: usize| -> Vec<String> {
        let attributes = dataset.catalogue.items()[place].attributes.iter();
        attributes
            .map(|a| format!("{} {}", a.relation, a.value))
            .collect()
    };
    assert_eq!(facts(0), ["genre x", "genre y", "time 30"]);
    assert_eq!(facts(1), ["genre x"]);
    assert_eq!(dataset.catalogue.items()[1].aliases, ["Bee"]);
}

/// As a list in JSON Lines, as the same text in a cell of CSV, and left empty.
#[test]
fn a_query_states_its_conditions() {
    const CSV: &str = "id,conversation,targets,conditions\n\
        a,Rice?,7,\"[{\"\"relation\"\": \"\"ingredient\"\", \"\"value\"\": \"\"rice\"\"}]\"\n\
        b,Anything?,9,\n";
    // Trimmed, as the attributes of the items are.
    let asked = r#"{"id": "q1", "conversation": "?", "targets": ["7"], "conditions": [{"relation": "ingredient", "value": "saffron "}]}"#;
    let of = |file: &str, text: &str| {
        let [items, stars, _] = all();
        load(
            &[items, stars, (file, text)],
            &CONFIG.replace(
                "train.jsonl\"",
                &format!("{file}\", conditions = \"conditions\""),
            ),
        )
    };
    let values = |dataset: Dataset| -> Vec<Vec<String>> {
        let queries = dataset.splits.train.into_iter();
        queries
            .map(|query| query.conditions.into_iter().map(|one| one.value).collect())
            .collect()
    };
    assert_eq!(
        values(of("train.jsonl", asked).unwrap()),
        [["saffron".to_owned()]]
    );
    assert_eq!(
        values(of("train.csv", CSV).unwrap()),
        [vec!["rice".to_owned()], vec![]]
    );
    let malformed = asked.replace("\"ingredient\"", "\" \"");
    let error = of("train.jsonl", &malformed).unwrap_err();
    assert!(
        error.contains("line 1")
            && error.contains("conditions")
            && error.contains("must be a list of conditions"),
        "{error}"
    );
}
