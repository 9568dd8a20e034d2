//! The wrong candidates.

use rand::RngExt;
use rand::seq::{IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::ItemIndex;

use super::draft::Draft;
use super::{Negatives, QueryBuilder};
use crate::facts::FactId;
use crate::obstacle::Obstacle;

/// How many times as many items as are wanted lie near the target's popularity.
const NEIGHBOURHOOD: usize = 4;

impl QueryBuilder<'_> {
    /// A decoy where there is one, then as the configuration says.
    pub(super) fn negatives(
        &self,
        draft: &Draft,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<ItemIndex>, Obstacle> {
        let wanted = self.config.candidates - 1;
        let mut negatives: Vec<ItemIndex> = draft.decoy.into_iter().collect();
        match self.config.negatives {
            Negatives::Conditions => self.add_half_fitting(&mut negatives, draft, rng),
            Negatives::Popularity => self.add_as_popular(&mut negatives, draft, rng),
            Negatives::Retriever => self.add_retrieved(&mut negatives, draft),
            Negatives::Lightgcn => self.add_suitable(&mut negatives, draft),
            Negatives::Random => {}
        }
        let is_easy = |&item: &ItemIndex| match self.config.negatives {
            Negatives::Conditions => self.met(item, draft) == 0,
            _ => true,
        };
        let others = self
            .facts
            .items()
            .filter(|&item| self.is_wrong(item, draft));
        let others = others
            .filter(is_easy)
            .filter(|item| !negatives.contains(item));
        // No underflow: each of the ways above stops at `wanted`, and there is a place for the
        // decoy, as `candidates` is at least 2.
        let missing = wanted - negatives.len();
        let others = others.sample(rng, missing);
        negatives.extend(others);
        (negatives.len() == wanted)
            .then_some(negatives)
            .ok_or(Obstacle::FewCandidates)
    }

    /// Items that meet some conditions, up to the share that is drawn.
    fn add_half_fitting(
        &self,
        negatives: &mut Vec<ItemIndex>,
        draft: &Draft,
        rng: &mut ChaCha8Rng,
    ) {
        let [low, high] = self.config.hard_share;
        let share = rng.random_range(low..=high);
        let hard = ((self.config.candidates - 1) as f64 * share).round() as usize;
        for item in self.half_fitting(draft, rng) {
            if negatives.len() >= hard {
                break;
            }
            // An item that meets two of three conditions is a holder of both.
            if !negatives.contains(&item) {
                negatives.push(item);
            }
        }
    }

    /// Items that meet some conditions, in random order, taking turns between the conditions.
    fn half_fitting(&self, draft: &Draft, rng: &mut ChaCha8Rng) -> impl Iterator<Item = ItemIndex> {
        let half = |&fact: &FactId| {
            let holders = self.facts.holders(fact).iter().copied();
            let mut half: Vec<_> = holders.filter(|&item| self.is_wrong(item, draft)).collect();
            half.shuffle(rng);
            half
        };
        let mut parts: Vec<Vec<ItemIndex>> = draft.conditions.iter().map(half).collect();
        // Else the first condition would have one item more whenever the number is odd.
        parts.shuffle(rng);
        let turns = parts.iter().map(Vec::len).max().unwrap_or(0);
        (0..turns).flat_map(move |turn| {
            let round: Vec<ItemIndex> = parts
                .iter()
                .filter_map(|part| part.get(turn).copied())
                .collect();
            round
        })
    }

    /// Random ones of the items whose number of fans is nearest to the target's.
    fn add_as_popular(&self, negatives: &mut Vec<ItemIndex>, draft: &Draft, rng: &mut ChaCha8Rng) {
        let missing = self.config.candidates - 1 - negatives.len();
        let fans = |item: ItemIndex| self.audience.fans(item).len();
        let target = fans(draft.target);
        let mut near: Vec<ItemIndex> = self
            .facts
            .items()
            .filter(|&item| self.is_wrong(item, draft))
            .collect();
        // Equally near ones in random order, so that the first of the catalogue are not preferred.
        near.shuffle(rng);
        near.sort_by_key(|&item| fans(item).abs_diff(target));
        // More than are needed, then a draw: else equally popular targets would always meet the
        // same rivals.
        near.truncate(missing * NEIGHBOURHOOD);
        near.shuffle(rng);
        negatives.extend(near.into_iter().take(missing));
    }

    /// The items that resemble the conditions most; a retriever that finds too few leaves the rest to chance.
    fn add_retrieved(&self, negatives: &mut Vec<ItemIndex>, draft: &Draft) {
        let Some(retriever) = &self.retriever else {
            return;
        };
        let values = draft.conditions.iter();
        let values: Vec<&str> = values
            .map(|&fact| self.facts.fact(fact).value.as_str())
            .collect();
        // Without a limit: how many of the best are right answers, and so drop out, is not known
        // before.
        let found = retriever.search(&values.join(" "), usize::MAX).into_iter();
        self.add_best(negatives, draft, found.map(|(item, _)| item));
    }

    /// The items that suit who asks most; where that is nobody known, all is left to chance.
    fn add_suitable(&self, negatives: &mut Vec<ItemIndex>, draft: &Draft) {
        if let (Some(suitor), Some(asker)) = (&self.suitor, draft.asker) {
            let best = suitor.best_for(self.audience.user(asker.user), self.facts.catalogue());
            self.add_best(negatives, draft, best.into_iter());
        }
    }

    /// The first of the items that are wrong, until there are enough.
    fn add_best(
        &self,
        negatives: &mut Vec<ItemIndex>,
        draft: &Draft,
        best: impl Iterator<Item = ItemIndex>,
    ) {
        let missing = self.config.candidates - 1 - negatives.len();
        let wrong = best.filter(|&item| self.is_wrong(item, draft));
        negatives.extend(wrong.take(missing));
    }

    /// Whether an item may stand among the wrong candidates.
    fn is_wrong(&self, item: ItemIndex, draft: &Draft) -> bool {
        let is_believed = |conditions: &Vec<FactId>| self.facts.fits(item, conditions);
        // Whoever meets the believed conditions is a decoy too, and there is to be one.
        !draft.mentions(item)
            && self.met(item, draft) < draft.conditions.len()
            && !draft.believed.as_ref().is_some_and(is_believed)
    }

    /// How many of a draft's conditions an item meets.
    fn met(&self, item: ItemIndex, draft: &Draft) -> usize {
        let meets = |&&fact: &&FactId| match draft.anchor {
            // Nothing tells which of the anchor's values is meant, so that any of them is right.
            Some(anchor) if draft.any_of_anchor == Some(fact) => self
                .facts
                .values_like(anchor, fact)
                .any(|value| self.facts.has(item, value)),
            _ => self.facts.has(item, fact),
        };
        draft.conditions.iter().filter(meets).count()
    }
}
