//! Where a dataset comes from, as a configuration says it.

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::movielens::MovieLensConfig;
use crate::quickstart::WorldConfig;

/// Where catalogue, ratings and queries come from.
///
/// ```
/// use rerec_datasets::{DataSource, WorldConfig};
///
/// let source = DataSource::Quickstart(WorldConfig::default());
/// let dataset = source.load(7)?;
/// assert_eq!(dataset.splits.train.len(), 2000);
/// # Ok::<(), rerec_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DataSource {
    /// A world invented from the seed; nothing is downloaded.
    Quickstart(WorldConfig),
    /// MovieLens-100K.
    Movielens(MovieLensConfig),
}

impl DataSource {
    /// Reads or invents the data. The seed decides every random choice.
    ///
    /// # Errors
    /// A setting out of range; a file that is missing or malformed, by its place; a source that offers too little for its queries.
    pub fn load(&self, seed: u64) -> Result<Dataset> {
        match self {
            Self::Quickstart(config) => Dataset::quickstart(seed, config),
            Self::Movielens(config) => Dataset::movielens(seed, config),
        }
    }
}
