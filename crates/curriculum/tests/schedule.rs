//! What each setting of the schedule does, in epochs small enough to follow by hand.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use rerec_curriculum::{
    Curriculum, CurriculumConfig, DifficultyConfig, EpochStatistics, Error, MetricConfig,
    MixturePart, OrderConfig, PartialBatch, QueryId, Recheck, TooFew,
};

/// Batches of 1, no re-checks, stop at the end: nothing but the filter and the order.
fn plain() -> CurriculumConfig {
    CurriculumConfig {
        batch_size: 1,
        recheck: Recheck::Never,
        too_few: TooFew::Stop,
        ..CurriculumConfig::default()
    }
}

fn letters(curriculum: &Curriculum) -> String {
    curriculum.upcoming().map(QueryId::as_str).collect()
}

fn batches(curriculum: &mut Curriculum) -> Vec<String> {
    let batch = |ids: Vec<QueryId>| ids.iter().map(QueryId::as_str).collect();
    std::iter::from_fn(|| curriculum.next_batch())
        .map(batch)
        .collect()
}

/// Serves an epoch and records a single rollout of each query named in `metrics`.
fn epoch(curriculum: &mut Curriculum, metrics: &[(&str, f64)]) -> EpochStatistics {
    batches(curriculum);
    for (id, metric) in metrics {
        curriculum.record(id, &[*metric]).unwrap();
    }
    curriculum.end_epoch()
}

fn after_one_epoch(config: CurriculumConfig, metrics: &[(&str, f64)]) -> Curriculum {
    let mut curriculum = Curriculum::new(config, metrics.iter().map(|(id, _)| *id)).unwrap();
    epoch(&mut curriculum, metrics);
    curriculum
}

const FIVE: [(&str, f64); 5] = [("a", 0.45), ("b", 1.0), ("c", 0.0), ("d", 0.8), ("e", 0.45)];

#[test]
fn orders() {
    let ordered = |order| {
        letters(&after_one_epoch(
            CurriculumConfig { order, ..plain() },
            &FIVE,
        ))
    };
    assert_eq!(ordered(OrderConfig::EasyFirst), "daec");
    assert_eq!(ordered(OrderConfig::HardFirst), "caed");
    assert_eq!(ordered(OrderConfig::Frontier), "aedc");
    let two_bands = ordered(OrderConfig::Buckets { count: 2 });
    assert!(
        two_bands.starts_with('d'),
        "only d is in the easier half: {two_bands}"
    );
}

#[test]
fn what_changed_most_comes_first_and_what_was_recorded_less_than_twice_before_it() {
    let config = CurriculumConfig {
        order: OrderConfig::Progress,
        ..plain()
    };
    let mut curriculum = Curriculum::new(config, ["a", "b", "c", "d", "e"]).unwrap();
    epoch(
        &mut curriculum,
        &[("b", 0.5), ("c", 0.25), ("d", 0.5), ("e", 0.5)],
    );
    assert_eq!(letters(&curriculum), "abcde", "nothing is known of any");
    epoch(&mut curriculum, &[("b", 0.625), ("c", 0.75), ("e", 0.25)]);
    // a was never recorded, d once; c became easier by 0.5, e harder by 0.25, b easier by 0.125.
    assert_eq!(letters(&curriculum), "adceb");
    // c and e were not recorded since: their changes stand. That of b is now 0.375.
    epoch(&mut curriculum, &[("a", 0.5), ("b", 0.25), ("d", 0.5)]);
    assert_eq!(letters(&curriculum), "acbed");
}

#[test]
fn changes_that_differ_by_rounding_alone_are_equal() {
    let config = CurriculumConfig {
        order: OrderConfig::Progress,
        ..plain()
    };
    let steps = [("a", 0.0), ("b", 0.2), ("c", 0.4), ("d", 0.6)];
    let mut curriculum = after_one_epoch(config, &steps);
    epoch(
        &mut curriculum,
        &steps.map(|(id, metric)| (id, metric + 0.2)),
    );
    assert_eq!(letters(&curriculum), "abcd");
}

