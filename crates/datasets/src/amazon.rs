//! Amazon Reviews 2023: ratings as its 5-core CSV files have them, items from the JSONL of metadata.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use rerec_rewards::{Attribute, Catalogue, Item, ItemId};
use serde::{Deserialize, Serialize};

use crate::builder::QueryConfig;
use crate::compose::Source;
use crate::dataset::{Dataset, Rating};
use crate::demonstrator::DemonstratorConfig;
use crate::error::{Error, Result, check};
use crate::load_context::LoadContext;
use crate::prompt::PromptConfig;
use crate::query_class::QueryClass;
use crate::table::{Cell, Column, Table};
use crate::wording::Wording;

/// What is read of Amazon Reviews 2023, and what is asked about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AmazonConfig {
    /// The metadata of a category, unpacked: `meta_Books.jsonl` with `parent_asin`, `title` and more.
    pub metadata: PathBuf,
    /// CSV files with `user_id`, `parent_asin`, `rating` and, where splits are by time, `timestamp`, such as `benchmark/5core/last_out/Books.train.csv`.
    pub ratings: Vec<PathBuf>,
    /// What products are called and how their attributes are spoken of. Default: `product`, all attributes in plain words.
    pub wording: Wording,
    /// Which metadata are attributes, and the relation their values stand in; a dot leads into an object. Default
    /// `{ "author.name" = "author", "categories" = "category", "store" = "store" }`.
    pub attributes: BTreeMap<String, String>,
    /// Ratings below which an item is left out. Default 5.
    pub min_ratings: usize,
    /// The queries; here 20 candidates by default, and no demographics, as nothing is known of the users.
    pub queries: QueryConfig,
    /// The demonstrations and drills.
    pub demonstrator: DemonstratorConfig,
    /// How a model is asked.
    pub prompt: PromptConfig,
}

impl Default for AmazonConfig {
    fn default() -> Self {
        let attributes = [
            ("author.name", "author"),
            ("categories", "category"),
            ("store", "store"),
        ];
        let attributes = attributes.map(|(path, relation)| (path.to_owned(), relation.to_owned()));
        Self {
            metadata: "data/amazon/meta.jsonl".into(),
            ratings: vec!["data/amazon/train.csv".into()],
            wording: Wording::plain("product", []),
            attributes: attributes.into(),
            min_ratings: 5,
            queries: QueryConfig {
                candidates: 20,
                classes: QueryClass::RECBENCH[..4].to_vec(),
                ..QueryConfig::default()
            },
            demonstrator: DemonstratorConfig::default(),
            prompt: PromptConfig::default(),
        }
    }
}

impl Dataset {
    /// Queries on the attributes of products.
    ///
    /// Items without a title are left out, and so are ratings of items that are; the remarks count them.
    ///
    /// # Errors
    /// A setting out of range; a file that is missing or malformed, by line and column; too little for the queries.
    pub fn amazon(seed: u64, config: &AmazonConfig) -> Result<Self> {
        Self::amazon_with(seed, config, LoadContext::default())
    }

    pub(crate) fn amazon_with(
        seed: u64,
        config: &AmazonConfig,
        context: LoadContext<'_>,
    ) -> Result<Self> {
        check(
            !config.ratings.is_empty(),
            "ratings",
            "at least one file",
            &config.ratings,
        )?;
        // Ratings before items: they tell which of the far more numerous products are worth
        // keeping.
        let mut ratings = config.read_ratings(context)?;
        let mut counts = HashMap::<&str, usize>::new();
        for rating in &ratings {
            *counts.entry(rating.item.as_str()).or_default() += 1;
        }
        let wanted = |id: &str| counts.get(id).copied().unwrap_or(0) >= config.min_ratings;
        let catalogue = config.read_items(wanted, context)?;
        let before = ratings.len();
        ratings.retain(|rating| catalogue.index_of(&rating.item).is_some());
        let left_out = before - ratings.len();
        let source = Source {
            wording: config.wording.over(&catalogue, &[]),
            prompt: config.prompt.clone(),
            catalogue,
            ratings,
            groups: Vec::new(),
        };
        let mut dataset =
            Self::compose_with(seed, source, &config.queries, &config.demonstrator, context)?;
        if left_out > 0 {
            dataset.remarks.push(format!(
                "{left_out} of {before} ratings are left out: their items have no title, or fewer than {} ratings",
                config.min_ratings
            ));
        }
        Ok(dataset)
    }
}

impl AmazonConfig {
    fn read_ratings(&self, context: LoadContext<'_>) -> Result<Vec<Rating>> {
        let [user, item, rating] = ["user_id", "parent_asin", "rating"].map(Column::required);
        let columns = [user, item, rating, Column::optional("timestamp")];
        let mut ratings = Vec::new();
        for path in &self.ratings {
            Table::open(path)?.watched(context).rows(&columns, |row| {
                let on_scale = |rating: f64| (1.0..=5.0).contains(&rating);
                ratings.push(Rating {
                    user: row.text(0)?.as_ref().into(),
                    item: row.text(1)?.as_ref().into(),
                    rating: row.number(2, "be a number from 1 to 5", on_scale)?,
                    time: row.time(3)?,
                });
                Ok(())
            })?;
        }
        Ok(ratings)
    }

    /// The wanted items that have a title. Other lines of the file are skipped and not kept.
    fn read_items(
        &self,
        wanted: impl Fn(&str) -> bool,
        context: LoadContext<'_>,
    ) -> Result<Catalogue> {
        const FIRST: usize = 2;
        let mut columns = vec![Column::required("parent_asin"), Column::optional("title")];
        let (paths, relations): (Vec<&String>, Vec<&String>) = self.attributes.iter().unzip();
        let roots = paths
            .iter()
            .map(|path| path.split('.').next().unwrap_or(path));
        columns.extend(roots.map(Column::optional));
        let (mut items, mut known) = (Vec::new(), HashSet::new());
        Table::open(&self.metadata)?
            .watched(context)
            .rows(&columns, |row| {
                let id = row.text(0)?;
                if !wanted(&id) {
                    return Ok(());
                }
                let Some(title) = row.optional_text(1)? else {
                    return Ok(());
                };
                if !known.insert(ItemId::from(id.as_ref())) {
                    return Err(row.fault(0, "be unique"));
                }
                let mut item = Item::new(id.as_ref(), title.trim());
                for (place, (path, relation)) in (FIRST..).zip(paths.iter().zip(&relations)) {
                    item.attributes
                        .extend(attributes(row.cell(place), path, relation));
                }
                items.push(item);
                Ok(())
            })?;
        Error::refuse_empty(
            &items,
            &self.metadata,
            "titles of items that were rated often enough",
        )?;
        Ok(Catalogue::new(items)?)
    }
}

/// The values under a path of keys; what is neither text nor number there is no attribute.
fn attributes(cell: &Cell<'_>, path: &str, relation: &str) -> Vec<Attribute> {
    let inner = path
        .split('.')
        .skip(1)
        .fold(cell, |cell, key| cell.get(key));
    let values = match inner {
        // A path of categories begins with the shop's department, which all items share.
        Cell::List(values) if path == "categories" && values.len() > 1 => &values[1..],
        Cell::List(values) => values,
        value => std::slice::from_ref(value),
    };
    let texts = values.iter().filter_map(Cell::text);
    let filled = texts.filter(|text| !text.trim().is_empty());
    filled
        .map(|value| Attribute {
            relation: relation.to_owned(),
            value: value.trim().to_owned(),
        })
        .collect()
}
