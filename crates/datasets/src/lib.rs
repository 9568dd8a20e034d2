//! Recommendation queries, catalogues and worlds to train on.
//!
//! [`Dataset::quickstart`] invents a world, [`Dataset::movielens`] reads MovieLens-100K, and
//! [`Dataset::compose`] builds queries from a catalogue of one's own.
#![forbid(unsafe_code)]

mod audience;
mod builder;
mod compose;
mod dataset;
mod demonstrator;
mod drills;
mod error;
mod facts;
mod intent;
mod jsonl;
mod movielens;
mod query;
mod quickstart;
mod random;
mod verl;
mod wording;

pub use builder::{QueryBuilder, QueryConfig};
pub use compose::Source;
pub use dataset::{Dataset, Demonstration, Drill, Rating, Splits, UserGroup, UserId};
pub use demonstrator::{Demonstrator, DemonstratorConfig};
pub use error::{Error, Result};
pub use intent::{ComposedQuery, Evidence};
pub use jsonl::{read_catalogue, read_jsonl, read_queries, write_jsonl};
pub use movielens::MovieLensConfig;
pub use query::{Query, QueryClass, QueryFault};
pub use quickstart::WorldConfig;
pub use verl::{ChatMessage, VerlExtra, VerlRecord, VerlReward};
pub use wording::{RelationWording, Wording};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
