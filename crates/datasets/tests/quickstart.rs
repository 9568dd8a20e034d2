//! The invented world keeps the promises that training relies on.
#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};

use rerec_datasets::{
    Dataset, DemonstratorConfig, Drill, Error, NameLength, Query, QueryClass, QueryConfig,
    WorldConfig,
};
use rerec_rewards::{Catalogue, Item, ItemId};
use sha2::{Digest, Sha256};

fn config() -> WorldConfig {
    WorldConfig {
        queries: QueryConfig {
            train: 300,
            validation: 50,
            test: 50,
            ..QueryConfig::default()
        },
        ..WorldConfig::default()
    }
}

fn world(seed: u64) -> Dataset {
    Dataset::quickstart(seed, &config()).unwrap()
}

fn queries(dataset: &Dataset) -> impl Iterator<Item = &Query> {
    let splits = &dataset.splits;
    splits
        .train
        .iter()
        .chain(&splits.validation)
        .chain(&splits.test)
}

fn text(query: &Query) -> &str {
    &query.conversation[0].content
}

fn candidates(query: &Query) -> &[ItemId] {
    query.candidates.as_deref().unwrap()
}

fn title<'a>(catalogue: &'a Catalogue, id: &ItemId) -> &'a str {
    &catalogue.get(catalogue.index_of(id).unwrap()).title
}

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

/// What a careful reader writes: no haste, no credulity.
fn careful(seed: u64) -> Dataset {
    let demonstrator = DemonstratorConfig {
        haste_first: 0.0,
        haste_later: 0.0,
        credulity: 0.0,
        ..DemonstratorConfig::default()
    };
    let config = WorldConfig {
        demonstrator,
        ..config()
    };
    Dataset::quickstart(seed, &config).unwrap()
}

#[test]
fn care_always_finds_the_target_and_credulity_never_does() {
    let care = careful(6);
    for (shown, query) in care.demonstrations.iter().zip(&care.splits.train) {
        let boxed = format!("\\boxed{{{}}}", title(&care.catalogue, &query.targets[0]));
        assert!(
            shown.response.ends_with(&boxed),
            "{}{}",
            shown.conversation[0].content,
            shown.response
        );
        assert_eq!(shown.response.matches("It fits.").count(), 1);
    }
    let mut config = config();
    config.demonstrator = DemonstratorConfig {
        haste_first: 0.0,
        haste_later: 0.0,
        credulity: 1.0,
        ..config.demonstrator
    };
    let credulous = Dataset::quickstart(6, &config).unwrap();
    let misinformed = credulous.demonstrations.iter().zip(&credulous.splits.train);
    for (shown, query) in misinformed.filter(|(_, query)| query.class == QueryClass::MISINFORMED) {
        let boxed = format!("\\boxed{{{}}}", title(&care.catalogue, &query.targets[0]));
        assert!(!shown.response.ends_with(&boxed) && shown.response.contains("It fits."));
    }
}

/// The target alone meets both conditions; of the others, half to four fifths meet one.
#[test]
fn exactly_one_candidate_fits_and_most_others_nearly_do() {
    let care = careful(7);
    let mut near = 0;
    for (shown, query) in care.demonstrations.iter().zip(&care.splits.train) {
        let wanted = shown
            .response
            .lines()
            .find_map(|line| line.strip_prefix("Wanted: "))
            .unwrap();
        let wanted: HashSet<&str> = wanted.trim_end_matches('.').split(", ").collect();
        let met = |id: &ItemId| {
            let item = care.catalogue.get(care.catalogue.index_of(id).unwrap());
            let facts = item
                .attributes
                .iter()
                .map(|fact| format!("{} {}", fact.relation, fact.value));
            facts.filter(|fact| wanted.contains(fact.as_str())).count()
        };
        let counts: Vec<usize> = candidates(query).iter().map(met).collect();
        assert_eq!(
            counts.iter().filter(|&&met| met == 2).count(),
            1,
            "{}",
            text(query)
        );
        assert_eq!(met(&query.targets[0]), 2);
        near += counts.iter().filter(|&&met| met == 1).count();
    }
    let share = near as f64 / (5 * care.splits.train.len()) as f64;
    assert!((0.5..0.8).contains(&share), "{share}");
}

