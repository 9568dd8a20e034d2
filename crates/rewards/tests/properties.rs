//! What holds for every input.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rerec_rewards::{
    AnswerChoice, Catalogue, Conventions, DualGraphConfig, DualGraphReward, Evaluator, Item,
    ItemIndex, Metric, RankedQuery, Relevance, Reward, Sample, TitleLookup, TitleMatch,
    TitleMatcher, answer_box, list_entries,
};

/// Text made of what the parsers look for, and of anything else.
fn markup() -> impl Strategy<Value = String> {
    let pieces = vec![
        r"\boxed{", r"\text{", "{", "}", "\\", ";", "[SEP]", "\n", "1. ", " 2. ", "- ", "[", "]",
        "\"", ",", "(", ")", "(1995)", "The ", ", The", "a.k.a. ", "é", "e\u{301}", "ＡＢ", "千と",
        "\u{1c}", " ", "Heat", "&", ".", "'",
    ];
    let piece = prop_oneof![8 => select(pieces).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn catalogue(titles: &[String]) -> Catalogue {
    let items = titles.iter().enumerate();
    Catalogue::new(
        items
            .map(|(at, title)| Item::new(at.to_string(), title.as_str()))
            .collect(),
    )
    .unwrap()
}

proptest! {
    #[test]
    fn a_box_lies_within_the_response(response in markup()) {
        for choice in [AnswerChoice::Last, AnswerChoice::First] {
            let Some(found) = answer_box(&response, choice) else { continue };
            let whole = &response[found.span.clone()];
            let is_box = whole.starts_with(r"\boxed{") && whole.ends_with('}');
            prop_assert!(is_box);
            prop_assert!(found.span.start < found.content.start && found.content.end < found.span.end);
            prop_assert!(!response[found.content].trim().is_empty());
        }
    }

    #[test]
    fn the_last_box_is_not_before_the_first(response in markup()) {
        let first = answer_box(&response, AnswerChoice::First);
        let last = answer_box(&response, AnswerChoice::Last);
        prop_assert_eq!(first.is_some(), last.is_some());
        if let Some((first, last)) = first.zip(last) {
            prop_assert!(first == last || first.span.end <= last.span.start);
        }
    }

    #[test]
    fn entries_are_in_order_and_not_blank(text in markup()) {
        let mut end = 0;
        for entry in list_entries(&text, 0..text.len()) {
            prop_assert!(!entry.text.trim().is_empty());
            prop_assert!(end <= entry.span.start && entry.span.start < entry.span.end);
            end = entry.span.end;
            prop_assert!(text.get(entry.span).is_some());
        }
    }

    #[test]
    fn every_item_is_found_by_its_title(titles in vec(markup().prop_filter("blank", |t| !t.trim().is_empty()), 1..8)) {
        let catalogue = catalogue(&titles);
        for mode in [TitleMatch::Title, TitleMatch::Exact] {
            let matcher = TitleMatcher::new(&catalogue, mode);
            for (index, item) in catalogue.iter() {
                let found = match matcher.lookup(&item.title, None) {
                    TitleLookup::Found(found) => found == index,
                    TitleLookup::Ambiguous(items) => items.contains(&index),
                    TitleLookup::Unknown => false,
                };
                prop_assert!(found, "{:?} by {mode:?}", item.title);
                prop_assert_eq!(matcher.lookup(&item.title, Some(&[index])), TitleLookup::Found(index));
            }
        }
    }

    #[test]
    fn any_response_is_scored(response in markup(), titles in vec("[A-Z][a-z]{1,4}", 1..4)) {
        let mut titles = titles;
        titles.sort();
        titles.dedup();
        let catalogue = Arc::new(catalogue(&titles));
        let targets: Vec<ItemIndex> = catalogue.iter().map(|(index, _)| index).take(1).collect();
        let reward = DualGraphReward::new(DualGraphConfig::paper(), catalogue, None, None).unwrap();
        let sample = Sample { query: "q", response: &response, targets: &targets, candidates: None };
        let scored = reward.score(&[sample]).remove(0).unwrap();
        prop_assert!(scored.total >= -0.55 && scored.total <= 1.05);
        prop_assert_eq!(scored.hit, scored.ndcg > 0.0);
    }
}

fn evaluate(ranked: &[u16], grades: &[(u16, f64)], metric: &str) -> f64 {
    let metric: Metric = metric.parse().unwrap();
    let evaluator = Evaluator::new(vec![metric], Conventions::trec_eval()).unwrap();
    evaluator
        .evaluate(&RankedQuery {
            ranked,
            relevance: Relevance::Grades(grades),
        })
        .unwrap()[0]
}

/// NDCG by its definition, with every step spelled out.
fn naive_ndcg(ranked: &[u16], grades: &[(u16, f64)], k: usize) -> f64 {
    let mut distinct: Vec<u16> = Vec::new();
    ranked.iter().for_each(|item| {
        if !distinct.contains(item) {
            distinct.push(*item)
        }
    });
    let mut judged: Vec<(u16, f64)> = Vec::new();
    grades.iter().for_each(|one| {
        if judged.iter().all(|other| other.0 != one.0) {
            judged.push(*one)
        }
    });
    let dcg = |gains: &[f64]| -> f64 {
        gains
            .iter()
            .take(k)
            .enumerate()
            .map(|(at, gain)| gain.max(0.0) / ((at + 2) as f64).log2())
            .sum()
    };
    let grade = |item: &u16| {
        judged
            .iter()
            .find(|other| other.0 == *item)
            .map_or(0.0, |other| other.1)
    };
    let gains: Vec<f64> = distinct.iter().map(grade).collect();
    let mut ideal: Vec<f64> = judged.iter().map(|one| one.1).collect();
    ideal.sort_by(|a, b| b.total_cmp(a));
    if dcg(&ideal) > 0.0 {
        dcg(&gains) / dcg(&ideal)
    } else {
        0.0
    }
}

proptest! {
    #[test]
    fn ndcg_is_its_definition(
        ranked in vec(0u16..60, 0..80),
        grades in vec((0u16..60, (-1i8..4).prop_map(f64::from)), 0..20),
        k in 1usize..20,
    ) {
        let got = evaluate(&ranked, &grades, &format!("ndcg@{k}"));
        prop_assert!((got - naive_ndcg(&ranked, &grades, k)).abs() < 1e-12);
    }

    #[test]
    fn shares_stay_within_0_and_1_and_repetitions_change_nothing(
        ranked in vec(0u16..30, 1..60),
        grades in vec((0u16..30, (-1i8..4).prop_map(f64::from)), 0..20),
        k in 1usize..20,
    ) {
        let mut repeated = ranked.clone();
        repeated.extend(&ranked);
        for name in ["ndcg", "precision", "recall", "f1", "hit_rate", "mrr", "map", "err", "rbp", "r_precision", "bpref"] {
            let cutoff = if ["r_precision", "bpref"].contains(&name) { String::new() } else { format!("@{k}") };
            for metric in [name.to_owned(), format!("{name}{cutoff}")] {
                let value = evaluate(&ranked, &grades, &metric);
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{metric} {value}");
                prop_assert_eq!(value, evaluate(&repeated, &grades, &metric));
            }
        }
    }

    #[test]
    fn a_batch_scores_each_list_as_if_alone(lists in vec(vec(0u16..30, 0..40), 0..50)) {
        let relevant = [3, 4, 5];
        let evaluator = Evaluator::new(vec!["ndcg@5".parse().unwrap(), "map".parse().unwrap()], Conventions::ranx()).unwrap();
        let queries: Vec<_> =
            lists.iter().map(|ranked| RankedQuery { ranked, relevance: Relevance::Items(&relevant) }).collect();
        let batch = evaluator.evaluate_batch(&queries).unwrap();
        for (at, query) in queries.iter().enumerate() {
            prop_assert_eq!(batch.values(at).unwrap(), evaluator.evaluate(query).unwrap());
        }
    }
}
