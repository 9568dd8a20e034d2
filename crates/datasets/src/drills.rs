//! Drills for the warm start: reading out options, comparing values with conditions, and what every item is and whether it meets two
//! conditions.

use std::iter;

use rand::RngExt;
use rand::seq::{IteratorRandom, SliceRandom, index};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Catalogue, Item, ItemIndex};

use crate::answer::Answer;
use crate::dataset::Drill;
use crate::demonstrator::Demonstrator;
use crate::facts::{FactId, FactPair, FactTable};
use crate::marks::{check_line, fits, listed, option, options, wanted_line};
use crate::random::stream;

/// Options of a drill of reading out, at most; lines of one of comparing.
const LINES: usize = 6;

/// How often each option is read out.
const TIMES: usize = 2;

/// Most titles before the options of a drill of reading, and behind them.
const BESIDE: usize = 10;

impl Demonstrator<'_> {
    /// What has to be learned before any item can be checked: to find an option by its number, and to tell whether a value is
    /// one that is wanted.
    pub fn reading(&self) -> Vec<Drill> {
        let facts = FactTable::new(self.catalogue, &self.relations);
        let mut rng = stream(self.seed, "reading drills", "");
        let mut numbers = stream(self.seed, "reading options", "");
        let drill = |number| match number % 4 {
            3 => self.compare(&facts, &mut rng),
            // It takes longer, and does not begin while comparing is most of the loss.
            _ => Some(self.read_out(&mut numbers, &mut rng)),
        };
        (0..self.config.reading_drills).filter_map(drill).collect()
    }

    /// A few options, and the same read out in random order, among titles that are not read.
    ///
    /// The order has to be random: in the order of the options it would be enough to go on where the last line ended, and a number would
    /// not have to be found. So has the number of titles before and behind the options: where each option always stands as far from the
    /// line that reads it, a model learns distances instead of numbers, reads every drill without a fault and no prompt of another
    /// length.
    fn read_out(&self, numbers: &mut ChaCha8Rng, rng: &mut ChaCha8Rng) -> Drill {
        let most = self.config.reading_options.min(self.catalogue.len());
        let count = LINES.min(most);
        // Half of the drills have the lowest numbers alone: what a number is for is learned from few of them, and then holds for all.
        let most = if numbers.random_bool(0.5) {
            most
        } else {
            count
        };
        let mut places = index::sample(numbers, most, count).into_vec();
        places.sort_unstable();
        let titles = self.titles(count, rng);
        let options: Vec<String> = iter::zip(&places, &titles)
            .map(|(&place, title)| option(place, title))
            .collect();
        let mut answer = Answer::default();
        let read = (0..TIMES).flat_map(|_| index::sample(rng, count, count).into_vec());
        for (line, place) in read.enumerate() {
            answer.show(if line == 0 { "" } else { "\n" });
            answer.show(&option(places[place], ""));
            answer.learn(titles[place]);
        }
        // Half of the drills have none: a model that reads these soon learns the others, and does not without them.
        let most = if rng.random_bool(0.5) { BESIDE } else { 0 };
        let [before, behind] = [(); 2].map(|()| {
            let count = rng.random_range(0..=most);
            let lines = self.titles(count, rng).into_iter();
            lines.map(|title| format!("{title}\n")).collect::<String>()
        });
        answer.into_drill(format!(
            "Read out.\n{before}Options:\n{}\n{behind}Answer:\n",
            options.join("\n")
        ))
    }

    /// Two conditions, and the values of items marked by them: every second item meets at least one. What is learned are the marks, the
    /// verdicts and what is boxed.
    ///
    /// The lines of half of the drills have titles, of other items, those of the rest none: nothing can be known of an item, and what a
    /// mark says stands in the values alone. A drill with titles ends in the first line that fits and its title in a box. Where titles are
    /// those of the items, a box can be filled by what is known of the conditions as well; then an item that was never an answer is
    /// found, and another one is boxed. For the same reason half of the drills begin with lines of a history whose values were drawn, and
    /// what is wanted, which they have in common, is learned as well.
    fn compare(&self, facts: &FactTable<'_>, rng: &mut ChaCha8Rng) -> Option<Drill> {
        let source = facts.items().choose(rng)?;
        let pair = facts.draw_pair(source, rng)?;
        let wanted = pair.map(|fact| facts.fact(fact).clone());
        let mut answer = Answer::default();
        if rng.random_bool(0.5) {
            answer.show(&self.history(facts, source, pair, rng));
            answer.learn(&wanted_line(&wanted));
        } else {
            answer.show(&wanted_line(&wanted));
        }
        let titles = match rng.random_bool(0.5) {
            true => self.titles(LINES, rng),
            false => Vec::new(),
        };
        // Where the item stands that the conditions were drawn from, which meets both.
        let found = rng.random_range(0..LINES);
        for number in 0..LINES {
            let near = facts.holders(pair[rng.random_range(0..pair.len())]);
            let item = if number == found {
                source
            } else if number % 2 == 0 {
                near.iter().copied().choose(rng)?
            } else {
                facts.items().choose(rng)?
            };
            let item = facts.catalogue().get(item);
            // That a line has ended says as much as a verdict.
            answer.learn("\n");
            let title = titles.get(number);
            if let Some(title) = title {
                answer.show(&format!("{}: ", option(number, title)));
            }
            answer.mark(item, &wanted);
            if let Some(title) = title.filter(|_| fits(item, &wanted)) {
                answer.learn(&format!("\n\\boxed{{{title}}}"));
                break;
            }
        }
        Some(answer.into_drill("Compare.\nAnswer:\n"))
    }

    /// Two or three lines with values under the relations of `source`: those of the pair in each, any other at most once.
    fn history(
        &self,
        facts: &FactTable<'_>,
        source: ItemIndex,
        pair: FactPair,
        rng: &mut ChaCha8Rng,
    ) -> String {
        let count = rng.random_range(2..=3);
        let titles = self.titles(count, rng);
        let mut drawn = pair.to_vec();
        let line = |title| {
            let value = |&fact: &FactId| {
                if pair.contains(&fact) {
                    return Some(fact);
                }
                let others = facts
                    .facts_like(fact)
                    .filter(|other| !drawn.contains(other));
                let other = others.choose(rng)?;
                drawn.push(other);
                Some(other)
            };
            let values = facts.of(source).iter().filter_map(value);
            format!(
                "{title}: {}.\n",
                listed(values.map(|fact| facts.fact(fact)))
            )
        };
        titles.into_iter().map(line).collect()
    }

    /// Titles of different items, as many as there are.
    fn titles(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<&str> {
        let items = self.catalogue.items();
        let drawn = index::sample(rng, items.len(), count.min(items.len()));
        drawn.iter().map(|item| &*items[item].title).collect()
    }

    /// The conditions with some options; every mark right, and the line that fits is the last.
    ///
    /// Each item in turn is the one drilled, whatever split it is a target of, so that all come equally often.
    pub fn drills(&self) -> Vec<Drill> {
        let facts = FactTable::new(self.catalogue, &self.relations);
        let mut rng = stream(self.seed, "drills", "");
        let mut numbers = stream(self.seed, "drill options", "");
        let drillable = facts.items().filter(|&item| facts.of(item).len() >= 2);
        let mut order: Vec<ItemIndex> = drillable.collect();
        order.shuffle(&mut rng);
        // In turn, not drawn: by chance some items would never be drilled.
        let turns = order.iter().cycle().take(self.config.drills);
        turns
            .filter_map(|&item| {
                let others = numbers.random_range(2..self.config.drill_options);
                drill(&facts, item, others, &mut rng)
            })
            .collect()
    }
}

/// An item among up to `most` others, at least two.
fn drill(
    facts: &FactTable<'_>,
    drilled: ItemIndex,
    most: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Drill> {
    let pair = drilled_pair(facts, drilled, rng)?;
    let mut others = Vec::with_capacity(most + 1);
    for drawn in 0..most {
        let item = wrong_item(facts, pair, drilled, rng)?;
        // The first two may be one item, which then is an option twice.
        if drawn < 2 || !others.contains(&item) {
            others.push(item);
        }
    }
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
        learned: None,
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
