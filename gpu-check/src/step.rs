//! GRPO steps; `theirs.py` is the other side.

use std::time::Instant;

use rerec_advantage::{AdvantageEstimator, Groups, Grpo, GrpoConfig, RolloutBatch};
use rerec_policy::{DecoderPolicy, Learner, Objective, ObjectiveConfig, RolloutGroup};
use serde::Serialize;

use crate::{
    Result,
    load::{About, Load, Model},
    measure::{Memory, print, timed},
};

const GROUPS: usize = 4;
/// After one that warms up.
const STEPS: usize = 2;
const LEARNING_RATE: f64 = 1e-6;

/// Where the seconds of a step go.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    about: About,
    tokens: usize,
    /// Drawing the weights, once.
    draw_seconds: f64,
    sampling_seconds: f64,
    /// A pass that gives log-probabilities and keeps no graph. It stands for the forward pass of the update.
    log_probs_seconds: f64,
    update_seconds: f64,
    #[serde(flatten)]
    parts: Parts,
    /// Memory of the GPU that this process has taken since it began, libtorch's unused blocks too.
    bytes: Option<u64>,
}

/// The parts of an update.
#[derive(Debug, PartialEq, Serialize)]
struct Parts {
    forward_seconds: f64,
    backward_seconds: f64,
    optimizer_seconds: f64,
}

impl Parts {
    /// Every group is a micro-batch, so what an update of one group has beyond its share of an update of all comes once in an
    /// update: clipping, AdamW, the copies that are computed with.
    fn of(update: f64, of_one_group: f64, log_probs: f64) -> Self {
        let groups = GROUPS as f64;
        let group = (update - of_one_group) / (groups - 1.0);
        Self {
            forward_seconds: log_probs,
            backward_seconds: group * groups - log_probs,
            optimizer_seconds: of_one_group - group,
        }
    }
}

pub(crate) fn run(model: &Model) -> Result<()> {
    let place = model.place;
    let (load, device) = (Load::of(place), place.torch());
    let memory = Memory::of(device)?;
    let begun = Instant::now();
    let rows = GROUPS * load.group;
    // One group.
    let micro_batch = load.prompt + load.group * load.response;
    let mut policy = model.draw(micro_batch, rows)?;
    let draw_seconds = begun.elapsed().as_secs_f64();
    for step in 0..=STEPS {
        let sample = || load.sample(&mut policy, rows, load.response);
        let (groups, sampling_seconds) = timed(device, sample)?;
        let (_, log_probs_seconds) = timed(device, || Ok(policy.log_probs(&groups)?))?;
        let ((), update_seconds) = timed(device, || update(&mut policy, &groups))?;
        let ((), of_one_group) = timed(device, || update(&mut policy, &groups[..1]))?;
        if step == 0 {
            continue;
        }
        print(&Line {
            about: model.about(),
            tokens: rows * load.response,
            draw_seconds,
            sampling_seconds,
            log_probs_seconds,
            update_seconds,
            parts: Parts::of(update_seconds, of_one_group, log_probs_seconds),
            bytes: memory.taken()?,
        })?;
    }
    Ok(())
}

/// Learns from rewards that differ within every group.
pub(crate) fn update(policy: &mut DecoderPolicy, groups: &[RolloutGroup]) -> Result<()> {
    let sizes: Vec<usize> = groups.iter().map(|group| group.responses.len()).collect();
    let responses = groups.iter().flat_map(|group| &group.responses);
    let lens: Vec<usize> = responses.map(|r| r.token_ids.len()).collect();
    let rewards: Vec<f64> = (0..lens.len()).map(|index| (index % 8) as f64).collect();
    let layout = Groups::from_sizes(&sizes)?;
    let batch = RolloutBatch::from_outcomes(&layout, &rewards, &lens)?;
    let advantages = Grpo::new(GrpoConfig::default())?.estimate(&batch)?;
    let advantages = advantages.into_tokens(&batch);
    let mut rows = advantages.rows();
    let batch: Vec<_> = groups
        .iter()
        .map(|group| group.with_advantages(&mut rows))
        .collect();
    let objective = Objective::new(ObjectiveConfig {
        kl_coefficient: 0.0,
        ..ObjectiveConfig::default()
    })?;
    policy.update(&batch, &objective, LEARNING_RATE)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_update_are_told_apart_by_its_size() {
        // Four groups of 0.5 s forward and 1 s backward, and 0.25 s for the optimiser.
        let parts = Parts::of(6.25, 1.75, 2.0);
        let expected = Parts {
            forward_seconds: 2.0,
            backward_seconds: 4.0,
            optimizer_seconds: 0.25,
        };
        assert_eq!(parts, expected);
    }
}
