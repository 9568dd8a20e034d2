//! What an invented catalogue is of.

use rerec_rewards::ItemId;

use crate::wording::Wording;

/// Films or books: the four relations of each, their values, and who rates them.
pub(super) struct Medium {
    /// What one is called; ids begin with it.
    pub(super) noun: &'static str,
    /// Who rates one; ids begin with it.
    pub(super) rater: &'static str,
    /// Two for people, genre, and period.
    pub(super) relations: [&'static str; 4],
    pub(super) genres: [&'static str; 8],
    pub(super) periods: [&'static str; 6],
    /// Whether it stands beside another catalogue, and takes the names that are left.
    pub(super) is_second: bool,
    words: fn(&[&str], &[&str]) -> Wording,
}

pub(super) const FILMS: Medium = Medium {
    noun: "film",
    rater: "viewer",
    relations: ["director", "actor", "genre", "decade"],
    genres: [
        "western", "comedy", "thriller", "romance", "mystery", "musical", "horror", "fantasy",
    ],
    periods: ["1950s", "1960s", "1970s", "1980s", "1990s", "2000s"],
    is_second: false,
    words: Wording::films,
};

/// No relation and no value is one of a film.
pub(super) const BOOKS: Medium = Medium {
    noun: "book",
    rater: "reader",
    relations: ["author", "illustrator", "subject", "language"],
    genres: [
        "travel", "history", "cookery", "music", "science", "law", "poetry", "faith",
    ],
    periods: ["Latin", "Greek", "Norse", "Czech", "Dutch", "Welsh"],
    is_second: true,
    words: Wording::books,
};

impl Medium {
    pub(super) fn id(&self, number: usize) -> ItemId {
        ItemId::from(format!("{}-{number:03}", self.noun))
    }

    /// Talk about all relations; users may be wrong about the people.
    pub(super) fn wording(&self) -> Wording {
        (self.words)(&self.relations, &self.relations[..2])
    }
}
