//! Telling the items of one query apart in one pass over them.

use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

/// Fewest slots; among twenty items, one in five queries then has two that compete for a slot.
const MIN_SLOTS: usize = 1024;

/// Room for the items of a query; reused from query to query without clearing.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    slots: Vec<usize>,
    /// Above everything in the slots.
    end: usize,
}

/// Numbers of the distinct items of one query, by open addressing.
pub(super) struct Numbers<'a> {
    /// `base` + the number of the item that took the slot; less than `base` is an earlier query's, and free.
    slots: &'a mut [usize],
    base: usize,
}

impl Distinct {
    /// No items yet, with room for those numbered 0 to `items` - 1.
    #[inline]
    pub(super) fn begin(&mut self, items: usize) -> Numbers<'_> {
        // At most half of the slots are ever taken.
        if self.slots.len() < MIN_SLOTS.max(2 * items) {
            self.grow(items);
        }
        // This query's numbers are base..end, above all that earlier queries left in the slots.
        let base = self.end;
        self.end += items;
        Numbers {
            slots: &mut self.slots,
            base,
        }
    }

    #[cold]
    fn grow(&mut self, items: usize) {
        self.slots = vec![0; MIN_SLOTS.max((2 * items).next_power_of_two())];
        // Fresh slots hold 0, which has to be below every base.
        self.end = 1;
    }
}

impl Numbers<'_> {
    /// Gives an item a number, and returns the number that an equal item had. `item_of` is the item of a number given.
    #[inline(always)]
    pub(super) fn renumber<'a, T: Eq + Hash + 'a>(
        &mut self,
        item: &T,
        number: usize,
        item_of: impl Fn(usize) -> &'a T,
    ) -> Option<usize> {
        // The number of slots is a power of two, and at least half of them are free: the search
        // ends.
        let mask = self.slots.len() - 1;
        // Slots of earlier queries hold less than the base, so that none has to be cleared between queries.
        let mut slot = FxBuildHasher.hash_one(item) as usize & mask;
        loop {
            let earlier = self.slots[slot].checked_sub(self.base);
            if earlier.is_none_or(|earlier| item_of(earlier) == item) {
                self.slots[slot] = self.base + number;
                return earlier;
            }
            slot = (slot + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each item, the position of the equal one before it.
    fn earlier<T: Eq + Hash>(distinct: &mut Distinct, list: &[T]) -> Vec<Option<usize>> {
        let mut numbers = distinct.begin(list.len());
        let items = list.iter().enumerate();
        items
            .map(|(at, item)| numbers.renumber(item, at, |at| &list[at]))
            .collect()
    }

    #[test]
    fn an_equal_item_is_found_and_forgotten_with_its_query() {
        let mut distinct = Distinct::default();
        for padding in [0, 100, 5000, 0] {
            let mut list = vec![3, 1, 3, 3, 2, 1];
            list.extend(1000..1000 + padding);
            let mut expected = vec![None, None, Some(0), Some(2), None, Some(1)];
            expected.resize(list.len(), None);
            assert_eq!(earlier(&mut distinct, &list), expected);
        }
    }

    #[test]
    fn items_of_one_hash_stay_apart() {
        #[derive(PartialEq, Eq)]
        struct Alike(usize);
        impl Hash for Alike {
            fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
        }
        let list: Vec<Alike> = (0..200).map(|item| Alike(item % 150)).collect();
        let found = earlier(&mut Distinct::default(), &list);
        assert!((0..200).all(|at| found[at] == at.checked_sub(150)));
    }
}
