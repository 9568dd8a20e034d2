//! What a join with a table of films did.

use std::fmt;

use rerec_rewards::{Catalogue, IdSpaceCheck};
use serde::Serialize;

use super::titles::Found;
use crate::dataset::Rating;
use crate::error::{Error, Result};

/// Titles that a report quotes.
const EXAMPLES: usize = 10;

/// How an item and a film were found to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinedBy {
    /// A title of both and the year.
    SameYear,
    /// A title of both and the year before or after.
    NextYear,
    /// Another name that this crate knows.
    Alias,
}

/// What a join with a table of films did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PeopleReport {
    /// Items of the catalogue.
    pub items: usize,
    /// Films of the table.
    pub films: usize,
    /// Items joined by title and year.
    pub same_year: usize,
    /// Items joined by title and the year before or after.
    pub next_year: usize,
    /// Items joined by another name that this crate knows.
    pub alias: usize,
    /// Items that are no film of the table.
    pub missed: usize,
    /// Items that fit several films equally.
    pub ambiguous: usize,
    /// Ratings of the items.
    pub ratings: usize,
    /// Ratings of the items that were joined.
    pub ratings_joined: usize,
    /// Titles of items that were left out, those with the most ratings first.
    pub left_out: Vec<String>,
    /// Whether films that share a director or an actor look more alike in the catalogue than films at random.
    pub id_space: IdSpaceCheck,
}

impl PeopleReport {
    /// Items that were found in the table.
    pub fn joined(&self) -> usize {
        self.same_year + self.next_year + self.alias
    }
}

impl fmt::Display for PeopleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = self.joined();
        let are = if joined == 1 { "is" } else { "are" };
        write!(
            f,
            "{joined} of {} items {are} among the {} films: {} by title and year, {} by title and the year next to it, {} by another \
             name; {} not found, {} stand for several films",
            self.items,
            self.films,
            self.same_year,
            self.next_year,
            self.alias,
            self.missed,
            self.ambiguous,
        )?;
        if self.ratings > 0 {
            let share = 100.0 * self.ratings_joined as f64 / self.ratings as f64;
            write!(f, "; {share:.1} % of the ratings are of items found")?;
        }
        if !self.left_out.is_empty() {
            write!(f, "; left out: {}", self.left_out.join(", "))?;
        }
        if self.id_space.looks_wrong() {
            f.write_str("; films that share people have no more in common than films at random: is it the right table?")?;
        }
        Ok(())
    }
}

/// A report in the making.
#[derive(Debug)]
pub(super) struct Tally<'c> {
    catalogue: &'c Catalogue,
    /// How often each item was rated.
    ratings: Vec<usize>,
    found: Vec<Found>,
}

impl<'c> Tally<'c> {
    pub(super) fn new(catalogue: &'c Catalogue, ratings: &[Rating]) -> Result<Self> {
        let mut counts = vec![0; catalogue.len()];
        for rating in ratings {
            let item = catalogue.index_of(&rating.item);
            let item = item.ok_or_else(|| Error::UnknownItem {
                item: rating.item.clone(),
                place: format!("the ratings of user {}", rating.user),
            })?;
            counts[item.position()] += 1;
        }
        Ok(Self {
            catalogue,
            ratings: counts,
            found: Vec::with_capacity(catalogue.len()),
        })
    }

    /// Takes note of what the next item was found to be.
    pub(super) fn count(&mut self, found: Found) {
        self.found.push(found);
    }

    pub(super) fn report(&self, films: usize, id_space: IdSpaceCheck) -> PeopleReport {
        let count = |is: fn(&Found) -> bool| self.found.iter().filter(|found| is(found)).count();
        let of_joined = self.ratings.iter().zip(&self.found);
        let of_joined = of_joined.filter(|(_, found)| matches!(found, Found::One(..)));
        PeopleReport {
            items: self.catalogue.len(),
            films,
            same_year: count(|found| matches!(found, Found::One(_, JoinedBy::SameYear))),
            next_year: count(|found| matches!(found, Found::One(_, JoinedBy::NextYear))),
            alias: count(|found| matches!(found, Found::One(_, JoinedBy::Alias))),
            missed: count(|found| matches!(found, Found::None)),
            ambiguous: count(|found| matches!(found, Found::Several)),
            ratings: self.ratings.iter().sum(),
            ratings_joined: of_joined.map(|(ratings, _)| ratings).sum(),
            left_out: self.left_out(),
            id_space,
        }
    }

    fn left_out(&self) -> Vec<String> {
        let items = self.catalogue.items().iter().zip(&self.ratings);
        let mut left_out: Vec<(&str, usize)> = items
            .zip(&self.found)
            .filter(|(_, found)| !matches!(found, Found::One(..)))
            .map(|((item, ratings), _)| (item.title.as_str(), *ratings))
            .collect();
        // Stable: those that were rated equally often stay in the order of the catalogue.
        left_out.sort_by_key(|(_, ratings)| std::cmp::Reverse(*ratings));
        let quoted = left_out.into_iter().take(EXAMPLES);
        quoted.map(|(title, _)| title.to_owned()).collect()
    }
}
