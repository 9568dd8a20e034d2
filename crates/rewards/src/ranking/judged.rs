use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::distinct::repetitions;
use super::{Conventions, NegativeGrades, Pool, Relevance};

/// Up to this many judged items a search beats a table.
const FEW: usize = 8;

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
    /// Length of the list without repetitions.
    pub(super) listed: usize,
    repeated: Vec<usize>,
}

impl Judged {
    /// Reads one list; `whole` asks for repetitions behind the last judged item as well.
    pub(super) fn read<T: Eq + Hash>(
        &mut self,
        ranked: &[T],
        relevance: Relevance<'_, T>,
        whole: bool,
        conventions: &Conventions,
    ) {
        self.clear();
        if relevance.len() <= FEW {
            self.search(ranked, relevance);
        } else {
            self.look_up(ranked, relevance);
        }
        self.skip_repetitions(ranked, whole);
        self.count(conventions);
    }

    fn clear(&mut self) {
        self.placed.clear();
        self.pool.clear();
        self.repeated.clear();
    }

    fn search<T: Eq>(&mut self, ranked: &[T], relevance: Relevance<'_, T>) {
        for judged in 0..relevance.len() {
            let (item, grade) = relevance.get(judged);
            if (0..judged).any(|earlier| relevance.get(earlier).0 == item) {
                continue;
            }
            self.pool.push(grade);
            if let Some(position) = ranked.iter().position(|listed| listed == item) {
                self.placed.push(Placed { position, grade });
            }
        }
        if self.placed.len() > 1 {
            self.placed.sort_unstable_by_key(|placed| placed.position);
        }
    }

    fn look_up<T: Eq + Hash>(&mut self, ranked: &[T], relevance: Relevance<'_, T>) {
        let mut grades = FxHashMap::default();
        for (item, grade) in (0..relevance.len()).map(|judged| relevance.get(judged)) {
            // An item judged twice keeps its first grade.
            grades.entry(item).or_insert_with(|| {
                self.pool.push(grade);
                grade
            });
        }
        for (position, item) in ranked.iter().enumerate() {
            if let Some(grade) = grades.remove(item) {
                self.placed.push(Placed { position, grade });
            }
        }
    }

    /// Moves every item up by the repetitions above it.
    fn skip_repetitions<T: Eq + Hash>(&mut self, ranked: &[T], whole: bool) {
        let last = self.placed.last().map_or(0, |last| last.position);
        let looked_at = if whole { ranked.len() } else { last };
        repetitions(&ranked[..looked_at], &mut self.repeated);
        if !self.repeated.is_empty() {
            for placed in &mut self.placed {
                placed.position -= self.repeated.partition_point(|&at| at < placed.position);
            }
        }
        self.listed = ranked.len() - self.repeated.len();
    }

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
        self.relevant = self
            .pool
            .partition_point(|&grade| grade >= conventions.relevant_from);
        self.not_relevant = self.pool[self.relevant..].partition_point(|&grade| grade >= least);
    }
}
