//! Catalogues joined with tables of films.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use rerec_datasets::{
    Dataset, Error, JoinedBy, JoinedPeople, MovieLensConfig, QueryConfig, Rating, join_people,
};
use rerec_rewards::{Attribute, AttributeGraph, Catalogue, Item};
use tempfile::TempDir;

const FILMS: &str = "\
title,year,director,actor,language,country
The City of Lost Children,1995,Marc Caro|Jean-Pierre Jeunet,Ron Perlman|Rufus,French,France|Spain
Amélie,2001,Jean-Pierre Jeunet,Audrey Tautou,French,France
L'Avventura,1960,Michelangelo Antonioni,Monica Vitti,Italian,Italy
Heat,1972,Paul Morrissey,Joe Dallesandro,English,United States
Heat,1995,Michael Mann,Al Pacino,English,United States
Fear,1996,James Foley,Reese Witherspoon,English,United States
Orlando,1992,Sally Potter,Tilda Swinton,English,United Kingdom
Aftermath,2012,Wladyslaw Pasikowski,Maciej Stuhr,Polish,Poland
Aftermath,2012,Peter Engert,Edward Furlong,English,United States
Noise,2006,Nobody,,,
Noise,2008,Nobody Else,,,
Star Wars: Episode IV – A New Hope,1977,George Lucas,Mark Hamill,English,United States
Naked Gun 33⅓: The Final Insult,1994,Peter Segal,Leslie Nielsen,English,United States
";

