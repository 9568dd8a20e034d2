//! Metrics of ranked lists.

mod discount;

pub(crate) use discount::discount;
pub use discount::ndcg_of_hits;
