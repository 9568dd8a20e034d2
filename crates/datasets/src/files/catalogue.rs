//! The items.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use rerec_rewards::{Attribute, Catalogue, Item, ItemId};
use serde::{Deserialize, Serialize};

use super::NumberColumn;
use crate::attributes::{attribute, attribute_list};
use crate::error::{Error, Result};
use crate::load_context::LoadContext;
use crate::table::{Cell, Column, Place, Row, Table};

/// A table of items, and which column holds what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogueFile {
    /// The file, with the ending .jsonl, .csv, .tsv or .parquet.
    pub file: PathBuf,
    /// Column of the ids. Default `id`.
    pub id: String,
    /// Column of the titles. Default `title`.
    pub title: String,
    /// Column of other names. Default `aliases`, which may be missing.
    pub aliases: String,
    /// Column of the year of publication. Default `year`, which may be missing.
    pub year: String,
    /// Columns of attributes, each with the relation its values stand in: `{ genres = "genre" }`. Default: none; then a column
    /// `attributes` is read, if there is one, whose cells are lists of `{"relation": …, "value": …}` or an object from
    /// relations to values.
    pub attributes: BTreeMap<String, String>,
    /// Columns of numbers, such as a time or a price: `{ minutes = { relation = "time", unit = "minutes" } }`. Default: none.
    pub numbers: BTreeMap<String, NumberColumn>,
    /// What parts several values in one text. Default `|`.
    pub separator: String,
}

impl Default for CatalogueFile {
    fn default() -> Self {
        Self {
            file: "items.jsonl".into(),
            id: "id".into(),
            title: "title".into(),
            aliases: "aliases".into(),
            year: "year".into(),
            attributes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            separator: "|".into(),
        }
    }
}

/// The column of attributes where none is named.
const ATTRIBUTES: &str = "attributes";
// Places of the columns.
const ID: usize = 0;
const TITLE: usize = 1;
const ALIASES: usize = 2;
const YEAR: usize = 3;
const FIRST_ATTRIBUTE: usize = 4;

impl CatalogueFile {
    /// Reads the items.
    ///
    /// # Errors
    /// A file that is missing or malformed, by line or row and column; an id that comes twice; no item at all.
    pub fn read(&self) -> Result<Catalogue> {
        self.read_with(LoadContext::default())
    }

    pub(crate) fn read_with(&self, context: LoadContext<'_>) -> Result<Catalogue> {
        let mut columns = vec![
            Column::required(&self.id),
            Column::required(&self.title),
            Column::optional(&self.aliases),
            Column::optional(&self.year),
        ];
        // Pushed before the named ones, at `FIRST_ATTRIBUTE`; named attributes start there when it
        // is absent.
        if self.attributes.is_empty() {
            columns.push(Column::optional(ATTRIBUTES));
        }
        columns.extend(self.attributes.keys().map(|name| Column::required(name)));
        let first_number = columns.len();
        columns.extend(self.numbers.keys().map(|name| Column::required(name)));
        // The numbers are kept until the end, as quartiles are known only after the last row.
        let mut numbers: Vec<Vec<Option<f64>>> = vec![Vec::new(); self.numbers.len()];
        let (mut items, mut places) = (Vec::new(), HashMap::<ItemId, Place>::new());
        Table::open(&self.file)?
            .watched(context)
            .rows(&columns, |row| {
                let item = self.item(row)?;
                // Here, where the row is known; `Catalogue::new` could only say which id comes twice.
                if let Some(first) = places.insert(item.id.clone(), row.place()) {
                    return Err(row.fault(ID, format!("be unique, but {first} has it too")));
                }
                items.push(item);
                for (place, column) in (first_number..).zip(&mut numbers) {
                    column.push(match row.cell(place).is_blank() {
                        // A blank number means that the value is unknown. Zero would be a price.
                        true => None,
                        false => Some(row.number(place, "be a number", f64::is_finite)?),
                    });
                }
                Ok(())
            })?;
        for ((name, column), numbers) in self.numbers.iter().zip(&numbers) {
            column.describe(name, &mut items, numbers)?;
        }
        Error::refuse_empty(&items, &self.file, "items")?;
        Catalogue::new(items).map_err(|fault| Error::Items {
            path: self.file.clone(),
            fault,
        })
    }

    fn item(&self, row: Row<'_>) -> Result<Item> {
        let mut item = Item::new(row.text(ID)?.trim(), row.text(TITLE)?.trim());
        item.aliases = row.texts(ALIASES, &self.separator)?;
        if !row.cell(YEAR).is_blank() {
            // As a number: a column of years with gaps is floating-point, 1985.0. The range makes
            // the cast exact.
            let is_year = |year: f64| year.fract() == 0.0 && (0.0..=9999.0).contains(&year);
            item.year = Some(row.number(YEAR, "be a year from 0 to 9999", is_year)? as u16);
        }
        if self.attributes.is_empty() {
            item.attributes = attributes(row)?;
        }
        for (column, relation) in (FIRST_ATTRIBUTE..).zip(self.attributes.values()) {
            let values = row.texts(column, &self.separator)?.into_iter();
            item.attributes.extend(values.map(|value| Attribute {
                relation: relation.clone(),
                value,
            }));
        }
        Ok(item)
    }
}

/// Attributes that name their relations.
fn attributes(row: Row<'_>) -> Result<Vec<Attribute>> {
    let found = match row.cell(FIRST_ATTRIBUTE) {
        Cell::Record(fields) => fields
            .iter()
            .flat_map(|(relation, cell)| {
                let values = match cell {
                    Cell::List(values) => values.as_slice(),
                    // Parquet gives every item the keys of all: a missing value is no value.
                    Cell::Missing => &[],
                    value => std::slice::from_ref(value),
                };
                let relation = Cell::Text(relation.clone());
                values.iter().map(move |value| attribute(&relation, value))
            })
            .collect(),
        cell => attribute_list(cell),
    };
    found.ok_or_else(|| {
        row.fault(
            FIRST_ATTRIBUTE,
            "be a list of {\"relation\": …, \"value\": …} or an object from relations to values",
        )
    })
}
