//! What can go wrong with data.

use std::path::PathBuf;

use rerec_rewards::ItemId;

use crate::query::{QueryClass, QueryFault};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of its range.
    #[error("{setting} must be {allowed}, got {value}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it may be.
        allowed: String,
        /// What it is.
        value: String,
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
    #[error("line {line} of {}: query {id:?}: {fault}", path.display())]
    Query {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The query.
        id: String,
        /// What is wrong.
        fault: QueryFault,
    },
    /// A verl record lacks what a query needs.
    #[error("verl record {id:?}: {fault}")]
    VerlRecord {
        /// The query of the record.
        id: String,
        /// What is wrong.
        fault: &'static str,
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
    #[error("query {id}: no {} query found in {attempts} draws from {targets} possible targets", class.label())]
    NoQuery {
        /// The query that was to be composed.
        id: String,
        /// Its class.
        class: QueryClass,
        /// How many were drawn.
        attempts: usize,
        /// How many items were allowed as targets.
        targets: usize,
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
    value: &impl std::fmt::Debug,
) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Setting {
        setting,
        allowed: allowed.to_owned(),
        value: format!("{value:?}"),
    })
}
