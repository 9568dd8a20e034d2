//! What schedules do to queries over whole runs.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use rerec_curriculum::simulator::{DriftingLearner, ReleasedSchedule, train_epoch};
use rerec_curriculum::{Curriculum, CurriculumConfig, QueryId};

const QUERIES: usize = 10_000;
const BATCH: usize = 512;

fn ids() -> impl Iterator<Item = QueryId> {
    (0..QUERIES).map(|query| QueryId::from(query.to_string()))
}

/// Queries that the released schedule loses by its first reset: (lost, epochs).
fn lost_by_released(gain: f64, seed: u64) -> (usize, usize) {
    let mut learner = DriftingLearner::new(QUERIES, gain, seed);
    let mut schedule = ReleasedSchedule::new(0.1, BATCH, ids());
    let epoch = (1..100).find(|_| {
        train_epoch(&mut schedule, &mut learner, 5).unwrap();
        schedule.lost_at_first_reset().is_some()
    });
    (schedule.lost_at_first_reset().unwrap(), epoch.unwrap())
}

#[test]
fn the_released_schedule_loses_thousands_of_queries() {
    for gain in [0.0, 0.01, 0.03] {
        let (lost, epochs) = lost_by_released(gain, 1);
        assert!(
            (2_000..=6_500).contains(&lost),
            "gain {gain}: {lost} lost in {epochs} epochs"
        );
    }
}

#[test]
fn ours_loses_none() {
    for gain in [0.0, 0.01, 0.03] {
        let mut learner = DriftingLearner::new(QUERIES, gain, 1);
        let mut curriculum = Curriculum::new(CurriculumConfig::default(), ids()).unwrap();
        for _ in 0..20 {
            let waiting: Vec<QueryId> = curriculum.upcoming().cloned().collect();
            let forgotten = ids()
                .filter(|id| !curriculum.is_mastered(id).unwrap())
                .count();
            let planned = waiting
                .iter()
                .filter(|id| !curriculum.is_mastered(id).unwrap())
                .count();
            assert_eq!(
                planned, forgotten,
                "every query that is not mastered is in the epoch"
            );
            train_epoch(&mut curriculum, &mut learner, 5).unwrap();
        }
    }
}
