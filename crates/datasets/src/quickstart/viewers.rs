//! Invented viewers and readers: each has favourite people, and shares the taste of a group.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand_chacha::ChaCha8Rng;

use super::WorldConfig;
use super::medium::Medium;
use super::works::Work;
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
    makers: Vec<usize>,
    partner: usize,
    genre: usize,
    /// The favourite (genre, period) of the viewer's group.
    group: (usize, usize),
}

impl Taste {
    /// How much better than average a work is to this viewer, in stars.
    fn pull(&self, work: &Work) -> f64 {
        let star = |holds: bool, stars: f64| if holds { stars } else { 0.0 };
        star(self.makers.contains(&work.maker), 1.5)
            + star(self.partner == work.partner, 1.0)
            + star(self.genre == work.genre, 0.7)
            + star(self.group == (work.genre, work.period), 2.0)
    }
}

/// The viewers of a world, with their ratings.
pub(super) fn invent(seed: u64, config: &WorldConfig, medium: &Medium, works: &[Work]) -> Audience {
    let favourites = group_favourites(config, works);
    let rater = medium.rater;
    let mut audience = Audience {
        ratings: Vec::new(),
        groups: Vec::new(),
    };
    let names = PLACES
        .iter()
        .take(config.groups)
        .map(|place| format!("{rater}s in the {place}"));
    audience.groups.extend(names.map(|name| UserGroup {
        name,
        users: Vec::new(),
    }));
    for number in 0..config.users {
        let user = UserId::from(format!("{rater}-{number:03}"));
        // A stream for each viewer: more viewers do not change what the others rate.
        let mut rng = stream(seed, rater, user.as_str());
        let group = number % config.groups;
        let taste = Taste {
            makers: (0..config.directors).sample(&mut rng, 2),
            partner: rng.random_range(0..config.actors),
            genre: rng.random_range(0..config.genres),
            // A small world may have fewer pairs of genre and period than groups, which then share.
            group: favourites[group % favourites.len()],
        };
        let rated = watched(&taste, config.ratings_per_user, works, &mut rng);
        audience.ratings.extend(rated.into_iter().map(|number| {
            let noise = rng.random_range(-config.rating_noise..config.rating_noise);
            // From 3.5 on it rounds to four stars, a like: so does one in ten of the works without any
            // pull, and every one of the group's favourite pair, while the noise is 1.
            let rating = 2.7 + taste.pull(&works[number]) + noise;
            Rating {
                user: user.clone(),
                item: medium.id(number),
                rating: rating.round().clamp(1.0, 5.0),
                time: None,
            }
        }));
        audience.groups[group].users.push(user);
    }
    audience
}

/// The most frequent (genre, period) pairs, the genres taking turns.
fn group_favourites(config: &WorldConfig, works: &[Work]) -> Vec<(usize, usize)> {
    let mut counts = BTreeMap::new();
    for work in works {
        *counts.entry((work.genre, work.period)).or_insert(0usize) += 1;
    }
    let mut favourites: Vec<(usize, usize)> = Vec::new();
    for _ in 0..config.groups {
        let used = |genre| favourites.iter().filter(|pair| pair.0 == genre).count();
        let left = counts.iter().filter(|(pair, _)| !favourites.contains(pair));
        // A genre that was used less often goes first, so that groups differ in more than the
        // period.
        let next = left.max_by_key(|&(pair, &count)| (Reverse(used(pair.0)), count));
        favourites.extend(next.map(|(&pair, _)| pair));
    }
    favourites
}

/// Viewers mostly watch what they will like. Works by number, ascending.
fn watched(taste: &Taste, count: usize, works: &[Work], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let numbers: Vec<usize> = (0..works.len()).collect();
    let lure = |&number: &usize| taste.pull(&works[number]).exp();
    let mut watched: Vec<usize> = numbers
        .sample_weighted(rng, count, lure)
        .into_iter()
        .flatten()
        .copied()
        .collect();
    watched.sort_unstable();
    watched
}
