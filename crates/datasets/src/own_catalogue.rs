//! Queries built from a catalogue of one's own: a table of items, and where there are any, of ratings and of groups of users.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::builder::QueryConfig;
use crate::compose::Source;
use crate::dataset::{Dataset, UserGroup, UserId};
use crate::demonstrator::DemonstratorConfig;
use crate::error::Result;
use crate::files::{CatalogueFile, RatingsFile};
use crate::load_context::LoadContext;
use crate::prompt::PromptConfig;
use crate::query_class::QueryClass;
use crate::table::{Column, Table};
use crate::wording::Wording;

/// A catalogue of one's own, and what is asked about it.
///
/// ```
/// use rerec_datasets::CatalogueConfig;
///
/// let config: CatalogueConfig = toml::from_str(r#"
///     [items]
///     file = "recipes.csv"
///     attributes = { ingredients = "ingredient" }
///     numbers = { minutes = { relation = "time", unit = "minutes", thresholds = [30, 60] } }
///
///     [ratings]
///     file = "ratings.csv"
///     rating = "stars"
///
///     [wording]
///     noun = "recipe"
///     relations = [
///         { relation = "ingredient", named = "with {{ values }}" },
///         { relation = "time range", named = "that takes {{ values }}", mistakable = false },
///     ]
/// "#)?;
/// assert_eq!(config.wording.noun, "recipe");
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogueConfig {
    /// The items; without attributes or numbers nothing can be asked about them.
    pub items: CatalogueFile,
    /// Who chose what. Default: nothing is known, and there are neither histories nor queries of interest and demographics.
    pub ratings: Option<RatingsFile>,
    /// Groups of users. Default: none, and no queries of demographics.
    pub groups: Option<GroupsFile>,
    /// How items and their relations are spoken of. Default: all relations in plain words.
    pub wording: Wording,
    /// The queries. What counts as liking is said with the ratings; `liked_from` here has no effect.
    pub queries: QueryConfig,
    /// The demonstrations and drills of the warm start.
    pub demonstrator: DemonstratorConfig,
    /// How a model is asked.
    pub prompt: PromptConfig,
}

/// A table of the members of groups, one a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupsFile {
    /// The file, with the ending .jsonl, .csv, .tsv or .parquet.
    pub file: PathBuf,
    /// Column of the groups' names, as they stand in a prompt. Default `group`.
    pub group: String,
    /// Column of the users. Default `user`.
    pub user: String,
}

impl Default for GroupsFile {
    fn default() -> Self {
        Self {
            file: "groups.csv".into(),
            group: "group".into(),
            user: "user".into(),
        }
    }
}

impl GroupsFile {
    fn read(&self, context: LoadContext<'_>) -> Result<Vec<UserGroup>> {
        let mut groups = BTreeMap::<String, Vec<UserId>>::new();
        let columns = [&self.group, &self.user].map(|name| Column::required(name));
        Table::open(&self.file)?
            .watched(context)
            .rows(&columns, |row| {
                let (group, user) = (row.text(0)?, row.text(1)?);
                let members = groups.entry(group.trim().to_owned()).or_default();
                members.push(user.trim().into());
                Ok(())
            })?;
        let group = |(name, users)| UserGroup { name, users };
        Ok(groups.into_iter().map(group).collect())
    }
}

impl Dataset {
    /// Composes queries on the attributes of a catalogue of one's own.
    ///
    /// Classes that the data have nothing for are left out: interest without ratings, demographics without groups. The remarks say so.
    ///
    /// # Errors
    /// A file that is missing or malformed, by line or row and column; a setting out of range; a template with a fault; a class of
    /// which no query can be formed, with what stood in the way.
    pub fn from_catalogue(seed: u64, config: &CatalogueConfig) -> Result<Self> {
        Self::from_catalogue_with(seed, config, LoadContext::default())
    }

    pub(crate) fn from_catalogue_with(
        seed: u64,
        config: &CatalogueConfig,
        context: LoadContext<'_>,
    ) -> Result<Self> {
        let mut read = Self {
            catalogue: config.items.read_with(context)?,
            ..Self::default()
        };
        if let Some(file) = &config.ratings {
            file.read_into(&mut read, context)?;
        }
        let groups = config.groups.as_ref();
        let groups = groups.map(|file| file.read(context)).transpose()?;
        let queries = config.possible_queries(&mut read, groups.is_some());
        // Hardly two items have the same number: what can be asked about are its ranges.
        let numbers = config.items.numbers.iter();
        let raw: Vec<&str> = numbers
            .map(|(name, column)| column.relation(name))
            .collect();
        let source = Source {
            wording: config.wording.over(&read.catalogue, &raw),
            catalogue: read.catalogue,
            ratings: read.ratings,
            groups: groups.unwrap_or_default(),
            prompt: config.prompt.clone(),
        };
        let mut dataset =
            Self::compose_with(seed, source, &queries, &config.demonstrator, context)?;
        read.remarks.append(&mut dataset.remarks);
        dataset.remarks = read.remarks;
        Ok(dataset)
    }
}

impl CatalogueConfig {
    /// The queries for which there are data.
    fn possible_queries(&self, read: &mut Dataset, has_groups: bool) -> QueryConfig {
        let mut queries = QueryConfig {
            // The file of ratings has the scale, so that its threshold counts. Without one it is 0,
            // as a query configuration must be finite.
            liked_from: read.liked_from,
            ..self.queries.clone()
        };
        let mut leave_out = |class: QueryClass, reason: &str| {
            let before = queries.classes.len();
            queries.classes.retain(|asked| *asked != class);
            if queries.classes.len() < before {
                read.remarks.push(format!("no {class} queries: {reason}"));
            }
        };
        if self.ratings.is_none() {
            leave_out(QueryClass::INTEREST, "there are no ratings");
            leave_out(QueryClass::DEMOGRAPHICS, "there are no ratings");
        } else if !has_groups {
            leave_out(QueryClass::DEMOGRAPHICS, "there are no groups of users");
        }
        if self.ratings.is_none() && queries.history_share > 0.0 {
            queries.history_share = 0.0;
            let remark = "no histories in the prompts: there are no ratings";
            read.remarks.push(remark.to_owned());
        }
        queries
    }
}
