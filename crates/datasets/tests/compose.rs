//! Queries from a catalogue of one's own, and what is said when they cannot be formed.
#![allow(clippy::unwrap_used)]

use rerec_datasets::{
    Dataset, DemonstratorConfig, Error, PromptConfig, QueryClass, QueryConfig, Rating, Source,
    Wording,
};
use rerec_rewards::{Attribute, Catalogue, Item};

/// Forty books of three authors and two topics; five readers who like every eighth of them.
fn books(relations: &[&str]) -> Source {
    let attribute = |relation: &str, value: &str| Attribute {
        relation: relation.into(),
        value: value.into(),
    };
    let book = |number: usize| {
        let mut book = Item::new(format!("b{number}"), format!("Book {number}"));
        book.attributes.extend([
            attribute("author", ["Anna Ard", "Bo Bex", "Cy Cole"][number % 3]),
            attribute("topic", ["ships", "birds"][number % 2]),
        ]);
        book
    };
    let rating = |number: usize| Rating {
        user: format!("r{}", number % 5).into(),
        item: format!("b{number}").into(),
        rating: 5.0,
        time: None,
    };
    Source {
        catalogue: Catalogue::new((0..40).map(book).collect()).unwrap(),
        ratings: (0..40).map(rating).collect(),
        groups: Vec::new(),
        wording: Wording::plain("book", relations.iter().copied()),
        prompt: PromptConfig::default(),
    }
}

fn compose(source: Source, class: QueryClass, history_share: f64) -> Result<Dataset, Error> {
    let queries = QueryConfig {
        train: 6,
        validation: 2,
        test: 2,
        history_share,
        classes: vec![class],
        ..QueryConfig::default()
    };
    Dataset::compose(7, source, &queries, &DemonstratorConfig::default())
}

/// What stood in the way, without the counts.
fn obstacle(source: Source, class: QueryClass, history_share: f64) -> String {
    let error = compose(source, class, history_share).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::NoQuery { .. }), "{message}");
    message.split_once(" of them ").unwrap().1.to_owned()
}

#[test]
fn classes_that_need_no_users_are_composed_without_any() {
    for class in [
        QueryClass::EXPLICIT,
        QueryClass::IMPLICIT,
        QueryClass::MISINFORMED,
    ] {
        let source = Source {
            ratings: Vec::new(),
            ..books(&["author", "topic"])
        };
        let dataset = compose(source, class.clone(), 0.0).unwrap();
        let train = &dataset.splits.train;
        assert!(train.len() == 6 && train.iter().all(|query| query.class == class));
    }
}

#[test]
fn what_stood_in_the_way_of_a_query_is_told_with_what_would_do() {
    let both = || books(&["author", "topic"]);
    let silent = || Source {
        ratings: Vec::new(),
        ..both()
    };
    let cases = [
        (
            obstacle(both(), QueryClass::DEMOGRAPHICS, 0.0),
            "there were no groups of users; groups, or `classes` without demographics, would do",
        ),
        (
            obstacle(silent(), QueryClass::INTEREST, 0.0),
            "no user liked the target; more ratings, or a lower `liked_from`, would do",
        ),
        (
            obstacle(silent(), QueryClass::EXPLICIT, 1.0),
            "no user liked the target; more ratings, or a lower `liked_from`, would do",
        ),
        (
            obstacle(books(&["author"]), QueryClass::EXPLICIT, 0.0),
            "the target had fewer attributes under the relations asked about than a query has conditions; more relations or attributes, or fewer `conditions`, would do",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(message, expected);
    }
}

#[test]
fn the_counts_of_the_draws_are_told() {
    let error = compose(books(&["author"]), QueryClass::EXPLICIT, 0.0).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(
            "query train-00000: no explicit query found in 1000 draws from 28 possible targets: in 1000 of them "
        ),
        "{message}"
    );
}

#[test]
fn a_class_that_cannot_be_composed_is_refused_by_name() {
    assert_eq!(
        compose(books(&["author", "topic"]), "bundles".into(), 0.0)
            .unwrap_err()
            .to_string(),
        "class must be explicit, implicit, misinformed, interest or demographics, got \"bundles\""
    );
}
