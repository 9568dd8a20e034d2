//! Queries whose splits are by user or by time, their histories, and wrong candidates that suit who asks.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap};

use rerec_datasets::{
    DataSource, Dataset, DemonstratorConfig, Error, Inspection, LoadContext, Negatives,
    PromptConfig, QueryClass, QueryConfig, Rating, Source, SplitBy, UserId, Wording, WorldConfig,
};
use rerec_rewards::{Attribute, Catalogue, Item, ItemId};

/// Sixty books of three authors and two topics; thirty readers, each of whom likes ten books of one topic, one after another.
fn books() -> Source {
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
    let rating = |reader: usize, place: usize| Rating {
        user: format!("r{reader:02}").into(),
        item: format!("b{}", (reader % 2 + 2 * (reader * 7 + place * 11)) % 60).into(),
        rating: 4.0 + (place % 2) as f64,
        time: Some((place * 30 + reader) as i64),
    };
    let ratings = (0..30).flat_map(|reader| (0..10).map(move |place| rating(reader, place)));
    Source {
        catalogue: Catalogue::new((0..60).map(book).collect()).unwrap(),
        ratings: ratings.collect(),
        groups: Vec::new(),
        wording: Wording::plain("book", ["author", "topic"]),
        prompt: PromptConfig {
            rated: "{{ title }}: {{ rating }}".to_owned(),
            ..PromptConfig::default()
        },
    }
}

fn queries(split_by: SplitBy) -> QueryConfig {
    QueryConfig {
        train: 60,
        validation: 10,
        test: 20,
        split_by,
        history_share: 0.5,
        classes: vec![QueryClass::EXPLICIT, QueryClass::IMPLICIT],
        ..QueryConfig::default()
    }
}

fn compose(source: Source, queries: &QueryConfig) -> Result<Dataset, Error> {
    Dataset::compose(7, source, queries, &DemonstratorConfig::default())
}

/// When who liked what.
fn times() -> HashMap<(UserId, ItemId), i64> {
    let ratings = books().ratings.into_iter();
    ratings
        .map(|r| ((r.user, r.item), r.time.unwrap()))
        .collect()
}

fn inspected(dataset: &Dataset) -> Inspection {
    Inspection::new(dataset, "messages", <[_]>::len)
}

#[test]
fn users_of_one_split_ask_in_no_other() {
    let dataset = compose(books(), &queries(SplitBy::User)).unwrap();
    let users = dataset
        .splits
        .named()
        .map(|(_, queries)| -> BTreeSet<UserId> {
            queries
                .iter()
                .map(|query| query.user.clone().unwrap())
                .collect()
        });
    assert!(
        users[0].is_disjoint(&users[1])
            && users[0].is_disjoint(&users[2])
            && users[1].is_disjoint(&users[2])
    );
    // Of thirty readers a tenth are for validation and a fifth for test.
    assert_eq!((users[1].len(), users[2].len()), (3, 6));
    let rated: BTreeSet<UserId> = dataset
        .ratings
        .iter()
        .map(|rating| rating.user.clone())
        .collect();
    assert_eq!(rated.len(), 21);
    assert!(
        rated.is_superset(&users[0])
            && rated.is_disjoint(&users[1])
            && rated.is_disjoint(&users[2])
    );
    let liked = times();
    for (_, queries) in dataset.splits.named() {
        for query in queries {
            let user = query.user.clone().unwrap();
            for item in query.targets.iter().chain(&query.history) {
                assert!(
                    liked.contains_key(&(user.clone(), item.clone())),
                    "{query:?}"
                );
            }
        }
    }
    let inspection = inspected(&dataset);
    assert!(
        !inspection.leaks.iter().any(|leak| leak.what == "users"),
        "{:?}",
        inspection.leaks
    );
    assert!(
        dataset
            .remarks
            .iter()
            .any(|remark| remark.starts_with("90 of 300 ratings")),
        "{:?}",
        dataset.remarks
    );
}

#[test]
fn what_is_asked_later_is_in_a_later_split() {
    let config = QueryConfig {
        history_share: 1.0,
        history_items: 3,
        ..queries(SplitBy::Time)
    };
    let dataset = compose(books(), &config).unwrap();
    let liked = times();
    let of = |query: &rerec_datasets::Query, item: &ItemId| {
        liked[&(query.user.clone().unwrap(), item.clone())]
    };
    let mut last = i64::MIN;
    for (_, queries) in dataset.splits.named() {
        let asked: Vec<i64> = queries.iter().map(|query| query.time.unwrap()).collect();
        assert!(asked.iter().all(|&time| time > last));
        last = asked.into_iter().max().unwrap();
        for query in queries {
            assert_eq!(of(query, &query.targets[0]), query.time.unwrap());
            let history: Vec<i64> = query.history.iter().map(|item| of(query, item)).collect();
            assert!(
                history.is_sorted() && history.iter().all(|&time| time < query.time.unwrap()),
                "{query:?}"
            );
        }
    }
    // A reader likes a book every thirty moments: the latest three before the tenth are the seventh to the ninth.
    let full = dataset
        .splits
        .test
        .iter()
        .find(|query| query.history.len() == 3 && query.time >= Some(270))
        .unwrap();
    let reader = full.time.unwrap() % 30;
    // An anchor of the reader's own is left out of the history.
    assert!(
        full.history
            .iter()
            .all(|item| of(full, item) >= 30 * 4 + reader),
        "{full:?}"
    );
    // Ratings from the first held-out choice on are set aside: 210 of 300 come before.
    assert_eq!(dataset.ratings.len(), 210);
    let inspection = inspected(&dataset);
    assert!(
        !inspection.leaks.iter().any(|leak| leak.what == "times"),
        "{:?}",
        inspection.leaks
    );
}

