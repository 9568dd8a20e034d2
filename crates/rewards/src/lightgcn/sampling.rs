use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Interactions;

/// A user with an item that they chose and one that they did not, as node numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Triplet {
    pub(super) user: u32,
    pub(super) positive: u32,
    pub(super) negative: u32,
}

impl Triplet {
    pub(super) fn nodes(&self) -> [u32; 3] {
        [self.user, self.positive, self.negative]
    }
}

/// What a stream of random numbers is for; no two purposes share numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    UserEmbeddings,
    ItemEmbeddings,
    Epoch(usize),
}

impl Stream {
    pub(super) fn rng(self, seed: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // One stream per epoch: how many numbers an epoch draws does not affect the others.
        rng.set_stream(match self {
            Self::UserEmbeddings => 0,
            Self::ItemEmbeddings => 1,
            Self::Epoch(epoch) => 2 + epoch as u64,
        });
        rng
    }
}

/// Every training pair in fresh order, each with a fresh uniform negative.
///
/// A user who chose every item has no negative, so that their pairs are left out.
pub(super) fn epoch(interactions: &Interactions, rng: &mut impl Rng) -> Vec<Triplet> {
    let users = interactions.users().len() as u32;
    let items = interactions.items().len() as u32;
    let mut pairs: Vec<(u32, u32)> = interactions.edges().collect();
    pairs.shuffle(rng);
    let triplet = |(user, positive)| {
        let chosen = interactions.items_of(user);
        let others = items - chosen.len() as u32;
        (others > 0).then(|| Triplet {
            user,
            positive: users + positive,
            // One draw among those not chosen: drawing until one is not chosen would never end for a user of all but one.
            negative: users + nth_absent(chosen, rng.random_range(0..others)),
        })
    };
    pairs.into_iter().filter_map(triplet).collect()
}

/// The `n`-th number, from 0, that is not in the ascending list.
fn nth_absent(ascending: &[u32], n: u32) -> u32 {
    let (mut low, mut high) = (0, ascending.len());
    while low < high {
        let middle = (low + high) / 2;
        // `ascending[middle] - middle` numbers below `ascending[middle]` are absent.
        if ascending[middle] - middle as u32 <= n {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    // `low` numbers of the list come before the answer.
    n + low as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nth_absent_lists_the_complement(present in prop::collection::btree_set(0u32..50, 0..40)) {
            let present: Vec<u32> = present.into_iter().collect();
            let absent: Vec<u32> = (0..50).filter(|x| !present.contains(x)).collect();
            for (n, &expected) in absent.iter().enumerate() {
                prop_assert_eq!(nth_absent(&present, n as u32), expected);
            }
        }
    }

    #[test]
    fn an_epoch_holds_each_pair_once_with_a_negative_of_the_user() {
        let pairs = (0..90u32).map(|i| {
            (
                format!("u{}", i % 5),
                format!("i{}", i / 5 * 7 % 18 + i % 5),
            )
        });
        let interactions = Interactions::from_pairs(pairs).unwrap();
        let triplets = epoch(&interactions, &mut Stream::Epoch(3).rng(1));
        let mut pairs: Vec<_> = triplets.iter().map(|t| (t.user, t.positive - 5)).collect();
        pairs.sort_unstable();
        assert_eq!(pairs, interactions.edges().collect::<Vec<_>>());
        for triplet in &triplets {
            assert!(
                !interactions
                    .items_of(triplet.user)
                    .contains(&(triplet.negative - 5))
            );
        }
        assert_eq!(triplets, epoch(&interactions, &mut Stream::Epoch(3).rng(1)));
        assert_ne!(triplets, epoch(&interactions, &mut Stream::Epoch(4).rng(1)));
    }

    #[test]
    fn a_user_of_every_item_has_no_triplet() {
        let pairs = [("all", "a"), ("all", "b"), ("one", "a")];
        let interactions = Interactions::from_pairs(pairs).unwrap();
        let triplets = epoch(&interactions, &mut Stream::Epoch(0).rng(0));
        assert_eq!(
            triplets,
            [Triplet {
                user: 1,
                positive: 2,
                negative: 3
            }]
        );
    }
}
