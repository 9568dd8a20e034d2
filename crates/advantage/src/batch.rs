//! What an estimator is given: the rewards of a batch of grouped responses.

use std::borrow::Cow;

use crate::error::{AdvantageError, Result};
use crate::group::Groups;
use crate::ragged::{Ragged, TokenMask, TokenRewards};

/// The rewards of a batch of responses, grouped by query.
///
/// Rewards are one a token ([`from_tokens`](Self::from_tokens)) or one a response
/// ([`from_outcomes`](Self::from_outcomes)). An estimator that wants the other kind takes the sum
/// of a response's token rewards, or gives a response's reward to its tokens. A token outside the
/// mask takes no part, whatever its reward; the rewards of all others must be finite, which the
/// estimator checks.
#[derive(Debug, Clone, Copy)]
pub struct RolloutBatch<'a> {
    groups: &'a Groups,
    rewards: Rewards<'a>,
    mask: Option<&'a TokenMask>,
    values: Option<&'a Ragged<f64>>,
    baselines: Option<&'a [f64]>,
}

#[derive(Debug, Clone, Copy)]
enum Rewards<'a> {
    Tokens(&'a TokenRewards),
    Outcomes {
        rewards: &'a [f64],
        lengths: &'a [usize],
    },
}

/// Which tokens a response's only reward goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Every token, as in RAAE.
    Every,
    /// The last valid token, as in estimators that sum rewards over time.
    Last,
}

impl<'a> RolloutBatch<'a> {
    /// A batch with one reward a token.
    ///
    /// # Errors
    /// A row for more or fewer responses than `groups` has.
    pub fn from_tokens(groups: &'a Groups, rewards: &'a TokenRewards) -> Result<Self> {
        check_responses("token_rewards", groups.num_responses(), rewards.len())?;
        Ok(Self::new(groups, Rewards::Tokens(rewards)))
    }

    /// A batch with one reward and one number of tokens a response; tokens are never built unless
    /// the estimator tells them apart.
    ///
    /// # Errors
    /// More or fewer entries than `groups` has responses; a reward that is not finite; more tokens than memory can address.
    pub fn from_outcomes(
        groups: &'a Groups,
        rewards: &'a [f64],
        lengths: &'a [usize],
    ) -> Result<Self> {
        check_responses("rewards", groups.num_responses(), rewards.len())?;
        check_responses("lengths", groups.num_responses(), lengths.len())?;
        check_finite_responses("rewards", rewards)?;
        check_addressable("tokens", lengths)?;
        Ok(Self::new(groups, Rewards::Outcomes { rewards, lengths }))
    }

    fn new(groups: &'a Groups, rewards: Rewards<'a>) -> Self {
        Self {
            groups,
            rewards,
            mask: None,
            values: None,
            baselines: None,
        }
    }

    /// Leaves out the tokens whose mask is false. Without a mask every token is valid.
    ///
    /// # Errors
    /// Another shape than the responses have.
    pub fn with_mask(mut self, mask: &'a TokenMask) -> Result<Self> {
        self.check_shape("mask", mask)?;
        self.mask = Some(mask);
        Ok(self)
    }

    /// Adds a critic's value of every token, which GAE needs.
    ///
    /// # Errors
    /// Another shape than the responses have; a value that is not finite.
    pub fn with_values(mut self, values: &'a Ragged<f64>) -> Result<Self> {
        self.check_shape("values", values)?;
        check_finite_tokens("values", values)?;
        self.values = Some(values);
        Ok(self)
    }

    /// Adds the reward of a greedy answer to each response's query, which ReMax needs.
    ///
    /// # Errors
    /// More or fewer entries than responses; a baseline that is not finite.
    pub fn with_baselines(mut self, baselines: &'a [f64]) -> Result<Self> {
        check_responses("baselines", self.num_responses(), baselines.len())?;
        check_finite_responses("baselines", baselines)?;
        self.baselines = Some(baselines);
        Ok(self)
    }

