#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "reward")]
mod answer;
mod catalogue;
#[cfg(feature = "reward")]
mod embeddings;
mod error;
#[cfg(feature = "reward")]
mod fault;
#[cfg(feature = "reward")]
mod graph;
#[cfg(feature = "reward")]
mod header;
#[cfg(feature = "reward")]
mod lightgcn;
#[cfg(feature = "reward")]
mod matcher;
#[cfg(feature = "reward")]
mod missing;
mod place;
#[cfg(feature = "ranking")]
mod ranking;
#[cfg(feature = "reward")]
mod reward;

#[cfg(feature = "reward")]
pub use answer::{
    Answer, AnswerBox, AnswerChoice, AnswerItem, AnswerReader, Flag, ListEntry, answer_box,
    list_entries, list_titles,
};
pub use catalogue::{Attribute, Catalogue, Item, ItemId, ItemIndex};
#[cfg(feature = "reward")]
pub use embeddings::{
    ContrastReport, EmbeddingFormat, EmbeddingTable, ItemEmbeddings, MAX_CONTRAST, Similarity,
    SimilarityConfig,
};
pub use error::{Error, Result};
#[cfg(feature = "reward")]
pub use graph::{
    Agreement, AlignmentConfig, AttributeGraph, AttributeWeighting, DEFAULT_RELATION, GraphFile,
    GraphFormat, GraphNode, GraphStatistics, IdSpaceCheck, JoinBy, JoinReport, JoinedGraph,
    RelationStatistics, Triple,
};
#[cfg(feature = "reward")]
pub use lightgcn::{
    EpochReport, FittedLightGcn, InteractionFormat, InteractionSplit, Interactions, LightGcn,
    LightGcnConfig, RankingQuality,
};
#[cfg(feature = "reward")]
pub use matcher::{TitleLookup, TitleMatch, TitleMatcher};
#[cfg(feature = "reward")]
pub use missing::MissingPolicy;
#[cfg(feature = "reward")]
pub use ndarray;
pub use place::Place;
#[cfg(feature = "ranking")]
pub use ranking::{
    Conventions, EntropyForm, Evaluation, Evaluator, Exposure, Gain, Metric, MetricKind,
    NegativeGrades, NoRelevant, Pool, Popularity, PrecisionDenominator, PrecisionNorm,
    QueryOutcome, RankedQuery, Relevance, intra_list_diversity,
};
#[cfg(feature = "reward")]
pub use reward::{
    ConditionCredit, DualGraphConfig, DualGraphReward, ListAlignment, MixedReward, Reward,
    RewardBreakdown, RewardPart, RewardSummary, RewardTerm, RewardWeights, Sample, ScoredSample,
    per_sample,
};
