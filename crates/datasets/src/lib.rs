//! Recommendation queries, catalogues and worlds to train on.
//!
//! [`DataSource::load`] gives a [`Dataset`] from a configuration: an invented world or MovieLens-100K.
//! [`Dataset::compose`] builds queries from a catalogue of one's own.
#![forbid(unsafe_code)]

mod amazon;
mod audience;
mod builder;
mod compose;
mod dataset;
mod demonstrator;
mod drills;
mod error;
mod facts;
mod files;
mod intent;
mod jsonl;
mod marks;
mod movielens;
mod obstacle;
mod prompt;
mod query;
mod query_class;
mod quickstart;
mod random;
mod recbench;
mod source;
mod table;
mod verl;
mod wording;

pub use amazon::AmazonConfig;
pub use builder::{QueryBuilder, QueryConfig};
pub use compose::Source;
pub use dataset::{Dataset, Demonstration, Drill, Rating, Splits, UserGroup, UserId};
pub use demonstrator::{Demonstrator, DemonstratorConfig};
pub use error::{Error, Result};
pub use files::{CatalogueFile, FilesConfig, ItemNames, QueryFiles, RatingsFile};
pub use intent::{ComposedQuery, Evidence};
pub use jsonl::{read_catalogue, read_jsonl, read_queries, write_jsonl};
pub use movielens::MovieLensConfig;
pub use obstacle::Obstacle;
pub use prompt::PromptConfig;
pub use query::{Query, QueryFault};
pub use query_class::QueryClass;
pub use quickstart::WorldConfig;
pub use recbench::{Domain, RecBenchConfig};
pub use source::DataSource;
pub use table::Place;
pub use verl::{VerlConfig, VerlExtra, VerlRecord, VerlReward};
pub use wording::{RelationWording, Wording};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
