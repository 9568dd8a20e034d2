//! Who made the films: a catalogue joined with a table of films by title and year.

mod aliases;
mod report;
mod table;
mod titles;

use std::path::Path;

use rerec_rewards::{Attribute, AttributeGraph, Catalogue, Item, ItemId};
use serde::Serialize;

pub use report::{JoinedBy, PeopleReport};

use crate::dataset::Rating;
use crate::error::{Error, Result};
use report::Tally;
use table::{Film, FilmTable, RELATIONS};
use titles::{Found, TitleIndex};

/// Where [`RELATIONS`] have the actors.
const ACTOR: usize = 1;

/// A catalogue whose items have the people of their films, and how well that went.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JoinedPeople {
    /// The items of the given catalogue, in its order; those that were found in the table have further attributes.
    pub catalogue: Catalogue,
    /// What was joined and what was left out.
    pub report: PeopleReport,
    /// Which film each item was taken for, in the order of the catalogue.
    pub pairs: Vec<FilmPair>,
}

/// An item and the film that it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilmPair {
    /// The item.
    pub item: ItemId,
    /// The title in the table of films.
    pub title: String,
    /// The year in the table of films.
    pub year: u16,
    /// How they were found to be the same.
    pub by: JoinedBy,
}

/// Gives the items of a catalogue the directors, actors, languages and countries of a table of films.
///
/// The table is JSONL, CSV, TSV or Parquet with the columns `title`, `year`, `director` and, where it has them, `actor`, `language` and
/// `country`; several values are a list or parted by `|`. Of the actors the first `actors` are taken.
///
/// An item and a film are the same if a title of one is a title of the other, as [`rerec_text::Title`] reads them, and the years agree.
/// An English article that one side lacks is forgiven, or a year between them, but not both at once: "The Fear" of 1995 is not "Fear"
/// of 1996. Of several films the one that fits best is taken; several that fit equally are left out and counted. An item that is not
/// found so is looked for under another name that this crate knows: "Star Wars" is "Star Wars: Episode IV – A New Hope".
///
/// `ratings` tell how much of the use the joined items account for; they may be empty.
///
/// ```
/// use rerec_datasets::join_people;
/// use rerec_rewards::{Catalogue, Item};
///
/// let films = std::env::temp_dir().join(format!("films-{}.csv", std::process::id()));
/// std::fs::write(&films, "title,year,director,actor\nThe Breakfast Club,1985,John Hughes,Ally Sheedy|Judd Nelson\n").unwrap();
/// let catalogue = Catalogue::new(vec![
///     Item::new("1", "Breakfast Club, The (1985)"),
///     Item::new("2", "Metropolis (1927)"),
/// ])?;
/// let joined = join_people(&catalogue, &[], &films, 1)?;
/// let club = &joined.catalogue.items()[0];
/// assert_eq!(club.attributes[0].value, "John Hughes");
/// assert_eq!(club.attributes[1].value, "Ally Sheedy"); // the first actor alone
/// assert_eq!(
///     joined.report.to_string(),
///     "1 of 2 items is among the 1 films: 1 by title and year, 0 by title and the year next to it, 0 by another name; \
///      1 not found, 0 stand for several films; left out: Metropolis (1927)",
/// );
/// # std::fs::remove_file(&films).unwrap();
/// # Ok::<(), rerec_datasets::Error>(())
/// ```
///
/// # Errors
/// A table that cannot be read, by line or row and column; a table that holds none of the items; a rating of an unknown item.
pub fn join_people(
    catalogue: &Catalogue,
    ratings: &[Rating],
    films: &Path,
    actors: usize,
) -> Result<JoinedPeople> {
    let table = FilmTable::read(films)?;
    let index = TitleIndex::new(&table.films);
    let mut tally = Tally::new(catalogue, ratings)?;
    let (mut items, mut people, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for item in catalogue.items() {
        let found = index.find(item);
        tally.count(found);
        let mut joined = item.clone();
        let mut alone = Item::new(item.id.clone(), item.title.clone());
        if let Found::One(film, by) = found {
            let film = &table.films[film];
            alone.attributes = attributes(film, actors);
            // Behind the item's own attributes, and without those it already has, as a catalogue
            // may know directors.
            add_new(&mut joined.attributes, alone.attributes.iter());
            pairs.push(pair(item, film, by));
        }
        items.push(joined);
        people.push(alone);
    }
    if pairs.is_empty() {
        return Err(Error::NoFilmJoined {
            path: films.to_owned(),
            films: table.films.len(),
            items: catalogue.len(),
        });
    }
    // Asked of the people alone: what the items had before would agree with itself.
    let graph = AttributeGraph::from_catalogue(&Catalogue::new(people)?)?;
    Ok(JoinedPeople {
        catalogue: Catalogue::new(items)?,
        report: tally.report(table.films.len(), graph.check_id_space(catalogue)),
        pairs,
    })
}

fn pair(item: &Item, film: &Film, by: JoinedBy) -> FilmPair {
    FilmPair {
        item: item.id.clone(),
        title: film.title.clone(),
        year: film.year,
        by,
    }
}

fn attributes(film: &Film, actors: usize) -> Vec<Attribute> {
    let most = |place| if place == ACTOR { actors } else { usize::MAX };
    let relations = RELATIONS.iter().zip(&film.values).enumerate();
    let attributes = relations.flat_map(|(place, (&relation, values))| {
        let taken = values.iter().take(most(place));
        taken.map(move |value| Attribute {
            relation: relation.to_owned(),
            value: value.clone(),
        })
    });
    attributes.collect()
}

/// Adds the attributes that are not there yet.
pub(crate) fn add_new<'a>(
    attributes: &mut Vec<Attribute>,
    added: impl Iterator<Item = &'a Attribute>,
) {
    for attribute in added {
        if !attributes.contains(attribute) {
            attributes.push(attribute.clone());
        }
    }
}
