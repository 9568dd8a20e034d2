//! MovieLens: 100K as the RecBole 1.2.1 wheel packs it (`ml-100k.item`, `.user`, `.inter`), 1M (`movies.dat` and so on), 25M,
//! 32M and latest (`movies.csv`, `ratings.csv`).
//!
//! The knowledge graph beside the files of 100K is not read: its link file holds the ids of MovieLens-1M.

mod edition;
mod films;
mod people;
mod viewers;

use std::path::{Path, PathBuf};

use rerec_rewards::Catalogue;
use serde::{Deserialize, Serialize};

use self::edition::Edition;
use crate::builder::QueryConfig;
use crate::compose::Source;
use crate::dataset::{Dataset, Rating};
use crate::demonstrator::DemonstratorConfig;
use crate::error::{Result, check};
use crate::load_context::LoadContext;
use crate::prompt::PromptConfig;

/// Which edition of MovieLens is read, and what is asked about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MovieLensConfig {
    /// Folder of the edition: `ml-100k.item`, `ml-100k.user` and `ml-100k.inter`, or `movies.dat`, `users.dat` and `ratings.dat`,
    /// or `movies.csv` and `ratings.csv`; the last has no groups of users, so that `queries.classes` must leave demographics
    /// out. Default `data/ml-100k`.
    pub folder: PathBuf,
    /// Ratings below which a film is left out. Default 20, which leaves 931 of the 1,663 films of 100K.
    pub min_ratings: usize,
    /// Users below which a group is left out, at least 1. Default 20.
    pub min_group: usize,
    /// The queries; here 20 candidates by default.
    pub queries: QueryConfig,
    /// The demonstrations and drills; here patience lasts longer by default, as there is more to check.
    pub demonstrator: DemonstratorConfig,
    /// A table of films with the people who made them, as [`join_people`](crate::join_people) reads it. Default: none, and queries ask
    /// for genres and decades alone.
    pub people: Option<PathBuf>,
    /// The most actors of a film: the first of its list. Without `people` it has no effect. Default 3.
    pub actors: usize,
    /// How a model is asked. Default `{ layout = "compact" }`, for models drawn afresh; for a pretrained one give `{}`.
    pub prompt: PromptConfig,
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
            people: None,
            actors: 3,
            prompt: PromptConfig::compact(),
        }
    }
}

impl Dataset {
    /// Queries on the genres and decades of real films, and on who made them where a table tells.
    ///
    /// Films listed under two ids become one; what stands in brackets behind a title becomes an alias.
    ///
    /// # Errors
    /// A missing file, or a faulty line by file, line and field; a setting out of range.
    pub fn movielens(seed: u64, config: &MovieLensConfig) -> Result<Self> {
        Self::movielens_with(seed, config, LoadContext::default())
    }

    pub(crate) fn movielens_with(
        seed: u64,
        config: &MovieLensConfig,
        context: LoadContext<'_>,
    ) -> Result<Self> {
        check(
            config.min_group >= 1,
            "min_group",
            "at least 1",
            &config.min_group,
        )?;
        let folder = &config.folder;
        let edition = Edition::of(folder)?;
        let (catalogue, ratings) = read(edition, folder, config.min_ratings, context)?;
        let groups = match &edition.users {
            Some(users) => viewers::read_groups(folder, users, config.min_group)?,
            None => Vec::new(),
        };
        let mut spoken = people::spoken(config, catalogue, &ratings)?;
        let source = Source {
            catalogue: spoken.catalogue,
            ratings,
            groups,
            wording: spoken.wording,
            prompt: config.prompt.clone(),
        };
        let mut dataset =
            Self::compose_with(seed, source, &config.queries, &config.demonstrator, context)?;
        spoken.remarks.append(&mut dataset.remarks);
        dataset.remarks = spoken.remarks;
        Ok(dataset)
    }
}

/// The films of the edition in a folder that were rated often enough, and their ratings.
pub(crate) fn films_and_ratings(
    folder: &Path,
    min_ratings: usize,
    context: LoadContext<'_>,
) -> Result<(Catalogue, Vec<Rating>)> {
    read(Edition::of(folder)?, folder, min_ratings, context)
}

fn read(
    edition: &Edition,
    folder: &Path,
    min_ratings: usize,
    context: LoadContext<'_>,
) -> Result<(Catalogue, Vec<Rating>)> {
    let mut films = films::read(folder, edition)?;
    let mut ratings = films.read_ratings(folder, edition, context)?;
    films.keep_rated(&mut ratings, min_ratings);
    Ok((films.into_catalogue()?, ratings))
}
