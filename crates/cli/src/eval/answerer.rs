//! Who answers the queries.

use std::collections::HashSet;
use std::path::PathBuf;

use rerec_trainer::{AnswerRecord, Baseline, Records};

use super::{Args, Asked};
use crate::error::Failure;

/// Who answers.
pub(super) enum Answerer {
    Baseline(Baseline),
    /// Answers that were written before.
    File(Vec<AnswerRecord>),
    #[cfg(feature = "torch")]
    Model(Box<crate::model::ModelArgs>),
}

impl Answerer {
    /// What the arguments name.
    pub(super) fn of(args: &Args) -> Result<Self, Failure> {
        let Some(baseline) = args.baseline else {
            return Self::model(args);
        };
        match args.asks_a_model() {
            true => Err(Failure::OnlyForModels),
            false => Ok(Self::Baseline(baseline)),
        }
    }

    #[cfg(feature = "torch")]
    fn model(args: &Args) -> Result<Self, Failure> {
        if !args.model.is_given() {
            return Err(Failure::NoAnswerer);
        }
        let is_cold = args.temperature == Some(0.0) && args.samples > 1;
        match is_cold || args.samples == 0 {
            true => Err(Failure::SamplesAlike),
            false => Ok(Self::Model(Box::new(args.model.clone()))),
        }
    }

    #[cfg(not(feature = "torch"))]
    fn model(_: &Args) -> Result<Self, Failure> {
        Err(Failure::NoAnswerer)
    }

    /// What a name stands for: a baseline, a run or a model, or a file of answers, which is read at once.
    pub(super) fn named(args: &Args, name: &str) -> Result<Self, Failure> {
        let path = PathBuf::from(name);
        if let Ok(baseline) = baseline(name) {
            return Ok(Self::Baseline(baseline));
        }
        let is_gguf = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
        match path.is_dir() || is_gguf {
            #[cfg(feature = "torch")]
            true => Ok(Self::Model(Box::new(args.model.at(path)))),
            #[cfg(not(feature = "torch"))]
            true => Err(Failure::NoAnswerer),
            false if !path.is_file() => Err(Failure::NoSuchAnswerer {
                name: name.to_owned(),
            }),
            false => Ok(Self::File(Records::open(path)?.collect::<Result<_, _>>()?)),
        }
    }

    pub(super) fn answers(self, asked: &Asked<'_>) -> Result<Vec<AnswerRecord>, Failure> {
        match self {
            Self::Baseline(baseline) => Ok(baseline.answers(
                asked.dataset,
                asked.queries,
                asked.judge.cutoff,
                asked.seed,
            )?),
            Self::File(mut records) => {
                let wanted: HashSet<_> = asked.queries.iter().map(|query| &query.id).collect();
                records.retain(|record| wanted.contains(&record.query));
                Ok(records)
            }
            #[cfg(feature = "torch")]
            Self::Model(model) => asked_of_model(asked, &model),
        }
    }
}

/// Asks a model, with a progress bar.
#[cfg(feature = "torch")]
fn asked_of_model(
    asked: &Asked<'_>,
    model: &crate::model::ModelArgs,
) -> Result<Vec<AnswerRecord>, Failure> {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use crate::interrupt::interrupt_flag;
    use crate::train::bar;
    use rerec_datasets::Query;
    use rerec_policy::Sampling;
    use rerec_rewards::DualGraphReward;
    use rerec_trainer::Evaluator;

    let mut opened = model.open()?;
    let run = opened.run.as_ref();
    let longest = run.map_or(512, |run| run.reinforcement.max_new_tokens);
    let catalogue = Arc::new(asked.dataset.catalogue.clone());
    // Without graph and embeddings: they shape a reward, and answers are judged by their items alone.
    let reward = DualGraphReward::new(asked.judge.clone(), catalogue.clone(), None, None)?;
    let evaluator = Evaluator {
        reward: &reward,
        catalogue: &catalogue,
        cutoff: asked.judge.cutoff,
    };
    let sampling = Sampling {
        temperature: asked
            .temperature
            .unwrap_or(if asked.samples > 1 { 1.0 } else { 0.0 }),
        max_new_tokens: asked.max_new_tokens.unwrap_or(longest),
        seed: asked.seed,
        purpose: "evaluation".to_owned(),
        ..Sampling::default()
    };
    let bar = bar("evaluation");
    let interrupted = interrupt_flag("stopping")?;
    let mut watch = |progress: rerec_policy::Progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        match interrupted.load(std::sync::atomic::Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    // A prompt that leaves no room for an answer is a record that says so; the others are asked.
    let room = opened.policy.model().max_position_embeddings;
    let mut fitting: Vec<Query> = Vec::with_capacity(asked.queries.len());
    let mut records = Vec::new();
    for query in asked.queries {
        let tokens = opened
            .policy
            .tokenizer()
            .encode_prompt(&query.conversation[..])?
            .len();
        if tokens + sampling.max_new_tokens <= room {
            fitting.push(query.clone());
            continue;
        }
        let why = format!(
            "the prompt has {tokens} tokens, which with {} new ones exceed {room}",
            sampling.max_new_tokens
        );
        records.push(AnswerRecord::unasked(query, &catalogue, why)?);
    }
    let answers = evaluator.answers(
        &mut opened.policy,
        &fitting,
        asked.samples,
        &sampling,
        &mut watch,
    );
    bar.finish_and_clear();
    records.extend(answers?);
    Ok(records)
}

/// A baseline by its name.
pub(super) fn baseline(name: &str) -> Result<Baseline, String> {
    let known = Baseline::ALL
        .into_iter()
        .find(|baseline| baseline.name() == name);
    known.ok_or_else(|| {
        let names = Baseline::ALL.map(Baseline::name);
        format!("one of {} is expected", names.join(", "))
    })
}
