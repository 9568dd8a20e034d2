//! Who answers the queries.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

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

    /// A model in a folder or a GGUF file; none where the path is neither.
    #[cfg(feature = "torch")]
    fn model_at(args: &Args, path: &Path) -> Option<Result<Self, Failure>> {
        let is_model = path.is_dir() || crate::model::has_ending(path, "gguf");
        is_model.then(|| Ok(Self::Model(Box::new(args.model.at(path.to_owned())))))
    }

    #[cfg(not(feature = "torch"))]
    fn model(_: &Args) -> Result<Self, Failure> {
        Err(Failure::NoAnswerer)
    }

    #[cfg(not(feature = "torch"))]
    fn model_at(_: &Args, path: &Path) -> Option<Result<Self, Failure>> {
        path.is_dir().then_some(Err(Failure::NoAnswerer))
    }

    /// What a name stands for: a baseline, a run or a model, or a file of answers, which is read at once.
    pub(super) fn named(args: &Args, name: &str) -> Result<Self, Failure> {
        let path = PathBuf::from(name);
        if let Ok(baseline) = baseline(name) {
            return Ok(Self::Baseline(baseline));
        }
        if let Some(model) = Self::model_at(args, &path) {
            return model;
        }
        match path.is_file() {
            true => Ok(Self::File(Records::open(path)?.collect::<Result<_, _>>()?)),
            false => Err(Failure::NoSuchAnswerer {
                name: name.to_owned(),
            }),
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
            Self::Model(model) => super::asking::answers(asked, &model),
        }
    }
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
