//! The side of a policy that learns.

use std::{ops::Range, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Objective, Prompt, RolloutGroup, Sampler, TrainingGroup,
    error::{Result, check},
};

/// A prompt with the response to imitate.
#[derive(Debug, Clone, Copy)]
pub struct SupervisedExample<'a> {
    /// What it answers.
    pub prompt: Prompt<'a>,
    /// What the assistant should answer.
    pub response: &'a str,
    /// Byte ranges of the response that are learned: a token counts if it shares a byte with one of them. What lies outside is read
    /// as it would be in a prompt. `None`: all of it, the end token included.
    ///
    /// What cannot be foreseen is better left out: its gradient is noise, and it may be most of the loss.
    pub learned: Option<&'a [Range<usize>]>,
}

/// Whether a token shares a byte with one of the ranges.
pub(crate) fn is_within(token: &Range<usize>, ranges: &[Range<usize>]) -> bool {
    let shares = |range: &Range<usize>| token.start < range.end && range.start < token.end;
    ranges.iter().any(shares)
}

/// What a policy makes of a response: one number of each kind for each of its tokens, in nats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenScores {
    /// Log-probabilities.
    pub log_probs: Vec<f32>,
    /// Entropies of the distributions that the tokens stand in.
    pub entropies: Vec<f32>,
}

/// What a supervised step did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SupervisedStats {
    /// Mean negative log-likelihood of the tokens learned from, in nats.
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// Response tokens learned from.
    pub tokens: usize,
}

/// What a policy-gradient step did. Responses whose advantages are all zero take no part in it: neither in the means, nor in the
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
    /// Responses left out of forward and backward because all their advantages are zero. A KL term does not pull on them either.
    pub skipped: usize,
}

impl UpdateStats {
    /// Of a step that has not begun: the tokens of the batch, and the responses that it skips.
    pub(crate) fn of(batch: &[TrainingGroup<'_>]) -> Self {
        let responses = || batch.iter().flat_map(|group| &group.responses);
        Self {
            loss: 0.0,
            kl: 0.0,
            clip_fraction: 0.0,
            max_log_ratio: 0.0,
            grad_norm: 0.0,
            tokens: responses().map(|r| r.token_ids.len()).sum(),
            skipped: responses().filter(|r| !r.teaches()).count(),
        }
    }
}

/// Changes a policy by what it is taught.
///
/// Implementations hold their own optimiser state. A call that fails leaves the weights as they were.
pub trait Learner {
    /// One optimiser step on the mean negative log-likelihood of the responses' tokens that are learned; none without any example.
    /// `learning_rate` is in `[0, inf)`.
    fn supervise(
        &mut self,
        batch: &[SupervisedExample<'_>],
        learning_rate: f64,
    ) -> Result<SupervisedStats>;

    /// Log-probabilities of the groups' responses under the present weights, at each group's temperature, in nats:
    /// `[group][response][token]`.
    fn log_probs(&mut self, groups: &[RolloutGroup]) -> Result<Vec<Vec<Vec<f32>>>>;

    /// One optimiser step on the objective; none where every advantage is zero. `learning_rate` is in `[0, inf)`. A response whose
    /// advantages are all zero is skipped, and with it what a KL term would do to it.
    fn update(
        &mut self,
        batch: &[TrainingGroup<'_>],
        objective: &Objective,
        learning_rate: f64,
    ) -> Result<UpdateStats>;

    /// Makes the present weights the reference of the KL term and forgets the optimiser's state.
    fn anchor(&mut self) -> Result<()>;

    /// Writes everything that [`Learner::restore`] needs into an existing folder. Older files stay until all new ones are
    /// written; if the process dies while they are renamed, the folder is rejected when it is read.
    fn save(&self, folder: &Path) -> Result<()>;

    /// Takes back what [`Learner::save`] wrote.
    fn restore(&mut self, folder: &Path) -> Result<()>;
}

/// A model that samples and learns.
pub trait Policy: Sampler + Learner {}

impl<T: Sampler + Learner + ?Sized> Policy for T {}

pub(crate) fn check_learning_rate(rate: f64) -> Result<()> {
    let is_rate = rate >= 0.0 && rate.is_finite();
    check(is_rate, "learning_rate", rate, "in [0, inf)")
}
