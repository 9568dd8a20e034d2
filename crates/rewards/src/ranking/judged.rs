use std::hash::Hash;

use super::distinct::Distinct;
use super::{Conventions, NegativeGrades, Pool, Relevance};

/// A judged item at its rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Position from 0, not counting repetitions.
    pub(super) position: usize,
    pub(super) grade: f64,
}

/// What every metric of one list is computed from; reused from query to query.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Judged items of the list, in order.
    pub(super) placed: Vec<Placed>,
    /// Grades of the pool, highest first.
    pub(super) pool: Vec<f64>,
    /// Relevant items of the pool, R.
    pub(super) relevant: usize,
    /// Judged items that are not relevant, N.
    pub(super) not_relevant: usize,
    /// Length of the list without repetitions, if it was asked for.
    pub(super) listed: usize,
    distinct: Distinct,
}

impl Judged {
    /// Reads one list, up to its last judged item unless the `whole` of it is asked for.
    pub(super) fn read<T: Eq + Hash>(
        &mut self,
        ranked: &[T],
        relevance: Relevance<'_, T>,
        whole: bool,
        conventions: &Conventions,
    ) {
        let judged = relevance.len();
        // Judged items have the first numbers, and once they are listed one behind those.
        let item_of = |number: usize| match number.checked_sub(judged) {
            None => relevance.get(number).0,
            Some(at) => &ranked[at],
        };
        self.placed.clear();
        self.pool.clear();
        let mut numbers = self.distinct.begin(judged + ranked.len());
        for number in 0..judged {
            let (item, grade) = relevance.get(number);
            match numbers.renumber(item, number, item_of) {
                None => self.pool.push(grade),
                // An item judged twice keeps its first grade.
                Some(first) => _ = numbers.renumber(item, first, item_of),
            }
        }
        // Without a judged item nothing of the list can count.
        let up_to = if whole || !self.pool.is_empty() {
            ranked.len()
        } else {
            0
        };
        let mut repetitions = 0;
        for (at, item) in ranked[..up_to].iter().enumerate() {
            match numbers.renumber(item, judged + at, item_of) {
                None => {}
                Some(earlier) if earlier >= judged => repetitions += 1,
                Some(earlier) => {
                    let (_, grade) = relevance.get(earlier);
                    let position = at - repetitions;
                    self.placed.push(Placed { position, grade });
                    // All that is judged was met: the rest of a long list changes nothing but its length.
                    if self.placed.len() == self.pool.len() && !whole {
                        break;
                    }
                }
            }
        }
        // Right only where the whole list was read, which is asked for where a metric needs it.
        self.listed = ranked.len() - repetitions;
        self.count(conventions);
    }

    #[inline]
    fn count(&mut self, conventions: &Conventions) {
        if conventions.pool == Pool::Listed {
            self.pool.clear();
            self.pool
                .extend(self.placed.iter().map(|placed| placed.grade));
        }
        if self.pool.len() > 1 {
            self.pool.sort_unstable_by(|a, b| b.total_cmp(a));
        }
        let least = match conventions.negative_grades {
            NegativeGrades::Unjudged => 0.0,
            NegativeGrades::NotRelevant => f64::NEG_INFINITY,
        };
        // The pool descends, so that a count is a place in it.
        self.relevant = self
            .pool
            .partition_point(|&grade| grade >= conventions.relevant_from);
        self.not_relevant = self.pool[self.relevant..].partition_point(|&grade| grade >= least);
    }
}