/// A hurried first look with probability 0.6, as set; the bounds are four standard errors.
#[test]
fn haste_has_the_rate_that_was_set() {
    let mut config = config();
    config.demonstrator.per_query = 4;
    let world = Dataset::quickstart(8, &config).unwrap();
    let hasty = world.demonstrations.iter().filter(|shown| {
        let mut lines = shown
            .response
            .lines()
            .skip_while(|line| !line.starts_with("Wanted:"));
        lines.nth(1).unwrap().starts_with("At a glance")
    });
    let share = hasty.count() as f64 / 1200.0;
    assert!(
        (share - 0.6).abs() < 4.0 * (0.24f64 / 1200.0).sqrt(),
        "{share}"
    );
}

/// Short titles, and drills of reading with five options.
fn world_to_read(drills: usize) -> Dataset {
    let config = WorldConfig {
        names: NameLength::Short,
        demonstrator: DemonstratorConfig {
            reading_drills: drills,
            reading_options: 5,
            ..DemonstratorConfig::default()
        },
        ..config()
    };
    Dataset::quickstart(2, &config).unwrap()
}

#[test]
fn options_are_read_out_by_their_numbers_in_another_order() {
    let world = world_to_read(20);
    assert_eq!(world.reading.len(), 20);
    let mut in_order = 0;
    let mut layouts = HashSet::new();
    // Every fourth drill is of the other kind.
    let read_out = world.reading.chunks(4).flat_map(|four| &four[..3]);
    for drill in read_out {
        layouts.insert(drill.prompt.lines().count());
        let options: Vec<&str> = drill
            .prompt
            .lines()
            .filter(|line| line.starts_with('['))
            .collect();
        let read: Vec<&str> = drill.response.lines().collect();
        let (read, again) = read.split_at(5);
        in_order += usize::from(options == read);
        let sorted = |lines: &[&str]| {
            let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&options), sorted(read));
        assert_eq!(sorted(&options), sorted(again));
        // The titles alone are learned: in what order they come cannot be known.
        let learned: Vec<&str> = (drill.learned.iter().flatten().cloned())
            .map(|range| &drill.response[range])
            .collect();
        let titles = read.iter().chain(again).map(|line| &line[3..]);
        assert_eq!(learned, titles.collect::<Vec<_>>());
        assert_eq!(options.len(), 5);
        // A short title is one word behind its number.
        assert!(
            options.iter().all(|line| !line.contains(' ')),
            "{options:?}"
        );
    }
    // With and without titles around the options.
    assert!(layouts.len() > 4, "{layouts:?}");
    // One order in 120 is that of the options.
    assert!(in_order <= 2, "{in_order}");
}

/// "Velmora: director Lorne, genre western."
fn values(line: &str) -> Vec<&str> {
    let (_, values) = line.strip_suffix('.').unwrap().split_once(": ").unwrap();
    values.split(", ").collect()
}

