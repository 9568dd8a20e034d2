//! The batches of the supervised warm start.

use rand::seq::SliceRandom;
use rerec_datasets::Dataset;
use rerec_policy::{Prompt, Schedule, SupervisedExample, random_stream};

use crate::config::WarmStartConfig;
use crate::error::Result;

/// Demonstrations and drills in seeded order. A step's batch depends on its number alone, so that a resumed
/// run sees what it would have seen.
#[derive(Debug)]
pub(crate) struct WarmStart<'a> {
    config: &'a WarmStartConfig,
    dataset: &'a Dataset,
    seed: u64,
    schedule: Schedule,
}

impl<'a> WarmStart<'a> {
    pub(crate) fn new(
        config: &'a WarmStartConfig,
        dataset: &'a Dataset,
        seed: u64,
    ) -> Result<Self> {
        let schedule = Schedule::new(config.learning_rate, config.warmup, config.schedule)?;
        Ok(Self {
            config,
            dataset,
            seed,
            schedule,
        })
    }

    /// The examples of step `step`, counted from 0.
    pub(crate) fn batch(&self, step: u64) -> Vec<SupervisedExample<'a>> {
        let demonstrations = &self.dataset.demonstrations;
        let drills = &self.dataset.drills;
        let shown = self.indices(
            "demonstrations",
            step,
            self.config.demonstrations,
            demonstrations.len(),
        );
        let drilled = self.indices("drills", step, self.config.drills, drills.len());
        let shown = shown.into_iter().map(|i| SupervisedExample {
            prompt: Prompt::Chat(&demonstrations[i].conversation),
            response: &demonstrations[i].response,
        });
        let drilled = drilled.into_iter().map(|i| SupervisedExample {
            prompt: (&drills[i].prompt).into(),
            response: &drills[i].response,
        });
        shown.chain(drilled).collect()
    }

    /// Positions `step * count ..` of an endless sequence of shuffled passes over `0..len`.
    fn indices(&self, purpose: &str, step: u64, count: usize, len: usize) -> Vec<usize> {
        if len == 0 {
            return Vec::new();
        }
        let first = step * count as u64;
        let (mut pass, mut order) = (None, Vec::new());
        let place = |at: u64| {
            let wanted = at / len as u64;
            // Shuffled when the batch enters a pass: once or twice, unless the data are smaller
            // than it.
            if pass != Some(wanted) {
                order = (0..len).collect();
                order.shuffle(&mut random_stream(self.seed, purpose, "", wanted));
                pass = Some(wanted);
            }
            order[(at % len as u64) as usize]
        };
        (first..first + count as u64).map(place).collect()
    }

    pub(crate) fn learning_rate(&self, step: u64) -> f64 {
        self.schedule.rate(step, self.config.steps)
    }
}
