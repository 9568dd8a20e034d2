//! The MovieLens reader, on invented films in the format of the real files.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use rerec_datasets::{Dataset, Error, MovieLensConfig, QueryClass, QueryConfig};
use rerec_rewards::{Item, ItemId};
use tempfile::TempDir;

const GENRES: [&str; 4] = ["Comedy", "Drama", "Comedy Drama", "Western"];

/// The text of the three files: five films with a peculiarity, then 60 plain ones.
struct Files {
    item: String,
    user: String,
    inter: String,
}

impl Files {
    fn new() -> Self {
        let mut item =
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
                .to_owned();
        item += "1\tAlder Club, The\t1985\tComedy Drama\n";
        item += "2\tMoor, The (Heide, Die)\t1991\tDrama\n";
        item += "3\tunkonwn\tunkonwn\tunknown\n";
        item += "4\tTin Fox III: The Return (1995)\tV\tAnimation Children's\n";
        item += "5\tAlder Club, The\t1985\tComedy Drama\n";
        for film in 0..60 {
            item += &format!(
                "{}\tFilm \"{film}\t{}\t{}\n",
                10 + film,
                1970 + film % 30,
                GENRES[film % 4]
            );
        }
        let mut user =
            "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n".to_owned();
        let mut inter = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n".to_owned();
        for person in 0..8 {
            let trade = ["writer", "student"][person % 2];
            user += &format!(
                "{person}\t{}\t{}\t{trade}\t00000\n",
                20 + 5 * person,
                ["F", "M"][person / 4]
            );
            for film in 0..60 {
                // Writers like comedies, students westerns.
                let liked = GENRES[film % 4].contains(["Comedy", "Western"][person % 2]);
                inter += &format!(
                    "{person}\t{}\t{}\t0\n",
                    10 + film,
                    if liked { 5 } else { 2 }
                );
            }
            for film in 1..=5 {
                inter += &format!("{person}\t{film}\t{film}\t0\n");
            }
        }
        Self { item, user, inter }
    }

    fn read(&self) -> Result<Dataset, Error> {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ml-100k.item"), &self.item).unwrap();
        fs::write(folder.path().join("ml-100k.user"), &self.user).unwrap();
        fs::write(folder.path().join("ml-100k.inter"), &self.inter).unwrap();
        Dataset::movielens(0, &config(folder.path()))
    }
}

fn config(folder: &Path) -> MovieLensConfig {
    let queries = QueryConfig {
        train: 100,
        validation: 20,
        test: 20,
        candidates: 5,
        ..QueryConfig::default()
    };
    MovieLensConfig {
        folder: folder.to_owned(),
        min_ratings: 2,
        min_group: 2,
        queries,
        ..MovieLensConfig::default()
    }
}

fn item<'a>(dataset: &'a Dataset, id: &str) -> Option<&'a Item> {
    let catalogue = &dataset.catalogue;
    catalogue.index_of(id).map(|index| catalogue.get(index))
}

