//! What holds for every schedule.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rerec_curriculum::{
    Curriculum, CurriculumConfig, DifficultyConfig, MixturePart, OrderConfig, PartialBatch,
    QueryId, Recheck, TooFew,
};

fn order() -> impl Strategy<Value = OrderConfig> {
    let simple = prop_oneof![
        Just(OrderConfig::EasyFirst),
        Just(OrderConfig::HardFirst),
        Just(OrderConfig::Frontier),
        Just(OrderConfig::Progress),
        Just(OrderConfig::Random),
        (1..6u32).prop_map(|count| OrderConfig::Buckets { count }),
    ];
    let part = (0.1..2.0, simple.clone()).prop_map(|(weight, order)| MixturePart { weight, order });
    prop_oneof![4 => simple, 1 => prop::collection::vec(part, 1..4).prop_map(OrderConfig::Mixture)]
}

fn difficulty() -> impl Strategy<Value = DifficultyConfig> {
    prop_oneof![
        Just(DifficultyConfig::Mean),
        Just(DifficultyConfig::EMA),
        Just(DifficultyConfig::BETA),
        Just(DifficultyConfig::Spread),
    ]
}

fn config() -> impl Strategy<Value = CurriculumConfig> {
    let recheck = prop_oneof![
        (1..5u32).prop_map(Recheck::Every),
        (0.05..1.0).prop_map(Recheck::Share)
    ];
    let too_few = prop_oneof![Just(TooFew::Review), Just(TooFew::All)];
    let partial_batch = prop_oneof![Just(PartialBatch::Keep), Just(PartialBatch::Carry)];
    let quota = prop::option::of(1..8usize);
    (
        1..9usize,
        order(),
        difficulty(),
        recheck,
        too_few,
        partial_batch,
        quota,
        0..3u32,
    )
        .prop_map(
            |(
                batch_size,
                order,
                difficulty,
                recheck,
                too_few,
                partial_batch,
                quota,
                warmup_epochs,
            )| {
                let quotas = quota
                    .map(|quota| ("even".to_owned(), quota))
                    .into_iter()
                    .collect();
                let tau = 0.3;
                CurriculumConfig {
                    tau,
                    batch_size,
                    order,
                    difficulty,
                    recheck,
                    too_few,
                    partial_batch,
                    quotas,
                    warmup_epochs,
                    ..CurriculumConfig::default()
                }
            },
        )
}

const QUERIES: usize = 30;

fn curriculum(config: CurriculumConfig) -> Curriculum {
    let class = |i| if i % 2 == 0 { "even" } else { "odd" };
    Curriculum::new(config, (0..QUERIES).map(|i| (i.to_string(), class(i)))).unwrap()
}

/// A metric for each epoch, query and rollout.
fn metrics(epochs: usize) -> impl Strategy<Value = Vec<Vec<Vec<f64>>>> {
    let metric = prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0];
    let round = prop::collection::vec(metric, 1..4);
    prop::collection::vec(prop::collection::vec(round, QUERIES), epochs)
}

fn served(curriculum: &mut Curriculum) -> Vec<QueryId> {
    std::iter::from_fn(|| curriculum.next_batch())
        .flatten()
        .collect()
}

fn query(id: &QueryId) -> usize {
    id.as_str().parse().unwrap()
}

fn is_even(id: &QueryId) -> bool {
    query(id).is_multiple_of(2)
}

