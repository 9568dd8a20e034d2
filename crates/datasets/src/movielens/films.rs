//! The films: titles, years, genres, and which ids mean the same film.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rerec_rewards::{Attribute, Catalogue, Item, ItemId};

use super::table::{Row, Table};
use crate::dataset::Rating;
use crate::error::Result;

/// How the file writes that it does not know a film, its year or its genre.
const UNKNOWN: [&str; 2] = ["unknown", "unkonwn"];

/// The films of the file, each once.
#[derive(Debug)]
pub(super) struct Films {
    items: Vec<Item>,
    /// Every id of the file; `None` for the entry that stands for no film.
    by_id: HashMap<String, Option<ItemId>>,
}

/// Reads `ml-100k.item`.
pub(super) fn read(path: &Path) -> Result<Films> {
    let table = Table::read(path, ["item_id", "movie_title", "release_year", "class"])?;
    let mut films = Films {
        items: Vec::new(),
        by_id: HashMap::new(),
    };
    let mut by_title: HashMap<String, ItemId> = HashMap::new();
    for row in table.rows() {
        let id = row.required(0)?;
        if films.by_id.contains_key(id) {
            return Err(row.fault(0, "be unique"));
        }
        let film = item(row)?;
        let same = film.as_ref().map(|film| {
            by_title
                .entry(film.title.clone())
                .or_insert(film.id.clone())
                .clone()
        });
        films
            .items
            .extend(film.filter(|film| same.as_ref() == Some(&film.id)));
        films.by_id.insert(id.to_owned(), same);
    }
    Ok(films)
}

/// A line as an item; `None` when it stands for no film.
fn item(row: Row<'_, 4>) -> Result<Option<Item>> {
    let (name, year_in_title) = split_year(row.required(1)?);
    if UNKNOWN.contains(&name) {
        return Ok(None);
    }
    let year = match year_in_title {
        Some(year) => Some(year),
        None if UNKNOWN.contains(&row.text(2)) => None,
        None => Some(row.number(2, "be a year from 1880 to 2100", is_year)?),
    };
    let dated =
        |name: &str| year.map_or_else(|| name.to_owned(), |year| format!("{name} ({year})"));
    let (name, other_name) = split_brackets(name);
    let mut item = Item::new(row.text(0), dated(name));
    item.aliases.extend(other_name.map(dated));
    item.year = year;
    let attribute = |relation: &str, value: String| Attribute {
        relation: relation.to_owned(),
        value,
    };
    let genres = row
        .text(3)
        .split_whitespace()
        .filter(|genre| !UNKNOWN.contains(genre));
    item.attributes
        .extend(genres.map(|genre| attribute("genre", genre.to_owned())));
    item.attributes
        .extend(year.map(|year| attribute("decade", format!("{}s", year / 10 * 10))));
    Ok(Some(item))
}

fn is_year(year: &u16) -> bool {
    (1880..=2100).contains(year)
}

/// `Land Before Time III (1995)` is `Land Before Time III` of 1995.
fn split_year(title: &str) -> (&str, Option<u16>) {
    let (name, bracket) = split_brackets(title);
    match bracket
        .and_then(|bracket| bracket.parse().ok())
        .filter(is_year)
    {
        Some(year) => (name, Some(year)),
        None => (title, None),
    }
}

/// `Seven (Se7en)` is `Seven`, also known as `Se7en`.
fn split_brackets(title: &str) -> (&str, Option<&str>) {
    match title
        .trim_end()
        .strip_suffix(')')
        .and_then(|open| open.split_once(" ("))
    {
        Some((name, inside)) => (name, Some(inside)),
        None => (title.trim_end(), None),
    }
}

impl Films {
    /// Reads `ml-100k.inter`; of two ratings of one film by one user the first stands.
    pub(super) fn read_ratings(&self, path: &Path) -> Result<Vec<Rating>> {
        let table = Table::read(path, ["user_id", "item_id", "rating"])?;
        let (mut ratings, mut seen) = (Vec::new(), HashSet::new());
        for row in table.rows() {
            let user = row.required(0)?;
            let known = self.by_id.get(row.text(1));
            let item = known.ok_or_else(|| row.fault(1, "be an item_id of ml-100k.item"))?;
            let rating = row.number(2, "be a number from 1 to 5", |rating| {
                (1.0..=5.0).contains(rating)
            })?;
            if let Some(item) = item
                && seen.insert((user, item))
            {
                ratings.push(Rating {
                    user: user.into(),
                    item: item.clone(),
                    rating,
                });
            }
        }
        Ok(ratings)
    }

    /// Forgets films with fewer ratings, and what they were rated.
    pub(super) fn keep_rated(&mut self, ratings: &mut Vec<Rating>, min_ratings: usize) {
        let mut counts: HashMap<ItemId, usize> = HashMap::new();
        for rating in ratings.iter() {
            *counts.entry(rating.item.clone()).or_default() += 1;
        }
        let is_kept = |item: &ItemId| counts.get(item).copied().unwrap_or(0) >= min_ratings;
        self.items.retain(|item| is_kept(&item.id));
        ratings.retain(|rating| is_kept(&rating.item));
    }

    pub(super) fn into_catalogue(self) -> Result<Catalogue> {
        Ok(Catalogue::new(self.items)?)
    }
}
