//! One epoch of LightGCN with its validation ranking, from the start of training; d 64.
//!
//! Every step propagates through the whole graph, so that an epoch costs pairs / batch · pairs: the batch, 2048 for
//! MovieLens-100K's size, grows with the data here, and with it the cost is linear.
//!
//! Baseline, measured on the same 2-core machine class on MovieLens-100K with L 3: RecBole 1.67 s an epoch, its
//! matrix factorisation 0.20 s, validation not counted. For one core set `RAYON_NUM_THREADS=1`.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{InteractionSplit, Interactions, LightGcn, LightGcnConfig};

/// Users, items and pairs of MovieLens-100K.
const MOVIELENS_100K: (u32, u32, usize) = (943, 1682, 100_000);

/// Distinct pairs with few popular items and many rare ones.
fn interactions((users, items, pairs): (u32, u32, usize)) -> InteractionSplit {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut distinct = std::collections::BTreeSet::new();
    while distinct.len() < pairs {
        let popularity: f64 = rng.random();
        let item = (popularity.powi(3) * f64::from(items)) as u32;
        distinct.insert((rng.random_range(0..users), item));
    }
    let pairs = distinct
        .into_iter()
        .map(|(user, item)| (user.to_string(), item.to_string()));
    Interactions::from_pairs(pairs)
        .unwrap()
        .split(0.1, 0.1, 0)
        .unwrap()
}

fn epoch(c: &mut Criterion) {
    let mut group = c.benchmark_group("lightgcn_epoch");
    group.sample_size(10);
    let (users, items, pairs) = MOVIELENS_100K;
    for scale in [1, 2, 4] {
        let size = (users * scale, items * scale, pairs * scale as usize);
        let split = interactions(size);
        group.throughput(Throughput::Elements(split.train.len() as u64));
        for layers in [0, 3] {
            let config = LightGcnConfig {
                layers,
                max_epochs: 1,
                batch_size: 2048 * scale as usize,
                ..Default::default()
            };
            let model = LightGcn::new(config).unwrap();
            let shape = format!("{}x{}x{}", size.0, size.1, split.train.len());
            group.bench_function(BenchmarkId::new(format!("layers_{layers}"), shape), |b| {
                b.iter(|| {
                    model
                        .fit_with_validation(&split.train, &split.validation, |_| ())
                        .unwrap()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, epoch);
criterion_main!(benches);
