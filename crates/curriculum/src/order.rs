//! The order in which an epoch serves its queries.

use std::fmt::Debug;

use crate::QueryId;
use crate::difficulty::to_12_decimals;
use crate::draw::uniform;
use crate::pool::Pool;

/// Sorts the queries of an epoch.
pub trait Order: Debug + Send + Sync {
    /// One key for each candidate. The epoch serves ascending keys, equal keys in data-set order;
    /// so every choice of keys is a permutation.
    fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64>;
}

/// The queries of the epoch being planned, in data-set order.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    pub(crate) pool: &'a Pool,
    /// Ascending positions in the pool.
    pub(crate) members: &'a [u32],
    pub(crate) seed: u64,
    pub(crate) epoch: u32,
}

impl<'a> Candidates<'a> {
    /// Ids and difficulties, in data-set order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a QueryId, f64)> {
        let pool = self.pool;
        self.members
            .iter()
            .map(move |&member| (pool.id(member), pool.query(member).estimate.difficulty))
    }

    /// Change of each query's difficulty between its last two rounds, new less old: below 0 where it became easier; `None` for a
    /// query recorded in fewer than two. In the order of [`iter`](Self::iter).
    ///
    /// ```
    /// use rerec_curriculum::{Candidates, Curriculum, CurriculumConfig, Order};
    ///
    /// #[derive(Debug)]
    /// struct ForgottenFirst;
    ///
    /// impl Order for ForgottenFirst {
    ///     fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
    ///         candidates.progress().map(|change| -change.unwrap_or(0.0)).collect()
    ///     }
    /// }
    ///
    /// let curriculum = Curriculum::new(CurriculumConfig::default(), ["a", "b"])?;
    /// let mut curriculum = curriculum.with_order(Box::new(ForgottenFirst));
    /// for (a, b) in [(0.25, 0.75), (0.5, 0.5)] {
    ///     assert_eq!(curriculum.next_batch(), Some(vec!["a".into(), "b".into()]));
    ///     curriculum.record("a", &[a])?;
    ///     curriculum.record("b", &[b])?;
    ///     curriculum.end_epoch();
    /// }
    /// assert_eq!(curriculum.next_batch(), Some(vec!["b".into(), "a".into()]));
    /// # Ok::<(), rerec_curriculum::Error>(())
    /// ```
    pub fn progress(&self) -> impl ExactSizeIterator<Item = Option<f64>> {
        let pool = self.pool;
        self.members
            .iter()
            .map(move |&member| pool.query(member).change())
    }

    /// A number in [0, 1) that depends on the seed, the purpose, the epoch and the query id alone.
    pub fn uniform(&self, purpose: &str, id: &str) -> f64 {
        uniform(self.seed, purpose, u64::from(self.epoch), id)
    }

    /// The same epoch, some of its queries.
    fn subset<'b>(&self, members: &'b [u32]) -> Candidates<'b>
    where
        'a: 'b,
    {
        Candidates { members, ..*self }
    }
}

/// Members of the candidates in the order's sequence.
pub(crate) fn arrange(order: &dyn Order, candidates: &Candidates<'_>) -> Vec<u32> {
    let keys = order.keys(candidates);
    let mut ranked: Vec<(u64, u32)> = keys
        .into_iter()
        .map(ascending_bits)
        .zip(candidates.members.iter().copied())
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, member)| member).collect()
}

/// Bits that sort like the number; -0 equals 0.
fn ascending_bits(key: f64) -> u64 {
    // IEEE numbers of one sign sort like their bits; negative ones the other way round. Integers have a total order, NaN
    // included, and sort together with their positions without a comparison of our own.
    let bits = (key + 0.0).to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct EasyFirst;

impl Order for EasyFirst {
    fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
        candidates
            .iter()
            .map(|(_, difficulty)| difficulty)
            .collect()
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct HardFirst;

impl Order for HardFirst {
    fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
        candidates
            .iter()
            .map(|(_, difficulty)| -difficulty)
            .collect()
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Frontier;

impl Order for Frontier {
    fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
        candidates
            .iter()
            .map(|(_, difficulty)| (difficulty - 0.5).abs())
            .collect()
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LearningProgress;

impl Order for LearningProgress {
    fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
        // Few rollouts make many ties, which rounding would break: 0.6 - 0.4 is less than 0.4 - 0.2 in floating point.
        let key = |change: f64| -to_12_decimals(change.abs());
        candidates
            .progress()
            .map(|change| change.map_or(f64::NEG_INFINITY, key))
            .collect()
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Random;

impl Order for Random {
    fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
        candidates
            .iter()
            .map(|(id, _)| candidates.uniform("order", id))
            .collect()
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Buckets {
    pub(crate) count: u32,
}

impl Order for Buckets {
    fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
        let count = f64::from(self.count);
        // The draw stays below 1, so that it orders within a band and never across.
        let band = |difficulty: f64| (difficulty * count).floor().clamp(0.0, count - 1.0);
        candidates
            .iter()
            .map(|(id, difficulty)| band(difficulty) + candidates.uniform("order", id))
            .collect()
    }
}

/// Each query follows one of several orders; the parts are interleaved in proportion to their sizes.
#[derive(Debug)]
pub(crate) struct Mixture {
    parts: Vec<(f64, Box<dyn Order>)>,
    total_weight: f64,
}

impl Mixture {
    pub(crate) fn new(parts: Vec<(f64, Box<dyn Order>)>) -> Self {
        let total_weight = parts.iter().map(|(weight, _)| weight).sum();
        Self {
            parts,
            total_weight,
        }
    }

    /// The part that a uniform number falls into.
    fn part(&self, uniform: f64) -> usize {
        let mut left = uniform * self.total_weight;
        let passed = self.parts.iter().take_while(|(weight, _)| {
            left -= weight;
            left >= 0.0
        });
        // Rounding may leave a rest behind the last part.
        passed.count().min(self.parts.len() - 1)
    }
}

impl Order for Mixture {
    fn keys(&self, candidates: &Candidates<'_>) -> Vec<f64> {
        let parts: Vec<usize> = candidates
            .iter()
            .map(|(id, _)| self.part(candidates.uniform("mixture", id)))
            .collect();
        let mut keys = vec![0.0; parts.len()];
        for (part, (_, order)) in self.parts.iter().enumerate() {
            let in_part = |&(slot, _): &(usize, &u32)| parts[slot] == part;
            let (slots, members): (Vec<usize>, Vec<u32>) = candidates
                .members
                .iter()
                .enumerate()
                .filter(in_part)
                .map(|(slot, &member)| (slot, member))
                .unzip();
            for (rank, member) in arrange(order.as_ref(), &candidates.subset(&members))
                .iter()
                .enumerate()
            {
                // A part keeps the ascending positions of the whole.
                if let Ok(place) = members.binary_search(member) {
                    // Each part is spread evenly over (0, 1): of a part of 3 and a part of 1, every fourth is the latter's.
                    keys[slots[place]] = (rank as f64 + 0.5) / members.len() as f64;
                }
            }
        }
        keys
    }
}
