//! Metrics of ranked lists of ids.

mod conventions;
mod discount;
mod distinct;
mod evaluation;
mod evaluator;
mod exposure;
mod judged;
mod measure;
mod metric;

pub use conventions::{
    Conventions, Gain, NegativeGrades, NoRelevant, Pool, PrecisionDenominator, PrecisionNorm,
};
pub(crate) use discount::discount;
#[cfg(feature = "reward")]
pub(crate) use discount::ndcg_of_hits;
pub use evaluation::{Evaluation, QueryOutcome};
pub use evaluator::{Evaluator, RankedQuery, Relevance};
pub use exposure::{EntropyForm, Exposure, Popularity, intra_list_diversity};
pub use metric::{Metric, MetricKind};
