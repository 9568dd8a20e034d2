//! Saving, loading, migrating and reconciling.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;

use rerec_curriculum::{
    Curriculum, CurriculumConfig, DifficultyConfig, EpochStatistics, Error, MetricConfig,
    OrderConfig, PartialBatch, QueryId, QuerySpec, Recheck, STATE_VERSION,
};

const V1: &str = include_str!("data/state-v1.json");
const V2: &str = include_str!("data/state-v2.json");
const V3: &str = include_str!("data/state-v3.json");

fn config() -> CurriculumConfig {
    CurriculumConfig {
        batch_size: 4,
        difficulty: DifficultyConfig::BETA,
        order: OrderConfig::Buckets { count: 3 },
        recheck: Recheck::Share(0.2),
        partial_batch: PartialBatch::Carry,
        quotas: [("even".to_owned(), 6)].into(),
        ..CurriculumConfig::default()
    }
}

fn by_progress() -> CurriculumConfig {
    CurriculumConfig {
        order: OrderConfig::Progress,
        ..config()
    }
}

fn queries() -> Vec<QuerySpec> {
    let class = |i| if i % 2 == 0 { "even" } else { "odd" };
    (0..23)
        .map(|i| QuerySpec {
            revision: i + 1,
            ..(i.to_string(), class(i)).into()
        })
        .collect()
}

/// Some metric of a query in an epoch.
fn metrics(id: &QueryId, epoch: u32) -> [f64; 2] {
    let id: u32 = id.as_str().parse().unwrap();
    [
        f64::from((id * 7 + epoch) % 4) / 3.0,
        f64::from((id % 3).min(1)),
    ]
}

enum Event {
    Batch(Vec<QueryId>),
    Epoch(Box<EpochStatistics>),
}

/// One call of the training loop.
fn advance(curriculum: &mut Curriculum) -> Event {
    let epoch = curriculum.epoch();
    match curriculum.next_batch() {
        Some(batch) => {
            for id in &batch {
                curriculum.record(id, &metrics(id, epoch)).unwrap();
            }
            Event::Batch(batch)
        }
        None => Event::Epoch(Box::new(curriculum.end_epoch())),
    }
}

fn trace(curriculum: &mut Curriculum, events: usize) -> Vec<String> {
    let text = |event| match event {
        Event::Batch(ids) => format!("{ids:?}"),
        Event::Epoch(statistics) => format!("{statistics:?}"),
    };
    (0..events).map(|_| text(advance(curriculum))).collect()
}

#[test]
fn continues_identically_from_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    for config in [config(), by_progress()] {
        let new = || Curriculum::new(config.clone(), queries()).unwrap();
        let whole = trace(&mut new(), 40);
        for stop in 0..40 {
            let mut first = new();
            let mut resumed = trace(&mut first, stop);
            first.save(&path).unwrap();
            resumed.extend(trace(&mut Curriculum::load(&path).unwrap(), 40 - stop));
            assert_eq!(resumed, whole, "stopped after {stop} steps");
        }
    }
}

#[test]
fn is_a_value_that_serialises() {
    let mut curriculum = Curriculum::new(by_progress(), queries()).unwrap();
    trace(&mut curriculum, 9);
    let json = serde_json::to_string(&curriculum).unwrap();
    let mut again: Curriculum = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), json);
    assert_eq!(trace(&mut again, 20), trace(&mut curriculum, 20));
}

/// Written by the version of this crate that wrote version 1: two batches of epoch 1, then the first batch of epoch 2 and one record.
#[test]
fn reads_version_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    fs::write(&path, V1).unwrap();
    let mut curriculum = Curriculum::load(&path).unwrap();
    assert_eq!((curriculum.epoch(), curriculum.steps_taken()), (2, 3));
    assert!(curriculum.is_mastered("m1").unwrap());
    assert_eq!(curriculum.estimate("b1").unwrap().difficulty, 0.375);
    assert_eq!(
        curriculum.next_batch(),
        Some(vec!["m2".into(), "b2".into()])
    );
    curriculum.end_epoch();
    assert_eq!(
        curriculum.estimate("m3").unwrap().difficulty,
        0.5,
        "the pending record counts"
    );
    // Its queries have no known revision, so giving them one is not an edit.
    let with_revisions = ["m1", "m2", "b1", "b2", "m3"].map(|id| {
        let class = if id.starts_with('m') { "movie" } else { "book" };
        QuerySpec {
            revision: 9,
            ..(id, class).into()
        }
    });
    assert!(curriculum.reconcile(with_revisions).unwrap().is_unchanged());
    curriculum.save(&path).unwrap();
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .starts_with(&format!("{{\"version\":{STATE_VERSION},"))
    );
}

