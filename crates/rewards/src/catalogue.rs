use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

rerec_text::text_id! {
    /// The stable, external identity of an item, as files and datasets write it.
    ///
    /// ```
    /// # use rerec_rewards::ItemId;
    /// let id = ItemId::from("ml-1m/260");
    /// assert_eq!(id, "ml-1m/260");
    /// ```
    pub struct ItemId;
}

/// Position of an item inside one [`Catalogue`]: dense, from 0, never stored in files.
///
/// An index means nothing beside the catalogue that gave it; keep an [`ItemId`] for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemIndex(u32);

impl ItemIndex {
    /// The index as a position, to address arrays that run parallel to the catalogue.
    pub const fn position(self) -> usize {
        self.0 as usize
    }

    /// The index of a position, unless it is beyond what a catalogue can hold.
    pub fn from_position(position: usize) -> Option<Self> {
        u32::try_from(position).ok().map(Self)
    }
}

/// No more items than an [`ItemIndex`] can number.
pub(crate) fn require_countable(got: usize) -> Result<()> {
    let max = u32::MAX as usize;
    if got > max {
        return Err(Error::CatalogueTooLarge { got, max });
    }
    Ok(())
}

/// A fact about an item: a relation and its value, such as `director` and `Agnès Varda`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Kind of fact; two values are the same only within one relation.
    pub relation: String,
    /// The value.
    pub value: String,
}

/// One item that can be recommended.
///
/// ```
/// # use rerec_rewards::Item;
/// let item: Item = serde_json::from_str(
///     r#"{"id": "11", "title": "Seven (a.k.a. Se7en) (1995)",
///         "attributes": [{"relation": "genre", "value": "Crime"}]}"#,
/// )?;
/// assert!(item.aliases.is_empty() && item.year.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// External identity, unique in the catalogue.
    pub id: ItemId,
    /// Title as the catalogue spells it; a year and alternative titles may follow in brackets.
    pub title: String,
    /// Other names of the item. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Year of publication; where absent, the year in the title's brackets stands. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
    /// Facts about the item. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

impl Item {
    /// An item with an id and a title and nothing else.
    pub fn new(id: impl Into<ItemId>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            aliases: Vec::new(),
            year: None,
            attributes: Vec::new(),
        }
    }

    fn blank_field(&self) -> Option<&'static str> {
        let blank = |text: &str| text.trim().is_empty();
        if blank(self.id.as_str()) {
            Some("id")
        } else if blank(&self.title) {
            Some("title")
        } else if self.aliases.iter().any(|alias| blank(alias)) {
            Some("alias")
        } else if self
            .attributes
            .iter()
            .any(|attribute| blank(&attribute.relation))
        {
            Some("attribute relation")
        } else if self
            .attributes
            .iter()
            .any(|attribute| blank(&attribute.value))
        {
            Some("attribute value")
        } else {
            None
        }
    }
}

/// The items that can be recommended, with unique ids.
///
/// ```
/// # use rerec_rewards::{Catalogue, Item};
/// let catalogue = Catalogue::new(vec![
///     Item::new("1", "Toy Story (1995)"),
///     Item::new("2", "Jumanji (1995)"),
/// ])?;
/// let jumanji = catalogue.index_of("2").unwrap();
/// assert_eq!(jumanji.position(), 1);
/// assert_eq!(catalogue.get(jumanji).title, "Jumanji (1995)");
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    items: Vec<Item>,
    index: FxHashMap<ItemId, ItemIndex>,
}

impl Catalogue {
    /// Takes the items in their order.
    ///
    /// # Errors
    /// [`Error::DuplicateItem`], [`Error::BlankField`], [`Error::CatalogueTooLarge`].
    pub fn new(items: Vec<Item>) -> Result<Self> {
        require_countable(items.len())?;
        let mut index = FxHashMap::with_capacity_and_hasher(items.len(), Default::default());
        for (item, position) in items.iter().zip(0u32..) {
            if let Some(field) = item.blank_field() {
                let id = item.id.clone();
                return Err(Error::BlankField {
                    id,
                    index: position as usize,
                    field,
                });
            }
            // The map is thrown away with the error, so that overwriting the first entry does no harm.
            if let Some(first) = index.insert(item.id.clone(), ItemIndex(position)) {
                let (id, first) = (item.id.clone(), first.position());
                return Err(Error::DuplicateItem {
                    id,
                    index: position as usize,
                    first,
                });
            }
        }
        Ok(Self { items, index })
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All items, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The item at an index that this catalogue gave.
    ///
    /// # Panics
    /// If the index comes from a larger catalogue; [`contains`](Self::contains) tells.
    pub fn get(&self, index: ItemIndex) -> &Item {
        &self.items[index.position()]
    }

    /// Whether the index lies within this catalogue.
    pub fn contains(&self, index: ItemIndex) -> bool {
        index.position() < self.items.len()
    }

    /// The index of an id.
    pub fn index_of(&self, id: impl AsRef<str>) -> Option<ItemIndex> {
        self.index.get(id.as_ref()).copied()
    }

    /// The indices of several ids, in their order.
    ///
    /// # Errors
    /// [`Error::UnknownItem`] for the first id that the catalogue does not have.
    pub fn indices_of(&self, ids: impl IntoIterator<Item: AsRef<str>>) -> Result<Vec<ItemIndex>> {
        let index = |id: &str| {
            self.index_of(id)
                .ok_or_else(|| Error::UnknownItem { id: id.into() })
        };
        ids.into_iter().map(|id| index(id.as_ref())).collect()
    }

    /// Every item with its index.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ItemIndex, &Item)> {
        self.items
            .iter()
            .enumerate()
            // `new` has checked that every position fits.
            .map(|(position, item)| (ItemIndex(position as u32), item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_duplicate_ids_and_blank_fields() {
        let twice = vec![
            Item::new("a", "A"),
            Item::new("b", "B"),
            Item::new("a", "C"),
        ];
        assert_eq!(
            Catalogue::new(twice).unwrap_err().to_string(),
            "item 2 of the catalogue has id `a`, which item 0 already has"
        );
        let blank = Catalogue::new(vec![Item::new("a", " ")]).unwrap_err();
        assert_eq!(
            blank.to_string(),
            "item 0 of the catalogue (id `a`) has a blank title"
        );
    }

    #[test]
    fn indices_follow_the_order_of_the_ids_asked_for() {
        let catalogue = Catalogue::new(vec![Item::new("a", "A"), Item::new("b", "B")]).unwrap();
        let indices = catalogue.indices_of(["b", "a"]).unwrap();
        assert_eq!(
            indices
                .iter()
                .map(|index| index.position())
                .collect::<Vec<_>>(),
            [1, 0]
        );
        assert!(catalogue.indices_of(["z"]).is_err());
    }

    #[test]
    fn unknown_json_fields_are_refused() {
        let error = serde_json::from_str::<Item>(r#"{"id": "1", "title": "A", "yaer": 1990}"#);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("unknown field `yaer`")
        );
    }
}
