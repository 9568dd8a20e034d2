//! The queries of a data set with what is known of each, found by id.

use std::hash::BuildHasher;

use hashbrown::hash_table::{Entry, HashTable};
use rustc_hash::FxBuildHasher;

use crate::difficulty::Estimate;
use crate::{Error, QueryId, QuerySpec, Result};

/// What is known of one query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct QueryState {
    pub(crate) estimate: Estimate,
    /// What [`change`](Self::change) tells; 0 where it tells nothing.
    change: f64,
    /// Hash of the query's content; 0: not known.
    pub(crate) revision: u64,
    /// The last epoch, counted from 1, that served or recorded it; 0: none.
    pub(crate) last_epoch: u32,
    /// Position in the table of classes.
    pub(crate) class: u16,
    pub(crate) mastered: bool,
    /// Whether `change` is known.
    // Apart from it: as one `Option<f64>` they would take 16 bytes in place of 9.
    changed: bool,
}

// There may be ten million queries. All 40 bytes are in use: one more would cost eight.
const _: () = assert!(size_of::<QueryState>() <= 40);

impl QueryState {
    fn new(class: u16, revision: u64) -> Self {
        Self {
            estimate: Estimate::NEVER_TRIED,
            change: 0.0,
            revision,
            last_epoch: 0,
            class,
            mastered: false,
            changed: false,
        }
    }

    /// How much the difficulty changed at the last recorded round, new less old; `None` before the second round.
    pub(crate) fn change(&self) -> Option<f64> {
        self.changed.then_some(self.change)
    }

    pub(crate) fn set_change(&mut self, change: Option<f64>) {
        self.changed = change.is_some();
        self.change = change.unwrap_or(0.0);
    }
}

/// Queries in data-set order, indexed by id.
///
/// Positions are private to one pool: everything that leaves the crate carries ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    ids: Vec<QueryId>,
    queries: Vec<QueryState>,
    classes: Vec<Option<String>>,
    /// Positions hashed by id; the ids themselves are held once, in `ids`.
    index: HashTable<u32>,
}

impl Pool {
    pub(crate) fn new(specs: impl IntoIterator<Item = impl Into<QuerySpec>>) -> Result<Self> {
        let specs = specs.into_iter();
        let expected = specs.size_hint().0;
        let mut pool = Self {
            ids: Vec::with_capacity(expected),
            queries: Vec::with_capacity(expected),
            classes: Vec::new(),
            index: HashTable::with_capacity(expected),
        };
        for spec in specs {
            pool.push(spec.into())?;
        }
        if pool.is_empty() {
            Err(Error::NoQueries)
        } else {
            Ok(pool)
        }
    }

    /// Appends a query that was never tried, and tells its position.
    pub(crate) fn push(&mut self, spec: QuerySpec) -> Result<u32> {
        let QuerySpec {
            id,
            class,
            revision,
        } = spec;
        let class = self.class_position(class)?;
        self.insert(id, QueryState::new(class, revision))
    }

    fn insert(&mut self, id: QueryId, query: QueryState) -> Result<u32> {
        let allowed = u32::MAX as usize;
        let position = u32::try_from(self.ids.len()).map_err(|_| Error::TooMany {
            what: "queries",
            allowed,
        })?;
        let ids = &self.ids;
        // The table holds positions alone: it compares and hashes by way of `ids`.
        let (same, rehash) = (
            |&p: &u32| ids[p as usize] == id,
            |&p: &u32| hash(&ids[p as usize]),
        );
        match self.index.entry(hash(&id), same, rehash) {
            Entry::Occupied(_) => return Err(Error::DuplicateQuery { id }),
            Entry::Vacant(slot) => slot.insert(position),
        };
        self.ids.push(id);
        self.queries.push(query);
        Ok(position)
    }

    // A scan: a data set has a handful of classes, and neighbours mostly share theirs.
    fn class_position(&mut self, class: Option<String>) -> Result<u16> {
        let position = self
            .classes
            .iter()
            .position(|known| *known == class)
            .unwrap_or(self.classes.len());
        if position == self.classes.len() {
            self.classes.push(class);
        }
        let allowed = u16::MAX as usize + 1;
        u16::try_from(position).map_err(|_| Error::TooMany {
            what: "classes",
            allowed,
        })
    }

    pub(crate) fn position(&self, id: &str) -> Result<u32> {
        self.find(id)
            .ok_or_else(|| Error::UnknownQuery { id: id.into() })
    }

    pub(crate) fn find(&self, id: &str) -> Option<u32> {
        self.index
            .find(hash(id), |&p| self.ids[p as usize] == id)
            .copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(crate) fn id(&self, position: u32) -> &QueryId {
        &self.ids[position as usize]
    }

    pub(crate) fn query(&self, position: u32) -> &QueryState {
        &self.queries[position as usize]
    }

    pub(crate) fn query_mut(&mut self, position: u32) -> &mut QueryState {
        &mut self.queries[position as usize]
    }

    pub(crate) fn queries(&self) -> &[QueryState] {
        &self.queries
    }

    pub(crate) fn queries_mut(&mut self) -> &mut [QueryState] {
        &mut self.queries
    }

    pub(crate) fn ids(&self) -> &[QueryId] {
        &self.ids
    }

    pub(crate) fn classes(&self) -> &[Option<String>] {
        &self.classes
    }

    pub(crate) fn class(&self, position: u32) -> Option<&str> {
        self.classes[usize::from(self.query(position).class)].as_deref()
    }

    /// Positions of the queries that fulfil a condition, ascending.
    pub(crate) fn positions(&self, condition: impl Fn(&QueryState) -> bool) -> Vec<u32> {
        (0..)
            .zip(&self.queries)
            .filter(|(_, query)| condition(query))
            .map(|(position, _)| position)
            .collect()
    }
}

fn hash(id: &str) -> u64 {
    FxBuildHasher.hash_one(id)
}
