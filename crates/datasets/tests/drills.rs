//! The drills of the warm start: reading, comparing, checking.
#![allow(clippy::unwrap_used)]

mod worlds;

use std::collections::{HashMap, HashSet};

use rerec_datasets::{Dataset, DemonstratorConfig, Drill, NameLength, WorldConfig};
use worlds::{config, world};

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
