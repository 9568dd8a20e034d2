//! Statistics of a curriculum, for the metrics log and the report.

use serde::{Deserialize, Serialize};

use crate::pool::{Pool, QueryState};

/// Number of bins of a difficulty histogram over [0, 1].
pub const HISTOGRAM_BINS: usize = 10;

/// The state of a set of queries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolStatistics {
    /// Queries.
    pub queries: usize,
    /// Queries in the pool: not mastered.
    pub active: usize,
    /// Queries below tau, set aside.
    pub mastered: usize,
    /// Queries without any rollout so far.
    pub never_tried: usize,
    /// Mean difficulty of all queries, 1 for those never tried.
    pub mean_difficulty: f64,
    /// Mean difficulty of the active queries; 0 when there are none.
    pub mean_active_difficulty: f64,
    /// Tried queries by difficulty: bin `i` counts `[i / 10, (i + 1) / 10)`; the last bin includes 1, and values outside [0, 1]
    /// count in the nearest bin.
    pub histogram: [usize; HISTOGRAM_BINS],
}

/// The state of the queries of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassStatistics {
    /// Class label; `None`: queries without one.
    pub class: Option<String>,
    /// Its queries.
    pub pool: PoolStatistics,
}

/// One epoch in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochStatistics {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Batches served.
    pub batches: usize,
    /// Queries served.
    pub served: usize,
    /// Queries recorded, served or not.
    pub recorded: usize,
    /// Queries served but not recorded; they keep their estimate.
    pub missed: usize,
    /// Queries planned but not served; they open the next epoch.
    pub carried_over: usize,
    /// Queries that became mastered.
    pub newly_mastered: usize,
    /// Mastered queries that came back to the pool.
    pub returned: usize,
    /// Queries tried before whose difficulty fell.
    pub easier: usize,
    /// Queries tried before whose difficulty rose.
    pub harder: usize,
    /// Queries tried before whose difficulty stayed.
    pub unchanged: usize,
    /// Mean change of difficulty of the queries tried before; 0 when there are none.
    pub mean_change: f64,
    /// All queries after the epoch.
    pub pool: PoolStatistics,
    /// The same for each class, in the order of the data set.
    pub classes: Vec<ClassStatistics>,
}

/// Sums that become [`PoolStatistics`].
#[derive(Clone, Default)]
struct Tally {
    statistics: PoolStatistics,
    difficulty: f64,
    active_difficulty: f64,
}

impl Tally {
    fn add(&mut self, query: &QueryState) {
        let difficulty = query.estimate.difficulty;
        let statistics = &mut self.statistics;
        statistics.queries += 1;
        self.difficulty += difficulty;
        if query.mastered {
            statistics.mastered += 1;
        } else {
            statistics.active += 1;
            self.active_difficulty += difficulty;
        }
        if query.estimate.is_tried() {
            statistics.histogram[bin(difficulty)] += 1;
        } else {
            statistics.never_tried += 1;
        }
    }

    fn finish(mut self) -> PoolStatistics {
        self.statistics.mean_difficulty = mean(self.difficulty, self.statistics.queries);
        self.statistics.mean_active_difficulty =
            mean(self.active_difficulty, self.statistics.active);
        self.statistics
    }
}

fn bin(difficulty: f64) -> usize {
    // The cast saturates: a difficulty below 0, of a reward above 1, counts in bin 0.
    ((difficulty * HISTOGRAM_BINS as f64) as usize).min(HISTOGRAM_BINS - 1)
}

pub(crate) fn mean(sum: f64, count: usize) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

pub(crate) fn pool_statistics(pool: &Pool) -> PoolStatistics {
    let mut tally = Tally::default();
    pool.queries().iter().for_each(|query| tally.add(query));
    tally.finish()
}

pub(crate) fn class_statistics(pool: &Pool) -> Vec<ClassStatistics> {
    let mut tallies = vec![Tally::default(); pool.classes().len()];
    for query in pool.queries() {
        tallies[usize::from(query.class)].add(query);
    }
    let labelled = pool.classes().iter().zip(tallies);
    labelled
        .map(|(class, tally)| ClassStatistics {
            class: class.clone(),
            pool: tally.finish(),
        })
        .collect()
}
