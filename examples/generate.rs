//! Asks a checkpoint: `cargo run --release -p rerec-examples --example generate -- MODEL`.
//!
//! MODEL is a Hugging Face folder or a GGUF file. Each line of the standard input is a question of its own; four answers are
//! sampled side by side over one reading of it.
#![allow(clippy::print_stdout)]

use std::{
    env,
    io::{self, BufRead, Write},
    ops::ControlFlow,
    path::PathBuf,
    time::Instant,
};

use rerec_policy::{DecoderPolicy, DecoderPolicyConfig, Policy, PromptGroup, Sampling};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let usage = "usage: generate MODEL, a Hugging Face folder or a GGUF file";
    let path = PathBuf::from(env::args_os().nth(1).ok_or(usage)?);
    let config = DecoderPolicyConfig::default();
    let mut policy = if path.extension().is_some_and(|e| e == "gguf") {
        DecoderPolicy::from_gguf(&path, config)?
    } else {
        DecoderPolicy::from_folder(&path, config)?
    };
    println!("{:.1} million weights", policy.parameters() as f64 / 1e6);
    for (number, question) in prompt_lines().enumerate() {
        let question = question?;
        let group = PromptGroup {
            query: &number.to_string(),
            prompt: &question,
            samples: 4,
        };
        let sampling = Sampling {
            temperature: 0.7,
            top_p: Some(0.9),
            max_new_tokens: 120,
            purpose: "example".to_owned(),
            ..Sampling::default()
        };
        let begun = Instant::now();
        let answers = policy.generate(&[group], &sampling, &mut |_| ControlFlow::Continue(()))?;
        let tokens: usize = answers.iter().map(|a| a.token_ids.len()).sum();
        for answer in &answers {
            println!("\n[{}] {}", answer.sample, answer.text);
        }
        let rate = tokens as f64 / begun.elapsed().as_secs_f64();
        println!("\n{tokens} tokens, {rate:.0} a second");
    }
    Ok(())
}

fn prompt_lines() -> impl Iterator<Item = io::Result<String>> {
    print!("> ");
    let _ = io::stdout().flush();
    io::stdin().lock().lines()
}
