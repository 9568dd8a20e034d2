//! Which film of a table an item is.

use std::collections::HashMap;

use rerec_rewards::Item;
use rerec_text::{Title, without_article, year_of};

use super::aliases::{ALIASES, Alias};
use super::report::JoinedBy;
use super::table::Film;

/// The films by what their titles are once spelling, articles and years are set aside.
#[derive(Debug)]
pub(super) struct TitleIndex {
    years: Vec<u16>,
    /// Under each title without its English article: the films, with the whole title.
    by_title: HashMap<String, Vec<(usize, String)>>,
}

/// What an item is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The film at a place of the table.
    One(usize, JoinedBy),
    /// Several films that fit equally.
    Several,
    None,
}

/// How a film differs from an item of the same title; the least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    Nothing,
    Article,
    Year,
}

impl TitleIndex {
    pub(super) fn new(films: &[Film]) -> Self {
        let mut by_title: HashMap<String, Vec<(usize, String)>> = HashMap::new();
        for (place, film) in films.iter().enumerate() {
            for title in titles([film.title.as_str()]) {
                let films = by_title.entry(bare(&title).to_owned()).or_default();
                films.push((place, title));
            }
        }
        Self {
            years: films.iter().map(|film| film.year).collect(),
            by_title,
        }
    }

    /// The film that an item is, by its own titles or else by another name that is known of it.
    pub(super) fn find(&self, item: &Item) -> Found {
        let names = std::iter::once(&item.title).chain(&item.aliases);
        let names: Vec<&str> = names.map(String::as_str).collect();
        let year = item
            .year
            .or_else(|| names.iter().find_map(|name| year_of(name)));
        // By its title alone a film may be any remake.
        let Some(year) = year else { return Found::None };
        let titles = titles(names);
        match self.best(&titles, year) {
            // Known names come last: they must not override a film of the very title. They may
            // settle a tie.
            found @ Found::One(..) => found,
            other => self.by_alias(&titles, year).unwrap_or(other),
        }
    }

    fn by_alias(&self, titles: &[String], year: u16) -> Option<Found> {
        let is_meant = |alias: &&Alias| {
            let named = Title::read(alias.title).names;
            alias.year == year && named.iter().any(|name| titles.contains(name))
        };
        let alias = ALIASES.iter().find(is_meant)?;
        match self.best(&self::titles([alias.film]), alias.film_year) {
            Found::One(film, _) => Some(Found::One(film, JoinedBy::Alias)),
            _ => None,
        }
    }

    /// The film that differs least; none where several do.
    fn best(&self, titles: &[String], year: u16) -> Found {
        let mut fits: Vec<(Difference, usize)> = titles
            .iter()
            .flat_map(|title| self.fits(title, year))
            .collect();
        fits.sort_unstable();
        // A film may be found by its title and by the one in its brackets.
        fits.dedup();
        match fits.as_slice() {
            [] => Found::None,
            [(first, film), (second, other), ..] if first == second && film != other => {
                Found::Several
            }
            [(difference, film), ..] => Found::One(*film, difference.joined_by()),
        }
    }

    fn fits(&self, title: &str, year: u16) -> impl Iterator<Item = (Difference, usize)> {
        let films = self.by_title.get(bare(title)).into_iter().flatten();
        films.filter_map(move |(film, whole)| {
            let difference = difference(whole == title, self.years[*film].abs_diff(year))?;
            Some((difference, *film))
        })
    }
}

/// One difference is forgiven, two are another film.
fn difference(same_article: bool, years: u16) -> Option<Difference> {
    match (same_article, years) {
        (true, 0) => Some(Difference::Nothing),
        (false, 0) => Some(Difference::Article),
        (true, 1) => Some(Difference::Year),
        _ => None,
    }
}

impl Difference {
    fn joined_by(self) -> JoinedBy {
        match self {
            Self::Nothing | Self::Article => JoinedBy::SameYear,
            Self::Year => JoinedBy::NextYear,
        }
    }
}

/// All titles that the names give: with the brackets, without them, and the text within them.
fn titles<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let mut titles = Vec::new();
    for name in names {
        let read = Title::read(name);
        titles.extend(
            read.names
                .into_iter()
                .chain(read.bare)
                .chain(read.alternatives),
        );
    }
    titles.sort_unstable();
    titles.dedup();
    titles
}

fn bare(title: &str) -> &str {
    without_article(title).unwrap_or(title)
}