#[test]
fn titles_years_and_genres_are_read_as_they_are_meant() {
    let dataset = Files::new().read().unwrap();
    let facts = |id: &str| {
        let attributes = &item(&dataset, id).unwrap().attributes;
        attributes
            .iter()
            .map(|fact| format!("{} {}", fact.relation, fact.value))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(item(&dataset, "1").unwrap().title, "Alder Club, The (1985)");
    assert_eq!(facts("1"), "genre Comedy, genre Drama, decade 1980s");
    let moor = item(&dataset, "2").unwrap();
    assert_eq!(
        (moor.title.as_str(), moor.aliases.as_slice()),
        ("Moor, The (1991)", &["Heide, Die (1991)".to_owned()][..])
    );
    assert!(
        item(&dataset, "3").is_none(),
        "the entry that stands for no film"
    );
    assert_eq!(
        item(&dataset, "4").unwrap().title,
        "Tin Fox III: The Return (1995)"
    );
    assert_eq!(
        facts("4"),
        "genre Animation, genre Children's, decade 1990s"
    );
    assert_eq!(item(&dataset, "10").unwrap().title, "Film \"0 (1970)");
}

#[test]
fn a_film_under_two_ids_is_one_film() {
    let dataset = Files::new().read().unwrap();
    assert!(item(&dataset, "5").is_none());
    let of_user = |user: &str| {
        dataset
            .ratings
            .iter()
            .filter(|rating| rating.user == user)
            .count()
    };
    assert_eq!(
        of_user("0"),
        63,
        "60 plain films, ids 1 and 5 once, 2 and 4, not 3"
    );
}

#[test]
fn queries_of_all_classes_come_of_it() {
    let dataset = Files::new().read().unwrap();
    for class in QueryClass::RECBENCH {
        assert_eq!(
            dataset
                .splits
                .train
                .iter()
                .filter(|query| query.class == class)
                .count(),
            20
        );
    }
    let targets = |queries: &[rerec_datasets::Query]| -> HashSet<ItemId> {
        queries
            .iter()
            .flat_map(|query| query.targets.clone())
            .collect()
    };
    let splits = &dataset.splits;
    assert!(targets(&splits.train).is_disjoint(&targets(&splits.test)));
    assert!(targets(&splits.validation).is_disjoint(&targets(&splits.test)));
    for query in &splits.train {
        let candidates: HashSet<&ItemId> = query.candidates.iter().flatten().collect();
        assert_eq!(candidates.len(), 5);
        assert!(query.history.iter().all(|item| !candidates.contains(item)));
    }
}

#[test]
fn the_taste_of_a_group_is_that_of_its_members() {
    let dataset = Files::new().read().unwrap();
    let tastes = |group: &str| -> HashSet<&str> {
        let notes = dataset
            .demonstrations
            .iter()
            .filter_map(|shown| shown.response.lines().next());
        notes
            .filter_map(|note| note.strip_prefix(&format!("Taste of {group}: ")))
            .collect()
    };
    let (writers, students) = (tastes("writers"), tastes("students"));
    assert!(
        writers.len() == 1 && students.len() == 1,
        "{writers:?} {students:?}"
    );
    assert!(
        writers
            .iter()
            .all(|taste| taste.starts_with("genre Comedy, decade")),
        "{writers:?}"
    );
    assert!(
        students
            .iter()
            .all(|taste| taste.starts_with("genre Western, decade")),
        "{students:?}"
    );
}

#[test]
fn faulty_lines_are_named_by_file_line_and_field() {
    type File = fn(&mut Files) -> &mut String;
    let item: File = |files| &mut files.item;
    let user: File = |files| &mut files.user;
    let inter: File = |files| &mut files.inter;
    for (file, from, to, expected) in [
        (
            inter,
            "\n0\t11\t2\t",
            "\n0\t11\t6\t",
            "line 3 of ml-100k.inter: rating must be a number from 1 to 5, got \"6\"",
        ),
        (
            inter,
            "\n0\t11\t2\t",
            "\n0\t999\t2\t",
            "line 3 of ml-100k.inter: item_id must be an item_id of ml-100k.item, got \"999\"",
        ),
        (
            inter,
            "\n0\t11\t2\t0",
            "\n0\t11\t2",
            "line 3 of ml-100k.inter: 4 fields expected, got 3",
        ),
        (
            item,
            "\t1991\t",
            "\tlate\t",
            "line 3 of ml-100k.item: release_year must be a year from 1880 to 2100, got \"late\"",
        ),
        (
            item,
            "\n2\t",
            "\n1\t",
            "line 3 of ml-100k.item: item_id must be unique, got \"1\"",
        ),
        (
            user,
            "\t20\tF",
            "\tyoung\tF",
            "line 2 of ml-100k.user: age must be an age from 0 to 120, got \"young\"",
        ),
        (
            user,
            "\t20\tF",
            "\t20\tX",
            "line 2 of ml-100k.user: gender must be F or M, got \"X\"",
        ),
    ] {
        let mut files = Files::new();
        let text = file(&mut files);
        assert!(text.contains(from), "{from:?}");
        *text = text.replacen(from, to, 1);
        let message = files.read().unwrap_err().to_string();
        // The folder differs from run to run.
        let (line, path) = message.split_once(" of ").unwrap();
        let name = &path[path.find("ml-100k").unwrap()..];
        assert_eq!(format!("{line} of {name}"), expected);
    }
}

#[test]
fn a_missing_or_undecodable_file_is_named() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("ml-100k.item"), Files::new().item).unwrap();
    let error = Dataset::movielens(0, &config(folder.path())).unwrap_err();
    assert!(
        matches!(&error, Error::File(_)) && error.to_string().ends_with("ml-100k.inter"),
        "{error}"
    );
    let mut files = Files::new();
    files.item = files.item.replacen("movie_title", "name", 1);
    let message = files.read().unwrap_err().to_string();
    assert!(
        message.ends_with(
            "ml-100k.item has no column \"movie_title\"; its columns are item_id, name, release_year, class"
        ),
        "{message}"
    );
    let mut latin1 = Files::new().item.into_bytes();
    let place = latin1
        .windows(4)
        .position(|bytes| bytes == b"Moor")
        .unwrap();
    latin1[place + 1] = 0xe9;
    fs::write(folder.path().join("ml-100k.item"), latin1).unwrap();
    let error = Dataset::movielens(0, &config(folder.path())).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("line 3 has byte 0xE9"), "{cause}");
}
