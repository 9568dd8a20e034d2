//! Recommendation queries, catalogues and worlds to train on.
//!
//! [`DataSource::load`] gives a [`Dataset`] from a configuration: an invented world, MovieLens, Amazon Reviews, RecBench+,
//! records of verl, or files of one's own.
//! [`Dataset::compose`] builds queries from a catalogue of one's own.
#![forbid(unsafe_code)]

mod amazon;
mod answer;
mod attributes;
mod audience;
mod builder;
mod compose;
mod dataset;
mod demonstrator;
mod drills;
mod error;
mod export;
mod facts;
mod files;
mod inspection;
mod intent;
mod jsonl;
mod load_context;
mod marks;
mod movielens;
mod obstacle;
mod own_catalogue;
mod paraphrase;
#[cfg(feature = "parquet")]
mod parquet_file;
mod people;
mod prompt;
mod query;
mod query_class;
mod quickstart;
mod random;
mod recbench;
mod retriever;
mod source;
mod split_by;
mod table;
mod template;
mod verl;
mod wording;

pub use amazon::AmazonConfig;
pub use builder::{Negatives, Pool, QueryBuilder, QueryConfig};
pub use compose::Source;
pub use dataset::{Dataset, Demonstration, Drill, Rating, Splits, UserGroup, UserId};
pub use demonstrator::{Demonstrator, DemonstratorConfig};
pub use error::{Error, Result};
pub use export::Format;
pub use files::{CatalogueFile, FilesConfig, ItemNames, NumberColumn, QueryFiles, RatingsFile};
pub use inspection::{Inspection, Leak, QuerySample, RelationCoverage, SplitSummary, Spread};
pub use intent::{ComposedQuery, Evidence};
pub use jsonl::{read_catalogue, read_jsonl, read_queries, write_jsonl};
pub use load_context::{LoadContext, Progress, estimated_tokens};
pub use movielens::MovieLensConfig;
pub use obstacle::Obstacle;
pub use own_catalogue::{CatalogueConfig, GroupsFile};
pub use paraphrase::ParaphraseConfig;
pub use people::{FilmPair, JoinedBy, JoinedPeople, PeopleReport, join_people};
pub use prompt::{Layout, PromptConfig};
pub use query::{Query, QueryFault};
pub use query_class::QueryClass;
pub use quickstart::{NameLength, WorldConfig};
pub use recbench::{Domain, RecBenchConfig};
pub use retriever::Retriever;
pub use source::DataSource;
pub use split_by::SplitBy;
pub use table::Place;
pub use verl::{VerlConfig, VerlExtra, VerlRecord, VerlReward};
pub use wording::{RelationWording, Sentences, Wording};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
