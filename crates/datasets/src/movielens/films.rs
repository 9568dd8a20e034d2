//! The films: titles, years, genres, and which ids mean the same film.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rerec_rewards::{Attribute, Catalogue, Item, ItemId};

use super::edition::Edition;
use crate::dataset::{Rating, UserId};
use crate::error::Result;
use crate::load_context::LoadContext;
use crate::table::{Column, Row};

/// How the files write that they do not know a film, its year or its genre.
const UNKNOWN: [&str; 3] = ["unknown", "unkonwn", "(no genres listed)"];

/// Place of the times among the columns of ratings.
const TIME: usize = 3;

/// The films of the file, each once.
#[derive(Debug)]
pub(super) struct Films {
    items: Vec<Item>,
    /// Every id of the file; `None` for the entry that stands for no film.
    by_id: HashMap<ItemId, Option<ItemId>>,
    /// The films that have several ids.
    merged: HashSet<ItemId>,
}

/// Reads the films of an edition.
pub(super) fn read(folder: &Path, edition: &Edition) -> Result<Films> {
    let mut films = Films {
        items: Vec::new(),
        by_id: HashMap::new(),
        merged: HashSet::new(),
    };
    let mut by_title: HashMap<String, ItemId> = HashMap::new();
    let path = edition.films.path(folder);
    let table = edition.films.table(&path)?;
    table.rows(&edition.films.columns(), |row| {
        let id = ItemId::from(row.text(0)?.as_ref());
        if films.by_id.contains_key(&id) {
            return Err(row.fault(0, "be unique"));
        }
        let Some(film) = item(row, edition)? else {
            // Remembered, so that its ratings are passed over and not refused as those of an
            // unknown id.
            films.by_id.insert(id, None);
            return Ok(());
        };
        let same = by_title.entry(film.title.clone()).or_insert(id.clone());
        if *same == id {
            films.items.push(film);
        } else {
            films.merged.insert(same.clone());
        }
        films.by_id.insert(id, Some(same.clone()));
        Ok(())
    })?;
    Ok(films)
}

/// A line as an item; `None` when it stands for no film.
fn item(row: Row<'_>, edition: &Edition) -> Result<Option<Item>> {
    let title = row.text(1)?;
    let (name, year_in_title) = split_year(&title);
    if UNKNOWN.contains(&name) {
        return Ok(None);
    }
    let has_years = !edition.films.columns[3].is_empty();
    let year = match year_in_title {
        Some(year) => Some(year),
        // The title goes before the column: it is asked only where there is no year in brackets.
        None if has_years && !UNKNOWN.contains(&&*row.text(3)?) => {
            let is_year = |year: f64| is_year(&(year as u16)) && year.fract() == 0.0;
            Some(row.number(3, "be a year from 1880 to 2100", is_year)? as u16)
        }
        None => None,
    };
    let dated =
        |name: &str| year.map_or_else(|| name.to_owned(), |year| format!("{name} ({year})"));
    let (name, other_names) = split_brackets(name);
    let mut item = Item::new(row.text(0)?.as_ref(), dated(name));
    // "(2006-2007)" tells when a series ran.
    let other_names = other_names.into_iter();
    let other_names = other_names.filter(|name| name.contains(char::is_alphabetic));
    item.aliases.extend(other_names.map(dated));
    item.year = year;
    let attribute = |relation: &str, value: String| Attribute {
        relation: relation.to_owned(),
        value,
    };
    let genres = row.texts(2, edition.genre_separator)?.into_iter();
    let genres = genres.filter(|genre| !UNKNOWN.contains(&genre.as_str()));
    item.attributes
        .extend(genres.map(|genre| attribute("genre", genre)));
    item.attributes
        .extend(year.map(|year| attribute("decade", format!("{}s", year / 10 * 10))));
    Ok(Some(item))
}

fn is_year(year: &u16) -> bool {
    (1880..=2100).contains(year)
}

/// `Land Before Time III (1995)` is `Land Before Time III` of 1995.
fn split_year(title: &str) -> (&str, Option<u16>) {
    let inside = title.trim_end().strip_suffix(')');
    // From the right, as an original title may stand in brackets before the year.
    let split = inside.and_then(|open| open.rsplit_once(" ("));
    let dated = split.and_then(|(name, year)| Some((name, year.parse().ok().filter(is_year)?)));
    match dated {
        Some((name, year)) => (name, Some(year)),
        None => (title, None),
    }
}

/// `Seven (Se7en)` is `Seven`, also known as `Se7en`; large editions have several brackets.
fn split_brackets(title: &str) -> (&str, Vec<&str>) {
    match title
        .trim_end()
        .strip_suffix(')')
        .and_then(|open| open.split_once(" ("))
    {
        Some((name, inside)) => (name, inside.split(") (").collect()),
        None => (title.trim_end(), Vec::new()),
    }
}

impl Films {
    /// Reads the ratings; of two ratings of one film by one user the first stands.
    pub(super) fn read_ratings(
        &self,
        folder: &Path,
        edition: &Edition,
        context: LoadContext<'_>,
    ) -> Result<Vec<Rating>> {
        let (mut ratings, mut seen) = (Vec::new(), HashSet::new());
        let path = edition.ratings.path(folder);
        let table = edition.ratings.table(&path)?.watched(context);
        let mut columns = edition.ratings.columns();
        // Only splits by time need it, and files that were cut down may lack it.
        columns[TIME] = Column::optional(edition.ratings.columns[TIME]);
        let scale = format!("be a number from {} to 5", edition.least);
        table.rows(&columns, |row| {
            let user = row.text(0)?;
            let known = self.by_id.get(row.text(1)?.as_ref());
            let item = known.ok_or_else(|| {
                row.fault(
                    1,
                    format!(
                        "be an {} of {}",
                        edition.films.columns[0], edition.films.name
                    ),
                )
            })?;
            let on_scale = |rating: f64| (edition.least..=5.0).contains(&rating);
            let rating = row.number(2, &scale, on_scale)?;
            let time = row.time(TIME)?;
            // Behind the check of the rating: a faulty line is a fault whatever film it rates.
            let Some(item) = item else {
                return Ok(());
            };
            // Only films with several ids can come twice, and a set of all pairs would outweigh the ratings.
            let is_new = !self.merged.contains(item)
                || seen.insert((UserId::from(user.as_ref()), item.clone()));
            if is_new {
                ratings.push(Rating {
                    user: user.as_ref().into(),
                    item: item.clone(),
                    rating,
                    time,
                });
            }
            Ok(())
        })?;
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
