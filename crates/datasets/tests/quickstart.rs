//! The invented world keeps the promises that training relies on.
#![allow(clippy::unwrap_used)]

mod worlds;

use std::collections::{HashMap, HashSet};

use rerec_datasets::{
    Dataset, DemonstratorConfig, Error, Query, QueryClass, QueryConfig, WorldConfig,
};
use rerec_rewards::{Item, ItemId};
use sha2::{Digest, Sha256};
use worlds::{candidates, careful, config, queries, text, title, world};

#[test]
fn same_seed_same_bytes() {
    let bytes = |seed| format!("{:?}", world(seed));
    assert_eq!(bytes(3), bytes(3));
    assert_ne!(bytes(3), bytes(4));
}

#[test]
fn a_query_does_not_depend_on_how_many_there_are() {
    let few = world(1);
    let mut config = config();
    config.queries.train = 400;
    let many = Dataset::quickstart(1, &config).unwrap();
    assert_eq!(few.splits.train, many.splits.train[..300]);
    assert_eq!(few.splits.test, many.splits.test);
    assert_eq!(few.demonstrations, many.demonstrations[..300]);
}

#[test]
fn targets_of_the_splits_are_disjoint() {
    for seed in 0..5 {
        let splits = world(seed).splits;
        let targets = |queries: &[Query]| -> HashSet<ItemId> {
            queries
                .iter()
                .flat_map(|query| query.targets.clone())
                .collect()
        };
        let [train, validation, test] =
            [&splits.train, &splits.validation, &splits.test].map(|s| targets(s));
        assert!(
            train.is_disjoint(&validation)
                && train.is_disjoint(&test)
                && validation.is_disjoint(&test)
        );
        assert!(
            train.len() > 100 && validation.len() > 8 && test.len() > 20,
            "seed {seed}"
        );
    }
}

#[test]
fn every_class_comes_equally_often_and_every_id_once() {
    let world = world(2);
    for class in QueryClass::RECBENCH {
        assert_eq!(
            world
                .splits
                .train
                .iter()
                .filter(|query| query.class == class)
                .count(),
            60
        );
        assert_eq!(
            world
                .splits
                .test
                .iter()
                .filter(|query| query.class == class)
                .count(),
            10
        );
    }
    let ids: HashSet<&str> = queries(&world).map(|query| query.id.as_str()).collect();
    assert_eq!(ids.len(), 400);
}

#[test]
fn candidates_are_distinct_hold_the_target_and_nothing_liked() {
    let world = world(5);
    for query in queries(&world) {
        let candidates: HashSet<&ItemId> = self::candidates(query).iter().collect();
        assert_eq!(candidates.len(), 6, "{}", query.id);
        assert!(candidates.contains(&query.targets[0]));
        assert!(query.history.iter().all(|item| !candidates.contains(item)));
        assert!(query.class != QueryClass::INTEREST || query.history.len() >= 2);
        let listed: Vec<&str> = self::candidates(query)
            .iter()
            .map(|id| title(&world.catalogue, id))
            .collect();
        let numbered = listed
            .iter()
            .zip(1..)
            .map(|(title, place)| format!("[{place}]{title}"));
        let numbered: Vec<String> = numbered.collect();
        let end = format!("Options:\n{}\nAnswer:\n", numbered.join("\n"));
        assert!(text(query).ends_with(&end), "{}", text(query));
    }
}

/// Uniform over the six places; the bounds are four standard errors.
#[test]
fn the_target_stands_anywhere() {
    let world = world(11);
    let mut places = [0.0; 6];
    for query in &world.splits.train {
        places[candidates(query)
            .iter()
            .position(|item| *item == query.targets[0])
            .unwrap()] += 1.0;
    }
    let error = (300.0 * (1.0 / 6.0) * (5.0 / 6.0f64)).sqrt();
    assert!(
        places
            .iter()
            .all(|&count| (count - 50.0f64).abs() < 4.0 * error),
        "{places:?}"
    );
}

#[test]
fn the_groups_differ_and_their_ratings_show_a_genre_of_a_decade() {
    for seed in 0..6 {
        let care = careful(seed);
        let notes = care
            .demonstrations
            .iter()
            .filter_map(|shown| shown.response.lines().next());
        let tastes: HashSet<&str> = notes
            .filter_map(|note| note.strip_prefix("Taste of "))
            .collect();
        assert_eq!(
            tastes.len(),
            8,
            "seed {seed}: one taste per group: {tastes:?}"
        );
        let pairs: HashSet<&str> = tastes
            .iter()
            .map(|taste| taste.split_once(": ").unwrap().1)
            .collect();
        assert_eq!(pairs.len(), 8, "seed {seed}: {pairs:?}");
        assert!(
            pairs
                .iter()
                .all(|pair| pair.starts_with("genre ") && pair.contains(", decade ")),
            "{pairs:?}"
        );
    }
}

