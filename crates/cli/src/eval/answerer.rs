//! Who answers the queries.

use std::path::PathBuf;

use rerec_trainer::{AnswerRecord, Baseline, Records};

use super::{Args, Asked};
use crate::error::Failure;

/// Who answers.
pub(super) enum Answerer {
    Baseline(Baseline),
    /// Answers that were written before.
    File(PathBuf),
    #[cfg(feature = "torch")]
    Model(Box<crate::model::ModelArgs>),
}

impl Answerer {
    /// What the arguments name.
    pub(super) fn of(args: &Args) -> Result<Self, Failure> {
        #[cfg(feature = "torch")]
        match (args.model.is_given(), args.baseline) {
            (true, Some(_)) => return Err(Failure::TwoModels),
            (true, None) => return Ok(Self::Model(Box::new(args.model.clone()))),
            (false, _) => {}
        }
        args.baseline.map(Self::Baseline).ok_or(Failure::NoModel)
    }

    /// What a name stands for: a baseline, a file of answers, else a run or a model.
    pub(super) fn named(name: &str) -> Self {
        let path = PathBuf::from(name);
        match baseline(name) {
            Ok(baseline) => Self::Baseline(baseline),
            #[cfg(feature = "torch")]
            Err(_) if path.is_dir() || path.extension().is_some_and(|end| end == "gguf") => {
                Self::Model(Box::new(crate::model::ModelArgs::at(path)))
            }
            Err(_) => Self::File(path),
        }
    }

    pub(super) fn answers(self, asked: &Asked<'_>) -> Result<Vec<AnswerRecord>, Failure> {
        match self {
            Self::Baseline(baseline) => {
                Ok(baseline.answers(asked.dataset, asked.queries, asked.seed)?)
            }
            Self::File(path) => Ok(Records::open(path)?.collect::<Result<_, _>>()?),
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
    use rerec_policy::Sampling;
    use rerec_rewards::{DualGraphConfig, DualGraphReward};
    use rerec_trainer::Evaluator;

    let mut opened = model.open()?;
    let run = opened.run.as_ref();
    let reward = run.map_or_else(DualGraphConfig::default, |run| run.reward.clone());
    let longest = run.map_or(512, |run| run.reinforcement.max_new_tokens);
    let catalogue = Arc::new(asked.dataset.catalogue.clone());
    // Without graph and embeddings: they shape a reward, and answers are judged by their items alone.
    let reward = DualGraphReward::new(reward, catalogue.clone(), None, None)?;
    let evaluator = Evaluator {
        reward: &reward,
        catalogue: &catalogue,
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
    let answers = evaluator.answers(
        &mut opened.policy,
        asked.queries,
        asked.samples,
        &sampling,
        &mut watch,
    );
    bar.finish_and_clear();
    Ok(answers?)
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
