use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Largest power of two of a grade; sums of 2^500 are far from overflow.
const MAX_EXPONENT: f64 = 500.0;

/// Everything that libraries of ranking metrics do not agree on.
///
/// Where no library disagrees there is no setting: of an item listed twice the first counts; a grade below
/// [`relevant_from`](Self::relevant_from) is not relevant; a negative grade gains nothing.
///
/// One list under every preset:
///
/// ```
/// # use rerec_rewards::*;
/// // Of the list a, b, c, d the items b, c and d are judged, as is e, which it lacks: three are relevant.
/// let grades = [("b", 1.0), ("c", -1.0), ("d", 2.0), ("e", 1.0)];
/// let query = RankedQuery { ranked: &["a", "b", "c", "d"], relevance: Relevance::Grades(&grades) };
/// let is = |metric: &str, conventions, expected: f64| -> Result<()> {
///     let got = Evaluator::new(vec![metric.parse()?], conventions)?.evaluate(&query)?[0];
///     assert!((got - expected).abs() < 5e-5, "{metric}: {got} for {expected}");
///     Ok(())
/// };
/// for (metric, trec_eval, ranx, recbole) in [
///     ("dcg@2", 0.6309, 0.6309, 0.6309),    // 1 / log2 3
///     ("ndcg@2", 0.2398, 0.2398, 0.3869),   // divided by 2 + 0.6309; binary by 1 + 0.6309
///     ("precision@2", 0.5, 0.5, 0.5),
///     ("recall@2", 0.3333, 0.3333, 0.3333),
///     ("f1@2", 0.4, 0.4, 0.4),              // 2 · 1/2 · 1/3 / (1/2 + 1/3)
///     ("hit_rate@2", 1.0, 1.0, 1.0),
///     ("hits@4", 2.0, 2.0, 2.0),
///     ("mrr@2", 0.5, 0.5, 0.5),
///     ("map@2", 0.1667, 0.1667, 0.25),      // 1/2 at rank 2, divided by 3; by min(3, 2)
///     ("r_precision", 0.3333, 0.3333, 0.3333),
///     ("rbp@4", 0.2624, 0.3648, 0.2624),    // 0.2 · (0.8 + 0.8³); by grade 0.2 · (0.8 + 2 · 0.8³)
///     ("err@4", 0.0752, 0.0752, 0.0752),    // 1/2 · 1/16 + 1/4 · 15/16 · 3/16
///     ("bpref", 0.6667, 0.3333, 0.6667),    // (1 + 1) / 3; (1 + 0) / 3 where c counts as judged
/// ] {
///     is(metric, Conventions::trec_eval(), trec_eval)?;
///     is(metric, Conventions::ranx(), ranx)?;
///     is(metric, Conventions::recbole(), recbole)?;
/// }
/// // Single settings: ideal gains 2² - 1 and 2 - 1; the ideal list d, b; the only hit's precision.
/// let default = Conventions::default();
/// is("ndcg@2", Conventions { gain: Gain::Exponential, ..default }, 0.6309 / (3.0 + 0.6309))?;
/// is("ndcg@4", Conventions { pool: Pool::Listed, ..default }, (0.6309 + 2.0 * 0.4307) / (2.0 + 0.6309))?;
/// is("map@2", Conventions { average_precision: PrecisionNorm::Hits, ..default }, 0.5)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conventions {
    /// Gain of a grade in DCG. Default: linear.
    pub gain: Gain,
    /// Which items make the ideal list and the number R of relevant items. Default: all judged ones.
    pub pool: Pool,
    /// Denominator of precision. Default: the cut-off.
    pub precision: PrecisionDenominator,
    /// Denominator of average precision. Default: the number of relevant items.
    pub average_precision: PrecisionNorm,
    /// What a query without relevant items counts. Default: 0.
    pub no_relevant: NoRelevant,
    /// What a negative grade is to bpref. Default: not judged.
    pub negative_grades: NegativeGrades,
    /// Lowest grade that is relevant. Default 1, finite.
    pub relevant_from: f64,
    /// Whether RBP weighs ranks by grade, so that it may exceed 1, instead of by relevance. Default: false.
    pub graded_rbp: bool,
    /// Persistence p of RBP. Default 0.8, within (0, 1).
    pub persistence: f64,
    /// Highest grade in ERR; higher ones count as this. Default 4, within (0, 500].
    pub max_grade: f64,
}

