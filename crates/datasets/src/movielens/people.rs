//! MovieLens with the people who made the films.

use std::collections::HashMap;

use rerec_rewards::{Attribute, Catalogue, Item};

use super::MovieLensConfig;
use crate::dataset::Rating;
use crate::error::{Error, Result};
use crate::people::join_people;
use crate::wording::{Wording, relations_of};

/// What is asked about the films.
const ASKED: [&str; 6] = [
    "director", "actor", "genre", "decade", "language", "country",
];

/// Nobody mistakes a decade when the year stands in the title.
const MISTAKABLE: [&str; 3] = ["director", "actor", "genre"];

/// A catalogue, the words for it, and what is to be said of it.
#[derive(Debug)]
pub(super) struct Spoken {
    pub(super) catalogue: Catalogue,
    pub(super) wording: Wording,
    pub(super) remarks: Vec<String>,
}

/// The films with their people, where a table of them is given.
pub(super) fn spoken(
    config: &MovieLensConfig,
    catalogue: Catalogue,
    ratings: &[Rating],
) -> Result<Spoken> {
    let Some(path) = &config.people else {
        return Ok(Spoken {
            catalogue,
            wording: Wording::films(&["genre", "decade"], &["genre"]),
            remarks: Vec::new(),
        });
    };
    if !path.is_file() {
        return Err(Error::NoFilmTable { path: path.clone() });
    }
    let joined = join_people(&catalogue, ratings, path, config.actors)?;
    let catalogue = without_usual_places(&joined.catalogue)?;
    Ok(Spoken {
        wording: wording(&catalogue),
        catalogue,
        remarks: vec![format!("{}: {}", path.display(), joined.report)],
    })
}

/// The films without the languages and countries of more than half of them.
///
/// Nearly all films of MovieLens are in English and from the United States. Nobody asks for that; and as what two liked films have in
/// common, or a group of viewers prefers, it would crowd out genres and people.
fn without_usual_places(catalogue: &Catalogue) -> Result<Catalogue> {
    let mut items: Vec<Item> = catalogue.items().to_vec();
    let mut holders: HashMap<&Attribute, usize> = HashMap::new();
    for attribute in catalogue.items().iter().flat_map(|item| &item.attributes) {
        *holders.entry(attribute).or_default() += 1;
    }
    let is_usual = |attribute: &Attribute| {
        let is_place = ["language", "country"].contains(&attribute.relation.as_str());
        is_place && 2 * holders.get(attribute).copied().unwrap_or(0) > catalogue.len()
    };
    for item in &mut items {
        item.attributes.retain(|attribute| !is_usual(attribute));
    }
    Ok(Catalogue::new(items)?)
}

/// Film talk that tells one of several directors or actors by a film, about what the table knows.
fn wording(catalogue: &Catalogue) -> Wording {
    let known = relations_of(catalogue);
    let asked = ASKED.into_iter().filter(|asked| known.contains(asked));
    let asked: Vec<&str> = asked.collect();
    let mut wording = Wording::films(&asked, &MISTAKABLE);
    for words in &mut wording.relations {
        // MovieLens films have several actors, and some several directors: "the star of" would not
        // say which.
        let several = match words.relation.as_str() {
            "director" => "by a director of {{ anchor }}",
            "actor" => "with an actor of {{ anchor }}",
            _ => continue,
        };
        words.shared_several = Some(several.to_owned());
    }
    wording
}
