//! Invented films: careers give directors and actors a few genres and a stretch of years.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Attribute, Catalogue, Item, ItemId};

use super::{NameLength, WorldConfig, names};
use crate::error::Result;
use crate::random::stream;

pub(super) const GENRES: [&str; 8] = [
    "western", "comedy", "thriller", "romance", "mystery", "musical", "horror", "fantasy",
];
const FIRST_DECADE: u16 = 1950;
pub(super) const MAX_DECADES: usize = 6;
/// `{}` stands for the invented word.
const TITLES: [&str; 12] = [
    "{} Nights",
    "{} Road",
    "{} Harbour",
    "{} Station",
    "{} Summer",
    "{} Crossing",
    "{} Garden",
    "{} Winter",
    "{} Bridge",
    "The {} Letters",
    "The {} Affair",
    "The {} Mirror",
];

/// One invented film; people, genre and decade by number.
#[derive(Debug)]
pub(super) struct Film {
    title: String,
    year: u16,
    director_name: String,
    actor_name: String,
    pub(super) director: usize,
    pub(super) actor: usize,
    pub(super) genre: usize,
    pub(super) decade: usize,
}

/// What a director or an actor mostly does.
struct Career {
    name: String,
    genres: [usize; 2],
    /// The first of two decades.
    decade: usize,
}

/// The films of a world.
pub(super) fn invent(seed: u64, config: &WorldConfig) -> Vec<Film> {
    let mut rng = stream(seed, "films", "");
    let words = names::title_words(&mut rng);
    let people = names::people(config.names, &mut rng);
    let (directors, rest) = people.split_at(config.directors);
    let directors = careers(directors, config, &mut rng);
    let actors = careers(&rest[..config.actors], config, &mut rng);
    let films = words.iter().take(config.items).enumerate();
    films
        .map(|(number, word)| {
            film(
                word,
                number % directors.len(),
                &directors,
                &actors,
                config.names,
                &mut rng,
            )
        })
        .collect()
}

/// Spreads genres and decades evenly over the people.
fn careers(people: &[String], config: &WorldConfig, rng: &mut ChaCha8Rng) -> Vec<Career> {
    let career = |(number, name): (usize, &String)| {
        let first = number % config.genres;
        // An offset of at least 1 and less than the number of genres: never `first` again.
        let second = (first + rng.random_range(1..config.genres)) % config.genres;
        // The last decade has no second one behind it.
        let decade = number % (config.decades - 1);
        Career {
            name: name.clone(),
            genres: [first, second],
            decade,
        }
    };
    people.iter().enumerate().map(career).collect()
}

fn film(
    word: &str,
    director: usize,
    directors: &[Career],
    actors: &[Career],
    names: NameLength,
    rng: &mut ChaCha8Rng,
) -> Film {
    let maker = &directors[director];
    let genre = maker.genres[rng.random_range(0..2)];
    let decade = maker.decade + rng.random_range(0..2);
    let actor = cast(actors, genre, decade, rng);
    let year = FIRST_DECADE + 10 * decade as u16 + rng.random_range(0..10);
    let pattern = TITLES.choose(rng).copied().unwrap_or("{}");
    Film {
        title: match names {
            NameLength::Full => format!("{} ({year})", pattern.replace("{}", word)),
            NameLength::Short => word.to_owned(),
        },
        year,
        director_name: maker.name.clone(),
        actor_name: actors[actor].name.clone(),
        director,
        actor,
        genre,
        decade,
    }
}

/// An actor at random, with a liking for those whose career suits the film.
fn cast(actors: &[Career], genre: usize, decade: usize, rng: &mut ChaCha8Rng) -> usize {
    let suits = |actor: &Career| {
        let by_genre = if actor.genres.contains(&genre) {
            4.0
        } else {
            1.0
        };
        let by_decade = if (actor.decade..=actor.decade + 1).contains(&decade) {
            4.0
        } else {
            1.0
        };
        by_genre * by_decade
    };
    let numbers: Vec<usize> = (0..actors.len()).collect();
    numbers
        .choose_weighted(rng, |&number| suits(&actors[number]))
        .copied()
        .unwrap_or(0)
}

/// The films as a catalogue, in their order.
pub(super) fn catalogue(films: &[Film]) -> Result<Catalogue> {
    Ok(Catalogue::new(
        films
            .iter()
            .enumerate()
            .map(|(number, film)| film.item(number))
            .collect(),
    )?)
}

impl Film {
    pub(super) fn id(number: usize) -> ItemId {
        ItemId::from(format!("film-{number:03}"))
    }

    fn item(&self, number: usize) -> Item {
        let attribute = |relation: &str, value: String| Attribute {
            relation: relation.to_owned(),
            value,
        };
        let decade = FIRST_DECADE as usize + 10 * self.decade;
        let mut item = Item::new(Self::id(number), &self.title);
        item.year = Some(self.year);
        item.attributes = vec![
            attribute("director", self.director_name.clone()),
            attribute("actor", self.actor_name.clone()),
            attribute("genre", GENRES[self.genre].to_owned()),
            attribute("decade", format!("{decade}s")),
        ];
        item
    }
}
