//! One GRPO step; `step.py` is the other side.

use rerec_advantage::{AdvantageEstimator, Groups, Grpo, GrpoConfig, RolloutBatch};
use rerec_policy::{
    DecoderPolicy, DecoderPolicyConfig, Learner, Objective, ObjectiveConfig, RolloutGroup,
};

use crate::{
    Result,
    case::Case,
    generate::{WARM_UP_TOKENS, sample},
    measure::{Measurement, Stopwatch},
    prompts::Prompt,
};

const LEARNING_RATE: f64 = 1e-6;

/// What a step reports.
struct Step {
    tokens: usize,
    generation_seconds: f64,
}

pub(crate) fn run(case: &Case) -> Result<Measurement> {
    let prompts = case.prompts()?;
    let mut policy = case.policy(config(case, &prompts.prompts))?;
    take(&mut policy, &prompts.warm_up, case, WARM_UP_TOKENS)?;
    let stopwatch = Stopwatch::start();
    let step = take(&mut policy, &prompts.prompts, case, case.new_tokens)?;
    let times = stopwatch.read();
    Measurement::ours(case, step.tokens, times, Some(step.generation_seconds))
}

/// A micro-batch holds the responses of one group; the other side's holds as many.
fn config(case: &Case, prompts: &[Prompt]) -> DecoderPolicyConfig {
    let longest = prompts.iter().map(|p| p.ids.len()).max().unwrap_or(0);
    DecoderPolicyConfig {
        micro_batch_tokens: longest + case.samples * case.new_tokens,
        ..case.config()
    }
}

fn take(
    policy: &mut DecoderPolicy,
    prompts: &[Prompt],
    case: &Case,
    tokens: usize,
) -> Result<Step> {
    let stopwatch = Stopwatch::start();
    let mut groups = sample(policy, prompts, case.samples, &case.sampling(tokens))?;
    let generation_seconds = stopwatch.read().seconds;
    let lens = response_lengths(case.groups, case.samples, tokens);
    let responses = groups.iter_mut().flat_map(|group| &mut group.responses);
    for (response, &len) in responses.zip(&lens) {
        response.token_ids.truncate(len);
        response.log_probs.truncate(len);
    }
    update(policy, &groups, &lens)?;
    Ok(Step {
        tokens: lens.iter().sum(),
        generation_seconds,
    })
}

fn update(policy: &mut DecoderPolicy, groups: &[RolloutGroup], lens: &[usize]) -> Result<()> {
    let sizes: Vec<usize> = groups.iter().map(|group| group.responses.len()).collect();
    let layout = Groups::from_sizes(&sizes)?;
    // They differ within every group, so that no group is without a signal.
    let rewards: Vec<f64> = (0..lens.len()).map(|index| (index % 8) as f64).collect();
    let batch = RolloutBatch::from_outcomes(&layout, &rewards, lens)?;
    let advantages = Grpo::new(GrpoConfig::default())?.estimate(&batch)?;
    let advantages = advantages.into_tokens(&batch);
    let mut rows = advantages.rows();
    let batch = groups.iter().map(|group| group.with_advantages(&mut rows));
    let batch: Vec<_> = batch.collect();
    let objective = Objective::new(ObjectiveConfig {
        kl_coefficient: 0.0,
        ..ObjectiveConfig::default()
    })?;
    policy.update(&batch, &objective, LEARNING_RATE)?;
    Ok(())
}

/// From 5/16 of the tokens to all of them in even steps, every group with its share of short and long ones.
fn response_lengths(groups: usize, samples: usize, new_tokens: usize) -> Vec<usize> {
    let (shortest, last) = (new_tokens * 5 / 16, groups * samples - 1);
    let length =
        |group, sample| shortest + (sample * groups + group) * (new_tokens - shortest) / last;
    (0..groups)
        .flat_map(|group| (0..samples).map(move |sample| length(group, sample)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_have_40_to_128_tokens_in_every_group() {
        let lens = response_lengths(4, 8, 128);
        assert_eq!(
            (lens.iter().min(), lens.iter().max()),
            (Some(&40), Some(&128))
        );
        assert_eq!(lens.iter().sum::<usize>(), 2673);
        for group in lens.chunks(8) {
            assert!(group[0] <= 48 && group[7] >= 119, "{group:?}");
        }
    }
}
