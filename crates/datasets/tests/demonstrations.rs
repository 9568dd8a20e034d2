//! What the annotator of the invented world writes, and how they err.
#![allow(clippy::unwrap_used)]

mod worlds;

use std::collections::HashSet;

use rerec_datasets::{Dataset, DemonstratorConfig, QueryClass};
use rerec_rewards::ItemId;
use worlds::{annotated, candidates, careful, config, patient, text, title};

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
    let credulity = 1.0;
    let credulous = annotated(
        6,
        DemonstratorConfig {
            credulity,
            ..patient()
        },
    );
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

/// The first candidate that meets any condition is taken, and the line says that it fits.
#[test]
fn leniency_takes_what_meets_one_condition() {
    let leniency = 1.0;
    let world = annotated(
        6,
        DemonstratorConfig {
            leniency,
            ..patient()
        },
    );
    let mut wrong = 0;
    for (shown, query) in world.demonstrations.iter().zip(&world.splits.train) {
        let response = &shown.response;
        let mut checks = response.lines().filter(|line| line.starts_with('['));
        let taken = checks.find(|line| line.contains(" yes")).unwrap();
        assert!(taken.ends_with(". It fits."), "{response}");
        assert_eq!(checks.next(), None, "{response}");
        let boxed = response.lines().last().unwrap();
        let title = boxed.trim_start_matches("\\boxed{").trim_end_matches('}');
        assert!(taken.contains(title), "{response}");
        let target = self::title(&world.catalogue, &query.targets[0]);
        wrong += usize::from(title != target);
    }
    assert!(wrong > 150, "{wrong} of 300");
}
