//! Full ranking: every item a user has not seen competes.

use std::cmp::Ordering;

use ndarray::{ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::Interactions;

/// Users scored by one matrix product; the result does not depend on it.
const USERS_PER_BLOCK: usize = 128;

/// Mean quality of full rankings, over the users that have something held out.
///
/// A user's only held-out item at rank 2 has recall@10 1 and NDCG@10 1 / log2 3 = 0.63; with another user's at rank 11,
/// the means are 0.5 and 0.32.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RankingQuality {
    /// Cut-off of the rankings.
    pub k: usize,
    /// Held-out items among the first k, over all held-out items.
    pub recall: f64,
    /// NDCG@k with binary gains.
    pub ndcg: f64,
    /// Users averaged over.
    pub users: usize,
}

/// Ranks all items but the `seen` ones for every user with held-out items; `users` is `[users, d]`,
/// `items` `[items, d]`, both in the order of `held_out`.
pub(super) fn rank(
    users: ArrayView2<'_, f32>,
    items: ArrayView2<'_, f32>,
    seen: &[&Interactions],
    held_out: &Interactions,
    k: usize,
) -> RankingQuality {
    // In blocks, so that the matrix of scores stays small whatever the number of users.
    let blocks = (0..users.nrows())
        .into_par_iter()
        .step_by(USERS_PER_BLOCK)
        .map(|first| {
            let last = users.nrows().min(first + USERS_PER_BLOCK);
            let mut scores = users
                .slice_axis(Axis(0), Slice::from(first..last))
                .dot(&items.t());
            let mut qualities = Vec::new();
            for (user, mut scores) in (first as u32..).zip(scores.rows_mut()) {
                let relevant = held_out.items_of(user);
                if !relevant.is_empty() {
                    // What a user has seen must not take a rank from what was held out.
                    for &item in seen.iter().flat_map(|seen| seen.items_of(user)) {
                        scores[item as usize] = f32::NEG_INFINITY;
                    }
                    let top = top_k(scores.iter().copied(), k);
                    qualities.push((recall(&top, relevant), ndcg(&top, relevant, k)));
                }
            }
            qualities
        });
    // In the order of users: the sums below are the same on any number of threads.
    let qualities: Vec<(f64, f64)> = blocks.collect::<Vec<_>>().concat();
    let mean = |part: fn(&(f64, f64)) -> f64| {
        qualities.iter().map(part).sum::<f64>() / qualities.len().max(1) as f64
    };
    RankingQuality {
        k,
        recall: mean(|q| q.0),
        ndcg: mean(|q| q.1),
        users: qualities.len(),
    }
}

/// The k best positions, best first, equal scores by position; masked ones never.
fn top_k(scores: impl ExactSizeIterator<Item = f32>, k: usize) -> Vec<u32> {
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(k.min(scores.len()) + 1);
    for (score, position) in scores.zip(0..) {
        let full = best.len() == k;
        if score == f32::NEG_INFINITY || full && best.last().is_none_or(|last| score <= last.0) {
            continue;
        }
        // Inserted behind equal scores, whose positions are smaller. This is cheap: k is small, and
        // most scores do not get here.
        let rank = best.partition_point(|(other, _)| other.total_cmp(&score) != Ordering::Less);
        best.insert(rank, (score, position));
        best.truncate(k);
    }
    best.into_iter().map(|(_, position)| position).collect()
}

fn recall(top: &[u32], relevant: &[u32]) -> f64 {
    let hits = top
        .iter()
        .filter(|item| relevant.binary_search(item).is_ok())
        .count();
    hits as f64 / relevant.len() as f64
}

fn ndcg(top: &[u32], relevant: &[u32], k: usize) -> f64 {
    let discount = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
    let hit = |(rank, item): (usize, &u32)| relevant.binary_search(item).is_ok().then_some(rank);
    let gained: f64 = top.iter().enumerate().filter_map(hit).map(discount).sum();
    gained / (0..k.min(relevant.len())).map(discount).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn the_best_come_first_and_ties_by_position() {
        let scores = [1.0, 3.0, f32::NEG_INFINITY, 3.0, 2.0];
        assert_eq!(top_k(scores.into_iter(), 3), [1, 3, 4]);
        assert_eq!(top_k(scores.into_iter(), 9), [1, 3, 4, 0]);
        assert_eq!(top_k(scores.into_iter(), usize::MAX), [1, 3, 4, 0]);
        assert_eq!(top_k(scores.into_iter(), 0), [0u32; 0]);
    }

    #[test]
    fn by_hand() {
        let pairs = [("u", "a"), ("u", "b"), ("v", "c"), ("v", "d")];
        let all = Interactions::from_pairs(pairs).unwrap();
        let none = all.split(0.0, 0.0, 0).unwrap().test;
        // u scores a, b, c, d by 4, 1, 3, 2 and so ranks b last: a at rank 1.
        let users = array![[1.0], [-1.0]];
        let items = array![[4.0], [1.0], [3.0], [2.0]];
        let quality = rank(users.view(), items.view(), &[&none], &all, 3);
        // v ranks b, d, c: both at ranks 2 and 3.
        let discount = |rank: f64| 1.0 / (rank + 1.0).log2();
        let ideal = discount(1.0) + discount(2.0);
        let expected = (discount(1.0) / ideal + (discount(2.0) + discount(3.0)) / ideal) / 2.0;
        assert_relative_eq!(quality.ndcg, expected, epsilon = 1e-12);
        assert_relative_eq!(quality.recall, (0.5 + 1.0) / 2.0);
        assert_eq!(quality.users, 2);
        // What was seen takes no place; what is not held out makes no user count.
        let masked = rank(users.view(), items.view(), &[&all], &all, 3);
        assert_eq!((masked.ndcg, masked.users), (0.0, 2));
        assert_eq!(rank(users.view(), items.view(), &[], &none, 3).users, 0);
    }
}
