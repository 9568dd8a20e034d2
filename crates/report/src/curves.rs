//! Learning curves of a run.

use rerec_trainer::Run;

use crate::chart;
use crate::charts::{Chart, charts};
use crate::epochs::{Epoch, epochs};
use crate::error::Result;

/// The charts of the picture, by their ids.
const PICTURE: [&str; 6] = [
    "validation-accuracy",
    "reward",
    "groups",
    "pool",
    "tokens",
    "kl",
];

/// The learning curves of a run: one point per step, evaluation or epoch.
#[derive(Debug, Default)]
pub struct Curves {
    charts: Vec<Chart>,
    epochs: Vec<Epoch>,
    steps: usize,
}

impl Curves {
    /// Reads the records of a run.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn of(run: &Run) -> Result<Self> {
        let metrics = run.metrics()?;
        Ok(Self {
            charts: charts(&metrics, &run.epochs()?, &run.evaluations()?),
            epochs: epochs(&metrics),
            steps: metrics.len(),
        })
    }

    /// Steps of reinforcement that they cover.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// A picture of the main curves: accuracy by class, reward, kinds of groups, the curriculum's pool, lengths, KL.
    ///
    /// # Errors
    /// [`Error::Chart`](crate::Error::Chart).
    pub fn svg(&self) -> Result<String> {
        let find = |id: &&str| self.charts.iter().find(|chart| chart.id == *id);
        let shown: Vec<&Chart> = PICTURE.iter().filter_map(find).collect();
        chart::picture(&shown, &self.epochs)
    }
}
