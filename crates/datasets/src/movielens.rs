//! MovieLens-100K, as the RecBole 1.2.1 wheel packs it: `ml-100k.item`, `ml-100k.user`, `ml-100k.inter`.
//!
//! The knowledge graph beside them is not read: its link file holds the ids of MovieLens-1M.

mod films;
mod table;
mod viewers;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::builder::QueryConfig;
use crate::compose::Source;
use crate::dataset::Dataset;
use crate::demonstrator::DemonstratorConfig;
use crate::error::{Result, check};
use crate::wording::Wording;

/// What is read of MovieLens-100K, and what is asked about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MovieLensConfig {
    /// Folder with `ml-100k.item`, `ml-100k.user` and `ml-100k.inter`. Default `data/ml-100k`.
    pub folder: PathBuf,
    /// Ratings below which a film is left out. Default 20, which leaves 931 of 1,663 films.
    pub min_ratings: usize,
    /// Users below which a group is left out, at least 1. Default 20.
    pub min_group: usize,
    /// The queries; here 20 candidates by default.
    pub queries: QueryConfig,
    /// The demonstrations and drills; here patience lasts longer by default, as there is more to check.
    pub demonstrator: DemonstratorConfig,
}

impl Default for MovieLensConfig {
    fn default() -> Self {
        Self {
            folder: "data/ml-100k".into(),
            min_ratings: 20,
            min_group: 20,
            queries: QueryConfig {
                candidates: 20,
                ..QueryConfig::default()
            },
            demonstrator: DemonstratorConfig {
                haste_later: 0.03,
                ..DemonstratorConfig::default()
            },
        }
    }
}

impl Dataset {
    /// Queries on the genres and decades of real films.
    ///
    /// Films listed under two ids become one; what stands in brackets behind a title becomes an alias.
    ///
    /// # Errors
    /// A missing file, or a faulty line by file, line and field; a setting out of range.
    pub fn movielens(seed: u64, config: &MovieLensConfig) -> Result<Self> {
        check(
            config.min_group >= 1,
            "min_group",
            "at least 1",
            &config.min_group,
        )?;
        let folder = &config.folder;
        let mut films = films::read(&folder.join("ml-100k.item"))?;
        let mut ratings = films.read_ratings(&folder.join("ml-100k.inter"))?;
        films.keep_rated(&mut ratings, config.min_ratings);
        let groups = viewers::read_groups(&folder.join("ml-100k.user"), config.min_group)?;
        let source = Source {
            catalogue: films.into_catalogue()?,
            ratings,
            groups,
            // Nobody mistakes a decade when the year stands in the title.
            wording: Wording::films(&["genre", "decade"], &["genre"]),
        };
        Self::compose(seed, source, &config.queries, &config.demonstrator)
    }
}
