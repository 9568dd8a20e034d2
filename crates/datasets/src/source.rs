//! Where a dataset comes from, as a configuration says it.

use serde::{Deserialize, Serialize};

use crate::amazon::AmazonConfig;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::files::FilesConfig;
use crate::load_context::LoadContext;
use crate::movielens::MovieLensConfig;
use crate::own_catalogue::CatalogueConfig;
use crate::prompt::PromptConfig;
use crate::quickstart::WorldConfig;
use crate::recbench::RecBenchConfig;
use crate::verl::VerlConfig;

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
    /// MovieLens-100K, 1M, 25M, 32M or latest.
    Movielens(MovieLensConfig),
    /// Queries built from a catalogue of one's own.
    Catalogue(Box<CatalogueConfig>),
    /// Catalogue, ratings and queries in files.
    Files(FilesConfig),
    /// RecBench+'s queries, each as a choice.
    Recbench(RecBenchConfig),
    /// Records made for verl.
    Verl(VerlConfig),
    /// Amazon Reviews 2023.
    Amazon(AmazonConfig),
}

impl DataSource {
    /// How a model is asked, where the source makes its prompts itself.
    pub fn prompt(&self) -> Option<&PromptConfig> {
        match self {
            Self::Quickstart(config) => Some(&config.prompt),
            Self::Movielens(config) => Some(&config.prompt),
            Self::Catalogue(config) => Some(&config.prompt),
            Self::Recbench(config) => Some(&config.prompt),
            Self::Amazon(config) => Some(&config.prompt),
            Self::Files(_) | Self::Verl(_) => None,
        }
    }

    /// Reads or invents the data. The seed decides every random choice.
    ///
    /// # Errors
    /// A setting out of range; a file that is missing or malformed, by its place; a source that offers too little for its queries.
    pub fn load(&self, seed: u64) -> Result<Dataset> {
        self.load_with(seed, LoadContext::default())
    }

    /// As [`load`](Self::load), with a tokenizer's counts, and telling how far it is.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use rerec_datasets::{DataSource, LoadContext, Progress, WorldConfig};
    ///
    /// let told = Cell::new(0);
    /// let progress = |progress: Progress<'_>| if let Progress::Composing { .. } = progress { told.set(told.get() + 1) };
    /// let context = LoadContext { progress: &progress, ..LoadContext::default() };
    /// DataSource::Quickstart(WorldConfig::default()).load_with(7, context)?;
    /// assert_eq!(told.get(), 2600); // one of each query
    /// # Ok::<(), rerec_datasets::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(&self, seed: u64, context: LoadContext<'_>) -> Result<Dataset> {
        match self {
            Self::Quickstart(config) => Dataset::quickstart_with(seed, config, context),
            Self::Movielens(config) => Dataset::movielens_with(seed, config, context),
            Self::Catalogue(config) => Dataset::from_catalogue_with(seed, config, context),
            Self::Files(config) => Dataset::from_files_with(config, context),
            Self::Recbench(config) => Dataset::recbench_with(seed, config, context),
            Self::Verl(config) => Dataset::from_verl_with(config, context),
            Self::Amazon(config) => Dataset::amazon_with(seed, config, context),
        }
    }
}
