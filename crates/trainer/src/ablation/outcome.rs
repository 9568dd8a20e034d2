//! What came of a run of an experiment.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::reading::titles_read;
use crate::error::Result;
use crate::record::MetricsRecord;
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
    /// What one step of supervised training took, in the median; none where nothing was supervised.
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
        let mut supervised: Vec<f64> = run.warm_start()?.iter().map(|one| one.seconds).collect();
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
                true => supervised.iter().sum(),
                false => reinforced,
            },
            supervised_step: median(&mut supervised),
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

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
