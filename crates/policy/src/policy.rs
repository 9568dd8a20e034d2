//! What a training loop asks of a policy, without a tensor in sight.

use std::{ops::ControlFlow, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Objective,
    error::{Result, check},
};

/// One message of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<'a> {
    /// `system`, `user` or `assistant`, or whatever else the chat template knows.
    pub role: &'a str,
    /// What is said.
    pub content: &'a str,
}

/// What a response is to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt<'a> {
    /// What a user says: a conversation of one message.
    User(&'a str),
    /// A conversation; the policy's chat template is applied to it, up to where the next answer begins.
    Chat(&'a [Message<'a>]),
    /// Text as the model is to see it, without a template.
    Text(&'a str),
    /// Ids as the model is to see them.
    Ids(&'a [u32]),
}

impl<'a> From<&'a str> for Prompt<'a> {
    fn from(text: &'a str) -> Self {
        Self::User(text)
    }
}

impl<'a> From<&'a String> for Prompt<'a> {
    fn from(text: &'a String) -> Self {
        Self::User(text)
    }
}

/// One prompt and the number of responses wanted for it.
#[derive(Debug, Clone, Copy)]
pub struct PromptGroup<'a> {
    /// Stable id of the query; with the sample index it names the random stream.
    pub query: &'a str,
    /// What they answer.
    pub prompt: Prompt<'a>,
    /// Responses to sample (G of the paper), at least 1.
    pub samples: usize,
}

/// How responses are sampled.
///
/// Training compares log-probabilities under the whole softmax at this temperature with those of the distribution sampled from.
/// For reinforcement leave the cuts, the penalty and `min_new_tokens` out, or the two differ before the first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Softmax temperature; 0 takes the most probable token. Default 1; range `[0, inf)`.
    pub temperature: f64,
    /// Longest response in tokens, the end token included. Default 256; range `[1, inf)`.
    pub max_new_tokens: usize,
    /// End tokens and stop texts do not end a response before it has this many tokens: until then end tokens get no probability.
    /// Default 0; at most `max_new_tokens`.
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
    /// First part of every random stream's name. Default 0.
    pub seed: u64,
    /// Second part: what the samples are for (`"epoch 3"`, `"evaluation"`). Default empty.
    pub purpose: String,
}

impl Sampling {
    /// The most probable token each time, to at most `max_new_tokens`.
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self {
            temperature: 0.0,
            max_new_tokens,
            ..Self::default()
        }
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) names the setting, its value and its range.
    pub fn validate(&self) -> Result<()> {
        let is_number = |value: f64| value >= 0.0 && value.is_finite();
        let (temperature, penalty) = (self.temperature, self.repetition_penalty);
        check(
            is_number(temperature),
            "temperature",
            temperature,
            "in [0, inf)",
        )?;
        check(
            is_number(penalty) && penalty > 0.0,
            "repetition_penalty",
            penalty,
            "above 0",
        )?;
        self.check_lengths()?;
        self.check_cuts()?;
        let is_empty = self.stop.iter().position(String::is_empty);
        check(
            is_empty.is_none(),
            "stop",
            is_empty.unwrap_or_default(),
            "texts, none of them empty (the position is given)",
        )
    }

    fn check_lengths(&self) -> Result<()> {
        let (least, most) = (self.min_new_tokens, self.max_new_tokens);
        check(most >= 1, "max_new_tokens", most, "at least 1")?;
        check(
            least <= most,
            "min_new_tokens",
            least,
            "at most max_new_tokens",
        )
    }

    fn check_cuts(&self) -> Result<()> {
        for (name, share) in [("top_p", self.top_p), ("min_p", self.min_p)] {
            if let Some(share) = share {
                check(share > 0.0 && share <= 1.0, name, share, "in (0, 1]")?;
            }
        }
        let k = self.top_k.unwrap_or(1);
        check(k >= 1, "top_k", k, "at least 1")
    }
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

impl Rollout {
    /// The response with the advantage of each of its tokens, `[tokens]`, to learn from.
    pub fn with_advantages<'a>(&'a self, advantages: &'a [f64]) -> TrainingSequence<'a> {
        TrainingSequence {
            prompt_ids: &self.prompt_ids,
            token_ids: &self.token_ids,
            old_log_probs: &self.log_probs,
            temperature: self.temperature,
            advantages,
        }
    }
}

/// A prompt with the response to imitate.
#[derive(Debug, Clone, Copy)]
pub struct SupervisedExample<'a> {
    /// What it answers.
    pub prompt: Prompt<'a>,
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

/// What a policy-gradient step did. Sequences whose advantages are all zero take no part in it: neither in the means, nor in the
/// loss but for its denominators.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UpdateStats {
    /// The objective to minimise, KL term included.
    pub loss: f64,
    /// Mean KL estimate against the reference policy over the tokens learned from, in nats; 0 without a KL term.
    pub kl: f64,
    /// Share of the tokens learned from whose ratio was clipped.
    pub clip_fraction: f64,
    /// Largest |log-probability now - log-probability at sampling time|.
    pub max_log_ratio: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// Response tokens of the whole batch, which the loss's denominators count.
    pub tokens: usize,
    /// Sequences left out of forward and backward because all their advantages are zero. A KL term does not pull on them either.
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

    /// One optimiser step on the mean negative log-likelihood of the responses; none without any. `learning_rate` is in
    /// `[0, inf)`.
    fn supervise(
        &mut self,
        batch: &[SupervisedExample<'_>],
        learning_rate: f64,
    ) -> Result<SupervisedStats>;

    /// One optimiser step on the objective; none where every advantage is zero. `learning_rate` is in `[0, inf)`. A sequence whose
    /// advantages are all zero is skipped, and with it what a KL term would do to it.
    fn update(
        &mut self,
        batch: &[TrainingSequence<'_>],
        objective: &Objective,
        learning_rate: f64,
    ) -> Result<UpdateStats>;

    /// Makes the present weights the reference of the KL term and forgets the optimiser's state.
    fn anchor(&mut self) -> Result<()>;

    /// Writes model, adapters, reference, optimiser and tokenizer into an existing folder. What is there stays until all is
    /// written; should the process die while the files get their names, the folder is refused.
    fn save(&self, folder: &Path) -> Result<()>;

    /// Takes back what [`Policy::save`] wrote.
    fn restore(&mut self, folder: &Path) -> Result<()>;
}