    /// The groups of the batch.
    pub fn groups(&self) -> &'a Groups {
        self.groups
    }

    /// The number of responses.
    pub fn num_responses(&self) -> usize {
        self.groups.num_responses()
    }

    /// The mask, if there is one.
    pub fn mask(&self) -> Option<&'a TokenMask> {
        self.mask
    }

    /// The value of every token, if a critic gave them.
    pub fn values(&self) -> Option<&'a Ragged<f64>> {
        self.values
    }

    /// The baseline of every response, if they were given.
    pub fn baselines(&self) -> Option<&'a [f64]> {
        self.baselines
    }

    /// The reward of each response: as given, or the sum over its valid tokens.
    pub fn outcomes(&self) -> Cow<'a, [f64]> {
        match self.rewards {
            Rewards::Outcomes { rewards, .. } => Cow::Borrowed(rewards),
            Rewards::Tokens(rewards) => Cow::Owned(
                rewards
                    .rows()
                    .enumerate()
                    .map(|(i, row)| self.row_sum(i, row))
                    .collect(),
            ),
        }
    }

    /// The number of valid tokens of each response.
    pub fn valid_lengths(&self) -> Cow<'a, [usize]> {
        match (self.mask, self.rewards) {
            (Some(mask), _) => mask.rows().map(count_valid).collect(),
            (None, Rewards::Outcomes { lengths, .. }) => Cow::Borrowed(lengths),
            (None, Rewards::Tokens(rewards)) => rewards.row_lengths().collect(),
        }
    }

    /// The number of tokens of each response, valid or not.
    pub(crate) fn lengths(&self) -> Cow<'a, [usize]> {
        match self.rewards {
            Rewards::Outcomes { lengths, .. } => Cow::Borrowed(lengths),
            Rewards::Tokens(rewards) => rewards.row_lengths().collect(),
        }
    }

    /// The reward of each token: as given, or its response's reward at the place it belongs.
    pub(crate) fn token_rewards(&self, placement: Placement) -> Cow<'a, TokenRewards> {
        match self.rewards {
            Rewards::Tokens(rewards) => Cow::Borrowed(rewards),
            Rewards::Outcomes { rewards, lengths } => {
                let mut tokens = TokenRewards::default();
                for (response, (&reward, &length)) in rewards.iter().zip(lengths).enumerate() {
                    tokens.push_row_with(|values| {
                        let begin = values.len();
                        let elsewhere = if placement == Placement::Every {
                            reward
                        } else {
                            0.0
                        };
                        values.resize(begin + length, elsewhere);
                        if let Some(last) = self.last_valid(response, length) {
                            values[begin + last] = reward;
                        }
                    });
                }
                Cow::Owned(tokens)
            }
        }
    }

    /// Whether every valid token's reward is finite.
    pub(crate) fn check_rewards(&self) -> Result<()> {
        let Rewards::Tokens(rewards) = self.rewards else {
            return Ok(());
        };
        for (response, row) in rewards.rows().enumerate() {
            let mask = self.mask_row(response);
            let is_valid = |token: usize| mask.is_none_or(|mask| mask[token]);
            let faulty = |(token, value): (usize, &f64)| !value.is_finite() && is_valid(token);
            if let Some(token) = row.iter().enumerate().position(faulty) {
                let (what, value) = ("token_rewards", row[token]);
                return Err(AdvantageError::NonFiniteToken {
                    what,
                    response,
                    token,
                    value,
                });
            }
        }
        Ok(())
    }

    /// Why the statistics of rewards are not finite: a reward that is not, or else `overflow`.
    pub(crate) fn not_finite(&self, overflow: AdvantageError) -> AdvantageError {
        self.check_rewards().err().unwrap_or(overflow)
    }

    /// Which tokens of a response take part; `None` where all do.
    pub(crate) fn mask_row(&self, response: usize) -> Option<&'a [bool]> {
        self.mask.and_then(|mask| mask.row(response))
    }

    /// The values of the valid tokens of some responses, one response after the other.
    pub(crate) fn valid_values<'v>(
        &self,
        values: &'v Ragged<f64>,
        responses: &[usize],
    ) -> Cow<'v, [f64]> {
        if self.mask.is_none() && responses.len() == values.len() {
            return Cow::Borrowed(values.values());
        }
        let mut valid = Vec::new();
        for &response in responses {
            let row = values.row(response).unwrap_or_default();
            match self.mask_row(response) {
                None => valid.extend_from_slice(row),
                Some(mask) => {
                    valid.extend(row.iter().zip(mask).filter(|(_, v)| **v).map(|(x, _)| x))
                }
            }
        }
        Cow::Owned(valid)
    }

    /// Sets what stands outside the mask of a response to 0.
    pub(crate) fn clear_masked(&self, response: usize, row: &mut [f64]) {
        for (value, &valid) in row
            .iter_mut()
            .zip(self.mask_row(response).unwrap_or_default())
        {
            if !valid {
                *value = 0.0;
            }
        }
    }

    fn last_valid(&self, response: usize, length: usize) -> Option<usize> {
        match self.mask_row(response) {
            Some(mask) => mask.iter().rposition(|&valid| valid),
            None => length.checked_sub(1),
        }
    }

    fn row_sum(&self, response: usize, row: &[f64]) -> f64 {
        match self.mask_row(response) {
            Some(mask) => row
                .iter()
                .zip(mask)
                .filter(|(_, valid)| **valid)
                .map(|(r, _)| r)
                .sum(),
            None => row.iter().sum(),
        }
    }

    fn check_shape<T>(&self, what: &'static str, rows: &Ragged<T>) -> Result<()> {
        check_responses(what, self.num_responses(), rows.len())?;
        let expected = self.lengths();
        let wrong = rows.row_lengths().zip(expected.iter()).enumerate();
        for (response, (got, &expected)) in wrong {
            if got != expected {
                return Err(AdvantageError::TokenCount {
                    what,
                    response,
                    expected,
                    got,
                });
            }
        }
        Ok(())
    }
}

