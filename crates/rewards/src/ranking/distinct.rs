//! Finding repeated items in short lists without allocating.

use std::hash::{BuildHasher, Hash};

use rustc_hash::{FxBuildHasher, FxHashSet};

const SHORT: usize = 32;
const FILTER_BITS: u64 = 1024;

/// Appends the positions of items that stand earlier in the list already.
pub(super) fn repetitions<T: Eq + Hash>(list: &[T], repeated: &mut Vec<usize>) {
    if list.len() > SHORT {
        let mut seen = FxHashSet::with_capacity_and_hasher(list.len(), FxBuildHasher);
        repeated.extend(
            list.iter()
                .enumerate()
                .filter(|(_, item)| !seen.insert(*item))
                .map(|(at, _)| at),
        );
    } else if may_repeat(list) {
        repeated.extend((1..list.len()).filter(|&at| list[..at].contains(&list[at])));
    }
}

/// False only if all items differ; a bit per hash tells most lists without repetitions apart.
fn may_repeat<T: Hash>(list: &[T]) -> bool {
    let mut filter = [0u64; (FILTER_BITS / 64) as usize];
    list.iter().any(|item| {
        let bit = FxBuildHasher.hash_one(item) % FILTER_BITS;
        let word = &mut filter[(bit / 64) as usize];
        let mask = 1 << (bit % 64);
        let taken = *word & mask != 0;
        *word |= mask;
        taken
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_later_occurrence_is_a_repetition() {
        for padding in [0, 100] {
            let mut list = vec![3, 1, 3, 3, 2, 1];
            list.extend(1000..1000 + padding);
            let mut repeated = Vec::new();
            repetitions(&list, &mut repeated);
            assert_eq!(repeated, [2, 3, 5]);
        }
    }
}