#[test]
fn splits_need_ratings_and_times() {
    let refused =
        |source: Source, split_by| compose(source, &queries(split_by)).unwrap_err().to_string();
    let silent = || Source {
        ratings: Vec::new(),
        ..books()
    };
    assert_eq!(
        refused(silent(), SplitBy::User),
        "split_by must be \"target\" where there are no ratings, got user"
    );
    let mut timeless = books();
    timeless.ratings[7].time = None;
    assert_eq!(
        refused(timeless, SplitBy::Time),
        "split_by must be \"target\" where not all ratings have a time, got time"
    );
}

#[test]
fn built_splits_are_checked_when_they_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for split_by in [SplitBy::User, SplitBy::Time] {
        let dataset = compose(books(), &queries(split_by)).unwrap();
        let format = rerec_datasets::Format::Jsonl;
        dataset.write(folder.path(), format, "books").unwrap();
        let files = dataset.files_in(folder.path(), format).unwrap();
        let again = Dataset::from_files(&files).unwrap();
        assert_eq!(again.splits, dataset.splits);
        assert_eq!(again.ratings, dataset.ratings);
        assert_eq!(inspected(&again).leaks, inspected(&dataset).leaks);
        // As splits by target they leak: the same books are asked for.
        let by_target = Dataset {
            split_by: SplitBy::Target,
            ..again
        };
        assert!(
            inspected(&by_target)
                .leaks
                .iter()
                .any(|leak| leak.what == "targets")
        );
    }
}

#[test]
fn histories_are_cut_to_the_tokens_that_are_counted() {
    let world = |history_tokens| {
        DataSource::Quickstart(WorldConfig {
            queries: QueryConfig {
                history_share: 1.0,
                history_items: 5,
                history_tokens,
                classes: vec![QueryClass::EXPLICIT],
                train: 50,
                ..QueryConfig::default()
            },
            ..WorldConfig::default()
        })
    };
    let lengths = |source: DataSource, context| -> BTreeSet<usize> {
        let dataset = source.load_with(3, context).unwrap();
        dataset
            .splits
            .train
            .iter()
            .map(|query| query.history.len())
            .collect()
    };
    assert!(lengths(world(None), LoadContext::default()).contains(&5));
    let two_each = |_: &str| 2;
    let context = LoadContext {
        count_tokens: &two_each,
        ..LoadContext::default()
    };
    let cut = lengths(world(Some(7)), context);
    assert_eq!(cut.last(), Some(&3), "{cut:?}");
    // A title of some twenty bytes is estimated at seven tokens.
    let cut = lengths(world(Some(14)), LoadContext::default());
    assert!(cut.last() <= Some(&2), "{cut:?}");
    let none = world(Some(1)).load(3).unwrap_err().to_string();
    assert!(none.contains("more than `history_tokens`"), "{none}");
}

#[test]
fn ratings_stand_beside_the_titles_of_a_history() {
    let config = QueryConfig {
        history_share: 1.0,
        ..queries(SplitBy::Target)
    };
    let dataset = compose(books(), &config).unwrap();
    let query = &dataset.splits.train[0];
    let text = &query.conversation[0].content;
    for item in &query.history {
        let title = &dataset
            .catalogue
            .get(dataset.catalogue.index_of(item).unwrap())
            .title;
        let mut ratings = books().ratings.into_iter();
        let rating = ratings
            .find(|r| Some(&r.user) == query.user.as_ref() && r.item == *item)
            .unwrap();
        assert!(
            text.contains(&format!("- {title}: {}\n", rating.rating)),
            "{text}"
        );
    }
}

#[test]
fn wrong_candidates_suit_who_asks() {
    // By chance half of the wrong books would be of the reader's topic.
    let of_topic = |negatives| {
        let config = QueryConfig {
            negatives,
            history_share: 1.0,
            ..queries(SplitBy::Target)
        };
        let dataset = compose(books(), &config).unwrap();
        let parity = |id: &ItemId| id.as_str()[1..].parse::<usize>().unwrap() % 2;
        let (mut same, mut all) = (0, 0);
        for query in &dataset.splits.train {
            let wrong = query
                .candidates
                .iter()
                .flatten()
                .filter(|id| **id != query.targets[0]);
            for id in wrong {
                same += usize::from(parity(id) == parity(&query.targets[0]));
                all += 1;
            }
        }
        same as f64 / f64::from(all)
    };
    assert!(of_topic(Negatives::Lightgcn) > 0.8);
    assert!(of_topic(Negatives::Random) < 0.6);
    let silent = Source {
        ratings: Vec::new(),
        ..books()
    };
    let config = QueryConfig {
        negatives: Negatives::Lightgcn,
        history_share: 0.0,
        ..queries(SplitBy::Target)
    };
    let refused = compose(silent, &config).unwrap_err().to_string();
    assert!(
        refused.starts_with("negatives must be another"),
        "{refused}"
    );
}
