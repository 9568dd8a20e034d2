//! Moving a curriculum onto an edited data set.

use std::sync::Mutex;

use crate::difficulty::Round;
use crate::pool::Pool;
use crate::{Curriculum, QueryId, QuerySpec, Result};

/// How a data set differs from the one that a curriculum knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// Queries in both, edited ones included.
    pub kept: usize,
    /// New queries, never tried.
    pub added: Vec<QueryId>,
    /// Queries that are gone, with all that was known of them.
    pub removed: Vec<QueryId>,
    /// Queries of another revision: as if never tried.
    pub edited: Vec<QueryId>,
    /// Queries of another class; they keep their estimate.
    pub relabelled: Vec<QueryId>,
}

impl Reconciliation {
    /// Whether the data set holds the same queries as before.
    pub fn is_unchanged(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.edited.is_empty()
            && self.relabelled.is_empty()
    }
}

impl Curriculum {
    /// Goes on with a data set in which queries were added, removed, edited, relabelled or re-ordered since the state was saved.
    ///
    /// Queries are matched by id. The current epoch loses the removed ones and serves the added and edited ones at its end;
    /// the order of `queries` breaks ties from the next epoch on.
    ///
    /// ```
    /// use rerec_curriculum::{Curriculum, CurriculumConfig};
    /// let mut curriculum = Curriculum::new(CurriculumConfig::default(), ["a", "b"])?;
    /// let report = curriculum.reconcile(["b", "c"])?;
    /// assert_eq!((report.kept, report.added, report.removed), (1, vec!["c".into()], vec!["a".into()]));
    /// assert_eq!(curriculum.next_batch(), Some(vec!["b".into(), "c".into()]));
    /// # Ok::<(), rerec_curriculum::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new); the curriculum is unchanged then.
    pub fn reconcile(
        &mut self,
        queries: impl IntoIterator<Item = impl Into<QuerySpec>>,
    ) -> Result<Reconciliation> {
        let mut pool = Pool::new(queries)?;
        self.config.check_quotas(&pool)?;
        let mut report = Reconciliation::default();
        let mut to_serve = Vec::new();
        for position in 0..pool.len() as u32 {
            if self.adopt(&mut pool, position, &mut report) {
                to_serve.push(position);
            }
        }
        let gone = |id: &&QueryId| pool.find(id).is_none();
        report.removed = self.pool.ids().iter().filter(gone).cloned().collect();
        // The epoch is moved while both pools are there: its positions are those of the old one.
        self.move_epoch(&pool, &report, to_serve);
        self.pool = pool;
        Ok(report)
    }

    /// Takes over what is known of the query at `position` of the new pool; whether it is new or edited.
    fn adopt(&self, pool: &mut Pool, position: u32, report: &mut Reconciliation) -> bool {
        let id = pool.id(position).clone();
        let Some(old) = self.pool.find(&id) else {
            report.added.push(id);
            return true;
        };
        report.kept += 1;
        if self.pool.class(old) != pool.class(position) {
            report.relabelled.push(id.clone());
        }
        let mut known = *self.pool.query(old);
        let query = pool.query_mut(position);
        // 0 is "not known", which contradicts nothing.
        let edited = known.revision != query.revision && known.revision != 0 && query.revision != 0;
        if edited {
            report.edited.push(id);
        } else {
            known.class = query.class;
            if query.revision != 0 {
                known.revision = query.revision;
            }
            *query = known;
        }
        edited
    }

    /// Translates the current epoch to the positions of the new pool.
    fn move_epoch(&mut self, pool: &Pool, report: &Reconciliation, to_serve: Vec<u32>) {
        let known = self.progress.take_records();
        let moved = |position: u32| pool.find(self.pool.id(position));
        let (served, waiting) = self.progress.plan.split_at(self.progress.served);
        let mut plan: Vec<u32> = served.iter().copied().filter_map(moved).collect();
        // Counted anew, since removed queries leave the served part too.
        let served = plan.len();
        plan.extend(waiting.iter().copied().filter_map(moved));
        // A plan names a query once: an edited one that is in it, served or waiting, is not added
        // again.
        let mut planned = vec![false; pool.len()];
        plan.iter()
            .for_each(|&position| planned[position as usize] = true);
        plan.extend(
            to_serve
                .iter()
                .filter(|&&position| !planned[position as usize]),
        );

        let edited: rustc_hash::FxHashSet<u32> = report
            .edited
            .iter()
            .filter_map(|id| pool.find(id))
            .collect();
        // Metrics of the old wording say nothing about an edited query.
        let records = known.into_iter().filter_map(|round| {
            let query = moved(round.query).filter(|query| !edited.contains(query))?;
            Some(Round { query, ..round })
        });
        self.progress.records = Mutex::new(records.collect());
        self.progress.plan = plan;
        self.progress.served = served;
    }
}
