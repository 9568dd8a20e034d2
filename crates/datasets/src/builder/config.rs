//! Settings of the queries.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check};
use crate::query_class::QueryClass;
use crate::split_by::SplitBy;

/// Where the wrong candidates of a composed query come from. None of them meets all of its conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negatives {
    /// Items that meet some of the conditions, up to `hard_share`; the others meet none.
    #[default]
    Conditions,
    /// Any items.
    Random,
    /// Items that about as many users like as the target.
    Popularity,
    /// Items whose titles and attributes resemble the conditions most, by [`Retriever`](crate::Retriever).
    Retriever,
    /// Items that suit the user who asks most, by LightGCN trained on all choices; any items where nobody in particular asks.
    /// Whose history is shown asks: `history_share = 1.0` gives every query somebody.
    Lightgcn,
}

/// How many queries there are, and what they look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryConfig {
    /// Queries to train on. Default 2000.
    pub train: usize,
    /// Queries to choose settings by. Default 200.
    pub validation: usize,
    /// Queries to report. Default 400.
    pub test: usize,
    /// What the splits keep apart: `target`, `user` (needs ratings) or `time` (needs ratings with times). Default `target`.
    pub split_by: SplitBy,
    /// Share of the items that are targets of validation queries only, (0, 1); of the users, or of the choices in the order of
    /// time, by `split_by`. Default 0.1.
    pub validation_share: f64,
    /// The same for test queries; by time these are the latest choices. Default 0.2.
    pub test_share: f64,
    /// Candidates per query, at least 2; one is right. Default 6.
    pub candidates: usize,
    /// The least and largest number of conditions, at least 1. Default [2, 2].
    pub conditions: [usize; 2],
    /// The most items of the catalogue that may meet all conditions, at least 1. Default: any number.
    pub shared_by: Option<usize>,
    /// Where the wrong candidates come from. Default `conditions`.
    pub negatives: Negatives,
    /// The least and largest share of the wrong candidates that meet some conditions, each in [0, 1]; for `negatives =
    /// "conditions"`. Default [0.5, 0.8].
    pub hard_share: [f64; 2],
    /// Share of the queries outside the interest class that come with a history, [0, 1]. Default 0.2. Whether ratings stand
    /// beside its titles is said by the prompt's [`rated`](crate::PromptConfig::rated).
    pub history_share: f64,
    /// The most items of such a history, at least 2: drawn at random, the latest ones where the splits are by time. Default 2.
    pub history_items: usize,
    /// The most tokens of such a history, its lines counted one by one: the last ones that fit stay. Counted by the tokenizer
    /// that is handed in, else by [`estimated_tokens`](crate::estimated_tokens). Default: no limit.
    pub history_tokens: Option<usize>,
    /// The least rating that counts as liking. Default 4.
    pub liked_from: f64,
    /// The classes, in equal parts, each one of RecBench+'s. Default all five.
    pub classes: Vec<QueryClass>,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            train: 2000,
            validation: 200,
            test: 400,
            split_by: SplitBy::Target,
            validation_share: 0.1,
            test_share: 0.2,
            candidates: 6,
            conditions: [2, 2],
            shared_by: None,
            negatives: Negatives::Conditions,
            hard_share: [0.5, 0.8],
            history_share: 0.2,
            history_items: 2,
            history_tokens: None,
            liked_from: 4.0,
            classes: QueryClass::RECBENCH.to_vec(),
        }
    }
}

impl QueryConfig {
    /// The gate for files and code alike.
    pub(crate) fn validate(&self) -> Result<()> {
        let [low, high] = self.hard_share;
        let share = |x: f64| (0.0..=1.0).contains(&x);
        // Written so that NaN, which fails every comparison, is refused.
        let open = |x: f64| x > 0.0 && x < 1.0;
        let shares = [
            ("validation_share", self.validation_share),
            ("test_share", self.test_share),
            (
                "validation_share + test_share",
                self.validation_share + self.test_share,
            ),
        ];
        check_shares(shares, "in (0, 1)", open)?;
        check(
            self.candidates >= 2,
            "candidates",
            "at least 2",
            &self.candidates,
        )?;
        let [fewest, most] = self.conditions;
        check(
            (1..=most).contains(&fewest),
            "conditions",
            "two ascending numbers of at least 1",
            &self.conditions,
        )?;
        check(
            self.shared_by != Some(0),
            "shared_by",
            "at least 1",
            &self.shared_by,
        )?;
        check(
            share(low) && share(high) && low <= high,
            "hard_share",
            "two ascending numbers in [0, 1]",
            &self.hard_share,
        )?;
        check(
            share(self.history_share),
            "history_share",
            "in [0, 1]",
            &self.history_share,
        )?;
        check(
            self.history_items >= 2,
            "history_items",
            "at least 2",
            &self.history_items,
        )?;
        check(
            self.history_tokens != Some(0),
            "history_tokens",
            "at least 1",
            &self.history_tokens,
        )?;
        check(
            self.liked_from.is_finite(),
            "liked_from",
            "finite",
            &self.liked_from,
        )?;
        check(
            !self.classes.is_empty(),
            "classes",
            "at least one class",
            &self.classes,
        )?;
        self.classes.iter().try_for_each(check_class)
    }
}

/// Checks the shares that are kept for validation and test, and their sum, each with its name.
pub(crate) fn check_shares(
    shares: [(&'static str, f64); 3],
    allowed: &str,
    is_allowed: impl Fn(f64) -> bool,
) -> Result<()> {
    shares
        .into_iter()
        .try_for_each(|(setting, share)| check(is_allowed(share), setting, allowed, &share))
}

/// Queries can be composed of RecBench+'s classes only.
pub(super) fn check_class(class: &QueryClass) -> Result<()> {
    let [a, b, c, d, e] = &QueryClass::RECBENCH;
    let allowed = format!("{a}, {b}, {c}, {d} or {e}");
    let is_known = QueryClass::RECBENCH.contains(class);
    check(is_known, "class", &allowed, &class.label())
}
