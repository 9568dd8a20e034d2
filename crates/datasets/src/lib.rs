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
mod movielens;
mod query;
mod quickstart;
mod random;
mod wording;

pub use builder::{QueryBuilder, QueryConfig};
pub use dataset::{Dataset, Demonstration, Rating, Source, Splits, UserGroup, UserId};
pub use demonstrator::{Demonstrator, DemonstratorConfig};
pub use error::{Error, Result};
pub use intent::{ComposedQuery, Evidence};
pub use movielens::MovieLensConfig;
pub use query::{Query, QueryClass};
pub use quickstart::WorldConfig;
pub use wording::{RelationWording, Wording};
