//! A chat with a checkpoint: `cargo run --release -p rerec-examples --example generate -- MODEL`.
//!
//! MODEL is a Hugging Face folder or a GGUF file. Each line of the standard input is what you say next; the model sees the whole
//! conversation.
#![allow(clippy::print_stdout)]

use std::{
    env,
    io::{self, BufRead, Write},
    path::PathBuf,
    time::Instant,
};

use rerec_policy::{
    DecoderPolicy, DecoderPolicyConfig, Message, ModelSource, Prompt, SampleRequest, Sampler,
    Sampling,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let usage = "usage: generate MODEL, a Hugging Face folder or a GGUF file";
    let path = PathBuf::from(env::args_os().nth(1).ok_or(usage)?);
    let config = DecoderPolicyConfig::default();
    let adapters = None;
    let source = match path.extension().is_some_and(|e| e == "gguf") {
        true => ModelSource::Gguf { path, adapters },
        false => ModelSource::Folder { path, adapters },
    };
    let mut policy = DecoderPolicy::open(&source, config, [].into_iter(), 0)?;
    println!("{:.1} million weights", policy.parameters() as f64 / 1e6);

    let mut said: Vec<Message> = Vec::new();
    ask()?;
    for line in io::stdin().lock().lines() {
        said.push(Message::user(line?));
        let answer = answer(&mut policy, &said)?;
        said.push(Message::assistant(answer));
        ask()?;
    }
    Ok(())
}

fn answer(policy: &mut DecoderPolicy, said: &[Message]) -> rerec_policy::Result<String> {
    let request = SampleRequest {
        query: &said.len().to_string().into(),
        prompt: Prompt::Chat(said),
        samples: 1,
    };
    let sampling = Sampling {
        temperature: 0.7,
        top_p: Some(0.9),
        max_new_tokens: 200,
        ..Sampling::default()
    };
    let begun = Instant::now();
    let groups = policy.generate(&[request], &sampling)?;
    let answer = &groups[0].responses[0];
    let rate = answer.token_ids.len() as f64 / begun.elapsed().as_secs_f64();
    println!("{}\n({rate:.0} tokens per second)", answer.text);
    Ok(answer.text.clone())
}

fn ask() -> io::Result<()> {
    print!("> ");
    io::stdout().flush()
}