#[test]
fn random_order_is_new_in_each_epoch_and_the_same_for_each_seed() {
    let ids: Vec<String> = (0..50).map(|i| format!("{i} ")).collect();
    let config = |seed| CurriculumConfig {
        order: OrderConfig::Random,
        seed,
        ..plain()
    };
    let two_epochs = |seed| {
        let mut curriculum = Curriculum::new(config(seed), ids.iter().map(String::as_str)).unwrap();
        let first = letters(&curriculum);
        epoch(&mut curriculum, &[]);
        (first, letters(&curriculum))
    };
    let (first, second) = two_epochs(1);
    assert_ne!(first, second);
    assert_ne!(first, ids.concat());
    assert_eq!(two_epochs(1), (first.clone(), second));
    assert_ne!(two_epochs(2).0, first);
}

#[test]
fn a_mixture_interleaves_its_orders_in_proportion() {
    let part = |weight, order| MixturePart { weight, order };
    let parts = vec![
        part(3.0, OrderConfig::EasyFirst),
        part(1.0, OrderConfig::HardFirst),
    ];
    let config = CurriculumConfig {
        order: OrderConfig::Mixture(parts),
        tau: 0.0,
        ..plain()
    };
    let queries: Vec<(String, f64)> = (0..1000)
        .map(|i| (i.to_string(), f64::from(i) / 1000.0))
        .collect();
    let queries: Vec<(&str, f64)> = queries
        .iter()
        .map(|(id, metric)| (id.as_str(), *metric))
        .collect();
    let curriculum = after_one_epoch(config, &queries);
    let quarter: Vec<f64> = curriculum
        .upcoming()
        .take(250)
        .map(|id| curriculum.estimate(id).unwrap().difficulty)
        .collect();
    // Among the first 250 are the easiest of three quarters of the queries, and the hardest of the rest.
    let hard = quarter
        .iter()
        .filter(|difficulty| **difficulty > 0.5)
        .count();
    assert!(
        (40..=85).contains(&hard),
        "{hard} hard queries instead of about 62"
    );
    assert!(
        quarter
            .iter()
            .all(|difficulty| *difficulty < 0.35 || *difficulty > 0.65)
    );
}

#[test]
fn mastered_queries_are_due_again_after_some_epochs_and_may_return() {
    let config = CurriculumConfig {
        recheck: Recheck::Every(2),
        ..plain()
    };
    let mut curriculum = after_one_epoch(config, &[("a", 1.0), ("b", 0.0)]);
    assert_eq!(letters(&curriculum), "b");
    epoch(&mut curriculum, &[("b", 0.0)]);
    assert_eq!(letters(&curriculum), "ab");
    let statistics = epoch(&mut curriculum, &[("a", 0.5), ("b", 0.25)]);
    assert_eq!(
        (statistics.returned, statistics.harder, statistics.easier),
        (1, 1, 1)
    );
    assert_eq!(statistics.mean_change, (0.5 - 0.25) / 2.0);
    assert_eq!(letters(&curriculum), "ab");
}

#[test]
fn rechecks_are_on_time_when_less_than_a_batch_is_active() {
    let config = CurriculumConfig {
        batch_size: 3,
        recheck: Recheck::Every(2),
        too_few: TooFew::Review,
        ..plain()
    };
    let mastered = ["b", "c", "d", "e", "f", "g", "h"].map(|id| (id, 1.0));
    let all: Vec<(&str, f64)> = [("a", 0.0)].into_iter().chain(mastered).collect();
    let mut curriculum = after_one_epoch(config, &all);
    let mut sorted_plan = || {
        let mut plan: Vec<char> = letters(&curriculum).chars().collect();
        plan.sort_unstable();
        epoch(&mut curriculum, &[]);
        plan.into_iter().collect::<String>()
    };
    let plans: Vec<String> = (0..4).map(|_| sorted_plan()).collect();
    assert_eq!(plans, ["abc", "adefgh", "abc", "adefgh"]);
}

#[test]
fn rechecks_are_on_time_when_all_are_mastered() {
    let config = CurriculumConfig {
        recheck: Recheck::Every(2),
        ..plain()
    };
    let mut curriculum = after_one_epoch(config, &[("a", 1.0)]);
    assert!(curriculum.is_finished());
    curriculum.end_epoch();
    assert_eq!(letters(&curriculum), "a");
}

