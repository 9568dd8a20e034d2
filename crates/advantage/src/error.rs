//! What can be wrong with the input.

/// The result of a call into this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why segments, token rewards or advantages could not be computed.
///
/// Responses, tokens and groups are counted from 0.
#[non_exhaustive]
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Row offsets do not tile their buffer.
    #[error("row offsets must rise from 0 to the number of values, {values}, got {offsets:?}")]
    Offsets {
        /// The number of values.
        values: usize,
        /// The offsets.
        offsets: Vec<usize>,
    },
    /// A group without a response.
    #[error("group {group} must have at least 1 response, got 0")]
    EmptyGroup {
        /// The group.
        group: usize,
    },
    /// Sizes that add up to more than memory can hold.
    #[error("{got} {what} are more than memory can hold")]
    TooLarge {
        /// What the sizes count.
        what: &'static str,
        /// Their sum; the largest number where it overflows.
        got: usize,
    },
    /// Fewer responses in a group than the estimator can compare.
    #[error("{estimator} needs at least {min} responses in a group, got {got} in group {group}")]
    GroupSize {
        /// The name of the estimator.
        estimator: &'static str,
        /// The group.
        group: usize,
        /// Its number of responses.
        got: usize,
        /// The smallest number that is allowed.
        min: usize,
    },
    /// Two inputs that must have one entry per response have different numbers of them.
    #[error("{what} must have one entry for each of the {expected} responses, got {got}")]
    ResponseCount {
        /// The input.
        what: &'static str,
        /// The number of responses.
        expected: usize,
        /// The number of entries.
        got: usize,
    },
    /// A row that must have one entry per token has another length.
    #[error("{what} of response {response} must have {expected} entries, one per token, got {got}")]
    TokenCount {
        /// The input.
        what: &'static str,
        /// The response.
        response: usize,
        /// The number of tokens.
        expected: usize,
        /// The number of entries.
        got: usize,
    },
    /// A number of a token that is NaN or infinite.
    #[error("{what} of response {response} must be finite, got {value} at token {token}")]
    NonFiniteToken {
        /// The input.
        what: &'static str,
        /// The response.
        response: usize,
        /// The token.
        token: usize,
        /// The number.
        value: f64,
    },
    /// A number of a response that is NaN or infinite.
    #[error("{what} of response {response} must be finite, got {value}")]
    NonFiniteResponse {
        /// The input.
        what: &'static str,
        /// The response.
        response: usize,
        /// The number.
        value: f64,
    },
    /// Rewards so large that their sum or variance is not a finite number.
    #[error("rewards of group {group} must be small enough for a finite variance")]
    GroupOverflow {
        /// The group.
        group: usize,
    },
    /// Returns so large that they or their variance over the batch are not finite numbers.
    #[error("returns of the batch must be small enough for a finite variance")]
    BatchOverflow,
    /// An estimator needs an input that the batch does not have.
    #[error("{estimator} needs {what}, which the batch does not have")]
    MissingInput {
        /// The name of the estimator.
        estimator: &'static str,
        /// The input.
        what: &'static str,
    },
    /// A setting outside its range.
    #[error("{setting} must be {allowed}, got {got}")]
    InvalidSetting {
        /// The setting, such as `whitening.eps`.
        setting: &'static str,
        /// What it was given.
        got: String,
        /// The allowed range, in words.
        allowed: &'static str,
    },
    /// A text in a list of texts is empty or blank.
    #[error("{what} {index} must not be blank, got {value:?}")]
    Blank {
        /// The list.
        what: &'static str,
        /// The place in the list.
        index: usize,
        /// The text.
        value: String,
    },
    /// The reward of a response is NaN or infinite.
    #[error("reward must be finite, got {value}")]
    NonFiniteReward {
        /// The reward.
        value: f64,
    },
    /// The bytes of the tokens do not add up to those of the response, or cannot be told.
    #[error(transparent)]
    Tokens(#[from] rerec_text::Error),
    /// A span that is not made of whole characters of the response.
    #[error(
        "answer span {start}..{end} must lie on character boundaries of the response's {response} bytes"
    )]
    AnswerSpan {
        /// Where the span begins, in bytes.
        start: usize,
        /// Where the span ends, in bytes.
        end: usize,
        /// The bytes of the response.
        response: usize,
    },
    /// Segments that do not tile the response on character boundaries.
    #[error(
        "segments must tile the response: segment {segment} must start at byte {expected}, got {got}"
    )]
    Segments {
        /// The segment, or the number of segments where the last ends too early.
        segment: usize,
        /// The byte at which it must start.
        expected: usize,
        /// The byte at which it starts.
        got: usize,
    },
    /// A rule returned another number of ratios than there are segments or tokens.
    #[error("rule {rule} must return {expected} ratios, got {got}")]
    RatioCount {
        /// The name of the rule.
        rule: &'static str,
        /// The number of segments or tokens.
        expected: usize,
        /// The number of ratios.
        got: usize,
    },
    /// A rule returned a ratio that is NaN, infinite or negative.
    #[error("rule {rule} must return ratios that are finite and at least 0, got {value}")]
    Ratio {
        /// The name of the rule.
        rule: &'static str,
        /// The ratio.
        value: f64,
    },
    /// The searcher for item names could not be built.
    #[error("the names of {items} items are too many to search for")]
    TooManyNames {
        /// The number of items.
        items: usize,
        /// Why.
        source: aho_corasick::BuildError,
    },
}

/// Refuses a setting that is negative or not finite.
pub(crate) fn check_at_least_0(setting: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::InvalidSetting {
        setting,
        got: value.to_string(),
        allowed: "finite and at least 0",
    })
}
