//! How a file names the items of its queries.

use rerec_rewards::{Catalogue, ItemId, TitleLookup, TitleMatch, TitleMatcher};
use serde::{Deserialize, Serialize};

/// By what the queries of a file name items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemNames {
    /// By their ids.
    #[default]
    Ids,
    /// By their titles: articles, accents, case and a missing year do not matter, as in the reward.
    Titles,
}

/// Finds the items that names stand for.
#[derive(Debug)]
pub(crate) struct Namesake<'a> {
    catalogue: &'a Catalogue,
    titles: Option<TitleMatcher>,
}

impl<'a> Namesake<'a> {
    pub(crate) fn new(catalogue: &'a Catalogue, names: ItemNames) -> Self {
        let titles =
            (names == ItemNames::Titles).then(|| TitleMatcher::new(catalogue, TitleMatch::Title));
        Self { catalogue, titles }
    }

    /// The item, or what the name should do: "be an item of the catalogue".
    pub(crate) fn find(&self, name: &str) -> Result<ItemId, String> {
        let Some(titles) = &self.titles else {
            let known = self.catalogue.index_of(name);
            return known
                .map(|_| ItemId::from(name))
                .ok_or_else(|| "be the id of an item of the catalogue".to_owned());
        };
        match titles.lookup(name, None) {
            TitleLookup::Found(item) => Ok(self.catalogue.get(item).id.clone()),
            TitleLookup::Ambiguous(items) => {
                let ids = items.iter().take(3);
                let ids: Vec<&str> = ids
                    .map(|&item| self.catalogue.get(item).id.as_str())
                    .collect();
                Err(format!(
                    "be the title of one item, but {} items have it, as {}",
                    items.len(),
                    ids.join(", ")
                ))
            }
            TitleLookup::Unknown => Err("be the title of an item of the catalogue".to_owned()),
        }
    }
}
