use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Which user liked which item, each pair once, in an order that depends on the ids alone.
///
/// ```
/// # use rerec_rewards::Interactions;
/// let pairs = [("ann", "heat"), ("bob", "heat"), ("ann", "thief"), ("ann", "heat")];
/// let interactions = Interactions::from_pairs(pairs)?;
/// assert_eq!((interactions.users().len(), interactions.items().len()), (2, 2));
/// assert_eq!(interactions.len(), 3);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interactions {
    users: Vec<String>,
    items: Vec<String>,
    /// Items of user `u`: `edges[offsets[u]..offsets[u + 1]]`, ascending.
    offsets: Vec<usize>,
    edges: Vec<u32>,
    pub(super) header: Option<String>,
}

/// Interactions split per user; all three parts number users and items alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractionSplit {
    /// Pairs to train on.
    pub train: Interactions,
    /// Pairs that decide when to stop.
    pub validation: Interactions,
    /// Pairs on which quality is reported.
    pub test: Interactions,
}

impl Interactions {
    /// From (user id, item id) pairs in any order; a pair that occurs twice counts once.
    ///
    /// # Errors
    /// [`Error::NoInteractions`] without any pair, [`Error::TooManyNodes`].
    pub fn from_pairs<U: Into<String>, I: Into<String>>(
        pairs: impl IntoIterator<Item = (U, I)>,
    ) -> Result<Self> {
        let pairs: Vec<(String, String)> = pairs
            .into_iter()
            .map(|(user, item)| (user.into(), item.into()))
            .collect();
        if pairs.is_empty() {
            return Err(Error::NoInteractions);
        }
        let users = Numbering::new(pairs.iter().map(|(user, _)| user))?;
        let items = Numbering::new(pairs.iter().map(|(_, item)| item))?;
        let mut edges: Vec<(u32, u32)> = pairs
            .iter()
            .map(|(user, item)| (users.numbers[user.as_str()], items.numbers[item.as_str()]))
            .collect();
        edges.sort_unstable();
        edges.dedup();
        Ok(Self::from_sorted(users.ids, items.ids, &edges))
    }

    fn from_sorted(users: Vec<String>, items: Vec<String>, edges: &[(u32, u32)]) -> Self {
        let mut offsets = vec![0; users.len() + 1];
        for (user, _) in edges {
            offsets[*user as usize + 1] += 1;
        }
        for user in 1..offsets.len() {
            offsets[user] += offsets[user - 1];
        }
        let edges = edges.iter().map(|&(_, item)| item).collect();
        Self {
            users,
            items,
            offsets,
            edges,
            header: None,
        }
    }

    /// The first line of the file that these were read from, where it was taken for the names of the columns.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// User ids, ascending.
    pub fn users(&self) -> &[String] {
        &self.users
    }

    /// Item ids, ascending.
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.edges.len()
    }

    /// Whether there is no pair, as in a part of a split too small to get one.
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Number of users of each item, in the order of [`items`](Self::items).
    pub fn popularity(&self) -> Vec<u32> {
        let mut counts = vec![0; self.items.len()];
        self.edges
            .iter()
            .for_each(|&item| counts[item as usize] += 1);
        counts
    }

    /// Number of items of each user, in the order of [`users`](Self::users).
    pub fn activity(&self) -> Vec<u32> {
        self.offsets
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as u32)
            .collect()
    }

    /// Holds out floor(fraction · n) of each user's n pairs for validation, and as many by the other
    /// fraction for test; the rest is training.
    ///
    /// A pair's lot is a hash of (seed, user id, item id), so that it does not change when other
    /// users come or go.
    ///
    /// ```
    /// # use rerec_rewards::Interactions;
    /// let pairs = (0..20).map(|item| ("ann", item.to_string()));
    /// let split = Interactions::from_pairs(pairs)?.split(0.1, 0.25, 7)?;
    /// assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (13, 2, 5));
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] unless both fractions are at least 0 and sum to less than 1,
    /// [`Error::NothingHeldOut`] if a fraction above 0 is less than one pair for every user.
    pub fn split(&self, validation: f64, test: f64, seed: u64) -> Result<InteractionSplit> {
        // Negated, so that NaN is refused as well.
        if !(validation >= 0.0 && test >= 0.0 && validation + test < 1.0) {
            return Err(Error::InvalidSetting {
                setting: "held-out fractions (validation, test)",
                got: format!("({validation}, {test})"),
                allowed: "at least 0 each and below 1 together",
            });
        }
        // User by user, so that nobody's share depends on who else is there.
        let mut parts = [const { Vec::new() }; 3];
        for user in 0..self.users.len() as u32 {
            let items = self.items_in_lot_order(user, seed);
            // Rounded down: a user of few pairs keeps them all for training.
            let held_out = |fraction: f64| (fraction * items.len() as f64).floor() as usize;
            let (validation, rest) = items.split_at(held_out(validation));
            let (test, train) = rest.split_at(held_out(test));
            for (part, items) in parts.iter_mut().zip([train, validation, test]) {
                let first = part.len();
                part.extend(items.iter().map(|&item| (user, item)));
                part[first..].sort_unstable();
            }
        }
        let asked = [("validation_fraction", validation), ("test_fraction", test)];
        for ((setting, fraction), part) in asked.into_iter().zip(&parts[1..]) {
            if fraction > 0.0 && part.is_empty() {
                return Err(Error::NothingHeldOut {
                    setting,
                    fraction,
                    most: self.most_active(),
                });
            }
        }
        let [train, validation, test] =
            parts.map(|edges| Self::from_sorted(self.users.clone(), self.items.clone(), &edges));
        Ok(InteractionSplit {
            train,
            validation,
            test,
        })
    }

    /// Pairs of the user who has most.
    pub(super) fn most_active(&self) -> usize {
        let counts = self.offsets.windows(2).map(|pair| pair[1] - pair[0]);
        counts.max().unwrap_or(0)
    }

    fn items_in_lot_order(&self, user: u32, seed: u64) -> Vec<u32> {
        let id = &self.users[user as usize];
        let mut items = self.items_of(user).to_vec();
        items.sort_by_cached_key(|&item| lot(seed, id, &self.items[item as usize]));
        items
    }

    /// Items of a user, ascending.
    pub(super) fn items_of(&self, user: u32) -> &[u32] {
        &self.edges[self.offsets[user as usize]..self.offsets[user as usize + 1]]
    }

    /// All pairs, by user, then item.
    pub(super) fn edges(&self) -> impl Iterator<Item = (u32, u32)> {
        (0..self.users.len() as u32)
            .flat_map(|user| self.items_of(user).iter().map(move |&item| (user, item)))
    }

    /// Whether both number users and items alike.
    pub(super) fn shares_ids_with(&self, other: &Self) -> bool {
        self.users == other.users && self.items == other.items
    }
}

