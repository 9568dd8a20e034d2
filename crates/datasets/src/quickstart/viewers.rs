//! Invented viewers: each has favourite people, and shares the taste of a group.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand_chacha::ChaCha8Rng;

use super::WorldConfig;
use super::films::Film;
use crate::dataset::{Rating, UserGroup, UserId};
use crate::random::stream;

/// Where the groups live.
pub(super) const PLACES: [&str; 8] = [
    "harbour towns",
    "hill villages",
    "river ports",
    "northern islands",
    "desert stations",
    "lake cities",
    "forest camps",
    "salt plains",
];

pub(super) struct Audience {
    pub(super) ratings: Vec<Rating>,
    pub(super) groups: Vec<UserGroup>,
}

/// A latent taste.
struct Taste {
    directors: Vec<usize>,
    actor: usize,
    genre: usize,
    /// The favourite (genre, decade) of the viewer's group.
    group: (usize, usize),
}

impl Taste {
    /// How much better than average a film is to this viewer, in stars.
    fn pull(&self, film: &Film) -> f64 {
        let star = |holds: bool, stars: f64| if holds { stars } else { 0.0 };
        star(self.directors.contains(&film.director), 1.5)
            + star(self.actor == film.actor, 1.0)
            + star(self.genre == film.genre, 0.7)
            + star(self.group == (film.genre, film.decade), 2.0)
    }
}

/// The viewers of a world, with their ratings.
pub(super) fn invent(seed: u64, config: &WorldConfig, films: &[Film]) -> Audience {
    let favourites = group_favourites(config, films);
    let mut audience = Audience {
        ratings: Vec::new(),
        groups: Vec::new(),
    };
    let names = PLACES
        .iter()
        .take(config.groups)
        .map(|place| format!("viewers in the {place}"));
    audience.groups.extend(names.map(|name| UserGroup {
        name,
        users: Vec::new(),
    }));
    for number in 0..config.users {
        let user = UserId::from(format!("viewer-{number:03}"));
        // A stream for each viewer: more viewers do not change what the others rate.
        let mut rng = stream(seed, "viewer", user.as_str());
        let group = number % config.groups;
        let taste = Taste {
            directors: (0..config.directors).sample(&mut rng, 2),
            actor: rng.random_range(0..config.actors),
            genre: rng.random_range(0..config.genres),
            // A small world may have fewer pairs of genre and decade than groups, which then share.
            group: favourites[group % favourites.len()],
        };
        audience.ratings.extend(ratings(
            &user,
            &taste,
            config.ratings_per_user,
            films,
            &mut rng,
        ));
        audience.groups[group].users.push(user);
    }
    audience
}

/// The most frequent (genre, decade) pairs, the genres taking turns.
fn group_favourites(config: &WorldConfig, films: &[Film]) -> Vec<(usize, usize)> {
    let mut counts = BTreeMap::new();
    for film in films {
        *counts.entry((film.genre, film.decade)).or_insert(0usize) += 1;
    }
    let mut favourites: Vec<(usize, usize)> = Vec::new();
    for _ in 0..config.groups {
        let used = |genre| favourites.iter().filter(|pair| pair.0 == genre).count();
        let left = counts.iter().filter(|(pair, _)| !favourites.contains(pair));
        // A genre that was used less often goes first, so that groups differ in more than the
        // decade.
        let next = left.max_by_key(|&(pair, &count)| (Reverse(used(pair.0)), count));
        favourites.extend(next.map(|(&pair, _)| pair));
    }
    favourites
}

/// Viewers mostly watch what they will like.
fn ratings(
    user: &UserId,
    taste: &Taste,
    count: usize,
    films: &[Film],
    rng: &mut ChaCha8Rng,
) -> Vec<Rating> {
    let numbers: Vec<usize> = (0..films.len()).collect();
    let lure = |&number: &usize| taste.pull(&films[number]).exp();
    let mut watched: Vec<usize> = numbers
        .sample_weighted(rng, count, lure)
        .into_iter()
        .flatten()
        .copied()
        .collect();
    watched.sort_unstable();
    let rate = |number: usize| {
        let noise = rng.random_range(-1.0..1.0);
        // From 3.5 on it rounds to four stars, a like: so does one in ten of the films without any
        // pull, and every film of the group's favourite pair.
        let rating = (2.7 + taste.pull(&films[number]) + noise)
            .round()
            .clamp(1.0, 5.0);
        Rating {
            user: user.clone(),
            item: Film::id(number),
            rating,
            time: None,
        }
    };
    watched.into_iter().map(rate).collect()
}
