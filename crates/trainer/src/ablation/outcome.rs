//! What came of a run of an experiment.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::reading::titles_read;
use crate::error::Result;
use crate::record::{MetricsRecord, WarmStartRecord};
use crate::run::Run;
use crate::{Evaluation, Phase};

/// What tables and curves need of a finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmOutcome {
    /// On test queries, at the end.
    pub last: Evaluation,
    /// On validation queries: steps of reinforcement before each evaluation, and the accuracy in [0, 1].
    pub curve: Vec<(u64, f64)>,
    /// Each step's shares of groups that hold a right answer, that differ by shaping alone, and that teach nothing.
    pub groups: Vec<[f64; 3]>,
    /// Of the lines `[3]Title: ...` that were sampled in the first step, the share in [0, 1] whose title is that of candidate 3; none
    /// where nothing was reinforced, or no line begins so.
    pub titles_read: Option<f64>,
    /// Estimate of the policy's entropy at the last step, in nats per token; none where nothing was reinforced.
    pub entropy: Option<f64>,
    /// What the steps of reinforcement, or of supervised training where nothing was reinforced, took together.
    pub seconds: f64,
    /// What one step on demonstrations and drills took, in the median; none where there was none. Steps of reading are shorter.
    pub supervised_step: Option<f64>,
}

impl ArmOutcome {
    /// Reads a run; none where it is not there or not finished.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        if !folder.join(crate::files::CONFIG).is_file() {
            return Ok(None);
        }
        let run = Run::open(folder)?;
        let mut evaluations = run.evaluations()?;
        let Some(last) = evaluations.pop_if(|one| one.phase == Phase::Final) else {
            return Ok(None);
        };
        let metrics = run.metrics()?;
        let supervised = run.warm_start()?;
        let reading = run.config().warm_start.reading_steps();
        let reinforced: f64 = run.timings()?.iter().map(|one| one.total).sum();
        let validations = evaluations
            .iter()
            .filter(|one| one.phase == Phase::Reinforcement);
        Ok(Some(Self {
            last,
            curve: validations
                .map(|one| (one.step, one.overall.share()))
                .collect(),
            groups: metrics.iter().map(shares).collect(),
            titles_read: match metrics.is_empty() {
                true => None,
                false => titles_read(&run)?,
            },
            entropy: metrics.last().map(|step| step.entropy),
            seconds: match metrics.is_empty() {
                true => supervised.iter().map(|one| one.seconds).sum(),
                false => reinforced,
            },
            supervised_step: median_step(&supervised, reading),
        }))
    }
}

fn shares(step: &MetricsRecord) -> [f64; 3] {
    let kinds = [
        step.groups_with_hit,
        step.groups_shaped_only,
        step.groups_without_signal,
    ];
    let all: usize = kinds.iter().sum();
    kinds.map(|groups| groups as f64 / all.max(1) as f64)
}

/// The median of the steps after those of reading.
fn median_step(steps: &[WarmStartRecord], reading: u64) -> Option<f64> {
    let shown = steps.iter().filter(|one| one.step > reading);
    let mut seconds: Vec<f64> = shown.map(|one| one.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_reading_do_not_say_how_long_a_demonstration_takes() {
        let step = |(step, seconds)| WarmStartRecord {
            step,
            loss: 1.0,
            learning_rate: 0.1,
            seconds,
        };
        let steps = [(1, 0.1), (2, 0.1), (3, 0.1), (4, 0.5), (5, 0.7), (6, 0.6)].map(step);
        assert_eq!(median_step(&steps, 3), Some(0.6));
        assert_eq!(median_step(&steps, 0), Some(0.5));
        assert_eq!(median_step(&steps, 6), None);
    }
}
