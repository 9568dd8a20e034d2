//! SmolLM2-135M-Instruct computes what it computes in transformers (`make_smollm2.py` made the numbers).
#![cfg(feature = "torch")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where an unwrap does, and tells what it left out"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use rerec_policy::{DecoderPolicy, DecoderPolicyConfig, SampleRequest, Sampler, Sampling};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    chat: String,
    prompt_ids: Vec<u32>,
    greedy_ids: Vec<u32>,
    top_ids: Vec<Vec<usize>>,
    top_logits: Vec<Vec<f32>>,
    fixed_ids: Vec<usize>,
    fixed_logits: Vec<Vec<f32>>,
}

fn expected() -> Expected {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/smollm2.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The model's file, where it was fetched.
fn model() -> Option<PathBuf> {
    let file = "../../data/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if !path.exists() {
        eprintln!(
            "skipped: there is no {}; `cargo xtask test` fetches it (93 MB)",
            path.display()
        );
        return None;
    }
    Some(path)
}

#[test]
fn logits_and_greedy_tokens_are_those_of_transformers() {
    let Some(path) = model() else {
        return;
    };
    let (expected, config) = (expected(), DecoderPolicyConfig::default());
    let mut policy = DecoderPolicy::from_gguf(&path, config).unwrap();
    assert_logits(&policy, &expected);
    let request = SampleRequest {
        query: &"q".into(),
        prompt: (&expected.chat).into(),
        samples: 1,
    };
    let greedy = Sampling::greedy(expected.greedy_ids.len());
    let group = policy.generate(&[request], &greedy).unwrap().remove(0);
    assert_eq!(group.prompt_ids, expected.prompt_ids);
    assert_eq!(group.responses[0].token_ids, expected.greedy_ids);
}

/// At every position the 64 largest logits and 256 others are within 1e-4, and no other is larger than those 64.
fn assert_logits(policy: &DecoderPolicy, expected: &Expected) {
    let ids = [&expected.prompt_ids[..], &expected.greedy_ids].concat();
    let logits = policy.logits(&ids).unwrap();
    let vocabulary = logits.len() / ids.len();
    let mut largest = 0.0f32;
    for (at, row) in logits.chunks(vocabulary).enumerate() {
        let top = expected.top_ids[at].iter().zip(&expected.top_logits[at]);
        let fixed = expected.fixed_ids.iter().zip(&expected.fixed_logits[at]);
        let gaps = top.chain(fixed).map(|(&id, logit)| (row[id] - logit).abs());
        largest = gaps.fold(largest, f32::max);
        let least = expected.top_logits[at]
            .iter()
            .copied()
            .fold(f32::MAX, f32::min);
        let above = row.iter().filter(|&&logit| logit > least + 1e-4).count();
        assert!(above <= expected.top_ids[at].len(), "position {at}");
    }
    eprintln!("largest difference of a logit: {largest}");
    assert!(largest < 1e-4, "logits differ by {largest}");
}
