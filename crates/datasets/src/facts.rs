//! Which item has which attribute, by small integers.

use std::collections::HashMap;

use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Attribute, Catalogue, ItemIndex};

/// A distinct (relation, value) of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FactId(usize);

/// Two conditions, in the order of the asked relations.
pub(crate) type FactPair = [FactId; 2];

/// The attributes of a catalogue that queries may ask about.
#[derive(Debug)]
pub(crate) struct FactTable<'a> {
    catalogue: &'a Catalogue,
    facts: Vec<Attribute>,
    /// Per item, in the order of the asked relations.
    of_item: Vec<Vec<FactId>>,
    /// Per fact, in the order of the catalogue.
    holders: Vec<Vec<ItemIndex>>,
}

impl<'a> FactTable<'a> {
    /// Collects the attributes under the given relations.
    pub(crate) fn new(catalogue: &'a Catalogue, relations: &[&str]) -> Self {
        let mut table = Self {
            catalogue,
            facts: Vec::new(),
            of_item: Vec::new(),
            holders: Vec::new(),
        };
        let mut ids = HashMap::new();
        for (index, item) in catalogue.iter() {
            let mut held = Vec::new();
            for attribute in attributes_under(&item.attributes, relations) {
                let id = *ids.entry(attribute).or_insert_with(|| table.add(attribute));
                // Tables list a value twice at times; it would be counted and drawn twice.
                if !held.contains(&id) {
                    held.push(id);
                    table.holders[id.0].push(index);
                }
            }
            table.of_item.push(held);
        }
        table
    }

    fn add(&mut self, attribute: &Attribute) -> FactId {
        self.facts.push(attribute.clone());
        self.holders.push(Vec::new());
        FactId(self.facts.len() - 1)
    }

    pub(crate) fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = ItemIndex> {
        self.catalogue.iter().map(|(index, _)| index)
    }

    pub(crate) fn fact(&self, id: FactId) -> &Attribute {
        &self.facts[id.0]
    }

    /// What is known of an item, in the order of the asked relations.
    pub(crate) fn of(&self, item: ItemIndex) -> &[FactId] {
        &self.of_item[item.position()]
    }

    /// The items that have a fact.
    pub(crate) fn holders(&self, id: FactId) -> &[ItemIndex] {
        &self.holders[id.0]
    }

    pub(crate) fn has(&self, item: ItemIndex, id: FactId) -> bool {
        self.of(item).contains(&id)
    }

    /// Two facts of an item at random, in order; `None` when it has fewer.
    pub(crate) fn draw_pair(&self, item: ItemIndex, rng: &mut ChaCha8Rng) -> Option<FactPair> {
        let held = self.of(item);
        // Sorted below, so that conditions come in the order of the relations: interest queries
        // compare them as lists.
        let mut places: [usize; 2] = index::sample_array(rng, held.len())?;
        places.sort_unstable();
        Some(places.map(|place| held[place]))
    }

    /// So many facts of an item at random, in order; `None` when it has fewer.
    pub(crate) fn draw(
        &self,
        item: ItemIndex,
        count: usize,
        rng: &mut ChaCha8Rng,
    ) -> Option<Vec<FactId>> {
        // Pairs have a way of their own, whose draws are those that worlds of a seed have always had.
        if count == 2 {
            return self.draw_pair(item, rng).map(|pair| pair.to_vec());
        }
        let held = self.of(item);
        if held.len() < count {
            return None;
        }
        let mut places = index::sample(rng, held.len(), count).into_vec();
        places.sort_unstable();
        Some(places.into_iter().map(|place| held[place]).collect())
    }

    /// Whether an item meets all conditions.
    pub(crate) fn fits(&self, item: ItemIndex, conditions: &[FactId]) -> bool {
        conditions.iter().all(|&fact| self.has(item, fact))
    }

    /// How many items meet all conditions.
    pub(crate) fn count(&self, conditions: &[FactId]) -> usize {
        // The rarest fact has the fewest holders to look at.
        let rarest = conditions
            .iter()
            .min_by_key(|fact| self.holders(**fact).len());
        let holders = rarest.map_or(&[][..], |&fact| self.holders(fact));
        let fitting = holders.iter().filter(|&&item| self.fits(item, conditions));
        fitting.count()
    }

    /// The facts under the relation of `id`.
    pub(crate) fn facts_like(&self, id: FactId) -> impl Iterator<Item = FactId> {
        let relation = &self.fact(id).relation;
        (0..self.facts.len())
            .map(FactId)
            .filter(move |&fact| self.fact(fact).relation == *relation)
    }

    /// Whether `id` is the only value of its relation that the item has.
    pub(crate) fn is_sole_value(&self, item: ItemIndex, id: FactId) -> bool {
        self.values_like(item, id).eq([id])
    }

    /// What the item has under the relation of `id`.
    pub(crate) fn values_like(&self, item: ItemIndex, id: FactId) -> impl Iterator<Item = FactId> {
        let relation = &self.fact(id).relation;
        self.of(item)
            .iter()
            .copied()
            .filter(move |&fact| self.fact(fact).relation == *relation)
    }
}

/// The attributes whose relation is listed, ordered by the list.
pub(crate) fn attributes_under<'i>(
    attributes: &'i [Attribute],
    relations: &[&str],
) -> impl Iterator<Item = &'i Attribute> {
    relations.iter().flat_map(move |relation| {
        attributes
            .iter()
            .filter(move |attribute| attribute.relation == *relation)
    })
}