/// Written by the version of this crate that wrote version 2, at the same place of the same run.
#[test]
fn reads_version_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    fs::write(&path, V2).unwrap();
    let mut curriculum = Curriculum::load(&path).unwrap();
    curriculum.save(&path).unwrap();
    let mut again = Curriculum::load(&path).unwrap();
    for curriculum in [&mut curriculum, &mut again] {
        assert_eq!((curriculum.epoch(), curriculum.steps_taken()), (2, 3));
        assert_eq!(
            curriculum.next_batch(),
            Some(vec!["m2".into(), "b2".into()])
        );
        curriculum.end_epoch();
        let difficulty = |id: &str| curriculum.estimate(id).unwrap().difficulty;
        assert_eq!(
            ["m1", "m2", "b1", "b2", "m3"].map(difficulty),
            [0.0, 0.625, 0.375, 1.0, 0.5]
        );
    }
    let edited = QuerySpec {
        revision: 22,
        ..("b1", "book").into()
    };
    let report = curriculum
        .reconcile([edited, ("m1", "movie").into()])
        .unwrap();
    assert_eq!((report.edited, report.kept), (vec!["b1".into()], 2));
    // The same value without its file, as another program may have kept it.
    let value: Curriculum = serde_json::from_str(V2).unwrap();
    assert_eq!(value.epoch(), 2);
}

/// Written by the version of this crate that wrote version 3: two epochs, then the first batch of epoch 3 and one record.
#[test]
fn reads_version_3() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    fs::write(&path, V3).unwrap();
    let mut curriculum = Curriculum::load(&path).unwrap();
    assert_eq!((curriculum.epoch(), curriculum.steps_taken()), (3, 5));
    let difficulties = |curriculum: &Curriculum| {
        ["a", "b", "c", "d"].map(|id| curriculum.estimate(id).unwrap().difficulty)
    };
    assert_eq!(difficulties(&curriculum), [0.25, 0.5, 0.625, 1.0]);
    let order = OrderConfig::Progress;
    let by_progress = CurriculumConfig {
        order,
        ..curriculum.config().clone()
    };
    curriculum.reconfigure(by_progress).unwrap();
    assert_eq!(curriculum.next_batch(), Some(vec!["a".into(), "d".into()]));
    curriculum.record("c", &[0.5]).unwrap();
    curriculum.end_epoch();
    assert_eq!(difficulties(&curriculum), [0.75, 0.5, 0.5, 1.0]);
    // Earlier changes were not kept: all but those of this epoch are unknown. a changed by 0.5, c by 0.125.
    let ids: Vec<&str> = curriculum.upcoming().map(QueryId::as_str).collect();
    assert_eq!(ids, ["b", "d", "a", "c"]);
}

#[test]
fn a_damaged_state_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    let mut curriculum = Curriculum::new(config(), queries()).unwrap();
    trace(&mut curriculum, 6);
    curriculum.save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let digit = whole.iter().rposition(u8::is_ascii_digit).unwrap();
    for (place, bit) in (0..whole.len())
        .step_by(11)
        .flat_map(|place| [(place, 0x01), (place, 0x10)])
        .chain([(digit, 0x01)])
    {
        let mut damaged = whole.clone();
        damaged[place] ^= bit;
        fs::write(&path, &damaged).unwrap();
        assert!(Curriculum::load(&path).is_err(), "byte {place}");
    }
    // Any digit that becomes another is still JSON.
    let error = Curriculum::load(&path).unwrap_err();
    assert!(matches!(error, Error::Checksum { .. }), "{error}");
    // What follows the state is damage too.
    fs::write(&path, [&whole[..], b" "].concat()).unwrap();
    assert!(matches!(
        Curriculum::load(&path),
        Err(Error::Checksum { .. })
    ));
}

#[test]
fn a_state_cut_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    let mut curriculum = Curriculum::new(config(), queries()).unwrap();
    trace(&mut curriculum, 6);
    curriculum.save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(23) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(
            matches!(
                Curriculum::load(&path),
                Err(Error::StateFormat { .. } | Error::Checksum { .. })
            ),
            "{length} bytes"
        );
    }
}