#[test]
fn values_are_marked_by_the_conditions_before_them_whatever_the_title() {
    let world = world_to_read(80);
    let (mut met, mut missed, mut boxed, mut histories) = (0, 0, 0, 0);
    for drill in world.reading.iter().skip(3).step_by(4) {
        assert_eq!(drill.prompt, "Compare.\nAnswer:\n");
        let (history, rest) = drill.response.split_once("Wanted: ").unwrap();
        let (wanted, lines) = rest.split_once(".\n").unwrap();
        let wanted: Vec<&str> = wanted.split(", ").collect();
        assert_eq!(wanted.len(), 2, "{drill:?}");
        let history: Vec<Vec<&str>> = history.lines().map(values).collect();
        if let Some((first, others)) = history.split_first() {
            histories += 1;
            assert!((1..3).contains(&others.len()), "{drill:?}");
            // Of the four values of each line just the wanted ones are in others too.
            assert!(history.iter().all(|line| line.len() == 4), "{drill:?}");
            let common = |value: &&&str| others.iter().any(|line| line.contains(value));
            let common: Vec<&str> = first.iter().filter(common).copied().collect();
            assert_eq!(common, wanted, "{drill:?}");
            assert!(
                others
                    .iter()
                    .all(|line| wanted.iter().all(|one| line.contains(one)))
            );
        }
        // With titles the first line that fits is the last, and its title is boxed, of whatever item it is.
        let (lines, title) = match lines.split_once("\n\\boxed{") {
            Some((lines, rest)) => (lines, rest.strip_suffix('}')),
            None => (lines, None),
        };
        let fits = |line: &&str| line.ends_with(" It fits.");
        match title {
            Some(title) => {
                boxed += 1;
                let last = lines.lines().last().unwrap();
                assert!(last.contains(&format!("]{title}: ")), "{drill:?}");
                assert_eq!(lines.lines().filter(fits).collect::<Vec<_>>(), [last]);
            }
            None => {
                assert_eq!(lines.lines().count(), 6, "{drill:?}");
                assert!(lines.lines().any(|line| fits(&line)), "{drill:?}");
            }
        }
        for line in lines.lines() {
            assert_eq!(line.starts_with('['), title.is_some(), "{drill:?}");
            let marks = match title {
                Some(_) => line.split_once(": ").unwrap().1,
                None => line,
            };
            let marks = marks.trim_end_matches(" It fits.").trim_end_matches('.');
            for mark in marks.split(", ") {
                let (fact, mark) = mark.rsplit_once(' ').unwrap();
                assert_eq!(mark == "yes", wanted.contains(&fact), "{drill:?}");
                *(if mark == "yes" { &mut met } else { &mut missed }) += 1;
            }
            assert_eq!(
                line.ends_with("It fits."),
                marks.matches(" yes").count() == 2
            );
        }
        // The marks, the verdicts, that a line has ended, the box, and what is wanted where it is told by a history.
        let learned: Vec<&str> = (drill.learned.iter().flatten().cloned())
            .map(|range| &drill.response[range])
            .collect();
        let allowed = [" yes", " no", " It fits.", "\n"];
        let of_box = title.map(|title| format!("\n\\boxed{{{title}}}"));
        let of_history = format!("Wanted: {}.", wanted.join(", "));
        assert_eq!(learned.contains(&&*of_history), !history.is_empty());
        let is_allowed = |part: &&str| {
            allowed.contains(part) || of_box.as_deref() == Some(*part) || **part == of_history
        };
        assert!(learned.iter().all(is_allowed), "{learned:?}");
        assert_eq!(
            learned.last().copied() == of_box.as_deref(),
            title.is_some()
        );
        let words = |word: &str| learned.iter().filter(|part| part.contains(word)).count();
        assert_eq!(words("yes"), lines.matches(" yes").count());
        assert_eq!(words("no"), lines.matches(" no").count());
        assert_eq!(words("fits"), lines.matches("fits").count());
    }
    assert!((1..20).contains(&boxed), "{boxed}");
    assert!((1..20).contains(&histories), "{histories}");
    assert!(met >= 40 && missed >= 40, "{met} {missed}");
}

#[test]
fn drills_cover_all_items_evenly_and_mark_rightly() {
    let world = world(9);
    assert_eq!(world.drills.len(), 2000);
    let mut drilled: HashMap<&str, usize> = HashMap::new();
    for drill in &world.drills {
        let mut options = drill.prompt.lines().skip(2);
        let mut lines = drill.response.lines();
        let wanted = lines
            .next()
            .unwrap()
            .strip_prefix("Wanted: ")
            .unwrap()
            .trim_end_matches('.');
        let wanted: Vec<&str> = wanted.split(", ").collect();
        for line in lines {
            let (title, marks) = line.split_once(": ").unwrap();
            assert_eq!(options.next(), Some(title), "{drill:?}");
            let (_, title) = title.split_once(']').unwrap();
            *drilled.entry(title).or_default() += 1;
            assert_eq!(
                marks.ends_with("It fits."),
                marks.matches(" yes").count() == 2,
                "{drill:?}"
            );
            for mark in marks
                .trim_end_matches(" It fits.")
                .trim_end_matches('.')
                .split(", ")
            {
                let (fact, mark) = mark.rsplit_once(' ').unwrap();
                assert_eq!(mark == "yes", wanted.contains(&fact), "{drill:?}");
            }
        }
    }
    assert_eq!(drilled.len(), 240);
    assert!(
        drilled.values().all(|&count| count >= 8),
        "2000 drills over 240 items"
    );
}

#[test]
fn drills_may_have_as_many_options_as_queries() {
    let mut config = config();
    config.demonstrator.drill_options = 20;
    let world = Dataset::quickstart(3, &config).unwrap();
    let options = |drill: &Drill| {
        drill
            .prompt
            .lines()
            .filter(|line| line.starts_with('['))
            .count()
    };
    let counts: HashSet<usize> = world.drills.iter().map(options).collect();
    assert_eq!(counts.iter().min(), Some(&3));
    assert!(counts.iter().max() > Some(&15), "{counts:?}");
    let lines = world
        .drills
        .iter()
        .map(|drill| drill.response.lines().count());
    // The first line says what is wanted, and each option has one more at most.
    assert!(
        world
            .drills
            .iter()
            .zip(lines.clone())
            .all(|(drill, lines)| lines <= 1 + options(drill))
    );
    assert!(lines.max() > Some(15));
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
