//! Drills for the warm start: reading out options, comparing values with conditions, and what every item is and whether it meets two
//! conditions.

use std::iter;

use rand::RngExt;
use rand::seq::{IteratorRandom, SliceRandom, index};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Catalogue, Item, ItemIndex};

use crate::dataset::Drill;
use crate::demonstrator::Demonstrator;
use crate::facts::{FactPair, FactTable};
use crate::marks::{check_line, fits, listed, marks, option, options, wanted_line};
use crate::random::stream;

/// Most lines of a drill of reading's answer: a long list of options needs no longer answers, which cost most.
const LINES: usize = 6;

impl Demonstrator<'_> {
    /// What has to be learned before any item can be checked, in turn: to find an option by its number, and to tell whether a value is
    /// one that is wanted.
    pub fn reading(&self) -> Vec<Drill> {
        let facts = FactTable::new(self.catalogue, &self.relations);
        let mut rng = stream(self.seed, "reading drills", "");
        let most = self.config.reading_options.min(self.catalogue.len());
        let mut counts = option_counts(most, stream(self.seed, "reading options", ""));
        let drill = |number| match number % 2 {
            0 => Some(self.read_out(counts.next()?, &mut rng)),
            _ => compare(&facts, &mut rng),
        };
        (0..self.config.reading_drills).filter_map(drill).collect()
    }

    /// Options, and some of them read out in random order.
    ///
    /// The order has to be random: in the order of the options it would be enough to go on where the last line ended, and a number would
    /// not have to be found.
    fn read_out(&self, count: usize, rng: &mut ChaCha8Rng) -> Drill {
        let drawn = index::sample(rng, self.catalogue.len(), count);
        let titles: Vec<&str> = drawn
            .iter()
            .map(|item| self.catalogue.items()[item].title.as_str())
            .collect();
        let read = index::sample(rng, count, count.min(LINES));
        let read = read.into_iter().map(|place| option(place, titles[place]));
        Drill {
            prompt: format!("Read out.\nOptions:\n{}\nAnswer:\n", options(&titles)),
            response: read.collect::<Vec<_>>().join("\n"),
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

/// How many options the drills have: half of them as few as are read out, the others up to `most`. Where all have 20, a model does not
/// find out in 600 steps what a number is for; with six it takes 250.
fn option_counts(most: usize, mut rng: ChaCha8Rng) -> impl Iterator<Item = usize> {
    let few = LINES.min(most);
    iter::repeat_with(move || match rng.random_bool(0.5) {
        true => few,
        false => rng.random_range(few..=most),
    })
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