/// Ids in ascending order with their numbers.
struct Numbering<'a> {
    ids: Vec<String>,
    numbers: FxHashMap<&'a str, u32>,
}

impl<'a> Numbering<'a> {
    fn new(ids: impl Iterator<Item = &'a String>) -> Result<Self> {
        let mut unique: Vec<&str> = ids.map(String::as_str).collect();
        unique.sort_unstable();
        unique.dedup();
        // Users and items are numbered together later on, so that each kind gets half the range.
        if unique.len() > MAX_NODES {
            return Err(Error::TooManyNodes {
                got: unique.len(),
                max: MAX_NODES,
            });
        }
        let numbers = unique.iter().copied().zip(0..).collect();
        Ok(Self {
            ids: unique.into_iter().map(str::to_owned).collect(),
            numbers,
        })
    }
}

const MAX_NODES: usize = (u32::MAX / 2) as usize;

fn lot(seed: u64, user: &str, item: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    // The length keeps ("ab", "c") and ("a", "bc") apart.
    hash.update((user.len() as u64).to_le_bytes());
    hash.update(user);
    hash.update(item);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> Vec<(String, String)> {
        (0..30)
            .map(|i| (format!("u{}", i % 3), format!("i{}", (i * 7) % 11)))
            .collect()
    }

    #[test]
    fn the_order_of_the_pairs_does_not_matter() {
        let forward = Interactions::from_pairs(pairs()).unwrap();
        let backward = Interactions::from_pairs(pairs().into_iter().rev()).unwrap();
        assert_eq!(forward, backward);
        assert_eq!(
            forward.popularity().iter().sum::<u32>() as usize,
            forward.len()
        );
    }

    #[test]
    fn a_split_parts_every_pair_once() {
        let all = Interactions::from_pairs(pairs()).unwrap();
        let split = all.split(0.2, 0.2, 1).unwrap();
        let mut edges: Vec<_> = [&split.train, &split.validation, &split.test]
            .iter()
            .flat_map(|part| part.edges())
            .collect();
        edges.sort_unstable();
        assert_eq!(edges, all.edges().collect::<Vec<_>>());
        assert_ne!(split, all.split(0.2, 0.2, 2).unwrap());
        assert!(all.split(0.5, 0.5, 1).is_err());
        assert!(all.split(f64::NAN, 0.1, 1).is_err());
    }

    #[test]
    fn a_users_split_ignores_other_users() {
        let of_user_0 = |interactions: &Interactions| {
            let split = interactions.split(0.2, 0.2, 1).unwrap();
            let names = split
                .test
                .items_of(0)
                .iter()
                .map(|&i| split.test.items()[i as usize].clone());
            names.collect::<Vec<_>>()
        };
        let all = Interactions::from_pairs(pairs()).unwrap();
        let alone =
            Interactions::from_pairs(pairs().into_iter().filter(|(user, _)| user == "u0")).unwrap();
        assert_eq!(of_user_0(&all), of_user_0(&alone));
    }

    #[test]
    fn no_pair_is_an_error() {
        let none = Vec::<(String, String)>::new();
        assert!(matches!(
            Interactions::from_pairs(none),
            Err(Error::NoInteractions)
        ));
    }
}
