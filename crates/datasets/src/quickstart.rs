//! An invented world: films, people and viewers that exist nowhere else, so nothing is downloaded.

mod medium;
mod names;
mod transfer;
mod viewers;
mod works;

use serde::{Deserialize, Serialize};

use crate::builder::QueryConfig;
use crate::compose::Source;
use crate::dataset::Dataset;
use crate::demonstrator::DemonstratorConfig;
use crate::error::{Result, check};
use crate::load_context::LoadContext;
use crate::prompt::PromptConfig;
use medium::{BOOKS, FILMS, Medium};

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
    /// The most stars that a rating differs from the viewer's taste, (0, 4]: the more, the less a history tells. Default 1.
    pub rating_noise: f64,
    /// Groups of viewers with a taste of their own, 1 to 8. Default 8.
    pub groups: usize,
    /// Whether the test queries ask about books. The warm start then teaches a second catalogue of as many invented books, with relations of
    /// their own (author, illustrator, subject, language), which no query to train on or to validate by is about. Default false.
    pub transfer: bool,
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
            rating_noise: 1.0,
            groups: 8,
            transfer: false,
            queries: QueryConfig::default(),
            demonstrator: DemonstratorConfig::default(),
            prompt: PromptConfig::compact(),
        }
    }
}

impl WorldConfig {
    fn validate(&self) -> Result<()> {
        // Two catalogues share the names.
        let catalogues = if self.transfer { 2 } else { 1 };
        let (titles, names) = (
            names::MAX_TITLES / catalogues,
            names::MAX_PEOPLE / catalogues,
        );
        let people = self.directors.saturating_add(self.actors);
        let within = |value: usize, setting, low: usize, high: usize| {
            check(
                (low..=high).contains(&value),
                setting,
                &format!("from {low} to {high}"),
                &value,
            )
        };
        within(self.items, "items", 20, titles)?;
        within(self.directors, "directors", 2, names)?;
        within(self.actors, "actors", 2, names)?;
        within(people, "directors + actors", 4, names)?;
        within(self.genres, "genres", 2, FILMS.genres.len())?;
        within(self.decades, "decades", 2, FILMS.periods.len())?;
        within(self.groups, "groups", 1, viewers::PLACES.len())?;
        within(self.users, "users", self.groups, 1_000_000)?;
        within(self.ratings_per_user, "ratings_per_user", 1, self.items)?;
        let noise = self.rating_noise;
        check(
            noise > 0.0 && noise <= 4.0,
            "rating_noise",
            "in (0, 4]",
            &noise,
        )
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
        let films = compose(seed, config, &FILMS, context)?;
        match config.transfer {
            true => transfer::join(films, compose(seed, config, &BOOKS, context)?),
            false => Ok(films),
        }
    }
}

/// The dataset of one invented catalogue.
fn compose(
    seed: u64,
    config: &WorldConfig,
    medium: &Medium,
    context: LoadContext<'_>,
) -> Result<Dataset> {
    let works = works::invent(seed, config, medium);
    let audience = viewers::invent(seed, config, medium, &works);
    let source = Source {
        catalogue: works::catalogue(&works, medium)?,
        ratings: audience.ratings,
        groups: audience.groups,
        wording: medium.wording(),
        prompt: config.prompt.clone(),
    };
    Dataset::compose_with(seed, source, &config.queries, &config.demonstrator, context)
}