#[test]
fn a_state_of_a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    fs::write(&path, "{\"version\":99,\"unheard_of\":[1]}").unwrap();
    let error = Curriculum::load(&path).unwrap_err().to_string();
    assert_eq!(
        error,
        "state version 99 is newer than 4, the newest this build reads"
    );
    let missing = Curriculum::load(&folder.path().join("none.json")).unwrap_err();
    assert!(matches!(&missing, Error::File(_)), "{missing}");
    let (message, why) = (
        missing.to_string(),
        std::io::Error::from_raw_os_error(2).to_string(),
    );
    assert!(
        message.starts_with("cannot read") && message.ends_with(&format!("none.json: {why}")),
        "{message}"
    );
    let path = folder.path().join("no.json");
    fs::write(&path, "no").unwrap();
    let malformed = Curriculum::load(&path).unwrap_err();
    assert!(
        malformed
            .to_string()
            .ends_with("does not hold a curriculum state: expected ident at line 1 column 2"),
        "{malformed}"
    );
    // What a message says is no source of the error as well, so that a chain of causes says it once.
    for error in [missing, malformed] {
        assert!(std::error::Error::source(&error).is_none());
    }
}

#[test]
fn a_state_that_contradicts_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curriculum.json");
    let refused = |from: &str, to: &str| {
        assert!(V1.contains(from), "{from}");
        fs::write(&path, V1.replace(from, to)).unwrap();
        Curriculum::load(&path).unwrap_err().to_string()
    };
    assert_eq!(
        refused("[4,2,1,3]", "[4,2,1,5]"),
        "inconsistent state: the plan names query 5 of 5"
    );
    assert_eq!(
        refused("[4,2,1,3]", "[4,2,1,4]"),
        "inconsistent state: the plan names query 4 twice"
    );
    assert_eq!(
        refused("\"served\":2", "\"served\":5"),
        "inconsistent state: 5 of 4 planned queries are served"
    );
    let record = "inconsistent state: a record of query 4 of 5 has 0 rollouts";
    assert_eq!(refused("\"rollouts\":2", "\"rollouts\":0"), record);
    assert_eq!(
        refused("\"id\":\"b2\"", "\"id\":\"b1\""),
        "query id \"b1\" occurs more than once"
    );
    assert_eq!(
        refused("\"batch_size\":2", "\"batch_size\":0"),
        "batch_size must be at least 1, got 0"
    );
}

#[test]
fn numbers_that_no_record_makes_are_refused() {
    let load = |from: &str, to: &str| {
        assert!(V2.contains(from), "{from}");
        serde_json::from_str::<Curriculum>(&V2.replacen(from, to, 1))
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let refused = |from, to| load(from, to).unwrap_err();
    assert_eq!(
        refused("\"difficulty\":0.375", "\"difficulty\":1e200"),
        "inconsistent state: query \"b1\" has difficulty 1e200 of weight 2e0"
    );
    assert!(refused("\"weight\":2.0", "\"weight\":-1.0").contains("of weight -1e0"));
    assert_eq!(
        refused("\"last_epoch\":2", "\"change\":-1e200,\"last_epoch\":2"),
        "inconsistent state: query \"b1\" has a difficulty that changed by -1e200"
    );
    let record = "inconsistent state: query \"m3\" has a record of mean 5e299 and deviation";
    assert!(refused("\"sum\":1.0", "\"sum\":1e300").starts_with(record));
    assert!(refused("\"squares\":0.0", "\"squares\":-1.0").contains("deviation NaN"));
}

#[test]
fn what_the_widest_range_records_can_be_loaded() {
    let metric = MetricConfig {
        lowest: -1e100,
        highest: 1e100,
        rescale: false,
    };
    for rescale in [false, true] {
        let config = CurriculumConfig {
            metric: MetricConfig { rescale, ..metric },
            ..CurriculumConfig::default()
        };
        let mut curriculum = Curriculum::new(config, ["a"]).unwrap();
        // The last two are as far apart as can be.
        for metrics in [[-1e100, 1e100, -1e100], [-1e100; 3], [1e100; 3]] {
            curriculum.record("a", &metrics).unwrap();
            let json = serde_json::to_string(&curriculum).unwrap();
            curriculum = serde_json::from_str(&json).unwrap();
            curriculum.end_epoch();
        }
        let json = serde_json::to_string(&curriculum).unwrap();
        assert!(serde_json::from_str::<Curriculum>(&json).is_ok(), "{json}");
    }
}

#[cfg(unix)]
#[test]
fn a_saved_state_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    let (state, plain) = (folder.path().join("state"), folder.path().join("plain"));
    fs::write(&plain, "").unwrap();
    Curriculum::new(config(), queries())
        .unwrap()
        .save(&state)
        .unwrap();
    assert_eq!(mode(state), mode(plain));
}

