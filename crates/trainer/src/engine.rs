//! Who samples and who learns.

use rerec_policy::{Learner, Policy, Result, Sampler};

use crate::config::ReinforcementConfig;
use crate::error::Error;

/// One model that both samples and learns, or two that are kept in step.
pub enum Engine<'a> {
    /// The model that learns also samples.
    One(&'a mut dyn Policy),
    /// Responses come from elsewhere, such as an inference server. After each update the sampler follows the learner, and
    /// log-probabilities at sampling time are computed anew under the learner, since those of another engine differ.
    Two {
        /// Samples.
        sampler: &'a mut dyn Sampler,
        /// Learns.
        learner: &'a mut dyn Learner,
    },
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::One(_) => "Engine::One",
            Self::Two { .. } => "Engine::Two",
        })
    }
}

impl Engine<'_> {
    pub(crate) fn sampler(&mut self) -> &mut dyn Sampler {
        match self {
            Self::One(policy) => &mut **policy,
            Self::Two { sampler, .. } => &mut **sampler,
        }
    }

    pub(crate) fn learner(&mut self) -> &mut dyn Learner {
        match self {
            Self::One(policy) => &mut **policy,
            Self::Two { learner, .. } => &mut **learner,
        }
    }

    /// The learner, where nothing is to change.
    pub(crate) fn learned(&self) -> &dyn Learner {
        match self {
            Self::One(policy) => &**policy,
            Self::Two { learner, .. } => &**learner,
        }
    }

    /// Whether log-probabilities at sampling time have to be computed anew.
    pub(crate) fn is_split(&self) -> bool {
        matches!(self, Self::Two { .. })
    }

    /// Refuses a correction of a sampler that is the learner: it would have nothing to correct.
    pub(crate) fn check(&self, config: &ReinforcementConfig) -> Result<(), Error> {
        match self {
            Self::One(_) => config.check_for_one_engine(),
            Self::Two { .. } => Ok(()),
        }
    }

    /// Hands the learner's weights to a sampler that is not the learner.
    pub(crate) fn synchronise(&mut self) -> Result<()> {
        match self {
            Self::One(_) => Ok(()),
            Self::Two { sampler, learner } => sampler.follow(&**learner),
        }
    }
}
