//! What an estimator is given: the rewards of a batch of grouped responses.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::estimator::statistics::{rounding_of, sum};
use crate::group::Groups;
use crate::ragged::{Ragged, TokenMask, TokenRewards};

/// The rewards of a batch of responses, grouped by query: one per token, one per response (its outcome), or both.
///
/// An estimator that compares tokens reads the token rewards, one that compares responses the outcomes
/// ([`Needs`](crate::Needs)). Where the batch has only the other kind, an outcome goes to every token of its response, and the
/// token rewards of a response are summed, as verl does with rewards that stand on the last token. That sum grows with the
/// length of a response whose tokens each hold its whole reward, as those of a [`Credit`](crate::Credit) do: such a batch needs
/// [`with_outcomes`](Self::with_outcomes).
///
/// A token outside the mask takes no part, whatever its reward; the rewards of all others must be finite, which the
/// estimator checks.
///
/// ```
/// use rerec_advantage::{AdvantageEstimator, Groups, Grpo, GrpoConfig, RolloutBatch, TokenRewards};
///
/// // Two right answers, of 1 and 2 tokens: as good as each other.
/// let groups = Groups::from_sizes(&[2])?;
/// let token_rewards = TokenRewards::from_rows([vec![1.0], vec![1.0, 1.0]]);
/// let batch = RolloutBatch::new(&groups, &token_rewards)?.with_outcomes(&[1.0, 1.0])?;
/// let advantages = Grpo::new(GrpoConfig::default())?.estimate(&batch)?.into_tokens(&batch);
/// assert_eq!(advantages.values(), [0.0, 0.0, 0.0]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RolloutBatch<'a> {
    groups: &'a Groups,
    token_rewards: Option<&'a TokenRewards>,
    outcomes: Option<&'a [f64]>,
    /// The number of tokens of each response, where no token rewards tell it.
    lengths: &'a [usize],
    mask: Option<&'a TokenMask>,
    values: Option<&'a Ragged<f64>>,
    baselines: Option<&'a [f64]>,
    hits: Option<&'a [bool]>,
}

/// One reward per response.
#[derive(Debug)]
pub(crate) struct Outcomes<'a> {
    pub(crate) rewards: Cow<'a, [f64]>,
    /// The sum of absolute values that each reward was added up from, unless it was given.
    parts: Option<Vec<f64>>,
}

impl Outcomes<'_> {
    /// Whether the rewards of some responses are equal, to the rounding of the sums that they are.
    pub(crate) fn are_equal(&self, responses: &[usize]) -> bool {
        let (mut least, mut most, mut parts) = (f64::INFINITY, f64::NEG_INFINITY, 0.0_f64);
        for &response in responses {
            let reward = self.rewards[response];
            (least, most) = (least.min(reward), most.max(reward));
            let added = self
                .parts
                .as_ref()
                .map_or(reward.abs(), |parts| parts[response]);
            parts = parts.max(added);
        }
        // Against the absolute values that were added up: the rounding of a sum grows with these,
        // while the sum itself may have cancelled.
        most - least <= rounding_of(parts)
    }
}

impl<'a> RolloutBatch<'a> {
    /// A batch with one reward per token.
    ///
    /// # Errors
    /// A row for more or fewer responses than `groups` has.
    pub fn new(groups: &'a Groups, token_rewards: &'a TokenRewards) -> Result<Self> {
        check_responses("token_rewards", groups.num_responses(), token_rewards.len())?;
        Ok(Self {
            groups,
            token_rewards: Some(token_rewards),
            outcomes: None,
            lengths: &[],
            mask: None,
            values: None,
            baselines: None,
            hits: None,
        })
    }

    /// A batch with one reward and one number of tokens per response; tokens are never built unless the estimator tells them
    /// apart.
    ///
    /// # Errors
    /// More or fewer entries than `groups` has responses; a reward that is not finite; more tokens than memory can address.
    pub fn from_outcomes(
        groups: &'a Groups,
        outcomes: &'a [f64],
        lengths: &'a [usize],
    ) -> Result<Self> {
        check_responses("lengths", groups.num_responses(), lengths.len())?;
        check_addressable("tokens", lengths)?;
        let batch = Self {
            groups,
            token_rewards: None,
            outcomes: None,
            lengths,
            mask: None,
            values: None,
            baselines: None,
            hits: None,
        };
        batch.with_outcomes(outcomes)
    }

