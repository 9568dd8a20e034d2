//! What a training loop asks of a policy, without a tensor in sight.

use std::{ops::ControlFlow, path::Path};

use serde::{Deserialize, Serialize};

use crate::{Objective, Result};

/// One prompt and the number of responses wanted for it.
#[derive(Debug, Clone, Copy)]
pub struct PromptGroup<'a> {
    /// Stable id of the query; with the sample index it names the random stream.
    pub query: &'a str,
    /// What the user says; the policy's chat template is applied to it.
    pub prompt: &'a str,
    /// Responses to sample (G of the paper), at least 1.
    pub samples: usize,
}

/// How responses are sampled.
///
/// Training compares log-probabilities under the whole softmax at this temperature with those of the distribution sampled from.
/// For reinforcement leave the cuts and the penalty out, or the two differ before the first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Softmax temperature; 0 takes the most probable token. Default 1; range `[0, inf)`.
    pub temperature: f64,
    /// Longest response in tokens, the end token included. Default 256; range `[1, inf)`.
    pub max_new_tokens: usize,
    /// End tokens and stop texts do not end a response before it has so many tokens; end tokens are not drawn. Default 0.
    pub min_new_tokens: usize,
    /// Draws from the k most probable tokens only. Default none; at least 1.
    pub top_k: Option<usize>,
    /// Draws from the most probable tokens that together reach this probability (nucleus sampling, arXiv 1904.09751).
    /// Default none; range `(0, 1]`.
    pub top_p: Option<f64>,
    /// Draws from tokens with at least this share of the most probable one's probability (arXiv 2407.01082). Default none; range
    /// `(0, 1]`.
    pub min_p: Option<f64>,
    /// Divides positive logits of tokens in prompt or response, and multiplies negative ones (arXiv 1909.05858). Default 1, which
    /// does nothing; above 0.
    pub repetition_penalty: f64,
    /// Texts that end a response; the one that was met stays in it. Default none.
    pub stop: Vec<String>,
    /// First part of every random stream's name.
    pub seed: u64,
    /// Second part: what the samples are for (`"epoch 3"`, `"evaluation"`).
    pub purpose: String,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            max_new_tokens: 256,
            min_new_tokens: 0,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: 1.0,
            stop: Vec::new(),
            seed: 0,
            purpose: String::new(),
        }
    }
}

/// Why a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model wrote its end token or a stop text.
    Stop,
    /// The token limit was reached.
    Length,
}

/// One sampled response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// The query it answers.
    pub query: String,
    /// Its index within the group, `0..samples`.
    pub sample: usize,
    /// The prompt as the model saw it.
    pub prompt_ids: Vec<u32>,
    /// The sampled ids, the end token included.
    pub token_ids: Vec<u32>,
    /// UTF-8 bytes of `text` that each sampled id stands for; 0 for special tokens.
    pub token_byte_lens: Vec<u32>,
    /// Log-probability of each sampled id, in nats, under the distribution sampled from.
    pub log_probs: Vec<f32>,
    /// Temperature of that distribution; 1 for greedy responses.
    pub temperature: f64,
    /// The response; `token_byte_lens` adds up to its length.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
}

/// A prompt with the response to imitate.
#[derive(Debug, Clone, Copy)]
pub struct SupervisedExample<'a> {
    /// What the user says.
    pub prompt: &'a str,
    /// What the assistant should answer.
    pub response: &'a str,
}

/// A prompt with a response, to be scored.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    /// The prompt, as in [`Rollout::prompt_ids`].
    pub prompt_ids: &'a [u32],
    /// The response, as in [`Rollout::token_ids`].
    pub token_ids: &'a [u32],
    /// Softmax temperature.
    pub temperature: f64,
}

/// What a policy makes of a response, a number for each of its tokens, in nats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenScores {
    /// Log-probabilities.
    pub log_probs: Vec<f32>,
    /// Entropies of the distributions that the tokens stand in.
    pub entropies: Vec<f32>,
}

/// One sampled response with the advantage of each of its tokens.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSequence<'a> {
    /// The prompt, as in [`Rollout::prompt_ids`].
    pub prompt_ids: &'a [u32],
    /// The response, as in [`Rollout::token_ids`].
    pub token_ids: &'a [u32],
    /// Log-probabilities at sampling time, `[tokens]`.
    pub old_log_probs: &'a [f32],
    /// Temperature at sampling time, as in [`Rollout::temperature`].
    pub temperature: f64,
    /// Advantages, `[tokens]`.
    pub advantages: &'a [f64],
}

/// What a supervised step did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SupervisedStats {
    /// Mean negative log-likelihood of the response tokens, in nats.
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// Response tokens learned from.
    pub tokens: usize,
}

/// What a policy-gradient step did. Means are over the batch's response tokens, the loss as the objective adds it up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UpdateStats {
    /// The objective to minimise, KL term included.
    pub loss: f64,
    /// Mean KL estimate against the reference policy, in nats; 0 without a KL term.
    pub kl: f64,
    /// Share of tokens whose ratio was clipped.
    pub clip_fraction: f64,
    /// Largest |log-probability now - log-probability at sampling time|.
    pub max_log_ratio: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// Response tokens the denominators count.
    pub tokens: usize,
    /// Sequences left out of forward and backward because all their advantages are zero.
    pub skipped: usize,
}

/// How far a long call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Responses finished.
    pub done: usize,
    /// Responses asked for.
    pub total: usize,
}

/// A language model that can be sampled, taught and reinforced.
///
/// Implementations hold their own optimiser state. A call that fails leaves the weights as they were.
pub trait Policy {
    /// Samples every group's responses, in the order of the groups and of the sample indices.
    ///
    /// `progress` is called between tokens; when it breaks, the call ends with
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    fn generate(
        &mut self,
        groups: &[PromptGroup<'_>],
        sampling: &Sampling,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<Rollout>>;

    /// One optimiser step on the mean negative log-likelihood of the responses.
    fn supervise(
        &mut self,
        batch: &[SupervisedExample<'_>],
        learning_rate: f64,
    ) -> Result<SupervisedStats>;

    /// One optimiser step on the objective.
    fn update(
        &mut self,
        batch: &[TrainingSequence<'_>],
        objective: &Objective,
        learning_rate: f64,
    ) -> Result<UpdateStats>;

    /// Makes the present weights the reference of the KL term and forgets the optimiser's state.
    fn anchor(&mut self) -> Result<()>;

    /// Writes model, reference, optimiser and tokenizer into an existing folder.
    fn save(&self, folder: &Path) -> Result<()>;

    /// Takes back what [`Policy::save`] wrote.
    fn restore(&mut self, folder: &Path) -> Result<()>;
}
