//! Invented films and books: careers give their makers a few genres and a stretch of time.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Attribute, Catalogue, Item};

use super::medium::Medium;
use super::{NameLength, WorldConfig, names};
use crate::error::Result;
use crate::random::stream;

const FIRST_DECADE: u16 = 1950;
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

/// One invented film or book; people, genre and period by number.
#[derive(Debug)]
pub(super) struct Work {
    title: String,
    year: u16,
    maker_name: String,
    partner_name: String,
    /// Director or author.
    pub(super) maker: usize,
    /// Actor or illustrator.
    pub(super) partner: usize,
    /// Genre or subject.
    pub(super) genre: usize,
    /// Decade or language.
    pub(super) period: usize,
}

/// What somebody mostly does.
struct Career {
    name: String,
    genres: [usize; 2],
    /// The first of two periods.
    period: usize,
}

/// The films or books of a world.
pub(super) fn invent(seed: u64, config: &WorldConfig, medium: &Medium) -> Vec<Work> {
    let mut rng = stream(seed, "films", "");
    let mut words = names::title_words(&mut rng);
    let mut people = names::people(config.names, &mut rng);
    if medium.is_second {
        // From the other end of the same lists: no name is in both catalogues.
        words.reverse();
        people.reverse();
        rng = stream(seed, medium.noun, "");
    }
    let (makers, rest) = people.split_at(config.directors);
    let makers = careers(makers, config, &mut rng);
    let partners = careers(&rest[..config.actors], config, &mut rng);
    let words = words.iter().take(config.items).enumerate();
    words
        .map(|(number, word)| {
            let maker = number % makers.len();
            work(word, maker, &makers, &partners, config.names, &mut rng)
        })
        .collect()
}

/// Spreads genres and periods evenly over the people.
fn careers(people: &[String], config: &WorldConfig, rng: &mut ChaCha8Rng) -> Vec<Career> {
    let career = |(number, name): (usize, &String)| {
        let first = number % config.genres;
        // An offset of at least 1 and less than the number of genres: never `first` again.
        let second = (first + rng.random_range(1..config.genres)) % config.genres;
        // The last period has no second one behind it.
        let period = number % (config.decades - 1);
        Career {
            name: name.clone(),
            genres: [first, second],
            period,
        }
    };
    people.iter().enumerate().map(career).collect()
}

fn work(
    word: &str,
    maker: usize,
    makers: &[Career],
    partners: &[Career],
    names: NameLength,
    rng: &mut ChaCha8Rng,
) -> Work {
    let career = &makers[maker];
    let genre = career.genres[rng.random_range(0..2)];
    let period = career.period + rng.random_range(0..2);
    let partner = find_partner(partners, genre, period, rng);
    let year = FIRST_DECADE + 10 * period as u16 + rng.random_range(0..10);
    let pattern = TITLES.choose(rng).copied().unwrap_or("{}");
    Work {
        title: match names {
            NameLength::Full => format!("{} ({year})", pattern.replace("{}", word)),
            NameLength::Short => word.to_owned(),
        },
        year,
        maker_name: career.name.clone(),
        partner_name: partners[partner].name.clone(),
        maker,
        partner,
        genre,
        period,
    }
}

/// Somebody at random, with a liking for those whose career suits the work.
fn find_partner(partners: &[Career], genre: usize, period: usize, rng: &mut ChaCha8Rng) -> usize {
    let suits = |partner: &Career| {
        let by_genre = if partner.genres.contains(&genre) {
            4.0
        } else {
            1.0
        };
        let by_period = if (partner.period..=partner.period + 1).contains(&period) {
            4.0
        } else {
            1.0
        };
        by_genre * by_period
    };
    let numbers: Vec<usize> = (0..partners.len()).collect();
    numbers
        .choose_weighted(rng, |&number| suits(&partners[number]))
        .copied()
        .unwrap_or(0)
}

/// The works as a catalogue, in their order.
pub(super) fn catalogue(works: &[Work], medium: &Medium) -> Result<Catalogue> {
    let items = works.iter().enumerate();
    let items = items.map(|(number, work)| work.item(number, medium));
    Ok(Catalogue::new(items.collect())?)
}

impl Work {
    fn item(&self, number: usize, medium: &Medium) -> Item {
        let mut item = Item::new(medium.id(number), &self.title);
        item.year = Some(self.year);
        let values = [
            &self.maker_name,
            &self.partner_name,
            medium.genres[self.genre],
            medium.periods[self.period],
        ];
        let attributes = medium.relations.iter().zip(values);
        item.attributes = attributes
            .map(|(relation, value)| Attribute {
                relation: (*relation).to_owned(),
                value: value.to_owned(),
            })
            .collect();
        item
    }
}