fn count_valid(mask: &[bool]) -> usize {
    mask.iter().filter(|&&valid| valid).count()
}

fn check_responses(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got {
        Ok(())
    } else {
        Err(AdvantageError::ResponseCount {
            what,
            expected,
            got,
        })
    }
}

/// Numbers of as many tokens fit into the address space.
fn check_addressable(what: &'static str, lengths: &[usize]) -> Result<()> {
    let got = lengths
        .iter()
        .fold(0_usize, |sum, &length| sum.saturating_add(length));
    if got <= isize::MAX as usize / size_of::<f64>() {
        Ok(())
    } else {
        Err(AdvantageError::TooLarge { what, got })
    }
}

fn check_finite_responses(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(response) => Err(AdvantageError::NonFiniteResponse {
            what,
            response,
            value: values[response],
        }),
    }
}

fn check_finite_tokens(what: &'static str, tokens: &Ragged<f64>) -> Result<()> {
    for (response, row) in tokens.rows().enumerate() {
        if let Some(token) = row.iter().position(|value| !value.is_finite()) {
            let value = row[token];
            return Err(AdvantageError::NonFiniteToken {
                what,
                response,
                token,
                value,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_their_place() {
        let groups = Groups::from_sizes(&[2]).unwrap();
        let rewards = TokenRewards::from_rows([vec![0.0, f64::NAN], vec![1.0]]);
        let batch = RolloutBatch::from_tokens(&groups, &rewards).unwrap();
        let error = batch.check_rewards().unwrap_err();
        let message = "token_rewards of response 0 must be finite, got NaN at token 1";
        assert_eq!(error.to_string(), message);

        let rewards = TokenRewards::from_rows([vec![0.0, 0.0], vec![1.0]]);
        let batch = RolloutBatch::from_tokens(&groups, &rewards).unwrap();
        let mask = TokenMask::from_rows([vec![true, true], vec![true, true]]);
        let error = batch.with_mask(&mask).unwrap_err();
        let message = "mask of response 1 must have 1 entries, one a token, got 2";
        assert_eq!(error.to_string(), message);

        let error = RolloutBatch::from_outcomes(&groups, &[1.0], &[3, 3]).unwrap_err();
        let message = "rewards must have one entry for each of the 2 responses, got 1";
        assert_eq!(error.to_string(), message);

        let lengths = [usize::MAX, 1];
        let error = RolloutBatch::from_outcomes(&groups, &[1.0, 2.0], &lengths).unwrap_err();
        let message = format!("{} tokens are more than memory can hold", usize::MAX);
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn outcomes_sum_the_valid_tokens() {
        let groups = Groups::from_sizes(&[2]).unwrap();
        let rewards = TokenRewards::from_rows([vec![1.0, 2.0, 4.0], vec![8.0]]);
        let mask = TokenMask::from_rows([vec![true, false, true], vec![true]]);
        let batch = RolloutBatch::from_tokens(&groups, &rewards).unwrap();
        assert_eq!(*batch.outcomes(), [7.0, 8.0]);
        let batch = batch.with_mask(&mask).unwrap();
        assert_eq!(*batch.outcomes(), [5.0, 8.0]);
        assert_eq!(*batch.valid_lengths(), [2, 1]);
    }

    #[test]
    fn an_outcome_is_placed_on_the_last_valid_token() {
        let groups = Groups::from_sizes(&[3]).unwrap();
        let mask = TokenMask::from_rows([vec![true, false], vec![false], vec![]]);
        let batch = RolloutBatch::from_outcomes(&groups, &[1.0, 2.0, 3.0], &[2, 1, 0]).unwrap();
        let batch = batch.with_mask(&mask).unwrap();
        let placed = batch.token_rewards(Placement::Last);
        assert_eq!(
            *placed,
            TokenRewards::from_rows([vec![1.0, 0.0], vec![0.0], vec![]])
        );
    }
}
