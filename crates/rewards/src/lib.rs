//! Ranking metrics, title matching and the dual-graph reward for recommendation.
#![forbid(unsafe_code)]

mod catalogue;
mod error;

pub use catalogue::{Attribute, Catalogue, Item, ItemId, ItemIndex};
pub use error::{Error, Result};
