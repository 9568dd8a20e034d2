//! A table of films.

use std::path::Path;

use crate::error::{Error, Result};
use crate::table::{Column, Table};

/// The columns of people and places, which are the relations of the attributes that come of them.
pub(super) const RELATIONS: [&str; 4] = ["director", "actor", "language", "country"];

/// The first of [`RELATIONS`] among the columns.
const PEOPLE: usize = 2;

/// What parts several values of a text.
const SEPARATOR: &str = "|";

/// The films of a file, in its order.
#[derive(Debug)]
pub(super) struct FilmTable {
    pub(super) films: Vec<Film>,
}

/// A film, and who made it where.
#[derive(Debug)]
pub(super) struct Film {
    pub(super) title: String,
    pub(super) year: u16,
    /// The values of each of [`RELATIONS`].
    pub(super) values: [Vec<String>; 4],
}

impl FilmTable {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let [director, actor, language, country] = RELATIONS;
        let columns = [
            Column::required("title"),
            Column::required("year"),
            Column::required(director),
            Column::optional(actor),
            Column::optional(language),
            Column::optional(country),
        ];
        let mut films = Vec::new();
        Table::open(path)?.rows(&columns, |row| {
            let is_year = |year: f64| (1880.0..=2100.0).contains(&year) && year.fract() == 0.0;
            let year = row.number(1, "be a year from 1880 to 2100", is_year)?;
            let mut values: [Vec<String>; 4] = Default::default();
            for (place, values) in values.iter_mut().enumerate() {
                *values = row.texts(PEOPLE + place, SEPARATOR)?;
            }
            films.push(Film {
                title: row.text(0)?.into_owned(),
                year: year as u16,
                values,
            });
            Ok(())
        })?;
        Error::refuse_empty(&films, path, "film")?;
        Ok(Self { films })
    }
}
