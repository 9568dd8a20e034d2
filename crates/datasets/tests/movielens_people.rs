//! MovieLens with the people who made its films, on invented films in the format of the real files.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use rerec_datasets::{Dataset, MovieLensConfig, Query, QueryClass, QueryConfig};
use tempfile::TempDir;

const GENRES: [&str; 4] = ["Comedy", "Drama", "Comedy Drama", "Western"];

/// Sixty films, eight viewers, and a table with the people of all films but the last; every sixth is in French.
fn write_files(folder: &Path) {
    let mut item =
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n".to_owned();
    let mut user =
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n".to_owned();
    let mut inter = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n".to_owned();
    let mut films = "title,year,director,actor,language,country\n".to_owned();
    for film in 0..60 {
        let (year, genres) = (1970 + film % 30, GENRES[film % 4]);
        writeln!(item, "{film}\tFilm {film}, The\t{year}\t{genres}").unwrap();
        let [director, star, other] = [film % 7, film % 11, (film + 3) % 11];
        let [language, country] = if film % 6 == 0 {
            ["French", "France"]
        } else {
            ["English", "United States"]
        };
        if film < 59 {
            writeln!(
                films,
                "The Film {film},{year},Director {director},Star {star}|Star {other}|Extra {film},{language},{country}"
            )
            .unwrap();
        }
    }
    for person in 0..8 {
        let gender = ["F", "M"][person / 4];
        writeln!(
            user,
            "{person}\t{}\t{gender}\twriter\t00000",
            20 + 5 * person
        )
        .unwrap();
        for film in 0..60 {
            let rating = if film % 8 == person { 2 } else { 5 };
            writeln!(inter, "{person}\t{film}\t{rating}\t0").unwrap();
        }
    }
    for (name, text) in [
        ("ml-100k.item", item),
        ("ml-100k.user", user),
        ("ml-100k.inter", inter),
        ("films.csv", films),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn dataset() -> Dataset {
    let folder = TempDir::new().unwrap();
    write_files(folder.path());
    read(folder.path())
}

fn read(folder: &Path) -> Dataset {
    let config = MovieLensConfig {
        folder: folder.to_owned(),
        min_ratings: 1,
        min_group: 2,
        people: Some(folder.join("films.csv")),
        actors: 2,
        queries: QueryConfig {
            train: 500,
            validation: 5,
            test: 5,
            classes: vec![
                QueryClass::EXPLICIT,
                QueryClass::IMPLICIT,
                QueryClass::MISINFORMED,
            ],
            ..QueryConfig::default()
        },
        ..MovieLensConfig::default()
    };
    Dataset::movielens(0, &config).unwrap()
}

#[test]
fn films_have_people_and_only_unusual_places() {
    let dataset = dataset();
    let facts = |place: usize| -> Vec<String> {
        let attributes = dataset.catalogue.items()[place].attributes.iter();
        let facts = attributes.map(|fact| format!("{} {}", fact.relation, fact.value));
        facts.collect()
    };
    let french = [
        "genre Comedy",
        "decade 1970s",
        "director Director 0",
        "actor Star 0",
        "actor Star 3",
        "language French",
        "country France",
    ];
    assert_eq!(facts(0), french);
    assert_eq!(
        facts(1)[4..],
        ["actor Star 4"],
        "most films are in English and from the United States"
    );
    assert_eq!(
        facts(59),
        ["genre Western", "decade 1990s"],
        "a film that the table lacks"
    );
    let remark = &dataset.remarks[0];
    assert!(
        remark.contains("films.csv: 59 of 60 items are among the 59 films"),
        "{remark}"
    );
}

#[test]
fn queries_name_people_and_point_to_their_films() {
    let dataset = dataset();
    let asked = |class: QueryClass, words: &str| {
        let of_class = |query: &&Query| query.class == class;
        let queries = dataset.splits.train.iter().filter(of_class);
        let texts = queries.filter_map(|query| query.conversation[0].content.lines().next());
        texts.filter(|text| text.contains(words)).count()
    };
    for words in [
        "directed by Director ",
        "starring Star ",
        "in French",
        "from France",
    ] {
        assert!(asked(QueryClass::EXPLICIT, words) > 0, "{words}");
    }
    for words in ["by the director of \"Film ", "with an actor of \"Film "] {
        assert!(asked(QueryClass::IMPLICIT, words) > 0, "{words}");
    }
    assert!(asked(QueryClass::MISINFORMED, ", directed by Director ") > 0);
    assert_eq!(asked(QueryClass::EXPLICIT, "in English"), 0);
}

#[test]
fn what_a_table_does_not_know_is_not_asked() {
    let folder = TempDir::new().unwrap();
    write_files(folder.path());
    let films = folder.path().join("films.csv");
    let directors = fs::read_to_string(&films).unwrap();
    let directors = directors.lines().map(|line| {
        let fields: Vec<&str> = line.split(',').take(3).collect();
        fields.join(",") + "\n"
    });
    fs::write(&films, directors.collect::<String>()).unwrap();
    let texts = read(folder.path()).splits.train.into_iter();
    let texts: Vec<String> = texts
        .map(|query| query.conversation[0].content.clone())
        .collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("directed by Director "))
    );
    assert!(!texts.iter().any(|text| text.contains("starring")));
}
