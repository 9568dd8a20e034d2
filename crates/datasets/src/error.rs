//! What can go wrong with data.

use std::path::PathBuf;

use rerec_rewards::ItemId;
use rerec_text::QueryId;

use crate::obstacle::Obstacle;
use crate::query::QueryFault;
use crate::query_class::QueryClass;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of its range.
    #[error("{setting} must be {allowed}, got {got}")]
    InvalidSetting {
        /// Its name.
        setting: &'static str,
        /// What it is.
        got: String,
        /// What it may be.
        allowed: String,
    },
    /// A file cannot be read or written, or is not text.
    #[error(transparent)]
    File(#[from] rerec_files::Error),
    /// A field of a line is not what it should be.
    #[error("line {line} of {}: {field} must {allowed}, got {value:?}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The name of the field.
        field: &'static str,
        /// What it must do, for instance `be a number`.
        allowed: String,
        /// What it is.
        value: String,
    },
    /// A line has too few or too many fields.
    #[error("line {line} of {}: {expected} fields expected, got {got}", path.display())]
    FieldCount {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// As many as the header has.
        expected: u64,
        /// As many as there are.
        got: u64,
    },
    /// A line is not a record of the kind that was asked for.
    #[error("line {line} of {}: {fault}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why, by column.
        fault: String,
    },
    /// The items of a file do not form a catalogue.
    #[error("{}: {fault}", path.display())]
    Items {
        /// The file.
        path: PathBuf,
        /// Why.
        fault: rerec_rewards::Error,
    },
    /// A query of a file contradicts itself or the catalogue.
    #[error("line {line} of {}: query \"{id}\": {fault}", path.display())]
    Query {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The query.
        id: QueryId,
        /// What is wrong.
        fault: QueryFault,
    },
    /// A query names an item that the catalogue does not hold.
    #[error("{place}: item {item} is not in the catalogue")]
    UnknownItem {
        /// The item.
        item: ItemId,
        /// Where it is named.
        place: String,
    },
    /// The members of a group like nothing.
    #[error("the taste of group {group:?} is unknown: no member likes an item with two attributes")]
    NoTaste {
        /// The group.
        group: String,
    },
    /// The catalogue has no query of the class to offer.
    #[error(
        "query {id}: no {class} query found in {attempts} draws from {targets} possible targets: in {failed} of them {obstacle}"
    )]
    NoQuery {
        /// The query that was to be composed.
        id: QueryId,
        /// Its class.
        class: QueryClass,
        /// How many were drawn.
        attempts: usize,
        /// How many items were allowed as targets.
        targets: usize,
        /// What most draws failed for.
        obstacle: Obstacle,
        /// How many draws failed for it.
        failed: usize,
    },
    /// The catalogue refuses its items, or lacks one.
    #[error(transparent)]
    Catalogue(#[from] rerec_rewards::Error),
}

/// A setting's value must be allowed.
pub(crate) fn check(
    holds: bool,
    setting: &'static str,
    allowed: &str,
    got: &impl std::fmt::Debug,
) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::InvalidSetting {
        setting,
        got: format!("{got:?}"),
        allowed: allowed.to_owned(),
    })
}
