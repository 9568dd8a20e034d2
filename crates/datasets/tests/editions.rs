//! The other editions of MovieLens, and Amazon Reviews 2023, on invented items in the format of the real files.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use rerec_datasets::{AmazonConfig, DataSource, MovieLensConfig, QueryClass, QueryConfig, Wording};
use tempfile::TempDir;

const GENRES: [&str; 4] = ["Comedy", "Drama", "Comedy|Drama", "Western"];

fn queries(classes: &[QueryClass]) -> QueryConfig {
    QueryConfig {
        train: 30,
        validation: 5,
        test: 5,
        candidates: 5,
        classes: classes.to_vec(),
        ..QueryConfig::default()
    }
}

fn movielens(folder: &Path, classes: &[QueryClass]) -> Result<rerec_datasets::Dataset, String> {
    let config = MovieLensConfig {
        folder: folder.to_owned(),
        min_ratings: 1,
        min_group: 2,
        queries: queries(classes),
        ..MovieLensConfig::default()
    };
    let dataset = DataSource::Movielens(config).load(1);
    dataset.map_err(|error| error.to_string().replace(folder.to_str().unwrap(), "."))
}

#[test]
fn the_million_is_read_with_its_users() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    let mut films = Vec::new();
    let mut ratings = String::new();
    for film in 0..60 {
        films.extend(
            format!(
                "{film}::Film {film} ({})::{}\r\n",
                1970 + film % 30,
                GENRES[film % 4]
            )
            .bytes(),
        );
        for user in 0..8 {
            let liked = GENRES[film % 4].contains(["Comedy", "Western"][user % 2]);
            ratings += &format!("{user}::{film}::{}::978300760\n", if liked { 5 } else { 2 });
        }
    }
    films.extend(b"60::Mis\xE9rables, Les (1995)::Drama|Musical\n");
    ratings += "0::60::4::1\n";
    write("movies.dat", &films);
    write("ratings.dat", ratings.as_bytes());
    let users = (0..8).map(|user| {
        format!(
            "{user}::{}::{}::{}::48067\n",
            ["F", "M"][user % 2],
            [1, 56][user % 2],
            10 + user % 2 * 10
        )
    });
    write("users.dat", users.collect::<String>().as_bytes());
    let dataset = movielens(folder.path(), &QueryClass::RECBENCH).unwrap();
    let last = dataset
        .catalogue
        .get(dataset.catalogue.index_of("60").unwrap());
    assert_eq!(last.title, "Misérables, Les (1995)");
    assert_eq!(dataset.ratings.len(), 481);
    let asked: String = dataset
        .splits
        .train
        .iter()
        .map(|query| query.conversation[0].content.as_str())
        .collect();
    for group in ["women under 18", "men over 54", "pupils", "writers"] {
        assert!(asked.contains(group), "{group}");
    }
}

#[test]
fn the_large_editions_are_read_without_users() {
    let folder = TempDir::new().unwrap();
    let (mut films, mut ratings) = (
        "movieId,title,genres\n900,\"City of Lost Children, The (Cité des enfants perdus, La) (1995)\",Drama|Western\n901,Black Mirror (2011–2014),(no genres listed)\n".to_owned(),
        "userId,movieId,rating,timestamp\n1,900,0.5,1\n1,901,5.0,1\n".to_owned(),
    );
    for film in 0..60 {
        films += &format!(
            "{film},Film {film} ({}),{}\n",
            1970 + film % 30,
            GENRES[film % 4]
        );
        ratings += &format!(
            "{},{film},4.5,1\n{},{film},3.5,1\n",
            film % 7,
            10 + film % 5
        );
    }
    fs::write(folder.path().join("movies.csv"), &films).unwrap();
    fs::write(folder.path().join("ratings.csv"), &ratings).unwrap();
    let named = [QueryClass::EXPLICIT, QueryClass::IMPLICIT];
    let dataset = movielens(folder.path(), &named).unwrap();
    let lost = &dataset.catalogue.items()[0];
    assert_eq!(lost.title, "City of Lost Children, The (1995)");
    assert_eq!(lost.aliases, ["Cité des enfants perdus, La (1995)"]);
    let series = &dataset.catalogue.items()[1];
    assert!(series.aliases.is_empty() && series.attributes.is_empty() && series.year.is_none());
    let refused = movielens(folder.path(), &[QueryClass::DEMOGRAPHICS]).unwrap_err();
    assert!(refused.ends_with(
        "there were no groups of users; groups, or `classes` without demographics, would do"
    ));
    fs::write(
        folder.path().join("ratings.csv"),
        ratings.replace("0.5", "0.0"),
    )
    .unwrap();
    assert_eq!(
        movielens(folder.path(), &named).unwrap_err(),
        "line 2 of ./ratings.csv: rating must be a number from 0.5 to 5, got \"0.0\""
    );
}

#[test]
fn a_folder_without_an_edition_says_what_it_lacks() {
    let folder = TempDir::new().unwrap();
    assert_eq!(
        movielens(folder.path(), &[QueryClass::EXPLICIT]).unwrap_err(),
        ". holds none of ml-100k.item, movies.dat and movies.csv, by which an edition of MovieLens is known; `cargo xtask movielens` in a checkout of ReRec fetches ml-100k"
    );
}

#[test]
fn amazon_products_are_asked_about_by_their_metadata() {
    let folder = TempDir::new().unwrap();
    let (mut metadata, mut ratings) = (
        String::new(),
        "user_id,parent_asin,rating,timestamp,history\n".to_owned(),
    );
    for item in 0..60 {
        metadata += &format!(
            r#"{{"parent_asin": "B{item:03}", "title": "Book {item}", "author": {{"name": "Author {}"}}, "categories": ["Books", "{}"], "store": null, "price": 9.5}}"#,
            item % 5,
            GENRES[item % 4]
        );
        metadata.push('\n');
        for user in 0..3 {
            ratings += &format!(
                "U{},B{item:03},{}.0,1,\n",
                (item + user) % 6,
                3 + (item + user) % 3
            );
        }
    }
    metadata += "{\"parent_asin\": \"X1\", \"title\": null}\n{\"parent_asin\": \"X2\", \"title\": \"Unrated\"}\n";
    ratings += "U0,X1,5.0,1,\nU1,X1,5.0,1,\n";
    fs::write(folder.path().join("meta.jsonl"), metadata).unwrap();
    fs::write(folder.path().join("train.csv"), ratings).unwrap();
    let config = AmazonConfig {
        metadata: folder.path().join("meta.jsonl"),
        ratings: vec![folder.path().join("train.csv")],
        wording: Wording::plain("book", []),
        min_ratings: 2,
        queries: queries(&[
            QueryClass::EXPLICIT,
            QueryClass::IMPLICIT,
            QueryClass::MISINFORMED,
        ]),
        ..AmazonConfig::default()
    };
    let dataset = DataSource::Amazon(config).load(1).unwrap();
    assert_eq!(dataset.catalogue.len(), 60);
    let facts: Vec<&str> = dataset.catalogue.items()[0]
        .attributes
        .iter()
        .map(|a| a.value.as_str())
        .collect();
    assert_eq!(facts, ["Author 0", "Comedy"]);
    assert_eq!(
        dataset.remarks,
        ["2 of 182 ratings are left out: their items have no title, or fewer than 2 ratings"]
    );
    assert!(
        dataset.splits.train[0].conversation[0]
            .content
            .contains("book with author Author")
    );
}
