//! What can go wrong with data.

use std::path::{Path, PathBuf};

use rerec_files::NotText;
use rerec_rewards::ItemId;
use rerec_text::QueryId;

use crate::obstacle::Obstacle;
use crate::query::QueryFault;
use crate::query_class::QueryClass;
use crate::table::Place;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A template does not do what it must.
    #[error("{setting}: {cause}")]
    Template {
        /// The setting that holds it.
        setting: String,
        /// What is wrong.
        cause: String,
    },
    /// A relation that queries are to ask about, and no item has.
    #[error("no item has the relation {relation:?}; the relations of the catalogue are {}", found.join(", "))]
    UnknownRelation {
        /// The relation.
        relation: String,
        /// Those that items have.
        found: Vec<String>,
    },
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
    /// A file's ending names no format that is read.
    #[error("{}: the ending must be .jsonl, .csv, .tsv or .parquet", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A Parquet file, and no reader for it.
    #[error("{}: to read Parquet, build with `--features parquet`", path.display())]
    WithoutParquet {
        /// The file.
        path: PathBuf,
    },
    /// Sentences in other words are asked for, and there is no client for it.
    #[error("wording.paraphrase: to ask an endpoint, build with `--features paraphrase`")]
    WithoutParaphrase,
    /// The key of an endpoint is not in the environment.
    #[error("wording.paraphrase.key_variable: the environment has no variable {variable}")]
    NoKey {
        /// The variable.
        variable: String,
    },
    /// An endpoint does not answer as it should.
    #[error("{address} gives no phrase: {cause}")]
    Endpoint {
        /// Its address.
        address: String,
        /// Why.
        cause: String,
    },
    /// A folder holds no edition of MovieLens.
    #[error("{} holds none of ml-100k.item, movies.dat and movies.csv, by which an edition of MovieLens is known; `cargo xtask movielens` in a checkout of ReRec fetches ml-100k", folder.display())]
    NoEdition {
        /// The folder.
        folder: PathBuf,
    },
    /// The table of films that a configuration of MovieLens names is not there.
    #[error("{} is missing; `cargo xtask movielens` in a checkout of ReRec makes data/films/people.jsonl", path.display())]
    NoFilmTable {
        /// The file.
        path: PathBuf,
    },
    /// A file of RecBench+ is not there.
    #[error("{} is missing: a folder of RecBench+ holds a file of queries for each class that is read, and movies.dat and ratings.dat of MovieLens-1M, or ratings.dat of the books", path.display())]
    NoRecBenchFile {
        /// The file.
        path: PathBuf,
    },
    /// A file is damaged, or holds what is not read.
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A record does not fit the file that it goes to.
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A table lacks a column.
    #[error("{} has no column {column:?}; its columns are {}", path.display(), found.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Those it has.
        found: Vec<String>,
    },
    /// A table has a column twice.
    #[error("{} has the column {column:?} twice", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// The fields of a table are parted by something else.
    #[error("the header of {} is parted by {separator:?}; need commas in .csv, tabs in .tsv", path.display())]
    OtherSeparator {
        /// The file.
        path: PathBuf,
        /// What parts the fields.
        separator: &'static str,
    },
    /// A table of films that holds no item of the catalogue.
    #[error("{}: by title and year none of its {films} films is one of the {items} items of the catalogue", path.display())]
    NoFilmJoined {
        /// The file.
        path: PathBuf,
        /// How many films it has.
        films: usize,
        /// How many items there are.
        items: usize,
    },
    /// A field is not what it should be.
    #[error("{place} of {}: {field} must {allowed}, got {got}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The line or row.
        place: Place,
        /// The name of the field.
        field: String,
        /// What it must do, for instance `be a number`.
        allowed: String,
        /// What it is.
        got: String,
    },
    /// A line has too few or too many fields.
    #[error("{place} of {}: {expected} fields expected, got {got}", path.display())]
    FieldCount {
        /// The file.
        path: PathBuf,
        /// The line.
        place: Place,
        /// As many as the header has.
        expected: u64,
        /// As many as there are.
        got: u64,
    },
    /// A line is not a record of the kind that was asked for.
    #[error("{place} of {}: {cause}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line.
        place: Place,
        /// Why, with the column.
        cause: String,
    },
    /// A file holds nothing that is of use.
    #[error("{} holds no {what}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
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
    #[error("{place} of {}: query \"{id}\": {fault}", path.display())]
    Query {
        /// The file.
        path: PathBuf,
        /// The line or row.
        place: Place,
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
        "query {id}: no {class} query found in {attempts} draws from {available} {kind}: in {failed} of them {obstacle}"
    )]
    NoQuery {
        /// The query that was to be composed.
        id: QueryId,
        /// Its class.
        class: QueryClass,
        /// How many were drawn.
        attempts: usize,
        /// What was drawn from: possible targets, users or choices.
        kind: &'static str,
        /// How many of these there are.
        available: usize,
        /// What most draws failed for.
        obstacle: Obstacle,
        /// How many draws failed for it.
        failed: usize,
    },
    /// A file cannot be read or written, or is not text.
    #[error(transparent)]
    File(#[from] rerec_files::Error),
    /// The catalogue refuses its items, or lacks one.
    #[error(transparent)]
    Catalogue(#[from] rerec_rewards::Error),
}

impl Error {
    /// Refuses a file or folder that held nothing of use.
    pub(crate) fn refuse_empty<T>(read: &[T], path: &Path, what: &'static str) -> Result<()> {
        match read.is_empty() {
            true => Err(Self::Empty {
                path: path.to_owned(),
                what,
            }),
            false => Ok(()),
        }
    }

    pub(crate) fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| {
            Self::File(rerec_files::Error::Io {
                action: "read",
                path,
                source,
            })
        }
    }

    /// Bytes of a line that are no text; `fault` counts lines within them.
    pub(crate) fn not_text(path: &Path, line: u64, fault: NotText) -> Self {
        let line = line as usize;
        let source = match fault {
            NotText::Byte { byte, .. } => NotText::Byte { line, byte },
            NotText::LoneSurrogate { .. } => NotText::LoneSurrogate { line },
            other => other,
        };
        Self::File(rerec_files::Error::NotText {
            path: path.to_owned(),
            source,
        })
    }
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
