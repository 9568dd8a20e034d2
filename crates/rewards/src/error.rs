use std::path::PathBuf;

use crate::{ItemId, Place};

/// Everything that can go wrong in this crate.
///
/// What a model writes wrongly is never an error: it is a counted flag of the breakdown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two items of a catalogue have the same id.
    #[error("item {index} of the catalogue has id `{id}`, which item {first} already has")]
    DuplicateItem {
        /// The id that occurs twice.
        id: ItemId,
        /// Position of the second occurrence.
        index: usize,
        /// Position of the first occurrence.
        first: usize,
    },

    /// A catalogue item has a blank id, title, alias, relation or value.
    #[error("item {index} of the catalogue (id `{id}`) has a blank {field}")]
    BlankField {
        /// Id of the item.
        id: ItemId,
        /// Position of the item.
        index: usize,
        /// Name of the field.
        field: &'static str,
    },

    /// More items than an [`ItemIndex`](crate::ItemIndex) can count.
    #[error("a catalogue holds at most {max} items, got {got}")]
    CatalogueTooLarge {
        /// Number of items given.
        got: usize,
        /// Largest number allowed.
        max: usize,
    },

    /// An id that the catalogue does not have.
    #[error("item `{id}` is not in the catalogue")]
    UnknownItem {
        /// The id looked up.
        id: ItemId,
    },

    /// A score was asked for without any target.
    #[error("no target given, need at least one")]
    NoTargets,

    /// An index that came from another, larger catalogue.
    #[error("item index {index} is outside the catalogue of {items} items")]
    IndexOutOfCatalogue {
        /// The index given.
        index: usize,
        /// Number of items in the catalogue.
        items: usize,
    },

    /// A setting lies outside its range.
    #[error("{setting} must be {allowed}, got {got}")]
    InvalidSetting {
        /// Name of the setting.
        setting: &'static str,
        /// The value given.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },

    /// More attributes than the graph can number.
    #[error("a graph holds at most {max} attributes")]
    GraphTooLarge {
        /// Largest number allowed.
        max: usize,
    },

    /// A target of the query alignment has no attribute in the graph.
    #[error("item `{id}` has no attribute in the graph")]
    ItemWithoutAttributes {
        /// The item.
        id: ItemId,
    },

    /// Nothing to align with: no attribute belongs to every target.
    #[error("the targets {targets:?} share no attribute in the graph")]
    NoSharedAttributes {
        /// The targets.
        targets: Vec<ItemId>,
    },

    /// Ids and vectors do not fit together.
    #[error(
        "embeddings of shape [{rows}, {dimension}] for {ids} ids: need one row per id and at least one column"
    )]
    EmbeddingShape {
        /// Number of ids.
        ids: usize,
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        dimension: usize,
    },

    /// Two rows of an embedding table have the same id.
    #[error("row {row} of the embeddings has id `{id}`, which row {first} already has")]
    DuplicateEmbedding {
        /// The id that occurs twice.
        id: String,
        /// Second row with the id.
        row: usize,
        /// First row with the id.
        first: usize,
    },

    /// A vector holds NaN or an infinity.
    #[error(
        "row {row} of the embeddings (id `{id}`) has {value} in column {column}, must be finite"
    )]
    NonFiniteEmbedding {
        /// Id of the row.
        id: String,
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// The value found.
        value: f32,
    },

    /// No row of an embedding table belongs to an item of the catalogue.
    #[error("none of the {rows} embeddings belongs to one of the {items} items of the catalogue")]
    NoEmbeddingInCatalogue {
        /// Rows of the table.
        rows: usize,
        /// Items of the catalogue.
        items: usize,
    },

    /// A vector of length 0 (after centring, if asked for), which has no cosine.
    #[error("the embedding of item `{id}` has length 0")]
    ZeroEmbedding {
        /// The item.
        id: ItemId,
    },

    /// An item of the preference alignment has no embedding.
    #[error("item `{id}` has no embedding")]
    ItemWithoutEmbedding {
        /// The item.
        id: ItemId,
    },

    /// A metric that does not exist.
    #[error(
        "`{name}` is no metric; write one as `ndcg@10` or `mrr`, with a cut-off of at least 1 where it takes one"
    )]
    UnknownMetric {
        /// The name given.
        name: String,
    },

    /// A grade that is NaN, or so large that sums of gains would overflow.
    #[error("a grade must be within ±{max:e}, got {grade}")]
    InvalidGrade {
        /// The grade given.
        grade: f64,
        /// Largest grade allowed, under the gain in use.
        max: f64,
    },

    /// One query of an evaluation could not be scored.
    #[error("query at position {query}: {cause}")]
    Query {
        /// Position in the batch.
        query: usize,
        /// Why.
        cause: Box<Error>,
    },

    /// A part of a reward was built for another catalogue than the reward.
    #[error("the {part} was built for another catalogue, whose items have other places")]
    OtherCatalogue {
        /// The part.
        part: &'static str,
    },

    /// A target that the candidates of its query do not hold, so that no answer could be right.
    #[error("target `{id}` is not among the candidates")]
    TargetOutsideCandidates {
        /// The target.
        id: ItemId,
    },

    /// A term that cannot be mixed into a reward, or that has no value for a sample.
    #[error("reward term `{term}`: {message}")]
    Term {
        /// Name of the term.
        term: String,
        /// What is wrong.
        message: String,
    },

    /// One sample of a batch could not be scored.
    #[error("query `{query}`: {cause}")]
    Sample {
        /// The query of the sample.
        query: String,
        /// Why. The message tells it already, so that it is no source, which would be told again.
        cause: Box<Error>,
    },

    /// No interaction to learn from: none given, or none with an item to set against it.
    #[error("no interaction to learn from: need a user who chose some of the items, but not all")]
    NoInteractions,

    /// More users or items than can be numbered.
    #[error("interactions hold at most {max} users and as many items, got {got}")]
    TooManyNodes {
        /// Number of users or items given.
        got: usize,
        /// Largest number allowed.
        max: usize,
    },

    /// No user has enough interactions to hold one out.
    #[error(
        "{setting} of {fraction} holds out nothing, since no user has more than {most} interactions; set it to 0 to train on all of them, or raise it"
    )]
    NothingHeldOut {
        /// `validation_fraction` or `test_fraction`.
        setting: &'static str,
        /// The fraction.
        fraction: f64,
        /// Interactions of the most active user.
        most: usize,
    },

    /// Interactions that number their users and items differently.
    #[error("the interactions differ in their users or items, need parts of one split")]
    DifferentIds,

    /// The training loss became infinite or NaN.
    #[error("the loss of epoch {epoch} is not finite, try a lower learning rate")]
    Diverged {
        /// The epoch.
        epoch: usize,
    },

    /// A file's ending names no format that can be read or written.
    #[error("{}: unknown file ending, need {allowed}", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Endings that are known.
        allowed: &'static str,
    },

    /// A file is not what its format asks for.
    #[error("{place} of {}: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Where in the file.
        place: Place,
        /// What is wrong.
        reason: String,
    },

    /// No fact of a file is about an item of the catalogue.
    #[error("none of the {triples} facts is about one of the {items} items of the catalogue")]
    NoTripleInCatalogue {
        /// Facts read.
        triples: usize,
        /// Items of the catalogue.
        items: usize,
    },

    /// A file cannot be read or written, or is not text.
    #[cfg(feature = "reward")]
    #[error(transparent)]
    File(#[from] rerec_files::Error),
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(feature = "reward")]
impl Error {
    /// Whether the data lack what a score needs, which a [`MissingPolicy`](crate::MissingPolicy)
    /// may answer.
    pub(crate) fn is_missing_data(&self) -> bool {
        matches!(
            self,
            Self::ItemWithoutAttributes { .. }
                | Self::NoSharedAttributes { .. }
                | Self::ItemWithoutEmbedding { .. }
        )
    }
}
