//! An invented world: films, people and viewers that exist nowhere else, so nothing is downloaded.

mod films;
mod names;
mod viewers;

use serde::{Deserialize, Serialize};

use crate::builder::QueryConfig;
use crate::compose::Source;
use crate::dataset::Dataset;
use crate::demonstrator::DemonstratorConfig;
use crate::error::{Result, check};
use crate::load_context::LoadContext;
use crate::prompt::PromptConfig;
use crate::wording::Wording;

/// The size of the invented world, and what is asked about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldConfig {
    /// Films, 20 to 384. Default 240.
    pub items: usize,
    /// Directors, at least 2; with the actors at most 100. Default 24.
    pub directors: usize,
    /// Leading actors, at least 2. Default 24.
    pub actors: usize,
    /// How long the names of films and people are. Default `full`.
    pub names: NameLength,
    /// Genres, 2 to 8. Default 8.
    pub genres: usize,
    /// Decades from the 1950s on, 2 to 6. Default 6.
    pub decades: usize,
    /// Viewers, at least one per group. Default 300.
    pub users: usize,
    /// Films that each viewer rates, 1 to the number of films. Default 30.
    pub ratings_per_user: usize,
    /// Groups of viewers with a taste of their own, 1 to 8. Default 8.
    pub groups: usize,
    /// The queries.
    pub queries: QueryConfig,
    /// The demonstrations and drills.
    pub demonstrator: DemonstratorConfig,
    /// How a model is asked. Default `{ layout = "compact" }`, for models drawn afresh; for a pretrained one give `{}`.
    pub prompt: PromptConfig,
}

/// How long names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameLength {
    /// `Velmora Nights (1966)`, `Ada Lorne`: as films and people are really called.
    Full,
    /// `Velmora`, `Lorne`: fewer tokens for a model that is trained from nothing.
    Short,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            items: 240,
            directors: 24,
            actors: 24,
            names: NameLength::Full,
            genres: 8,
            decades: 6,
            users: 300,
            ratings_per_user: 30,
            groups: 8,
            queries: QueryConfig::default(),
            demonstrator: DemonstratorConfig::default(),
            prompt: PromptConfig::compact(),
        }
    }
}

impl WorldConfig {
    fn validate(&self) -> Result<()> {
        let people = self.directors.saturating_add(self.actors);
        let within = |value: usize, setting, low: usize, high: usize| {
            check(
                (low..=high).contains(&value),
                setting,
                &format!("from {low} to {high}"),
                &value,
            )
        };
        within(self.items, "items", 20, names::MAX_TITLES)?;
        within(self.directors, "directors", 2, names::MAX_PEOPLE)?;
        within(self.actors, "actors", 2, names::MAX_PEOPLE)?;
        within(people, "directors + actors", 4, names::MAX_PEOPLE)?;
        within(self.genres, "genres", 2, films::GENRES.len())?;
        within(self.decades, "decades", 2, films::MAX_DECADES)?;
        within(self.groups, "groups", 1, viewers::PLACES.len())?;
        within(self.users, "users", self.groups, 1_000_000)?;
        within(self.ratings_per_user, "ratings_per_user", 1, self.items)
    }
}

impl Dataset {
    /// The dataset of an invented world; the same seed and configuration give the same bytes.
    ///
    /// ```
    /// use rerec_datasets::{Dataset, WorldConfig};
    ///
    /// let world = Dataset::quickstart(0, &WorldConfig::default())?;
    /// assert_eq!(world.catalogue.len(), 240);
    /// assert_eq!(world.splits.test.len(), 400);
    /// assert!(world.splits.test[0].conversation[0].content.ends_with("Answer:\n"));
    /// # Ok::<(), rerec_datasets::Error>(())
    /// ```
    ///
    /// # Errors
    /// A setting out of range; a world too small for its queries.
    pub fn quickstart(seed: u64, config: &WorldConfig) -> Result<Self> {
        Self::quickstart_with(seed, config, LoadContext::default())
    }

    pub(crate) fn quickstart_with(
        seed: u64,
        config: &WorldConfig,
        context: LoadContext<'_>,
    ) -> Result<Self> {
        config.validate()?;
        let films = films::invent(seed, config);
        let audience = viewers::invent(seed, config, &films);
        let source = Source {
            catalogue: films::catalogue(&films)?,
            ratings: audience.ratings,
            groups: audience.groups,
            wording: Wording::films(
                &["director", "actor", "genre", "decade"],
                &["director", "actor"],
            ),
            prompt: config.prompt.clone(),
        };
        Self::compose_with(seed, source, &config.queries, &config.demonstrator, context)
    }
}