#[test]
fn a_failed_save_leaves_the_old_state_and_no_debris() {
    let folder = tempfile::tempdir().unwrap();
    let curriculum = Curriculum::new(config(), queries()).unwrap();
    // A folder stands where the file should go, so the last step of saving fails.
    let occupied = folder.path().join("occupied");
    fs::create_dir(&occupied).unwrap();
    fs::write(occupied.join("old"), "old").unwrap();
    assert!(matches!(curriculum.save(&occupied), Err(Error::File(_))));
    assert_eq!(fs::read(occupied.join("old")).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(
        curriculum
            .save(&folder.path().join("missing/curriculum.json"))
            .is_err()
    );
}

#[test]
fn reconciles_a_changed_data_set_by_id() {
    let config = CurriculumConfig {
        batch_size: 2,
        recheck: Recheck::Never,
        ..CurriculumConfig::default()
    };
    let spec = |id: &str, class: &str, revision| QuerySpec {
        revision,
        ..(id, class).into()
    };
    let before = ["a", "b", "c", "d", "e"].map(|id| spec(id, "movie", 1));
    let mut curriculum = Curriculum::new(config, before).unwrap();
    while curriculum.next_batch().is_some() {}
    for (id, metric) in [("a", 1.0), ("b", 0.5), ("c", 0.25), ("d", 0.0), ("e", 0.75)] {
        curriculum.record(id, &[metric]).unwrap();
    }
    curriculum.end_epoch();
    assert_eq!(curriculum.next_batch(), Some(vec!["e".into(), "b".into()]));
    for id in ["b", "e", "d"] {
        curriculum.record(id, &[1.0]).unwrap();
    }

    // c is gone, a and e were edited, b has another class, f is new, and the order is another.
    let after = [
        spec("f", "movie", 1),
        spec("d", "movie", 1),
        spec("b", "book", 1),
        spec("e", "movie", 2),
        spec("a", "movie", 2),
    ];
    let report = curriculum.reconcile(after).unwrap();
    assert_eq!(
        (report.kept, report.added, report.removed),
        (4, vec!["f".into()], vec!["c".into()])
    );
    assert_eq!(
        (report.edited, report.relabelled),
        (vec!["e".into(), "a".into()], vec!["b".into()])
    );
    // d was still to come; f is new, and a, once mastered, must be learnt anew. e was served already and has its turn later.
    assert_eq!(curriculum.next_batch(), Some(vec!["d".into(), "f".into()]));
    assert_eq!(curriculum.next_batch(), Some(vec!["a".into()]));
    let statistics = curriculum.end_epoch();
    assert_eq!(
        (statistics.served, statistics.recorded),
        (5, 2),
        "the record of the old e is void"
    );
    assert_eq!(curriculum.estimate("b").unwrap().difficulty, 0.0);
    assert_eq!(curriculum.estimate("e").unwrap().difficulty, 1.0);

    let error = curriculum.reconcile(["x", "x"]).unwrap_err();
    assert!(matches!(error, Error::DuplicateQuery { .. }));
    assert_eq!(
        curriculum.queries().len(),
        5,
        "a refused data set changes nothing"
    );
}

#[test]
fn an_edited_query_has_no_progress() {
    let spec = |id: &str, revision| QuerySpec {
        revision,
        ..id.into()
    };
    let config = CurriculumConfig {
        order: OrderConfig::Progress,
        ..CurriculumConfig::default()
    };
    let mut curriculum = Curriculum::new(config, ["a", "b", "c"].map(|id| spec(id, 1))).unwrap();
    for metrics in [[0.5, 0.5, 0.5], [0.25, 0.5, 0.375]] {
        while curriculum.next_batch().is_some() {}
        for (id, metric) in ["a", "b", "c"].into_iter().zip(metrics) {
            curriculum.record(id, &[metric]).unwrap();
        }
        curriculum.end_epoch();
    }
    let plan = |curriculum: &Curriculum| {
        curriculum
            .upcoming()
            .map(QueryId::as_str)
            .collect::<String>()
    };
    assert_eq!(plan(&curriculum), "acb");
    curriculum
        .reconcile([spec("a", 1), spec("b", 1), spec("c", 2)])
        .unwrap();
    while curriculum.next_batch().is_some() {}
    curriculum.end_epoch();
    assert_eq!(plan(&curriculum), "cab");
}