#[test]
fn transfer_teaches_both_catalogues_trains_on_films_and_tests_on_books() {
    let config = WorldConfig {
        transfer: true,
        items: 64,
        ..config()
    };
    let both = Dataset::quickstart(5, &config).unwrap();
    let films = Dataset::quickstart(
        5,
        &WorldConfig {
            transfer: false,
            ..config
        },
    )
    .unwrap();
    // Nothing that is asked in training differs.
    assert_eq!(both.splits.train, films.splits.train);
    assert_eq!(both.splits.validation, films.splits.validation);
    assert_eq!(both.demonstrations.len(), 2 * films.demonstrations.len());
    assert_eq!(both.drills.len(), 2 * films.drills.len());
    assert_eq!(both.reading.len(), 2 * films.reading.len());

    let (first, second) = both.catalogue.items().split_at(64);
    let relations = |items: &[Item]| -> HashSet<String> {
        let attributes = items.iter().flat_map(|item| &item.attributes);
        attributes.map(|one| one.relation.clone()).collect()
    };
    assert!(relations(first).is_disjoint(&relations(second)));
    let names = |items: &[Item]| -> HashSet<String> {
        let of = |item: &Item| {
            let values = item.attributes.iter().map(|one| one.value.clone());
            values.chain([item.title.clone()]).collect::<Vec<_>>()
        };
        items.iter().flat_map(of).collect()
    };
    assert!(names(first).is_disjoint(&names(second)));
    assert_eq!(both.splits.test.len(), 50);
    for query in &both.splits.test {
        assert!(query.id.as_str().starts_with("second-test-"));
        assert!(
            candidates(query)
                .iter()
                .all(|id| id.as_str().starts_with("book-"))
        );
        assert!(text(query).contains("book"), "{}", text(query));
    }
    let ids: HashSet<&str> = queries(&both).map(|query| query.id.as_str()).collect();
    assert_eq!(ids.len(), 300 + 50 + 50);
}

#[test]
fn the_more_noise_the_less_a_liked_film_says() {
    // Of the films that a viewer likes, how many have the most frequent director of these.
    let told = |rating_noise| {
        let world = Dataset::quickstart(
            1,
            &WorldConfig {
                rating_noise,
                ..config()
            },
        )
        .unwrap();
        let mut by_viewer: HashMap<String, HashMap<String, usize>> = HashMap::new();
        for (viewer, item) in world.choices() {
            let item = world.catalogue.get(world.catalogue.index_of(item).unwrap());
            let director = item.attributes[0].value.clone();
            *by_viewer
                .entry(viewer.to_owned())
                .or_default()
                .entry(director)
                .or_default() += 1;
        }
        let most: usize = by_viewer
            .values()
            .map(|one| one.values().max().unwrap())
            .sum();
        let all: usize = by_viewer.values().flat_map(|one| one.values()).sum();
        most as f64 / all as f64
    };
    let (little, much) = (told(0.5), told(4.0));
    assert!(little > 1.2 * much, "{little} {much}");
}

#[test]
fn settings_out_of_range_are_named() {
    let message = |config: WorldConfig| match Dataset::quickstart(0, &config) {
        Err(error @ Error::InvalidSetting { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let default = WorldConfig::default;
    assert_eq!(
        message(WorldConfig {
            items: 5,
            ..default()
        }),
        "items must be from 20 to 384, got 5"
    );
    assert_eq!(
        message(WorldConfig {
            transfer: true,
            ..default()
        }),
        "items must be from 20 to 192, got 240"
    );
    assert_eq!(
        message(WorldConfig {
            rating_noise: 0.0,
            ..default()
        }),
        "rating_noise must be in (0, 4], got 0.0"
    );
    let queries = QueryConfig {
        hard_share: [0.9, 0.5],
        ..QueryConfig::default()
    };
    assert_eq!(
        message(WorldConfig {
            queries,
            ..default()
        }),
        "hard_share must be two ascending numbers in [0, 1], got [0.9, 0.5]"
    );
    let demonstrator = DemonstratorConfig {
        credulity: f64::NAN,
        ..DemonstratorConfig::default()
    };
    assert_eq!(
        message(WorldConfig {
            demonstrator,
            ..default()
        }),
        "credulity must be in [0, 1], got NaN"
    );
}

#[test]
fn unknown_keys_are_refused() {
    let read = toml::from_str::<WorldConfig>;
    assert_eq!(
        read("items = 40\n[queries]\ntrain = 10")
            .unwrap()
            .queries
            .train,
        10
    );
    assert!(
        read("[queries]\ntrian = 10")
            .unwrap_err()
            .to_string()
            .contains("trian")
    );
}

/// A hash of every text that the model sees: a change here makes every measured number a number of other data.
#[test]
fn the_texts_of_the_default_world_are_pinned() {
    let world = Dataset::quickstart(0, &WorldConfig::default()).unwrap();
    let hash = |texts: &mut dyn Iterator<Item = &str>| -> String {
        let mut hash = Sha256::new();
        texts.for_each(|text| hash.update(text));
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    };
    let asked = queries(&world).flat_map(|query| [query.id.as_str(), text(query), "\0"]);
    assert_eq!(
        hash(&mut { asked }),
        "586ca2959dac3e1a641c360024e0d27b362a065ec2df58607855739ce8c8bafc"
    );
    let shown = world.demonstrations.iter();
    let shown = shown.flat_map(|shown| {
        let prompt = shown.conversation[0].content.as_str();
        [prompt, "\0", shown.response.as_str(), "\0"]
    });
    let drilled = world.drills.iter();
    let drilled = drilled.flat_map(|drill| [&drill.prompt, "\0", drill.response.as_str(), "\0"]);
    assert_eq!(
        hash(&mut shown.chain(drilled)),
        "0c3d77a43a2623e4edb7c0d063d1c46c693e9e0e8e8390bc6e9b99fa38c1a76e"
    );
}
