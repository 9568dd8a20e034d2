//! One epoch of the curriculum: serve every query, record its five rollouts, filter, sort and plan the next epoch; and its state
//! as a file.
//!
//! The authors' Python takes 191 ms for the record and the sort of 10,000 x 5.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rerec_curriculum::{Curriculum, CurriculumConfig, EpochStatistics, OrderConfig, QueryId};

const ROLLOUTS: usize = 5;
const LARGE: u32 = 10_000_000;

/// Metrics of rollouts, to be used again from the start when they run out.
fn metrics() -> Vec<[f64; ROLLOUTS]> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    (0..9973)
        .map(|_| std::array::from_fn(|_| random.random_range(0.0..1.0)))
        .collect()
}

/// No query is ever mastered, so that every epoch holds all of them.
fn curriculum(order: OrderConfig, queries: u32) -> Curriculum {
    let config = CurriculumConfig {
        tau: 0.0,
        order,
        ..CurriculumConfig::default()
    };
    let ids = (0..queries).map(|query| QueryId::from(query.to_string()));
    Curriculum::new(config, ids).unwrap()
}

/// Every query is served and recorded, or the bench times something else.
fn epoch(curriculum: &mut Curriculum, metrics: &[[f64; ROLLOUTS]]) -> EpochStatistics {
    let mut metrics = metrics.iter().cycle();
    while let Some(batch) = curriculum.next_batch() {
        for (id, metrics) in batch.iter().zip(&mut metrics) {
            curriculum.record(id, metrics).unwrap();
        }
    }
    let statistics = curriculum.end_epoch();
    assert_eq!(statistics.recorded, statistics.pool.queries);
    statistics
}

fn orders(c: &mut Criterion) {
    let metrics = metrics();
    let mut group = c.benchmark_group("curriculum_epoch");
    group.throughput(Throughput::Elements(10_000));
    for (name, order) in [
        ("easy_first", OrderConfig::EasyFirst),
        ("random", OrderConfig::Random),
        ("buckets", OrderConfig::Buckets { count: 10 }),
    ] {
        let mut curriculum = curriculum(order, 10_000);
        let id = BenchmarkId::new(name, format!("10000x{ROLLOUTS}"));
        group.bench_function(id, |b| b.iter(|| epoch(&mut curriculum, &metrics)));
    }
    group.finish();
}

fn large(c: &mut Criterion) {
    let metrics = metrics();
    let mut group = c.benchmark_group("curriculum_large");
    group.throughput(Throughput::Elements(u64::from(LARGE)));
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(60));
    group.bench_function(
        BenchmarkId::new("build_and_epoch", format!("{LARGE}x{ROLLOUTS}")),
        |b| {
            b.iter(|| epoch(&mut curriculum(OrderConfig::EasyFirst, LARGE), &metrics));
        },
    );
    group.finish();
}

/// A run of a million queries saved to a file, checksum and sync included, and loaded again.
fn state(c: &mut Criterion) {
    const QUERIES: u32 = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    let mut curriculum = curriculum(OrderConfig::EasyFirst, QUERIES);
    epoch(&mut curriculum, &metrics());
    let mut group = c.benchmark_group("curriculum_state");
    group
        .throughput(Throughput::Elements(u64::from(QUERIES)))
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10);
    group.bench_function(BenchmarkId::new("save", QUERIES), |b| {
        b.iter(|| curriculum.save(&path).unwrap());
    });
    group.bench_function(BenchmarkId::new("load", QUERIES), |b| {
        b.iter(|| Curriculum::load(&path).unwrap());
    });
    group.finish();
}

criterion_group!(benches, orders, large, state);
criterion_main!(benches);
