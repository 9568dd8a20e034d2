//! Catalogue, ratings and queries of one's own, each in a file of its own.

mod catalogue;
mod names;
mod numbers;
mod queries;
mod ratings;

use serde::{Deserialize, Serialize};

pub use catalogue::CatalogueFile;
pub use names::ItemNames;
pub use numbers::NumberColumn;
pub use queries::QueryFiles;
pub use ratings::RatingsFile;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::load_context::LoadContext;

pub(crate) use names::Namesake;
pub(crate) use queries::conversation;

/// Catalogue, ratings and queries in files: JSONL, CSV, TSV or Parquet, by their endings.
///
/// ```toml
/// [data.files.catalogue]
/// file = "items.csv"
/// title = "name"                               # the others keep their default names
/// attributes = { genres = "genre" }            # column genres holds values of the relation genre
///
/// [data.files.ratings]
/// file = "stars.csv"
/// rating = "stars"
/// scale = [0.5, 5.0]
///
/// [data.files.queries]
/// train = "train.jsonl"
/// test = "test.jsonl"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesConfig {
    /// The items.
    pub catalogue: CatalogueFile,
    /// Who chose what. Default: nothing is known.
    #[serde(default)]
    pub ratings: Option<RatingsFile>,
    /// The queries.
    pub queries: QueryFiles,
}

impl Dataset {
    /// Reads catalogue, ratings and queries from files; there are neither demonstrations nor drills.
    ///
    /// # Errors
    /// A setting out of range; a file that is missing or malformed, by line or row and column; items that the catalogue does
    /// not have; a query that contradicts itself.
    pub fn from_files(config: &FilesConfig) -> Result<Self> {
        Self::from_files_with(config, LoadContext::default())
    }

    pub(crate) fn from_files_with(config: &FilesConfig, context: LoadContext<'_>) -> Result<Self> {
        let mut dataset = Self {
            catalogue: config.catalogue.read_with(context)?,
            // Without a table of ratings there is no threshold to exclude anything; `read_into`
            // replaces it.
            liked_from: f64::NEG_INFINITY,
            ..Self::default()
        };
        if let Some(file) = &config.ratings {
            file.read_into(&mut dataset, context)?;
        }
        dataset.splits = config.queries.read_with(&dataset.catalogue, context)?;
        dataset.split_by = config.queries.split_by;
        dataset.remark_absences();
        Ok(dataset)
    }
}