    /// Adds the reward of each response itself, which estimators that compare responses then read instead of a sum of token
    /// rewards.
    ///
    /// # Errors
    /// More or fewer entries than responses; a reward that is not finite.
    pub fn with_outcomes(mut self, outcomes: &'a [f64]) -> Result<Self> {
        check_responses("outcomes", self.num_responses(), outcomes.len())?;
        check_finite_responses("outcomes", outcomes)?;
        self.outcomes = Some(outcomes);
        Ok(self)
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

    /// Adds which responses are right, which [`StdOver::BatchWithoutHit`](crate::StdOver) needs.
    ///
    /// # Errors
    /// More or fewer entries than responses.
    pub fn with_hits(mut self, hits: &'a [bool]) -> Result<Self> {
        check_responses("hits", self.num_responses(), hits.len())?;
        self.hits = Some(hits);
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

    /// Which responses are right, if that was given.
    pub fn hits(&self) -> Option<&'a [bool]> {
        self.hits
    }

    /// The reward of each response: as given, or the sum over its valid tokens.
    pub fn outcomes(&self) -> Cow<'a, [f64]> {
        self.outcomes_with_parts().rewards
    }

    pub(crate) fn outcomes_with_parts(&self) -> Outcomes<'a> {
        // Given outcomes are exact; no sum stands behind them that could be off by more than their own rounding.
        if let Some(outcomes) = self.outcomes {
            return Outcomes {
                rewards: Cow::Borrowed(outcomes),
                parts: None,
            };
        }
        let rows = self.token_rewards.into_iter().flat_map(Ragged::rows);
        let (rewards, parts) = rows
            .enumerate()
            .map(|(i, row)| self.row_sum(i, row))
            .unzip();
        Outcomes {
            rewards: Cow::Owned(rewards),
            parts: Some(parts),
        }
    }

    /// The number of valid tokens of each response.
    pub fn valid_lengths(&self) -> Cow<'a, [usize]> {
        match self.mask {
            Some(mask) => mask.rows().map(count_valid).collect(),
            None => self.lengths(),
        }
    }

    /// The number of tokens of each response, valid or not.
    pub(crate) fn lengths(&self) -> Cow<'a, [usize]> {
        match self.token_rewards {
            Some(rewards) => rewards.row_lengths().collect(),
            None => Cow::Borrowed(self.lengths),
        }
    }

    /// The reward of each token by itself: as given, or its response's.
    pub(crate) fn rewards_of_tokens(&self) -> Cow<'a, TokenRewards> {
        self.token_rewards.map_or_else(
            || self.spread(|row, _, outcome| row.fill(outcome)),
            Cow::Borrowed,
        )
    }

    /// Rewards as they come in over time, which sum up to the outcome: the outcome at the last valid token, or the token rewards
    /// where no outcomes are given.
    pub(crate) fn rewards_over_time(&self) -> Cow<'a, TokenRewards> {
        // Given outcomes take precedence: each token reward of a credit holds the whole reward, and
        // a sum over time would count it once per token.
        match (self.outcomes, self.token_rewards) {
            (None, Some(rewards)) => Cow::Borrowed(rewards),
            _ => self.spread(|row, last, outcome| {
                if let Some(last) = last {
                    row[last] = outcome;
                }
            }),
        }
    }

    /// Rows of zeros as long as the responses, filled with the row, its last valid token and the outcome at hand.
    fn spread(&self, fill: impl Fn(&mut [f64], Option<usize>, f64)) -> Cow<'a, TokenRewards> {
        let mut tokens = TokenRewards::default();
        let outcomes = self.outcomes();
        for (response, (&outcome, &length)) in outcomes.iter().zip(&*self.lengths()).enumerate() {
            let last = self.last_valid(response, length);
            tokens.push_row_with(|values| {
                let begin = values.len();
                values.resize(begin + length, 0.0);
                fill(&mut values[begin..], last, outcome);
            });
        }
        Cow::Owned(tokens)
    }

    /// Whether every valid token's reward is finite.
    pub(crate) fn check_rewards(&self) -> Result<()> {
        let rows = self.token_rewards.into_iter().flat_map(Ragged::rows);
        for (response, row) in rows.enumerate() {
            let mask = self.mask_row(response);
            let is_valid = |token: usize| mask.is_none_or(|mask| mask[token]);
            let faulty = |(token, value): (usize, &f64)| !value.is_finite() && is_valid(token);
            if let Some(token) = row.iter().enumerate().position(faulty) {
                let (what, value) = ("token_rewards", row[token]);
                return Err(Error::NonFiniteToken {
                    what,
                    response,
                    token,
                    value,
                });
            }
        }
        Ok(())
    }

    // Looked for only once a statistic is not finite: a pass over all rewards for the message would cost as much as the estimate.
    /// Why the statistics of rewards are not finite: a reward that is not, or else `overflow`.
    pub(crate) fn not_finite(&self, overflow: Error) -> Error {
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
        // All values as they lie: the whole batch, whatever the order of its groups, since sums of it are all that is taken.
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

    /// The sum of a response's valid token rewards, and that of their absolute values.
    fn row_sum(&self, response: usize, row: &[f64]) -> (f64, f64) {
        match self.mask_row(response) {
            Some(mask) => {
                let valid = row.iter().zip(mask).filter(|(_, valid)| **valid);
                sum(valid.map(|(reward, _)| *reward))
            }
            None => sum(row.iter().copied()),
        }
    }

    fn check_shape<T>(&self, what: &'static str, rows: &Ragged<T>) -> Result<()> {
        check_responses(what, self.num_responses(), rows.len())?;
        let expected = self.lengths();
        let wrong = rows.row_lengths().zip(expected.iter()).enumerate();
        for (response, (got, &expected)) in wrong {
            if got != expected {
                return Err(Error::TokenCount {
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
        Err(Error::ResponseCount {
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
    // The largest allocation that Rust allows.
    if got <= isize::MAX as usize / size_of::<f64>() {
        Ok(())
    } else {
        Err(Error::TooLarge { what, got })
    }
}

fn check_finite_responses(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(response) => Err(Error::NonFiniteResponse {
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
            return Err(Error::NonFiniteToken {
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
        let batch = RolloutBatch::new(&groups, &rewards).unwrap();
        let error = batch.check_rewards().unwrap_err();
        let message = "token_rewards of response 0 must be finite, got NaN at token 1";
        assert_eq!(error.to_string(), message);

        let rewards = TokenRewards::from_rows([vec![0.0, 0.0], vec![1.0]]);
        let batch = RolloutBatch::new(&groups, &rewards).unwrap();
        let mask = TokenMask::from_rows([vec![true, true], vec![true, true]]);
        let error = batch.with_mask(&mask).unwrap_err();
        let message = "mask of response 1 must have 1 entries, one per token, got 2";
        assert_eq!(error.to_string(), message);

        let error = RolloutBatch::from_outcomes(&groups, &[1.0], &[3, 3]).unwrap_err();
        let message = "outcomes must have one entry for each of the 2 responses, got 1";
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
        let batch = RolloutBatch::new(&groups, &rewards).unwrap();
        assert_eq!(*batch.outcomes(), [7.0, 8.0]);
        let batch = batch.with_mask(&mask).unwrap();
        assert_eq!(*batch.outcomes(), [5.0, 8.0]);
        assert_eq!(
            *batch.with_outcomes(&[1.0, 2.0]).unwrap().outcomes(),
            [1.0, 2.0]
        );
        assert_eq!(*batch.valid_lengths(), [2, 1]);
    }

    #[test]
    fn an_outcome_is_placed_on_the_last_valid_token() {
        let groups = Groups::from_sizes(&[3]).unwrap();
        let mask = TokenMask::from_rows([vec![true, false], vec![false], vec![]]);
        let batch = RolloutBatch::from_outcomes(&groups, &[1.0, 2.0, 3.0], &[2, 1, 0]).unwrap();
        let batch = batch.with_mask(&mask).unwrap();
        let placed = batch.rewards_over_time();
        assert_eq!(
            *placed,
            TokenRewards::from_rows([vec![1.0, 0.0], vec![0.0], vec![]])
        );
    }
}
