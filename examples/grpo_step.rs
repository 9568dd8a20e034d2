//! A policy update in a loop of one's own: `cargo run --release -p rerec-examples --example grpo_step`.
//!
//! Nothing of the trainer is used: the loop samples groups, scores them with a function of its own, takes GRPO's advantages from
//! `rerec-advantage`, and hands tokens, log-probabilities and advantages back. The reward is the share of vowels in the answer,
//! which a model with random weights can raise at once.
#![allow(clippy::print_stdout)]

use rerec_advantage::{AdvantageEstimator, Groups, Grpo, GrpoConfig, RolloutBatch};
use rerec_policy::{
    Architecture, DecoderPolicy, DecoderPolicyConfig, FreshModel, Learner, ModelSource, Objective,
    ObjectiveConfig, QueryId, RolloutGroup, SampleRequest, Sampler, Sampling,
};

const PROMPTS: [&str; 4] = ["a western", "a comedy", "a drama", "a musical"];
const GROUP: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let source = ModelSource::Fresh(tiny_model());
    let config = DecoderPolicyConfig::default();
    let mut policy = DecoderPolicy::open(&source, config, PROMPTS.into_iter(), 1)?;
    policy.anchor()?;
    let objective = Objective::new(ObjectiveConfig::default())?;
    let grpo = Grpo::new(GrpoConfig::default())?;
    let groups = Groups::from_sizes(&[GROUP; PROMPTS.len()])?;

    for step in 1..=20 {
        let rollouts = sample(&mut policy, step)?;
        let responses = || rollouts.iter().flat_map(|group| &group.responses);
        let rewards: Vec<f64> = responses().map(|r| share_of_vowels(&r.text)).collect();
        let lens: Vec<usize> = responses().map(|r| r.token_ids.len()).collect();
        let batch = RolloutBatch::from_outcomes(&groups, &rewards, &lens)?;
        let advantages = grpo.estimate(&batch)?.into_tokens(&batch);
        let mut rows = advantages.rows();
        let batch = rollouts
            .iter()
            .map(|group| group.with_advantages(&mut rows));
        let stats = policy.update(&batch.collect::<Vec<_>>(), &objective, 5e-3)?;
        let mean = rewards.iter().sum::<f64>() / rewards.len() as f64;
        println!(
            "step {step:2}: reward {mean:.3}, KL {:.4}, gradient norm {:.3}",
            stats.kl, stats.grad_norm
        );
    }
    Ok(())
}

fn sample(policy: &mut DecoderPolicy, step: usize) -> rerec_policy::Result<Vec<RolloutGroup>> {
    let queries = PROMPTS.map(QueryId::from);
    let request = |query| SampleRequest {
        query,
        prompt: query.as_str().into(),
        samples: GROUP,
    };
    let sampling = Sampling {
        max_new_tokens: 24,
        purpose: format!("step {step}"),
        ..Sampling::default()
    };
    policy.generate(&queries.each_ref().map(request), &sampling)
}

fn share_of_vowels(text: &str) -> f64 {
    let vowels = text.chars().filter(|c| "aeiou".contains(*c)).count();
    vowels as f64 / text.chars().count().max(1) as f64
}

fn tiny_model() -> FreshModel {
    FreshModel {
        architecture: Architecture::Llama,
        // No merges: every byte is a token.
        vocab_size: 260,
        tokens: Vec::new(),
        hidden_size: 32,
        intermediate_size: 64,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        max_positions: 64,
        initializer_range: 0.05,
    }
}
