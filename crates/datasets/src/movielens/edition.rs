//! The editions of MovieLens, told apart by the files in their folder.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::table::{Column, Table};

/// Where an edition keeps what.
#[derive(Debug)]
pub(super) struct Edition {
    /// Columns id, title, genres, and the year where it is not in the title.
    pub(super) films: File<4>,
    pub(super) genre_separator: &'static str,
    /// Columns user, item, rating, time.
    pub(super) ratings: File<4>,
    /// The least rating; the largest is 5.
    pub(super) least: f64,
    /// Columns user, age, gender, occupation; the large editions say nothing of their users.
    pub(super) users: Option<File<4>>,
}

/// A file of an edition and its columns.
#[derive(Debug)]
pub(super) struct File<const COLUMNS: usize> {
    pub(super) name: &'static str,
    pub(super) columns: [&'static str; COLUMNS],
    /// All columns of a file without a header.
    plain: Option<&'static [&'static str]>,
}

/// The column that a file does not have.
const NONE: &str = "";

/// MovieLens-100K as the RecBole wheel packs it, MovieLens-1M, and the CSV files of 25M, 32M and latest.
const EDITIONS: [Edition; 3] = [
    Edition {
        films: File {
            name: "ml-100k.item",
            columns: ["item_id", "movie_title", "class", "release_year"],
            plain: None,
        },
        // RecBole writes genres as a sequence of tokens, with spaces between them.
        genre_separator: " ",
        ratings: File {
            name: "ml-100k.inter",
            columns: ["user_id", "item_id", "rating", "timestamp"],
            plain: None,
        },
        least: 1.0,
        users: Some(File {
            name: "ml-100k.user",
            columns: ["user_id", "age", "gender", "occupation"],
            plain: None,
        }),
    },
    Edition {
        films: File {
            name: "movies.dat",
            columns: ["id", "title", "genres", NONE],
            plain: Some(&["id", "title", "genres"]),
        },
        genre_separator: "|",
        ratings: File {
            name: "ratings.dat",
            columns: ["user", "item", "rating", "time"],
            plain: Some(&["user", "item", "rating", "time"]),
        },
        least: 1.0,
        users: Some(File {
            name: "users.dat",
            columns: ["id", "age", "gender", "occupation"],
            plain: Some(&["id", "gender", "age", "occupation", "zip"]),
        }),
    },
    Edition {
        films: File {
            name: "movies.csv",
            columns: ["movieId", "title", "genres", NONE],
            plain: None,
        },
        genre_separator: "|",
        ratings: File {
            name: "ratings.csv",
            columns: ["userId", "movieId", "rating", "timestamp"],
            plain: None,
        },
        least: 0.5,
        users: None,
    },
];

impl Edition {
    /// The edition whose films are in the folder.
    pub(super) fn of(folder: &Path) -> Result<&'static Self> {
        let mut editions = EDITIONS.iter();
        let found = editions.find(|edition| folder.join(edition.films.name).is_file());
        found.ok_or_else(|| Error::NoEdition {
            folder: folder.to_owned(),
        })
    }
}

impl<const COLUMNS: usize> File<COLUMNS> {
    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(self.name)
    }

    pub(super) fn table<'p>(&self, path: &'p Path) -> Result<Table<'p>> {
        match self.plain {
            Some(names) => Ok(Table::plain(path, "::", names)),
            None => Table::open(path),
        }
    }

    pub(super) fn columns(&self) -> [Column<'static>; COLUMNS] {
        self.columns.map(|name| match name {
            NONE => Column::optional(name),
            _ => Column::required(name),
        })
    }
}
