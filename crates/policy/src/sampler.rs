//! The side of a policy that answers.

use std::ops::ControlFlow;

use rerec_text::{Message, QueryId};

use crate::{Learner, RolloutGroup, Sampling, error::Result};

/// What a response answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt<'a> {
    /// What a user says: a conversation of one message.
    User(&'a str),
    /// A conversation; the policy's chat template is applied to it, up to where the next answer begins.
    Chat(&'a [Message]),
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

impl<'a> From<&'a [Message]> for Prompt<'a> {
    fn from(conversation: &'a [Message]) -> Self {
        Self::Chat(conversation)
    }
}

/// A query and the number of responses wanted for it.
#[derive(Debug, Clone, Copy)]
pub struct SampleRequest<'a> {
    /// Stable id of the query; with the sample index it names the random stream.
    pub query: &'a QueryId,
    /// What the responses answer.
    pub prompt: Prompt<'a>,
    /// Responses to sample (G of the paper), at least 1.
    pub samples: usize,
}

/// How far a long call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Responses finished.
    pub done: usize,
    /// Responses asked for.
    pub total: usize,
}

/// Draws responses from a policy.
pub trait Sampler {
    /// One group for each request, in the order of the requests; responses in the order of their sample indices.
    ///
    /// `progress` is called between tokens; when it breaks, the call ends with [`Error::Cancelled`](crate::Error::Cancelled).
    fn generate_with(
        &mut self,
        requests: &[SampleRequest<'_>],
        sampling: &Sampling,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<RolloutGroup>>;

    /// As [`Sampler::generate_with`], to the end.
    fn generate(
        &mut self,
        requests: &[SampleRequest<'_>],
        sampling: &Sampling,
    ) -> Result<Vec<RolloutGroup>> {
        self.generate_with(requests, sampling, &mut |_| ControlFlow::Continue(()))
    }

    /// Takes over the learner's present weights. Does nothing unless overridden: where sampler and learner are one model, there
    /// is nothing to take over.
    fn follow(&mut self, _learner: &dyn Learner) -> Result<()> {
        Ok(())
    }
}
