//! The reward of responses, on one thread unless said otherwise.
//!
//! Baselines, measured on the same 2-core machine class: the authors' Python in process 59 us a response of 2 kB, over
//! its HTTP service 3.5 ms.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use rerec_rewards::{
    Attribute, AttributeGraph, Catalogue, DualGraphConfig, DualGraphReward, EmbeddingTable, Item,
    ItemEmbeddings, ItemIndex, Reward, Sample, SimilarityConfig, TitleMatch, TitleMatcher,
};

const DIMENSION: usize = 64;

/// Titles as a film catalogue has them: an article behind a comma, an alternative title, an accent, a year.
fn title(number: usize) -> String {
    match number % 4 {
        0 => format!(
            "Journey of the {number} Lanterns, The (19{:02})",
            number % 100
        ),
        1 => format!(
            "Café {number} (a.k.a. Coffee House {number}) (20{:02})",
            number % 20
        ),
        2 => format!("Night Train {number} (19{:02})", number % 100),
        _ => format!("What Happened at No. {number}? (19{:02})", number % 100),
    }
}

fn catalogue(items: usize) -> Arc<Catalogue> {
    let fact = |relation: &str, value: usize| Attribute {
        relation: relation.into(),
        value: value.to_string(),
    };
    let item = |number: usize| Item {
        attributes: vec![
            fact("director", number % 997),
            fact("genre", number % 18),
            fact("decade", number % 10),
            fact("actor", number % 4999),
            fact("actor", number % 3001),
        ],
        ..Item::new(number.to_string(), title(number))
    };
    Arc::new(Catalogue::new((0..items).map(item).collect()).unwrap())
}

fn reward(catalogue: &Arc<Catalogue>) -> DualGraphReward {
    let ids = catalogue
        .items()
        .iter()
        .map(|item| item.id.to_string())
        .collect();
    let vectors = Array2::from_shape_fn((catalogue.len(), DIMENSION), |(item, column)| {
        ((item * 31 + column * 17) % 101) as f32 / 50.0 - 1.0
    });
    let table = EmbeddingTable::new(ids, vectors).unwrap();
    let embeddings = ItemEmbeddings::new(catalogue, &table, SimilarityConfig::default()).unwrap();
    let graph = AttributeGraph::from_catalogue(catalogue).unwrap();
    let parts = (Some(Arc::new(graph)), Some(Arc::new(embeddings)));
    DualGraphReward::new(
        DualGraphConfig::paper(),
        catalogue.clone(),
        parts.0,
        parts.1,
    )
    .unwrap()
}

/// Reasoning that names candidates, then a box; 2,000 bytes.
fn response(answer: usize) -> String {
    let mut response = String::new();
    while response.len() < 1900 {
        response.push_str("The user asks for something slow, so ");
        response.push_str(&title(response.len() % 500));
        response.push_str(" does not fit {genre}.\n");
    }
    response.truncate(1900);
    response + &format!("\n\nTherefore \\boxed{{{}}}", title(answer))
}

fn candidates(catalogue: &Catalogue, count: usize) -> Vec<ItemIndex> {
    catalogue
        .iter()
        .map(|(index, _)| index)
        .take(count)
        .collect()
}

fn one_response(c: &mut Criterion) {
    let mut group = c.benchmark_group("reward");
    let score = |group: &mut criterion::BenchmarkGroup<'_, _>, id, items: usize, offered: usize| {
        let catalogue = catalogue(items);
        let reward = reward(&catalogue);
        let candidates = candidates(&catalogue, offered);
        let response = response(offered / 2);
        let sample = Sample {
            query: "query-17",
            response: &response,
            targets: &candidates[3..4],
            candidates: Some(&candidates),
        };
        assert!(
            reward.score(&[sample])[0]
                .as_ref()
                .unwrap()
                .answer
                .is_some()
        );
        group.bench_function(id, |b| b.iter(|| reward.score(black_box(&[sample]))));
    };
    score(
        &mut group,
        BenchmarkId::new("response_2kB", "4000_items_20_candidates"),
        4000,
        20,
    );
    for offered in [200, 2000] {
        score(
            &mut group,
            BenchmarkId::new("candidates", offered),
            4000,
            offered,
        );
    }
    for items in [1000, 10_000, 100_000] {
        score(&mut group, BenchmarkId::new("catalogue", items), items, 20);
    }
    group.finish();
}

/// A training step's batch, 512 queries of 5 responses, on all threads.
fn batch(c: &mut Criterion) {
    let catalogue = catalogue(4000);
    let reward = reward(&catalogue);
    let candidates = candidates(&catalogue, 20);
    let responses: Vec<String> = (0..2560).map(|number| response(number % 20)).collect();
    let sample = |response| Sample {
        query: "query-17",
        response,
        targets: &candidates[3..4],
        candidates: Some(&candidates),
    };
    let batch: Vec<Sample<'_>> = responses.iter().map(|response| sample(response)).collect();
    let mut group = c.benchmark_group("reward");
    group.throughput(Throughput::Elements(batch.len() as u64));
    group.bench_function("batch/2560x2kB", |b| {
        b.iter(|| reward.score(black_box(&batch)))
    });
    group.finish();
}

fn titles(c: &mut Criterion) {
    let mut group = c.benchmark_group("title");
    for items in [1000, 10_000, 100_000] {
        let catalogue = catalogue(items);
        group.bench_function(BenchmarkId::new("index", items), |b| {
            b.iter(|| TitleMatcher::new(black_box(&catalogue), TitleMatch::Title));
        });
        let matcher = TitleMatcher::new(&catalogue, TitleMatch::Title);
        let title = title(500);
        group.bench_function(BenchmarkId::new("lookup", items), |b| {
            b.iter(|| matcher.lookup(black_box(&title), None));
        });
    }
    group.finish();
}

criterion_group!(benches, one_response, batch, titles);
criterion_main!(benches);
