#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod catalogue;
mod embeddings;
mod error;
mod fault;
mod graph;
mod lightgcn;
mod matcher;
mod missing;
mod ranking;
mod reward;

pub use answer::{
    Answer, AnswerBox, AnswerChoice, AnswerItem, AnswerReader, Flag, ListEntry, answer_box,
    list_entries, list_titles,
};
pub use catalogue::{Attribute, Catalogue, Item, ItemId, ItemIndex};
pub use embeddings::{
    ContrastReport, EmbeddingFormat, EmbeddingTable, ItemEmbeddings, MAX_CONTRAST, Similarity,
    SimilarityConfig,
};
pub use error::{Error, Result};
pub use fault::Place;
pub use graph::{
    Agreement, AlignmentConfig, AttributeGraph, AttributeWeighting, DEFAULT_RELATION, GraphFile,
    GraphFormat, GraphNode, GraphStatistics, IdSpaceCheck, JoinBy, JoinReport, JoinedGraph,
    RelationStatistics, Triple,
};
pub use lightgcn::{
    EpochReport, FittedLightGcn, InteractionFormat, InteractionSplit, Interactions, LightGcn,
    LightGcnConfig, RankingQuality,
};
pub use matcher::{TitleLookup, TitleMatch, TitleMatcher};
pub use missing::MissingPolicy;
pub use ranking::{
    Conventions, EntropyForm, Evaluation, Evaluator, Exposure, Gain, Metric, MetricKind,
    NegativeGrades, NoRelevant, Pool, Popularity, PrecisionDenominator, PrecisionNorm,
    QueryOutcome, RankedQuery, Relevance, intra_list_diversity,
};
pub use reward::{
    DualGraphConfig, DualGraphReward, ListAlignment, MixedReward, Reward, RewardBreakdown,
    RewardSummary, RewardTerm, RewardWeights, Sample, per_sample,
};

/// Compiles and runs the example in the workspace's README, which depends on this crate alone.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct WorkspaceReadme;