/// Gain of a grade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gain {
    /// 1 for a relevant item.
    Binary,
    /// The grade.
    #[default]
    Linear,
    /// 2^grade - 1.
    Exponential,
}

/// Which items make the ideal list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// All judged items, so that a relevant item that is missing from the list costs something.
    #[default]
    Judged,
    /// The judged items that the list holds, as in scikit-learn and torchmetrics.
    Listed,
}

/// Denominator of precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionDenominator {
    /// The cut-off, even if the list is shorter.
    #[default]
    Cutoff,
    /// The smaller of the cut-off and the length of the list.
    Listed,
}

/// Denominator of average precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionNorm {
    /// The number R of relevant items.
    #[default]
    Relevant,
    /// min(R, k), so that a full list of hits reaches 1.
    RelevantOrCutoff,
    /// The number of hits.
    Hits,
}

/// What a query without relevant items counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoRelevant {
    /// 0 in every metric; the query stays in the means.
    #[default]
    Zero,
    /// Nothing; the query is left out of the means and counted.
    Exclude,
    /// The evaluation fails.
    Error,
}

/// What a negative grade is to bpref.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NegativeGrades {
    /// Not judged.
    #[default]
    Unjudged,
    /// Judged and not relevant.
    NotRelevant,
}

impl Default for Conventions {
    fn default() -> Self {
        Self::trec_eval()
    }
}

impl Conventions {
    /// trec_eval and pytrec_eval.
    pub const fn trec_eval() -> Self {
        Self {
            gain: Gain::Linear,
            pool: Pool::Judged,
            precision: PrecisionDenominator::Cutoff,
            average_precision: PrecisionNorm::Relevant,
            no_relevant: NoRelevant::Zero,
            negative_grades: NegativeGrades::Unjudged,
            relevant_from: 1.0,
            graded_rbp: false,
            persistence: 0.8,
            max_grade: 4.0,
        }
    }

    /// ranx: as trec_eval, but RBP by grade and negative grades judged. bpref where nothing was judged as not relevant,
    /// a division by zero there, is 1 per hit.
    pub const fn ranx() -> Self {
        Self {
            graded_rbp: true,
            negative_grades: NegativeGrades::NotRelevant,
            ..Self::trec_eval()
        }
    }

    /// RecBole: binary gains, average precision over min(R, k), queries without relevant items left out.
    pub const fn recbole() -> Self {
        Self {
            gain: Gain::Binary,
            average_precision: PrecisionNorm::RelevantOrCutoff,
            no_relevant: NoRelevant::Exclude,
            ..Self::trec_eval()
        }
    }

    /// Up to this grade, sums of gains and their ratios are finite.
    pub(super) fn largest_grade(&self) -> f64 {
        match self.gain {
            Gain::Exponential => MAX_EXPONENT,
            Gain::Binary | Gain::Linear => 1e100,
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let settings = [
            (
                "relevant_from",
                self.relevant_from,
                self.relevant_from.is_finite(),
                "finite",
            ),
            (
                "persistence",
                self.persistence,
                self.persistence > 0.0 && self.persistence < 1.0,
                "within (0, 1)",
            ),
            (
                "max_grade",
                self.max_grade,
                self.max_grade > 0.0 && self.max_grade <= MAX_EXPONENT,
                "within (0, 500]",
            ),
        ];
        match settings.into_iter().find(|(.., fits, _)| !fits) {
            Some((setting, got, _, allowed)) => Err(Error::InvalidSetting {
                setting,
                got: got.to_string(),
                allowed,
            }),
            None => Ok(()),
        }
    }
}
