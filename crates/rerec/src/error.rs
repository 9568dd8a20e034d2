//! The crate's error type.

use rerec_text::QueryId;

/// Anything that keeps groups of responses from being assessed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The reward or its data refuse.
    #[error(transparent)]
    Reward(#[from] rerec_rewards::Error),
    /// Segments, rules or the estimator refuse their settings or the batch.
    #[error(transparent)]
    Advantage(#[from] rerec_advantage::Error),
    /// A response whose steps cannot be credited.
    #[error("response {response} to query {query}")]
    Response {
        /// The query.
        query: QueryId,
        /// The place of the response in its group, from 0.
        response: usize,
        /// Why.
        source: rerec_advantage::Error,
    },
    /// An estimator that compares with a critic's values, which nothing here computes.
    #[error(
        "the estimator {estimator} needs the values of a critic, and there is none; every other estimator does without"
    )]
    NeedsCritic {
        /// Its name.
        estimator: &'static str,
    },
    /// A setting outside its range.
    #[error("{setting} must be {allowed}, got {got}")]
    InvalidSetting {
        /// The setting.
        setting: &'static str,
        /// What it may be.
        allowed: String,
        /// What it was given.
        got: String,
    },
    /// A setting that compares a group's responses, beside an estimator that compares each with the greedy response.
    #[error(
        "the estimator {estimator} compares with the reward of a greedy response, which {setting} cannot change as it changes the others': leave {setting} out, or take another estimator"
    )]
    GreedyIsApart {
        /// Its name.
        estimator: &'static str,
        /// The setting.
        setting: &'static str,
    },
    /// An estimator that compares with the greedy response, which the group does not have.
    #[error(
        "the estimator {estimator} compares with the greedy response, which the group of query {query} does not have"
    )]
    NoGreedyResponse {
        /// Its name.
        estimator: &'static str,
        /// The query.
        query: QueryId,
    },
    /// The curriculum asks for a part that the reward does not have.
    #[error("the curriculum metric {metric} is no part of the reward of query {query}")]
    NoMetric {
        /// The query.
        query: QueryId,
        /// The part.
        metric: String,
    },
    /// A title of a query's targets or candidates that no item has.
    #[error("`{title}` is not in the catalogue")]
    UnknownTitle {
        /// `targets` or `candidates`.
        what: &'static str,
        /// The title.
        title: String,
    },
    /// A title of a query's targets or candidates that several items have.
    #[error("`{title}` stands for several items")]
    AmbiguousTitle {
        /// `targets` or `candidates`.
        what: &'static str,
        /// The title.
        title: String,
    },
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Refuses a setting that fails its check.
pub(crate) fn check(
    ok: bool,
    setting: &'static str,
    got: impl std::fmt::Display,
    allowed: &str,
) -> Result<()> {
    match ok {
        true => Ok(()),
        false => Err(Error::InvalidSetting {
            setting,
            allowed: allowed.to_owned(),
            got: got.to_string(),
        }),
    }
}
