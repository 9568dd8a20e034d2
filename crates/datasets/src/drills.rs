//! Drills for the warm start: reading out options, comparing values with conditions, and what every item is and whether it meets two
//! conditions.

use rand::RngExt;
use rand::seq::{IteratorRandom, SliceRandom, index};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Catalogue, Item, ItemIndex};

use crate::dataset::Drill;
use crate::demonstrator::Demonstrator;
use crate::facts::{FactPair, FactTable};
use crate::marks::{check_line, fits, listed, marks, option, options, wanted_line};
use crate::random::stream;

/// Most lines of a drill of reading.
const LINES: usize = 6;

impl Demonstrator<'_> {
    /// What has to be learned before any item can be checked, in turn: to find an option by its number, and to tell whether a value is
    /// one that is wanted.
    pub fn reading(&self) -> Vec<Drill> {
        let facts = FactTable::new(self.catalogue, &self.relations);
        let mut rng = stream(self.seed, "reading drills", "");
        let mut numbers = stream(self.seed, "reading options", "");
        let drill = |number| match number % 2 {
            0 => Some(self.read_out(&mut numbers, &mut rng)),
            _ => compare(&facts, &mut rng),
        };
        (0..self.config.reading_drills).filter_map(drill).collect()
    }

    /// A few options, and the same read out in random order.
    ///
    /// The order has to be random: in the order of the options it would be enough to go on where the last line ended, and a number would
    /// not have to be found. There are few options and many numbers: among 20 options a model does not find out in 600 steps what a
    /// number is for, among six it takes 250.
    fn read_out(&self, numbers: &mut ChaCha8Rng, rng: &mut ChaCha8Rng) -> Drill {
        let most = self.config.reading_options.min(self.catalogue.len());
        let count = LINES.min(most);
        let mut places = index::sample(numbers, most, count).into_vec();
        places.sort_unstable();
        let drawn = index::sample(rng, self.catalogue.len(), count);
        let titles = drawn.iter().map(|item| &self.catalogue.items()[item].title);
        let options = places
            .iter()
            .zip(titles)
            .map(|(&place, title)| option(place, title));
        let options: Vec<String> = options.collect();
        let read = index::sample(rng, count, count);
        let read: Vec<&str> = read.iter().map(|place| &*options[place]).collect();
        Drill {
            prompt: format!("Read out.\nOptions:\n{}\nAnswer:\n", options.join("\n")),
            response: read.join("\n"),
        }
    }

    /// The conditions with up to three options; every mark right, and the line that fits is the last.
    ///
    /// Each item in turn is the one drilled, whatever split it is a target of, so that all come equally often.
    pub fn drills(&self) -> Vec<Drill> {
        let facts = FactTable::new(self.catalogue, &self.relations);
        let mut rng = stream(self.seed, "drills", "");
        let drillable = facts.items().filter(|&item| facts.of(item).len() >= 2);
        let mut order: Vec<ItemIndex> = drillable.collect();
        order.shuffle(&mut rng);
        // In turn, not drawn: by chance some items would never be drilled.
        let turns = order.iter().cycle().take(self.config.drills);
        turns
            .filter_map(|&item| drill(&facts, item, &mut rng))
            .collect()
    }
}

/// Two conditions, and items without their titles marked by them: every second one meets at least one.
///
/// The titles are left out, so that nothing has to be known of an item to tell that a mark is right.
fn compare(facts: &FactTable<'_>, rng: &mut ChaCha8Rng) -> Option<Drill> {
    let pair = facts.draw_pair(facts.items().choose(rng)?, rng)?;
    let wanted = pair.map(|fact| facts.fact(fact).clone());
    let mut lines = vec![wanted_line(&wanted)];
    for number in 0..LINES {
        let near = facts.holders(pair[rng.random_range(0..pair.len())]);
        let item = match number % 2 {
            0 => near.iter().copied().choose(rng)?,
            _ => facts.items().choose(rng)?,
        };
        lines.push(marks(facts.catalogue().get(item), &wanted));
    }
    Some(Drill {
        prompt: "Compare.\nAnswer:\n".to_owned(),
        response: lines.join("\n"),
    })
}

fn drill(facts: &FactTable<'_>, drilled: ItemIndex, rng: &mut ChaCha8Rng) -> Option<Drill> {
    let pair = drilled_pair(facts, drilled, rng)?;
    let mut others = (0..2)
        .map(|_| wrong_item(facts, pair, drilled, rng))
        .collect::<Option<Vec<_>>>()?;
    others.insert(rng.random_range(0..=others.len()), drilled);
    let wanted = pair.map(|fact| facts.fact(fact).clone());
    let titles: Vec<&str> = items(facts.catalogue(), &others)
        .map(|item| item.title.as_str())
        .collect();
    let prompt = format!(
        "Check {}.\nOptions:\n{}\nAnswer:\n",
        listed(&wanted),
        options(&titles)
    );
    let mut lines = vec![wanted_line(&wanted)];
    for (place, item) in items(facts.catalogue(), &others).enumerate() {
        lines.push(check_line(place, item, &wanted));
        if fits(item, &wanted) {
            break;
        }
    }
    Some(Drill {
        prompt,
        response: lines.join("\n"),
    })
}

/// Two facts of the drilled item; half of the time one of them is exchanged for another value.
fn drilled_pair(
    facts: &FactTable<'_>,
    drilled: ItemIndex,
    rng: &mut ChaCha8Rng,
) -> Option<FactPair> {
    let mut pair = facts.draw_pair(drilled, rng)?;
    if rng.random_bool(0.5) {
        let place = rng.random_range(0..pair.len());
        let strange = facts
            .facts_like(pair[place])
            .filter(|&fact| !facts.has(drilled, fact));
        pair[place] = strange.choose(rng)?;
    }
    Some(pair)
}

/// An item that does not meet both conditions; half of the time one that meets one, if there is any.
fn wrong_item(
    facts: &FactTable<'_>,
    pair: FactPair,
    drilled: ItemIndex,
    rng: &mut ChaCha8Rng,
) -> Option<ItemIndex> {
    let is_wrong = |&item: &ItemIndex| item != drilled && !facts.fits(item, &pair);
    if rng.random_bool(0.5) {
        let half = facts
            .holders(pair[rng.random_range(0..pair.len())])
            .iter()
            .copied();
        if let Some(item) = half.filter(is_wrong).choose(rng) {
            return Some(item);
        }
    }
    facts.items().filter(is_wrong).choose(rng)
}

fn items<'a>(catalogue: &'a Catalogue, indices: &[ItemIndex]) -> impl Iterator<Item = &'a Item> {
    indices.iter().map(|&index| catalogue.get(index))
}
