//! Supervised fine-tuning: `cargo run --release -p rerec-examples --example sft`.
//!
//! A model of 40,000 weights, made here, learns to answer with the decade of a film from the year in its title; then it is
//! asked about years it has not seen.
#![allow(clippy::print_stdout)]

use rerec_policy::{
    Architecture, Decay, DecoderPolicy, DecoderPolicyConfig, FreshModel, Learner, ModelSource,
    SampleRequest, Sampler, Sampling, Schedule, SupervisedExample,
};

const STEPS: u64 = 300;
const BATCH: usize = 24;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let years = (1930..2020).filter(|year| year % 5 != 3);
    let lessons: Vec<(String, String)> = years.map(lesson).collect();
    let corpus = lessons.iter().flat_map(|(p, r)| [p.as_str(), r.as_str()]);
    let source = ModelSource::Fresh(tiny_model());
    let config = DecoderPolicyConfig::default();
    let mut policy = DecoderPolicy::open(&source, config, corpus, 1)?;

    let rates = Schedule::new(5e-3, 0, Decay::Linear { final_share: 0.0 })?;
    for step in 0..STEPS {
        let batch: Vec<SupervisedExample<'_>> = (0..BATCH)
            .map(|i| &lessons[(step as usize * BATCH + i * 7) % lessons.len()])
            .map(|(prompt, response)| SupervisedExample {
                prompt: prompt.into(),
                response,
                learned: None,
            })
            .collect();
        let stats = policy.supervise(&batch, rates.rate(step, STEPS))?;
        if (step + 1) % 50 == 0 {
            println!("step {:3}: loss {:.3}", step + 1, stats.loss);
        }
    }

    for year in [1943, 1968, 1993, 2013] {
        let (prompt, expected) = lesson(year);
        let request = SampleRequest {
            query: &"held out".into(),
            prompt: (&prompt).into(),
            samples: 1,
        };
        let groups = policy.generate(&[request], &Sampling::greedy(8))?;
        let answer = &groups[0].responses[0].text;
        println!("{prompt} {answer} (expected {expected})");
    }
    Ok(())
}

fn lesson(year: u32) -> (String, String) {
    (format!("Film ({year})"), format!("{}s", year / 10 * 10))
}

fn tiny_model() -> FreshModel {
    FreshModel {
        architecture: Architecture::Llama,
        // No merges: every byte is a token, so that a year is four digits.
        vocab_size: 260,
        tokens: Vec::new(),
        hidden_size: 48,
        intermediate_size: 96,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        max_positions: 64,
        initializer_range: 0.05,
    }
}
