//! What an estimator returns.

use crate::batch::RolloutBatch;
use crate::error::{Error, Result};
use crate::group::Groups;
use crate::ragged::Ragged;

/// The advantages of a batch, and which of its groups have a signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Advantages {
    values: AdvantageValues,
    signal: Vec<bool>,
    returns: Option<Ragged<f64>>,
}

/// Advantages in the shape in which their estimator knows them.
#[derive(Debug, Clone, PartialEq)]
pub enum AdvantageValues {
    /// One number for all valid tokens of a response.
    PerResponse(Vec<f64>),
    /// One number per token, 0 outside the mask.
    PerToken(Ragged<f64>),
}

impl Advantages {
    /// One advantage per response. A group has a signal if one of its advantages is not 0.
    ///
    /// # Errors
    /// More or fewer advantages than responses.
    pub fn per_response(values: Vec<f64>, groups: &Groups) -> Result<Self> {
        check_count(groups, values.len())?;
        let signal = signal(groups, |response| {
            values.get(response).is_some_and(|a| *a != 0.0)
        });
        Ok(Self {
            values: AdvantageValues::PerResponse(values),
            signal,
            returns: None,
        })
    }

    /// One advantage per token. A group has a signal if one of its advantages is not 0.
    ///
    /// # Errors
    /// More or fewer rows than responses.
    pub fn per_token(values: Ragged<f64>, groups: &Groups) -> Result<Self> {
        check_count(groups, values.len())?;
        let signal = signal(groups, |response| {
            values
                .row(response)
                .is_some_and(|row| row.iter().any(|a| *a != 0.0))
        });
        Ok(Self::with_signal(AdvantageValues::PerToken(values), signal))
    }

    /// For estimators that know each group's signal already.
    pub(crate) fn with_signal(values: AdvantageValues, signal: Vec<bool>) -> Self {
        Self {
            values,
            signal,
            returns: None,
        }
    }

    pub(crate) fn with_returns(mut self, returns: Ragged<f64>) -> Self {
        self.returns = Some(returns);
        self
    }

    /// The advantages, in the shape in which the estimator knows them.
    pub fn values(&self) -> &AdvantageValues {
        &self.values
    }

    /// What a critic should have predicted for every token, where the estimator uses one.
    pub fn returns(&self) -> Option<&Ragged<f64>> {
        self.returns.as_ref()
    }

    /// Whether group `index` moves the policy at all: false where its advantages are all exactly
    /// 0, so that a trainer can skip its update. A group outside the batch has no signal.
    pub fn has_signal(&self, index: usize) -> bool {
        self.signal.get(index).copied().unwrap_or(false)
    }

    /// [`has_signal`](Self::has_signal) of every group.
    pub fn signals(&self) -> &[bool] {
        &self.signal
    }

    /// One advantage for every token of the batch they were estimated from, 0 outside its mask.
    pub fn into_tokens(self, batch: &RolloutBatch<'_>) -> Ragged<f64> {
        let values = match self.values {
            AdvantageValues::PerToken(values) => return values,
            AdvantageValues::PerResponse(values) => values,
        };
        // Only here does one number per response become one per token: an estimator of outcomes never builds a batch of tokens.
        let lengths = batch.lengths();
        let mut tokens = Ragged::with_capacity(lengths.len(), lengths.iter().sum());
        for (response, (&value, &length)) in values.iter().zip(lengths.iter()).enumerate() {
            tokens.push_row_with(|flat| match batch.mask_row(response) {
                None => flat.extend(std::iter::repeat_n(value, length)),
                Some(mask) => {
                    flat.extend(mask.iter().map(|&valid| if valid { value } else { 0.0 }))
                }
            });
        }
        tokens
    }
}

fn check_count(groups: &Groups, got: usize) -> Result<()> {
    let expected = groups.num_responses();
    if got == expected {
        Ok(())
    } else {
        Err(Error::ResponseCount {
            what: "advantages",
            expected,
            got,
        })
    }
}

fn signal(groups: &Groups, moves: impl Fn(usize) -> bool) -> Vec<bool> {
    groups
        .iter()
        .map(|members| members.iter().any(|&response| moves(response)))
        .collect()
}
