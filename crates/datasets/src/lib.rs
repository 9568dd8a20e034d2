//! Recommendation queries, catalogues and worlds to train on
#![forbid(unsafe_code)]

mod audience;
mod builder;
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
pub use dataset::{Dataset, Demonstration, Rating, Source, Splits, UserGroup, UserId};
pub use demonstrator::{Demonstrator, DemonstratorConfig};
pub use error::{Error, Result};
pub use intent::{ComposedQuery, Evidence};
pub use jsonl::{read_catalogue, read_jsonl, read_queries, write_jsonl};
pub use movielens::MovieLensConfig;
pub use query::{Query, QueryClass, QueryFault};
pub use quickstart::WorldConfig;
pub use verl::{ChatMessage, VerlExtra, VerlRecord, VerlReward};
pub use wording::{RelationWording, Wording};
