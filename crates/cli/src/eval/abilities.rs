//! `rerec eval --abilities`: what a model can do beside recommending.

use rerec_policy::Prompt;
use rerec_report::{AbilityCard, AbilityComparison};
use rerec_trainer::{Abilities, AbilityTest};
use serde::Serialize;

use super::answerer::Answerer;
use super::asking::watch;
use super::{Args, print_scores};
use crate::error::Failure;
use crate::filter::print_line;
use crate::interrupt::interrupt_flag;
use crate::model::ModelArgs;
use crate::train::bar;

/// What is printed as JSON.
#[derive(Serialize)]
struct Outcome {
    abilities: AbilityCard,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

#[derive(Serialize)]
struct Against {
    name: String,
    abilities: AbilityCard,
    comparison: AbilityComparison,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let other = args
        .against
        .as_deref()
        .map(|name| model(args, name))
        .transpose()?;
    let seed = args.seed.unwrap_or(0);
    let abilities = test(&args.model, args)?;
    if let Some(path) = &args.responses {
        rerec_datasets::write_jsonl(path, &abilities.instructions)?;
    }
    let against = |(name, other): (&String, ModelArgs)| {
        let other = test(&other, args)?;
        Ok::<_, Failure>(Against {
            name: name.clone(),
            abilities: AbilityCard::of(&other, seed),
            // The other one first: the difference is what this one gains.
            comparison: AbilityComparison::of(&other, &abilities, seed),
        })
    };
    let outcome = Outcome {
        abilities: AbilityCard::of(&abilities, seed),
        against: args.against.as_ref().zip(other).map(against).transpose()?,
    };
    match args.json {
        true => print_line(&outcome),
        false => outcome.print(),
    }
}

/// The model that `--against` names.
fn model(args: &Args, name: &str) -> Result<ModelArgs, Failure> {
    match Answerer::named(args, name)? {
        Answerer::Model(model) => Ok(*model),
        Answerer::Baseline(_) | Answerer::File(_) => Err(Failure::AbilitiesOfNoModel {
            name: name.to_owned(),
        }),
    }
}

/// Tests a model, with a progress bar.
fn test(model: &ModelArgs, args: &Args) -> Result<Abilities, Failure> {
    let mut opened = model.open()?;
    let tokenizer = opened.policy.tokenizer();
    let test = AbilityTest::new(|text| tokenizer.encode_prompt(Prompt::Text(text)))?;
    let bar = bar("abilities");
    let interrupted = interrupt_flag("stopping")?;
    let mut watch = watch(&bar, &interrupted);
    let most = args.max_new_tokens.unwrap_or(512);
    let abilities = test.run(&mut opened.policy, most, &mut watch);
    bar.finish_and_clear();
    Ok(abilities?)
}

impl Outcome {
    fn print(&self) -> Result<(), Failure> {
        let against = self.against.as_ref();
        print_scores(
            &self.abilities,
            against.map(|other| (&*other.name, &other.abilities, &other.comparison)),
        )
    }
}
