//! Generation; `generate.py` is the other side.

use std::ops::ControlFlow;

use rerec_policy::{Policy, PromptGroup, Rollout, Sampling};

use crate::{
    Result,
    case::Case,
    measure::{Measurement, Stopwatch},
    prompts::Prompt,
};

/// Of the call that warms up: long enough to touch every kernel, too short to matter.
pub(crate) const WARM_UP_TOKENS: usize = 8;

pub(crate) fn run(case: &Case) -> Result<Measurement> {
    let prompts = case.prompts()?;
    let mut policy = case.policy(case.config())?;
    let warm_up = &prompts.warm_up[..1];
    sample(
        &mut policy,
        warm_up,
        case.samples,
        &case.sampling(WARM_UP_TOKENS),
    )?;
    let stopwatch = Stopwatch::start();
    let rollouts = sample(
        &mut policy,
        &prompts.prompts,
        case.samples,
        &case.sampling(case.new_tokens),
    )?;
    let times = stopwatch.read();
    let tokens = rollouts.iter().map(|r| r.token_ids.len()).sum();
    Measurement::ours(case, tokens, times, None)
}

/// A group of responses to each prompt; every response must be as long as allowed.
pub(crate) fn sample(
    policy: &mut impl Policy,
    prompts: &[Prompt],
    samples: usize,
    sampling: &Sampling,
) -> Result<Vec<Rollout>> {
    let groups: Vec<PromptGroup<'_>> = prompts.iter().map(|p| p.group(samples)).collect();
    let rollouts = policy.generate(&groups, sampling, &mut |_| ControlFlow::Continue(()))?;
    match rollouts
        .iter()
        .find(|r| r.token_ids.len() != sampling.max_new_tokens)
    {
        None => Ok(rollouts),
        Some(short) => {
            let (got, wanted) = (short.token_ids.len(), sampling.max_new_tokens);
            Err(format!("a response has {got} tokens instead of {wanted}").into())
        }
    }
}