fn table(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("films.csv");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn catalogue(titles: &[&str]) -> Catalogue {
    let items = titles.iter().map(|&title| Item::new(title, title));
    Catalogue::new(items.collect()).unwrap()
}

fn join(catalogue: &Catalogue, ratings: &[Rating]) -> JoinedPeople {
    let (_folder, films) = table(FILMS);
    join_people(catalogue, ratings, &films, 1).unwrap()
}

/// Title, year and way of the only film that one of these titles is joined with.
fn film_of(title: &str) -> Option<(String, u16, JoinedBy)> {
    // Another item always joins, as a table that has none of the items is an error.
    let joined = join(&catalogue(&["Amélie (2001)", title]), &[]);
    let pair = joined.pairs.into_iter().find(|pair| pair.item == title)?;
    Some((pair.title, pair.year, pair.by))
}

fn assert_joined(title: &str, film: &str, year: u16, by: JoinedBy) {
    assert_eq!(film_of(title), Some((film.to_owned(), year, by)), "{title}");
}

#[test]
fn articles_accents_and_brackets_are_spelling() {
    for (title, film, year) in [
        (
            "City of Lost Children, The (1995)",
            "The City of Lost Children",
            1995,
        ),
        (
            "City of Lost Children (1995)",
            "The City of Lost Children",
            1995,
        ),
        ("AMELIE (2001)", "Amélie", 2001),
        ("Avventura, L' (1960)", "L'Avventura", 1960),
        ("Heat (1995)", "Heat", 1995),
        (
            "Naked Gun 33 1/3: The Final Insult (1994)",
            "Naked Gun 33⅓: The Final Insult",
            1994,
        ),
    ] {
        assert_joined(title, film, year, JoinedBy::SameYear);
    }
}

#[test]
fn either_title_of_a_bracket_will_do() {
    for title in [
        "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
        "Cité des enfants perdus, La (City of Lost Children, The) (1995)",
        "Fabuleux destin d'Amélie Poulain, Le (a.k.a. Amelie) (2001)",
    ] {
        let (film, ..) = film_of(title).unwrap();
        assert!(
            ["The City of Lost Children", "Amélie"].contains(&film.as_str()),
            "{title}"
        );
    }
    let mut item = Item::new("1", "Bracketless (2001)");
    item.aliases = vec!["Amelie (2001)".to_owned()];
    let joined = join(&Catalogue::new(vec![item]).unwrap(), &[]);
    assert_eq!(joined.pairs[0].title, "Amélie");
}

#[test]
fn the_year_may_be_one_off_and_no_more() {
    assert_joined("Orlando (1993)", "Orlando", 1992, JoinedBy::NextYear);
    assert_joined("Orlando (1991)", "Orlando", 1992, JoinedBy::NextYear);
    for title in ["Orlando (1994)", "Heat (1987)", "Orlando"] {
        assert_eq!(film_of(title), None, "{title}");
    }
    let mut item = Item::new("1", "Orlando");
    item.year = Some(1992);
    let joined = join(&Catalogue::new(vec![item]).unwrap(), &[]);
    assert_eq!(joined.report.same_year, 1);
}

#[test]
fn a_lost_article_and_another_year_are_another_film() {
    assert_joined("Fear, The (1996)", "Fear", 1996, JoinedBy::SameYear);
    assert_joined("Fear (1995)", "Fear", 1996, JoinedBy::NextYear);
    assert_eq!(film_of("Fear, The (1995)"), None);
}

#[test]
fn of_two_films_the_one_of_the_very_year_is_meant_and_equals_are_left_out() {
    let joined = join(
        &catalogue(&[
            "Heat (1995)",
            "Aftermath (2012)",
            "Noise (2007)",
            "Noise (2008)",
        ]),
        &[],
    );
    let report = &joined.report;
    assert_eq!(
        (report.joined(), report.ambiguous, report.missed),
        (2, 2, 0)
    );
    assert_eq!(report.left_out, ["Aftermath (2012)", "Noise (2007)"]);
}

#[test]
fn known_aliases_are_tried_last() {
    let long = "Star Wars: Episode IV – A New Hope";
    assert_joined("Star Wars (1977)", long, 1977, JoinedBy::Alias);
    assert_joined(
        "Star Wars: Episode IV - A New Hope (1977)",
        long,
        1977,
        JoinedBy::SameYear,
    );
    // Another film of the name is not the one that the alias is of.
    assert_eq!(film_of("Star Wars (1990)"), None);
    // The table has no film of the alias's other name.
    assert_eq!(film_of("Twelve Monkeys (1995)"), None);
}

#[test]
fn items_get_attributes_behind_their_own() {
    let genre = Attribute {
        relation: "genre".to_owned(),
        value: "Fantasy".to_owned(),
    };
    let mut item = Item::new("1", "City of Lost Children, The (1995)");
    item.attributes = vec![genre];
    let (_folder, films) = table(FILMS);
    let catalogue = Catalogue::new(vec![item]).unwrap();
    let facts = |actors| -> Vec<String> {
        let joined = join_people(&catalogue, &[], &films, actors).unwrap();
        let attributes = joined.catalogue.items()[0].attributes.iter();
        attributes
            .map(|a| format!("{} {}", a.relation, a.value))
            .collect()
    };
    let expected = [
        "genre Fantasy",
        "director Marc Caro",
        "director Jean-Pierre Jeunet",
        "actor Ron Perlman",
        "language French",
        "country France",
        "country Spain",
    ];
    assert_eq!(facts(1), expected);
    assert_eq!(facts(9)[4], "actor Rufus");
}

#[test]
fn the_report_counts_ratings_and_names_the_most_rated_that_is_missing() {
    let rating = |item: &str| Rating {
        user: "u".into(),
        item: item.into(),
        rating: 4.0,
        time: None,
    };
    let catalogue = catalogue(&["Heat (1995)", "Rare (1999)", "Metropolis (1927)"]);
    let ratings = [
        "Heat (1995)",
        "Metropolis (1927)",
        "Heat (1995)",
        "Heat (1995)",
    ]
    .map(rating);
    let report = join(&catalogue, &ratings).report;
    assert_eq!((report.ratings_joined, report.ratings), (3, 4));
    assert_eq!(
        report.to_string(),
        "1 of 3 items is among the 13 films: 1 by title and year, 0 by title and the year next to it, 0 by another name; \
         2 not found, 0 stand for several films; 75.0 % of the ratings are of items found; \
         left out: Metropolis (1927), Rare (1999)"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["same_year"], 1);
    let (_folder, films) = table(FILMS);
    let stranger = join_people(&catalogue, &[rating("Alien")], &films, 1);
    assert!(
        matches!(stranger, Err(Error::UnknownItem { .. })),
        "{stranger:?}"
    );
}

#[test]
fn what_is_wrong_with_a_table_is_named_by_its_place() {
    let catalogue = catalogue(&["Heat (1995)"]);
    let failure = |text: &str| {
        let (folder, films) = table(text);
        let failure = join_people(&catalogue, &[], &films, 1).unwrap_err();
        let message = failure.to_string();
        message.replace(&format!("{}/", folder.path().display()), "")
    };
    for (text, expected) in [
        (
            "title,year\nHeat,1995\n",
            "films.csv has no column \"director\"; its columns are title, year",
        ),
        (
            "title,year,director\nHeat,95,Michael Mann\n",
            "line 2 of films.csv: year must be a year from 1880 to 2100, got \"95\"",
        ),
        (
            "title,year,director\n,1995,Michael Mann\n",
            "line 2 of films.csv: title must be a text that is not blank, got nothing",
        ),
        ("title,year,director\n", "films.csv holds no film"),
        (
            "title,year,director\nAlien,1979,Ridley Scott\n",
            "films.csv: by title and year none of its 1 films is one of the 1 items of the catalogue",
        ),
    ] {
        assert_eq!(failure(text), expected);
    }
    let (_folder, films) = table("title,year,director\nAlien,1979,Ridley Scott\n");
    let failure = join_people(&catalogue, &[], &films, 1).unwrap_err();
    assert!(matches!(
        failure,
        Error::NoFilmJoined {
            films: 1,
            items: 1,
            ..
        }
    ));
}

/// MovieLens-100K and the films of Wikidata, where `cargo xtask movielens` has put them.
fn real_films() -> Option<(Dataset, PathBuf)> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    let films = data.join("films/people.jsonl");
    let config = MovieLensConfig {
        folder: data.join("ml-100k"),
        min_ratings: 1,
        queries: QueryConfig {
            train: 5,
            validation: 5,
            test: 5,
            ..QueryConfig::default()
        },
        ..MovieLensConfig::default()
    };
    let are_there = films.is_file() && config.folder.is_dir();
    are_there.then(|| (Dataset::movielens(0, &config).unwrap(), films))
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn real_films_are_joined_and_a_shuffled_join_is_noticed() {
    let Some((dataset, films)) = real_films() else {
        return eprintln!(
            "skipped: data/ml-100k or data/films is not there, `cargo xtask movielens` fetches both"
        );
    };
    let joined = join_people(&dataset.catalogue, &dataset.ratings, &films, 3).unwrap();
    let report = &joined.report;
    eprintln!("{report}\njoined: {:?}", report.id_space);
    assert!(report.joined() > 1380, "{report}");
    assert!(
        report.ratings_joined * 100 > report.ratings * 95,
        "{report}"
    );
    let check = &report.id_space;
    assert!(
        check.title_words.unwrap().is_better_than_chance(),
        "{check:?}"
    );
    assert!(
        check.attributes.unwrap().is_better_than_chance(),
        "{check:?}"
    );

    // Each item gets the people of another one.
    let items = joined.catalogue.items();
    let of_others = items.iter().cycle().skip(items.len() / 2);
    let people = |item: &Item| -> Vec<Attribute> {
        let attributes = item.attributes.iter().cloned();
        attributes
            .filter(|a| ["director", "actor"].contains(&a.relation.as_str()))
            .collect()
    };
    let shifted = items.iter().zip(of_others).map(|(item, other)| Item {
        attributes: people(other),
        ..Item::new(item.id.clone(), item.title.clone())
    });
    let graph = AttributeGraph::from_catalogue(&Catalogue::new(shifted.collect()).unwrap());
    let check = graph.unwrap().check_id_space(&dataset.catalogue);
    eprintln!("shifted: {check:?}");
    assert!(check.looks_wrong(), "{check:?}");
}
