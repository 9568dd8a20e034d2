//! A tiny model on a device beside the same on the CPU: forward, backward, optimiser and sampling in one.

use rerec_policy::{
    DecoderPolicy, DecoderPolicyConfig, Device, Learner, LoraConfig, ModelConfig, Objective,
    ObjectiveConfig, Precision, Prompt, RolloutGroup, SampleRequest, Sampler, Sampling,
};
use tch::Tensor;

use crate::{
    Place, Result,
    kernels::Verdict,
    load::{ids, no_words},
    measure::print,
    parity::{Comparison, gap},
};

const TOKENS: usize = 24;
const PROMPT: usize = 11;

/// What one run gives.
struct Numbers {
    responses: Vec<u32>,
    before: Vec<f32>,
    gradient: f64,
    after: Vec<f32>,
}

pub(crate) fn run(place: Place) -> Result<()> {
    place.with_kernels()?;
    for (compared, lora) in [("a model", false), ("a model with LoRA", true)] {
        let mut comparisons = Vec::new();
        let mut cpu = policy(Device::Cpu, Precision::F32, lora)?;
        let groups = greedy(&mut cpu)?;
        let expected = numbers(cpu, &groups)?;
        for precision in [Precision::F32, Precision::Bf16] {
            let got = numbers(policy(place.device, precision, lora)?, &groups)?;
            comparisons.extend(compare(precision, &got, &expected));
        }
        print(&Verdict::of(compared, &comparisons))?;
    }
    Ok(())
}

/// In f32 another order of sums; in bf16 some four times the gaps of bf16 on the CPU.
fn compare(precision: Precision, got: &Numbers, expected: &Numbers) -> Vec<Comparison> {
    let is_f32 = precision == Precision::F32;
    let allowed = if is_f32 { 1e-4 } else { 0.03 };
    let all = |numbers: &[f32]| Tensor::from_slice(numbers);
    let off = |got: &[f32], expected: &[f32]| gap(&all(got), &all(expected));
    let compared = |what, gap, allowed| Comparison {
        case: format!("{what}, {precision:?}"),
        gap,
        allowed,
    };
    let gradient = (got.gradient - expected.gradient).abs() / (1.0 + expected.gradient);
    let mut comparisons = vec![
        compared(
            "log-probabilities",
            off(&got.before, &expected.before),
            allowed,
        ),
        compared("norm of the gradient", gradient, allowed),
        compared(
            "log-probabilities after a step",
            off(&got.after, &expected.after),
            allowed,
        ),
    ];
    // In bf16 the greatest of two logits that are close may be another one.
    if is_f32 {
        let both = got.responses.iter().zip(&expected.responses);
        let different = both.filter(|(a, b)| a != b).count();
        comparisons.push(compared("greedy ids that differ", different as f64, 0.0));
    }
    comparisons
}

fn policy(device: Device, precision: Precision, lora: bool) -> Result<DecoderPolicy> {
    // Weights further from 0 than usual, so that log-probabilities tell tokens apart.
    let model: ModelConfig = serde_json::from_value(serde_json::json!({
        "model_type": "qwen2", "vocab_size": 307, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "max_position_embeddings": 64,
        "initializer_range": 0.1
    }))?;
    let config = DecoderPolicyConfig {
        device,
        precision,
        lora: lora.then(LoraConfig::default),
        ..DecoderPolicyConfig::default()
    };
    Ok(DecoderPolicy::from_scratch(&model, no_words()?, config, 1)?)
}

fn greedy(policy: &mut DecoderPolicy) -> Result<Vec<RolloutGroup>> {
    let prompt = ids(PROMPT, 1, policy.model().vocab_size);
    let query = "parity".into();
    let request = SampleRequest {
        query: &query,
        prompt: Prompt::Ids(&prompt),
        samples: 3,
    };
    let sampling = Sampling {
        min_new_tokens: TOKENS,
        ..Sampling::greedy(TOKENS)
    };
    Ok(policy.generate(&[request], &sampling)?)
}

/// Greedy responses of its own, then a step on the given ones.
fn numbers(mut policy: DecoderPolicy, groups: &[RolloutGroup]) -> Result<Numbers> {
    let mut groups = groups.to_vec();
    let own = greedy(&mut policy)?;
    let of_own = own.iter().flat_map(|group| &group.responses);
    let responses = of_own.flat_map(|response| response.token_ids.clone());
    let responses = responses.collect();
    let log_probs = policy.log_probs(&groups)?;
    let before = log_probs.concat().concat();
    // As if this policy had sampled them: no ratio is clipped.
    for (group, log_probs) in groups.iter_mut().zip(log_probs) {
        for (response, log_probs) in group.responses.iter_mut().zip(log_probs) {
            response.log_probs = log_probs;
        }
    }
    let objective = Objective::new(ObjectiveConfig {
        kl_coefficient: 0.0,
        ..ObjectiveConfig::default()
    })?;
    // Greedy responses are all the same: what they teach is not, so that it does not cancel out.
    let advantages = [1.0, 0.5, -0.25].map(|advantage| vec![advantage; TOKENS]);
    let batch: Vec<_> = groups
        .iter()
        .map(|group| group.with_advantages(advantages.iter().map(Vec::as_slice)))
        .collect();
    let gradient = policy.update(&batch, &objective, 1e-3)?.grad_norm;
    Ok(Numbers {
        responses,
        before,
        gradient,
        after: policy.log_probs(&groups)?.concat().concat(),
    })
}
