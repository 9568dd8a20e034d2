//! The unit of work: all responses to one query.

use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Why a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model wrote its end token or a stop text.
    Stop,
    /// The token limit was reached.
    Length,
}

/// All responses to one query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutGroup {
    /// The query they answer.
    pub query: QueryId,
    /// The prompt as the model saw it.
    pub prompt_ids: Vec<u32>,
    /// Softmax temperature of the distributions sampled from; 1 for greedy responses.
    pub temperature: f64,
    /// The responses, by their sample index.
    pub responses: Vec<Response>,
}

/// One sampled response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Its index within the group as it was asked for, `0..samples`; it stays when others of the group are dropped.
    pub sample: usize,
    /// The sampled ids, the end token included.
    pub token_ids: Vec<u32>,
    /// UTF-8 bytes of `text` that each sampled id stands for; 0 for special tokens.
    pub token_byte_lens: Vec<u32>,
    /// Log-probability of each sampled id, in nats, under the distribution sampled from.
    pub log_probs: Vec<f32>,
    /// The response; `token_byte_lens` adds up to its length.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
}

impl RolloutGroup {
    /// The group with the advantage of each token of each response, to learn from. Takes one row of advantages for each
    /// response, in order, and no more, so that the rows of several groups can be handed on from one iterator. A row that is
    /// missing or of the wrong length is an error of the update.
    pub fn with_advantages<'a>(
        &'a self,
        advantages: impl IntoIterator<Item = &'a [f64]>,
    ) -> TrainingGroup<'a> {
        let mut advantages = advantages.into_iter();
        TrainingGroup {
            query: &self.query,
            prompt_ids: &self.prompt_ids,
            temperature: self.temperature,
            responses: self
                .responses
                .iter()
                .map(|response| response.with_advantages(advantages.next().unwrap_or_default()))
                .collect(),
        }
    }
}

impl Response {
    /// The response with the advantage of each of its tokens, `[tokens]`.
    pub fn with_advantages<'a>(&'a self, advantages: &'a [f64]) -> TrainingResponse<'a> {
        TrainingResponse {
            sample: self.sample,
            token_ids: &self.token_ids,
            old_log_probs: &self.log_probs,
            advantages,
        }
    }
}

/// Responses to one query with the advantages of their tokens.
#[derive(Debug, Clone)]
pub struct TrainingGroup<'a> {
    /// The query, for messages and records.
    pub query: &'a QueryId,
    /// The prompt, as in [`RolloutGroup::prompt_ids`].
    pub prompt_ids: &'a [u32],
    /// Temperature at sampling time, as in [`RolloutGroup::temperature`].
    pub temperature: f64,
    /// The responses.
    pub responses: Vec<TrainingResponse<'a>>,
}

/// One response of a [`TrainingGroup`].
#[derive(Debug, Clone, Copy)]
pub struct TrainingResponse<'a> {
    /// Its index within the group, as in [`Response::sample`].
    pub sample: usize,
    /// Its ids, as in [`Response::token_ids`].
    pub token_ids: &'a [u32],
    /// Log-probabilities at sampling time, `[tokens]`.
    pub old_log_probs: &'a [f32],
    /// Advantages, `[tokens]`.
    pub advantages: &'a [f64],
}

impl TrainingGroup<'_> {
    /// Checks that every response has one finite number of each kind for each of its tokens.
    ///
    /// # Errors
    /// [`Error::InvalidResponse`] names query, sample and what is wrong.
    pub(crate) fn check(&self) -> Result<()> {
        for response in &self.responses {
            response.check().map_err(|what| Error::InvalidResponse {
                query: self.query.clone(),
                sample: response.sample,
                what,
            })?;
        }
        Ok(())
    }
}

impl TrainingResponse<'_> {
    /// Whether it takes part in an update.
    pub(crate) fn teaches(&self) -> bool {
        self.advantages.iter().any(|&a| a != 0.0)
    }

    fn check(&self) -> Result<(), String> {
        let tokens = self.token_ids.len();
        for (name, len) in [
            ("old_log_probs", self.old_log_probs.len()),
            ("advantages", self.advantages.len()),
        ] {
            if len != tokens {
                return Err(format!(
                    "{name} has {len} entries, expected one for each of {tokens} tokens"
                ));
            }
        }
        if let Some(at) = self.advantages.iter().position(|a| !a.is_finite()) {
            return Err(format!(
                "the advantage of token {at} is {}",
                self.advantages[at]
            ));
        }
        match self.old_log_probs.iter().position(|p| !p.is_finite()) {
            Some(at) => Err(format!(
                "the old log-probability of token {at} is {}",
                self.old_log_probs[at]
            )),
            None => Ok(()),
        }
    }
}
