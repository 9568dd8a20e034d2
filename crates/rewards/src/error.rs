use std::path::PathBuf;

use crate::ItemId;

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

    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;
