//! Bytes as the file of a curriculum, and as the state in it; what is accepted goes on for three epochs, saved in between.
//!
//! Every save waits for the disk, so give it a folder in memory: `TMPDIR=/dev/shm cargo +nightly fuzz run curriculum`.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rerec_curriculum::Curriculum;

/// A file of this process alone.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::temp_dir().join(format!("rerec-fuzz-curriculum-{}.json", std::process::id()))
});

fn json(curriculum: &Curriculum) -> String {
    serde_json::to_string(curriculum).expect("a state is JSON")
}

fn epoch(curriculum: &mut Curriculum) {
    while let Some(batch) = curriculum.next_batch() {
        for (rollout, id) in batch.iter().enumerate() {
            let metric = curriculum.config().metric;
            let metric = [metric.lowest, metric.highest][rollout % 2];
            curriculum
                .record(id, &[metric])
                .expect("a known query and a metric in range");
        }
    }
    let statistics = curriculum.end_epoch();
    assert!(statistics.pool.active + statistics.pool.mastered == statistics.pool.queries);
    let _ = (curriculum.steps_left(3), curriculum.steps_left_in_epoch());
}

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*FILE, bytes).expect("a writable folder");
    let from_file = Curriculum::load(&FILE);
    let from_value = serde_json::from_slice::<Curriculum>(bytes);
    for mut curriculum in [from_file.ok(), from_value.ok()].into_iter().flatten() {
        for _ in 0..3 {
            epoch(&mut curriculum);
            let state = json(&curriculum);
            curriculum.save(&FILE).expect("a writable folder");
            // What cannot be loaded costs nothing of what is at work.
            let again = Curriculum::load(&FILE).expect("what was saved");
            assert_eq!(json(&again), state);
        }
    }
});
