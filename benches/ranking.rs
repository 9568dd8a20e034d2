//! NDCG@10 of 100,000 queries with 20 ranked candidates and one relevant item each, on all threads.
//!
//! Baselines on 2 cores: pytrec_eval 450 ms and ranx 820 ms after their inputs are built, a Rust crate over string
//! maps 156 ms on one thread.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hash::Hash;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Conventions, Evaluator, MetricKind, RankedQuery, Relevance};

const QUERIES: usize = 100_000;

/// Shuffled lists, flat, and the one relevant item of each.
fn lists<T>(queries: usize, length: usize, id: impl Fn(usize) -> T) -> (Vec<T>, Vec<T>) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut order: Vec<usize> = (0..length).collect();
    let (mut ranked, mut relevant) = (
        Vec::with_capacity(queries * length),
        Vec::with_capacity(queries),
    );
    for _ in 0..queries {
        order.shuffle(&mut random);
        ranked.extend(order.iter().map(|&item| id(item)));
        relevant.push(id(random.random_range(0..length)));
    }
    (ranked, relevant)
}

fn queries<'a, T>(ranked: &'a [T], relevant: &'a [T]) -> Vec<RankedQuery<'a, T>> {
    let length = ranked.len() / relevant.len();
    let query = |(ranked, relevant)| RankedQuery {
        ranked,
        relevance: Relevance::Items(relevant),
    };
    ranked
        .chunks(length)
        .zip(relevant.chunks(1))
        .map(query)
        .collect()
}

fn bench<T: Eq + Hash + Sync>(
    c: &mut Criterion,
    id: BenchmarkId,
    metrics: Vec<rerec_rewards::Metric>,
    lists: &(Vec<T>, Vec<T>),
) {
    let evaluator = Evaluator::new(metrics, Conventions::trec_eval()).unwrap();
    let queries = queries(&lists.0, &lists.1);
    let mean = evaluator.evaluate_batch(&queries).unwrap().means()[0].unwrap();
    assert!(mean > 0.0 && mean < 1.0, "mean {mean}");
    let mut group = c.benchmark_group("ranking");
    group.throughput(Throughput::Elements(queries.len() as u64));
    group.bench_function(id, |b| {
        b.iter(|| evaluator.evaluate_batch(black_box(&queries)))
    });
    group.finish();
}

fn ndcg(c: &mut Criterion) {
    let metrics = || vec![MetricKind::Ndcg.at(10)];
    let integers = lists(QUERIES, 20, |item| item as u32);
    bench(
        c,
        BenchmarkId::new("ndcg@10_integers", "100000x20"),
        metrics(),
        &integers,
    );
    let strings = lists(QUERIES, 20, |item| format!("item-{item:05}"));
    bench(
        c,
        BenchmarkId::new("ndcg@10_strings", "100000x20"),
        metrics(),
        &strings,
    );
}

/// Twelve metrics of one pass.
fn many_metrics(c: &mut Criterion) {
    let kinds = [
        MetricKind::Ndcg,
        MetricKind::Recall,
        MetricKind::Map,
        MetricKind::Mrr,
    ];
    let metrics = kinds
        .iter()
        .flat_map(|kind| [1, 5, 10].map(|k| kind.at(k)))
        .collect();
    let integers = lists(QUERIES, 20, |item| item as u32);
    let evaluator_id = BenchmarkId::new("12_metrics_integers", "100000x20");
    bench(c, evaluator_id, metrics, &integers);
}

/// The cost of a list grows with its length.
fn length(c: &mut Criterion) {
    for length in [10, 100, 1000] {
        let integers = lists(2000, length, |item| item as u32);
        bench(
            c,
            BenchmarkId::new("ndcg_integers_2000x", length),
            vec![MetricKind::Ndcg.whole()],
            &integers,
        );
    }
}

criterion_group!(benches, ndcg, many_metrics, length);
criterion_main!(benches);
