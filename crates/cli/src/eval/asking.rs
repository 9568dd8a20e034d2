//! Putting the queries to a model.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;
use rerec_datasets::Query;
use rerec_policy::{DecoderPolicy, Progress, Sampling};
use rerec_rewards::DualGraphReward;
use rerec_trainer::{AnswerRecord, Evaluator, TrainConfig};

use super::Asked;
use crate::error::Failure;
use crate::interrupt::interrupt_flag;
use crate::model::ModelArgs;
use crate::train::bar;

/// Asks a model, with a progress bar.
pub(super) fn answers(asked: &Asked<'_>, model: &ModelArgs) -> Result<Vec<AnswerRecord>, Failure> {
    let mut opened = model.open()?;
    let catalogue = Arc::new(asked.dataset.catalogue.clone());
    // Without graph and embeddings: they shape a reward, and answers are judged by their items alone.
    let reward = DualGraphReward::new(asked.judge.clone(), catalogue.clone(), None, None)?;
    let evaluator = Evaluator {
        reward: &reward,
        catalogue: &catalogue,
        cutoff: asked.judge.cutoff,
    };
    let sampling = sampling(asked, opened.run.as_ref());
    let (fitting, mut records) = fitting(asked, &opened.policy, sampling.max_new_tokens)?;
    let bar = bar("evaluation");
    let interrupted = interrupt_flag("stopping")?;
    let mut watch = watch(&bar, &interrupted);
    let policy = &mut opened.policy;
    let answers = evaluator.answers(policy, &fitting, asked.samples, &sampling, &mut watch);
    bar.finish_and_clear();
    records.extend(answers?);
    Ok(records)
}

/// Shows how far a call has come, and ends it where Ctrl-C was pressed.
pub(super) fn watch(
    bar: &ProgressBar,
    interrupted: &AtomicBool,
) -> impl FnMut(Progress) -> ControlFlow<()> {
    move |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        match interrupted.load(Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn sampling(asked: &Asked<'_>, run: Option<&TrainConfig>) -> Sampling {
    let longest = run.map_or(512, |run| run.reinforcement.max_new_tokens);
    let temperature = if asked.samples > 1 { 1.0 } else { 0.0 };
    Sampling {
        temperature: asked.temperature.unwrap_or(temperature),
        max_new_tokens: asked.max_new_tokens.unwrap_or(longest),
        seed: asked.seed,
        purpose: "evaluation".to_owned(),
        ..Sampling::default()
    }
}

/// The queries whose prompts leave room for an answer, and a record that says so for each of the others.
fn fitting(
    asked: &Asked<'_>,
    policy: &DecoderPolicy,
    new_tokens: usize,
) -> Result<(Vec<Query>, Vec<AnswerRecord>), Failure> {
    let room = policy.model().max_position_embeddings;
    let (mut fitting, mut records) = (Vec::new(), Vec::new());
    for query in asked.queries {
        let prompt = policy.tokenizer().encode_prompt(&query.conversation[..])?;
        let tokens = prompt.len();
        if tokens + new_tokens <= room {
            fitting.push(query.clone());
            continue;
        }
        let why = format!(
            "the prompt has {tokens} tokens, which with {new_tokens} new ones exceed {room}"
        );
        let catalogue = &asked.dataset.catalogue;
        records.push(AnswerRecord::unasked(query, catalogue, why)?);
    }
    Ok((fitting, records))
}