proptest! {
    /// No query twice in an epoch; every query in the pool is in the epoch unless a quota is full; nothing planned is lost.
    #[test]
    fn an_epoch_is_a_permutation_of_its_pool(config in config(), metrics in metrics(6)) {
        let mut curriculum = curriculum(config.clone());
        for metrics in &metrics {
            let planned: Vec<QueryId> = curriculum.upcoming().cloned().collect();
            let set: BTreeSet<&QueryId> = planned.iter().collect();
            prop_assert_eq!(set.len(), planned.len());
            let even = planned.iter().filter(|id| is_even(id)).count();
            let quota = config.quotas.get("even").copied().unwrap_or(usize::MAX);
            prop_assert!(even <= quota);
            for id in curriculum.queries() {
                let excused = is_even(id) && even == quota;
                prop_assert!(set.contains(id) || excused || curriculum.is_mastered(id).unwrap(), "{} is missing", id);
            }
            let steps = curriculum.steps_left_in_epoch();
            let taken = curriculum.steps_taken();
            let served = served(&mut curriculum);
            prop_assert_eq!(curriculum.steps_taken() - taken, steps as u64);
            prop_assert_eq!(&served[..], &planned[..served.len()]);
            let left = planned.len() - served.len();
            prop_assert!(left == 0 || (config.partial_batch == PartialBatch::Carry && left < config.batch_size));
            for id in &served {
                curriculum.record(id, &metrics[query(id)]).unwrap();
            }
            prop_assert_eq!(curriculum.end_epoch().carried_over, left);
        }
    }

    /// With re-checks, every query is served within a bounded number of epochs.
    #[test]
    fn nobody_waits_for_ever(config in config(), metrics in metrics(8)) {
        let mut curriculum = curriculum(config.clone());
        let mut last = BTreeMap::new();
        let carried = usize::from(config.partial_batch == PartialBatch::Carry);
        let bound = match config.recheck {
            // Tried on time; the last batch of an epoch may be carried over once.
            Recheck::Every(period) if config.quotas.is_empty() => period as usize - 1 + carried,
            // A mastered query waits for the reviews of all others, each of which may be carried over once,
            // and behind a quota of one for all of its class.
            _ if config.quotas.is_empty() => 2 * QUERIES + 6,
            _ => 3 * QUERIES + 6,
        };
        for epoch in 0..2 * bound + 20 {
            for id in served(&mut curriculum) {
                curriculum.record(&id, &metrics[epoch % metrics.len()][query(&id)]).unwrap();
                last.insert(id, epoch);
            }
            curriculum.end_epoch();
            if epoch >= bound {
                prop_assert_eq!(last.len(), QUERIES);
                let longest = last.values().min().unwrap();
                prop_assert!(epoch - longest <= bound, "somebody waits since epoch {} in epoch {}", longest, epoch);
            }
        }
    }

    /// Neither the order of records nor the split of a query's rollouts into records matters, down to the last bit.
    #[test]
    fn shuffled_records_change_nothing(
        config in config(), metrics in metrics(3), shuffles in prop::collection::vec(any::<u64>(), 3),
    ) {
        let (mut straight, mut shuffled) = (curriculum(config.clone()), curriculum(config));
        for (metrics, &shuffle) in metrics.iter().zip(&shuffles) {
            let ids = served(&mut straight);
            prop_assert_eq!(&served(&mut shuffled), &ids);
            // One record for each rollout, so that every query has several.
            let mut records: Vec<(&QueryId, f64)> =
                ids.iter().flat_map(|id| metrics[query(id)].iter().map(move |metric| (id, *metric))).collect();
            for (id, metric) in &records {
                straight.record(id, &[*metric]).unwrap();
            }
            records.sort_by_key(|(id, metric)| (query(id) as u64 * 2_654_435_761 + metric.to_bits()) ^ shuffle);
            for (id, metric) in records {
                shuffled.record(id, &[metric]).unwrap();
            }
            prop_assert_eq!(straight.end_epoch(), shuffled.end_epoch());
        }
        prop_assert_eq!(serde_json::to_string(&straight).unwrap(), serde_json::to_string(&shuffled).unwrap());
    }

    /// Difficulties stay in [0, 1] under every estimator.
    #[test]
    fn difficulties_stay_in_the_unit_interval(config in config(), metrics in metrics(5)) {
        let mut curriculum = curriculum(config);
        for metrics in &metrics {
            for id in served(&mut curriculum) {
                curriculum.record(&id, &metrics[query(&id)]).unwrap();
            }
            curriculum.end_epoch();
            for id in curriculum.queries() {
                let difficulty = curriculum.estimate(id).unwrap().difficulty;
                prop_assert!((-1e-12..=1.0 + 1e-12).contains(&difficulty), "{}: {}", id, difficulty);
            }
        }
    }
}

#[test]
fn records_from_several_threads() {
    let mut alone = curriculum(CurriculumConfig::default());
    let ids = served(&mut alone);
    let mut shared = curriculum(CurriculumConfig::default());
    served(&mut shared);
    // The rollouts of a query come one by one, from different threads.
    let metrics =
        |id: &QueryId| [0.1, 0.2, 0.7].map(|part| part * query(id) as f64 / QUERIES as f64);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (shared, ids) = (&shared, &ids);
            scope.spawn(move || {
                for (place, id) in ids.iter().enumerate() {
                    for (rollout, metric) in metrics(id).into_iter().enumerate() {
                        if (place + rollout) % 4 == thread {
                            shared.record(id, &[metric]).unwrap();
                        }
                    }
                }
            });
        }
    });
    for id in ids.iter().rev() {
        for metric in metrics(id) {
            alone.record(id, &[metric]).unwrap();
        }
    }
    assert_eq!(alone.end_epoch(), shared.end_epoch());
    let json = |curriculum: &Curriculum| serde_json::to_string(curriculum).unwrap();
    assert_eq!(json(&alone), json(&shared));
}