#[test]
fn a_review_share_takes_those_tried_longest_ago() {
    let config = CurriculumConfig {
        recheck: Recheck::Share(0.5),
        ..plain()
    };
    let all = [("a", 0.0), ("b", 1.0), ("c", 1.0), ("d", 1.0), ("e", 0.0)];
    let mut curriculum = after_one_epoch(config, &all);
    let reviewed: Vec<String> = (0..4)
        .map(|_| {
            let plan = letters(&curriculum);
            epoch(&mut curriculum, &[]);
            plan
        })
        .collect();
    assert_eq!(reviewed, ["bae", "cae", "dae", "bae"]);
}

#[test]
fn warm_up_sets_nothing_aside() {
    let config = CurriculumConfig {
        warmup_epochs: 1,
        ..plain()
    };
    let mut curriculum = after_one_epoch(config, &[("a", 1.0), ("b", 0.5)]);
    assert_eq!(letters(&curriculum), "ab");
    assert_eq!(epoch(&mut curriculum, &[]).newly_mastered, 1);
    assert_eq!(letters(&curriculum), "b");
}

#[test]
fn fewer_than_a_batch_left() {
    let with = |too_few| CurriculumConfig {
        batch_size: 3,
        too_few,
        ..plain()
    };
    let stop = after_one_epoch(with(TooFew::Stop), &FIVE[..3]);
    assert!(stop.is_finished());
    assert_eq!(stop.steps_left(10), 0);
    let mut all = after_one_epoch(with(TooFew::All), &FIVE[..4]);
    assert_eq!(letters(&all), "dac");
    epoch(&mut all, &[("d", 1.0)]);
    assert_eq!(letters(&all), "bdac", "two are left, so everybody returns");
    let mut review = after_one_epoch(
        with(TooFew::Review),
        &[("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 0.0)],
    );
    assert_eq!(letters(&review), "abd");
    epoch(&mut review, &[]);
    assert_eq!(
        letters(&review),
        "acd",
        "c was not tried since the first epoch"
    );
}

#[test]
fn the_partial_batch_is_kept_or_carried_over() {
    let with = |partial_batch| CurriculumConfig {
        batch_size: 2,
        partial_batch,
        ..plain()
    };
    let mut keep = Curriculum::new(with(PartialBatch::Keep), ["a", "b", "c"]).unwrap();
    assert_eq!(keep.steps_left(3), 6);
    assert_eq!(batches(&mut keep), ["ab", "c"]);
    assert_eq!((keep.steps_left_in_epoch(), keep.steps_taken()), (0, 2));
    let mut carry = Curriculum::new(with(PartialBatch::Carry), ["a", "b", "c"]).unwrap();
    assert_eq!(batches(&mut carry), ["ab"]);
    carry.record("a", &[0.5]).unwrap();
    carry.record("b", &[0.25]).unwrap();
    assert_eq!(carry.end_epoch().carried_over, 1);
    assert_eq!(batches(&mut carry), ["ca"]);
    carry.end_epoch();
    assert_eq!(
        batches(&mut carry),
        ["ba"],
        "what was carried over comes first"
    );
    let mut small = Curriculum::new(with(PartialBatch::Carry), ["a"]).unwrap();
    assert_eq!(
        (small.steps_left(1), batches(&mut small)),
        (1, vec!["a".to_owned()])
    );
}

#[test]
fn an_epoch_ended_early_leaves_the_rest_to_the_next() {
    let mut curriculum = Curriculum::new(plain(), ["a", "b", "c"]).unwrap();
    curriculum.next_batch();
    curriculum.record("a", &[0.5]).unwrap();
    curriculum.end_epoch();
    assert_eq!(letters(&curriculum), "bca");
}

#[test]
fn quotas_serve_those_of_a_class_that_waited_longest() {
    let quotas = [("movie".to_owned(), 2)].into();
    let config = CurriculumConfig { quotas, ..plain() };
    let queries = [
        ("a", "movie"),
        ("b", "movie"),
        ("c", "movie"),
        ("x", "book"),
        ("y", "book"),
    ];
    let mut curriculum = Curriculum::new(config.clone(), queries).unwrap();
    assert_eq!(letters(&curriculum), "abxy");
    let statistics = epoch(
        &mut curriculum,
        &[("a", 0.5), ("b", 0.5), ("x", 0.25), ("y", 1.0)],
    );
    assert_eq!(letters(&curriculum), "axc");
    let book = statistics
        .classes
        .iter()
        .find(|c| c.class.as_deref() == Some("book"))
        .unwrap();
    assert_eq!(
        (book.pool.queries, book.pool.active, book.pool.mastered),
        (2, 1, 1)
    );
    assert_eq!(book.pool.histogram, [1, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    let unknown = Curriculum::new(config, [("x", "book")]).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "quotas names the class \"movie\", which no query has; the classes are [\"book\"]"
    );
}

#[test]
fn statistics_of_an_epoch() {
    let mut curriculum = Curriculum::new(
        CurriculumConfig {
            batch_size: 2,
            ..plain()
        },
        ["a", "b", "c", "d"],
    )
    .unwrap();
    curriculum.next_batch();
    curriculum.record("a", &[1.0, 1.0]).unwrap();
    curriculum.record("d", &[0.0, 0.5]).unwrap();
    let statistics = curriculum.end_epoch();
    assert_eq!(
        (
            statistics.epoch,
            statistics.batches,
            statistics.served,
            statistics.recorded
        ),
        (1, 1, 2, 2)
    );
    assert_eq!(
        (
            statistics.missed,
            statistics.carried_over,
            statistics.newly_mastered
        ),
        (1, 2, 1)
    );
    let pool = statistics.pool;
    assert_eq!(
        (pool.queries, pool.active, pool.mastered, pool.never_tried),
        (4, 3, 1, 2)
    );
    assert_eq!(pool.mean_difficulty, (0.0 + 1.0 + 1.0 + 0.75) / 4.0);
    assert_eq!(pool.mean_active_difficulty, 2.75 / 3.0);
    assert_eq!(pool.histogram, [1, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn records_of_one_query_are_pooled() {
    let mut curriculum = Curriculum::new(plain(), ["a"]).unwrap();
    curriculum.record("a", &[1.0]).unwrap();
    curriculum.record("a", &[0.0, 0.5, 0.5]).unwrap();
    curriculum.end_epoch();
    let estimate = curriculum.estimate("a").unwrap();
    assert_eq!((estimate.difficulty, estimate.weight), (0.5, 4.0));
}

#[test]
fn rewards_of_another_range() {
    let metric = MetricConfig {
        lowest: -0.5,
        highest: 1.5,
        rescale: true,
    };
    let mut curriculum = Curriculum::new(CurriculumConfig { metric, ..plain() }, ["a"]).unwrap();
    curriculum.record("a", &[1.0]).unwrap();
    let error = curriculum.record("a", &[0.0, f64::NAN]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "metric of rollout 1 of query \"a\" must be in [-0.5, 1.5], got NaN"
    );
    curriculum.end_epoch();
    assert_eq!(curriculum.estimate("a").unwrap().difficulty, 0.25);
}

#[test]
fn beta_masters_after_three_perfect_rounds_and_spread_drops_what_has_no_signal() {
    let config = CurriculumConfig {
        difficulty: DifficultyConfig::BETA,
        ..plain()
    };
    let mut curriculum = Curriculum::new(config, ["a"]).unwrap();
    let rounds_to_mastery = (1..10).find(|_| {
        curriculum.record("a", &[1.0; 5]).unwrap();
        curriculum.end_epoch().pool.mastered == 1
    });
    assert_eq!(rounds_to_mastery, Some(3));

    let config = CurriculumConfig {
        difficulty: DifficultyConfig::Spread,
        order: OrderConfig::HardFirst,
        ..plain()
    };
    let mut curriculum = Curriculum::new(config, ["never", "always", "rarely", "half"]).unwrap();
    for (id, metrics) in [
        ("never", [0.0; 4]),
        ("always", [1.0; 4]),
        ("rarely", [0.0, 0.0, 0.0, 1.0]),
        ("half", [1.0, 0.0, 1.0, 0.0]),
    ] {
        curriculum.record(id, &metrics).unwrap();
    }
    batches(&mut curriculum);
    curriculum.end_epoch();
    assert_eq!(batches(&mut curriculum), ["half", "rarely"]);
}

#[test]
fn steps_left_follow_the_pool() {
    let mut curriculum = Curriculum::new(plain(), ["a", "b", "c", "d"]).unwrap();
    assert_eq!(curriculum.steps_left(3), 12);
    curriculum.next_batch();
    assert_eq!(
        (curriculum.steps_left_in_epoch(), curriculum.steps_left(3)),
        (3, 11)
    );
    epoch(&mut curriculum, &[("a", 1.0), ("b", 1.0), ("c", 0.0)]);
    assert_eq!((curriculum.epoch(), curriculum.steps_left(3)), (2, 4));
    assert_eq!(curriculum.steps_left(1), 0);
}

#[test]
fn steps_left_count_rechecks_and_keep_to_quotas() {
    let queries = [
        ("a", "movie"),
        ("b", "movie"),
        ("c", "movie"),
        ("x", "book"),
    ];
    let quotas = [("movie".to_owned(), 2)].into();
    let config = CurriculumConfig { quotas, ..plain() };
    let curriculum = Curriculum::new(config, queries).unwrap();
    assert_eq!(curriculum.steps_left(3), 3 * 3);

    let config = CurriculumConfig {
        recheck: Recheck::Every(2),
        ..plain()
    };
    let metrics = [("a", 1.0), ("b", 1.0), ("c", 1.0), ("x", 0.0)];
    let curriculum = after_one_epoch(config, &metrics);
    // x alone in epoch 2; then x and, of three that are due every other epoch, two.
    assert_eq!(curriculum.steps_left(3), 1 + 3);
}

#[test]
fn settings_outside_their_range() {
    let refused = |change: fn(&mut CurriculumConfig)| {
        let mut config = plain();
        change(&mut config);
        Curriculum::new(config, ["a"]).unwrap_err().to_string()
    };
    assert_eq!(refused(|c| c.tau = f64::NAN), "tau must be finite, got NaN");
    assert_eq!(
        refused(|c| c.batch_size = 0),
        "batch_size must be at least 1, got 0"
    );
    assert_eq!(
        refused(|c| c.recheck = Recheck::Every(0)),
        "recheck.every must be at least 1, got 0"
    );
    assert_eq!(
        refused(|c| c.recheck = Recheck::Share(1.5)),
        "recheck.share must be in (0, 1], got 1.5"
    );
    assert_eq!(
        refused(|c| c.metric.lowest = -1e308),
        "metric.lowest must be in [-1e100, 1e100], got -1".to_owned() + &"0".repeat(308)
    );
    assert_eq!(
        refused(|c| c.metric.highest = f64::INFINITY),
        "metric.highest must be in [-1e100, 1e100], got inf"
    );
    assert_eq!(
        refused(|c| c.metric.highest = 0.0),
        "metric.highest must be above metric.lowest = 0, got 0"
    );
    assert_eq!(
        refused(|c| c.difficulty = DifficultyConfig::Ema { weight: 0.0 }),
        "difficulty.ema.weight must be in (0, 1], got 0"
    );
    assert_eq!(
        refused(|c| {
            c.difficulty = DifficultyConfig::BETA;
            c.metric.lowest = -1.0;
        }),
        "metric must be within [0, 1] or rescaled for the beta estimator, got [-1, 1]"
    );
    assert_eq!(
        refused(|c| c.order = OrderConfig::Buckets { count: 0 }),
        "order.buckets.count must be at least 1, got 0"
    );
    assert_eq!(
        refused(|c| c.order = OrderConfig::Mixture(Vec::new())),
        "order.mixture must be a list of at least 1 part, got an empty list"
    );
    assert_eq!(
        refused(|c| c.quotas.extend([("movie".to_owned(), 0)])),
        "quotas must be at least 1 each, got 0"
    );
}

#[test]
fn bad_data_sets_and_records() {
    let none: [&str; 0] = [];
    assert!(matches!(
        Curriculum::new(plain(), none),
        Err(Error::NoQueries)
    ));
    assert!(
        matches!(Curriculum::new(plain(), ["a", "a"]), Err(Error::DuplicateQuery { id }) if id.as_str() == "a")
    );
    let mut curriculum = Curriculum::new(plain(), ["a"]).unwrap();
    assert!(matches!(
        curriculum.record("b", &[1.0]),
        Err(Error::UnknownQuery { .. })
    ));
    assert!(matches!(
        curriculum.record("a", &[]),
        Err(Error::NoRollouts { .. })
    ));
    for metric in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
        assert!(matches!(
            curriculum.record("a", &[0.5, metric]),
            Err(Error::Metric { rollout: 1, .. })
        ));
    }
    assert_eq!(
        curriculum.end_epoch().recorded,
        0,
        "a refused record leaves no trace"
    );
}

#[test]
fn the_range_of_a_reward_comes_with_it() {
    let refused = Curriculum::new(plain(), ["a"]).unwrap();
    assert_eq!(
        refused.record("a", &[1.07]).unwrap_err().to_string(),
        "metric of rollout 0 of query \"a\" must be in [0, 1], got 1.07"
    );
    let metric = MetricConfig::from((-0.56, 1.07));
    let config = CurriculumConfig { metric, ..plain() };
    let curriculum = after_one_epoch(config, &[("a", 1.07), ("b", -0.56)]);
    assert_eq!(letters(&curriculum), "b");
    assert!((curriculum.estimate("a").unwrap().difficulty + 0.07).abs() < 1e-12);
}

#[test]
fn what_equals_tau_but_for_rounding_stays() {
    let mut curriculum = Curriculum::new(plain(), ["a", "b", "c", "d", "e"]).unwrap();
    let metrics: [&[f64]; 5] = [
        &[0.9],
        &[0.8, 1.0],
        &[0.7, 1.0, 1.0],
        &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
        &[0.91],
    ];
    for (id, metrics) in ["a", "b", "c", "d", "e"].into_iter().zip(metrics) {
        curriculum.record(id, metrics).unwrap();
    }
    curriculum.withdraw_upcoming();
    curriculum.end_epoch();
    let kept = |id: &&str| !curriculum.is_mastered(id).unwrap();
    assert_eq!(
        ["a", "b", "c", "d", "e"]
            .iter()
            .filter(|id| kept(id))
            .count(),
        4
    );
    assert!(curriculum.is_mastered("e").unwrap());
}

#[test]
fn choices_are_words_or_tables() {
    let read = |text: &str| toml::from_str::<CurriculumConfig>(text);
    assert_eq!(
        read("difficulty = 'ema'").unwrap().difficulty,
        DifficultyConfig::EMA
    );
    assert_eq!(
        read("difficulty = 'beta'").unwrap().difficulty,
        DifficultyConfig::BETA
    );
    assert_eq!(
        read("order = 'hard_first'").unwrap().order,
        OrderConfig::HardFirst
    );
    assert_eq!(
        read("order = 'progress'").unwrap().order,
        OrderConfig::Progress
    );
    assert_eq!(read("recheck = 'never'").unwrap().recheck, Recheck::Never);
    for (text, expected) in [
        (
            "difficulty = 'hard'",
            "difficulty must be \"mean\", \"ema\",",
        ),
        ("difficulty = 'hard'", "got \"hard\""),
        ("order = 'buckets'", "{ buckets = { count = 10 } }"),
        (
            "order = 3",
            "invalid type: integer `3`, expected for order: \"easy_first\"",
        ),
        (
            "recheck = 'every'",
            "recheck must be \"never\", { every = EPOCHS } or { share = SHARE }, got \"every\"",
        ),
        ("difficulty = { ema = {} }", "missing field `weight`"),
        (
            "difficulty = { max = {} }",
            "unknown variant `max`, expected one of `mean`, `ema`",
        ),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn configuration_file() {
    let text = r#"
        tau = 0.2
        difficulty = { ema = { weight = 0.3 } }
        order = { mixture = [{ weight = 1.0, order = "frontier" }, { weight = 0.5, order = { buckets = { count = 4 } } }] }
        recheck = { share = 0.05 }
        too_few = "all"
        partial_batch = "carry"
        metric = { lowest = -0.5 }
        quotas = { movie = 100 }
    "#;
    let config: CurriculumConfig = toml::from_str(text).unwrap();
    assert_eq!(
        (config.tau, config.recheck, config.too_few),
        (0.2, Recheck::Share(0.05), TooFew::All)
    );
    assert_eq!(
        config.metric,
        MetricConfig {
            lowest: -0.5,
            highest: 1.0,
            rescale: false
        }
    );
    let again: CurriculumConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
    let error = toml::from_str::<CurriculumConfig>("taus = 0.1")
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown field `taus`"), "{error}");
}
