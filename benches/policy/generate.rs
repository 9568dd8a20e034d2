//! Generation; `generate.py` is the other side.

use rerec_policy::{QueryId, Response, RolloutGroup, SampleRequest, Sampler, Sampling};

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
    let groups = sample(
        &mut policy,
        &prompts.prompts,
        case.samples,
        &case.sampling(case.new_tokens),
    )?;
    let times = stopwatch.read();
    let tokens = responses(&groups).map(|r| r.token_ids.len()).sum();
    Measurement::ours(case, tokens, times, None)
}

/// A group of responses to each prompt; every response must be as long as allowed.
pub(crate) fn sample(
    policy: &mut impl Sampler,
    prompts: &[Prompt],
    samples: usize,
    sampling: &Sampling,
) -> Result<Vec<RolloutGroup>> {
    let queries: Vec<QueryId> = prompts.iter().map(|p| p.text.as_str().into()).collect();
    let both = prompts.iter().zip(&queries);
    let requests: Vec<SampleRequest<'_>> = both.map(|(p, id)| p.request(id, samples)).collect();
    let groups = policy.generate(&requests, sampling)?;
    let wanted = sampling.max_new_tokens;
    let mut lens = responses(&groups).map(|r| r.token_ids.len());
    if let Some(got) = lens.find(|&len| len != wanted) {
        return Err(format!("a response has {got} tokens instead of {wanted}").into());
    }
    drop(lens);
    Ok(groups)
}

pub(crate) fn responses(groups: &[RolloutGroup]) -> impl Iterator<Item = &Response> {
    groups.iter().flat_map(|group| &group.responses)
}
