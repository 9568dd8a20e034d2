//! Whether what the data ask fits the model.

use std::collections::HashSet;

use rayon::prelude::*;
use rerec_datasets::{Dataset, Demonstration, Query};
use rerec_policy::Tokenizer;
use rerec_text::{Message, QueryId};

use crate::config::{OverlongPrompts, TrainConfig};
use crate::error::{Error, Result};

/// Lengths of the prompts of all splits, in tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PromptLengths {
    /// Longest prompt of those that fit.
    pub(crate) longest: usize,
    /// Mean length of those that fit.
    pub(crate) mean: f64,
    /// Queries whose prompt leaves too little room for a response, with their lengths.
    pub(crate) overlong: Vec<(QueryId, usize)>,
    /// Whether each demonstration, in their order, is too long to learn from.
    overlong_demonstrations: Vec<bool>,
    /// Tokens that prompt and response have room for.
    pub(crate) room: usize,
    /// Longest response.
    pub(crate) new_tokens: usize,
}

impl PromptLengths {
    /// Measures every prompt and demonstration by the model's own tokenizer and chat template.
    pub(crate) fn new(
        dataset: &Dataset,
        tokenizer: &Tokenizer,
        room: usize,
        new_tokens: usize,
    ) -> Result<Self> {
        let length = |conversation: &[Message]| -> Result<usize> {
            Ok(tokenizer.encode_prompt(conversation)?.len())
        };
        let splits = dataset.splits.named();
        let queries: Vec<&Query> = splits
            .into_iter()
            .flat_map(|(_, queries)| queries)
            .collect();
        let of_query = |query: &&Query| Ok((query.id.clone(), length(&query.conversation)?));
        let lengths = queries
            .par_iter()
            .map(of_query)
            .collect::<Result<Vec<_>>>()?;
        let is_overlong = |shown: &&Demonstration| {
            let prompt = length(&shown.conversation)?;
            Ok(prompt + tokenizer.encode_response(&shown.response)?.len() > room)
        };
        let demonstrations: Vec<&Demonstration> = dataset.demonstrations.iter().collect();
        let demonstrations = demonstrations
            .par_iter()
            .map(is_overlong)
            .collect::<Result<Vec<bool>>>()?;
        let fits = |(_, length): &(QueryId, usize)| length + new_tokens <= room;
        let (fitting, overlong): (Vec<_>, Vec<_>) = lengths.into_iter().partition(fits);
        let total: usize = fitting.iter().map(|(_, length)| length).sum();
        Ok(Self {
            longest: fitting.iter().map(|(_, length)| *length).max().unwrap_or(0),
            mean: total as f64 / fitting.len().max(1) as f64,
            overlong,
            overlong_demonstrations: demonstrations,
            room,
            new_tokens,
        })
    }

    /// What does not fit, in words; none where all does.
    pub(crate) fn complaint(&self) -> Option<String> {
        let (query, tokens) = self.overlong.iter().max_by_key(|(_, tokens)| tokens)?;
        Some(format!(
            "{} of the prompts do not fit: that of query {query} has {tokens} tokens, which with {} new ones exceed the {} of the model",
            self.overlong.len(),
            self.new_tokens,
            self.room
        ))
    }

    /// Does with what does not fit as the settings say, and returns what to tell about it.
    ///
    /// # Errors
    /// [`Error::Contradiction`] where it is refused, or where no query would be left to train on.
    pub(crate) fn settle(
        &self,
        dataset: &mut Dataset,
        config: &TrainConfig,
    ) -> Result<Vec<String>> {
        let leave_out = config.reinforcement.overlong_prompts == OverlongPrompts::LeaveOut;
        let mut told = Vec::new();
        told.extend(self.settle_demonstrations(dataset, leave_out, config.warm_start.steps)?);
        let Some(complaint) = self.complaint() else {
            return Ok(told);
        };
        if !leave_out {
            return Err(Error::contradiction(format!(
                "{complaint}; lower reinforcement.max_new_tokens, shorten the data's prompts, or set \
                 reinforcement.overlong_prompts = \"leave_out\""
            )));
        }
        let overlong: HashSet<&QueryId> = self.overlong.iter().map(|(id, _)| id).collect();
        let splits = &mut dataset.splits;
        for queries in [&mut splits.train, &mut splits.validation, &mut splits.test] {
            queries.retain(|query| !overlong.contains(&query.id));
        }
        if dataset.splits.train.is_empty() {
            return Err(Error::contradiction(format!(
                "{complaint}; no train query is left"
            )));
        }
        // Anew: a split may have become empty.
        config.check_against(dataset)?;
        told.push(format!("{complaint}; they are left out"));
        Ok(told)
    }

    /// Demonstrations that do not fit, where any are learned from.
    fn settle_demonstrations(
        &self,
        dataset: &mut Dataset,
        leave_out: bool,
        warm_steps: u64,
    ) -> Result<Option<String>> {
        let count = self
            .overlong_demonstrations
            .iter()
            .filter(|overlong| **overlong)
            .count();
        if count == 0 || warm_steps == 0 {
            return Ok(None);
        }
        let complaint = format!(
            "{count} demonstrations are longer than the {} tokens of the model",
            self.room
        );
        if !leave_out {
            return Err(Error::contradiction(format!(
                "{complaint}: shorten the data's prompts, take a model with more room, or set \
                 reinforcement.overlong_prompts = \"leave_out\""
            )));
        }
        let mut overlong = self.overlong_demonstrations.iter();
        dataset
            .demonstrations
            .retain(|_| !overlong.next().copied().unwrap_or(false));
        Ok(Some(format!("{complaint}; they are left out")))
    }
}
