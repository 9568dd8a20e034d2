//! The state of a curriculum as a value.

mod file;
mod v1;

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::curriculum::Progress;
use crate::difficulty::{Estimate, Round};
use crate::pool::Pool;
use crate::{Curriculum, CurriculumConfig, Error, QueryId, QuerySpec, Result};

/// Version of the state that this build writes; earlier ones are read as well.
///
/// 1: first. 2: queries have revisions. 3: a file begins with the checksum of the rest. 4: queries keep how much their
/// difficulty last changed.
pub const STATE_VERSION: u32 = 4;

/// The serialised form. Positions index `queries` of the same document.
#[derive(Serialize)]
struct StateView<'a> {
    version: u32,
    config: &'a CurriculumConfig,
    progress: &'a Progress,
    queries: SavedQueries<'a>,
}

/// The same, read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    config: CurriculumConfig,
    progress: Progress,
    queries: SavedPool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedQuery<'a> {
    id: Cow<'a, QueryId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_unknown")]
    revision: u64,
    estimate: Estimate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<f64>,
    last_epoch: u32,
    mastered: bool,
}

fn is_unknown(revision: &u64) -> bool {
    *revision == 0
}

/// Writes queries one by one: a copy of ten million would not fit beside them.
struct SavedQueries<'a>(&'a Pool);

impl Serialize for SavedQueries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pool = self.0;
        serializer.collect_seq((0..).zip(pool.ids()).map(|(position, id)| {
            let query = pool.query(position);
            SavedQuery {
                id: Cow::Borrowed(id),
                class: pool.class(position).map(Cow::Borrowed),
                revision: query.revision,
                estimate: query.estimate,
                change: query.change(),
                last_epoch: query.last_epoch,
                mastered: query.mastered,
            }
        }))
    }
}

/// The pool that saved queries make, or why they make none.
struct SavedPool(Result<Pool>);

impl SavedPool {
    fn push(&mut self, query: SavedQuery<'_>) {
        // The first error is kept for `restore`: passed through serde it would lose its type.
        if let Ok(pool) = &mut self.0
            && let Err(error) = query.push_to(pool)
        {
            self.0 = Err(error);
        }
    }
}

impl<'a> FromIterator<SavedQuery<'a>> for SavedPool {
    fn from_iter<I: IntoIterator<Item = SavedQuery<'a>>>(queries: I) -> Self {
        let mut pool = Self(Ok(Pool::default()));
        queries.into_iter().for_each(|query| pool.push(query));
        pool
    }
}

impl SavedQuery<'_> {
    fn push_to(self, pool: &mut Pool) -> Result<()> {
        let position = pool.push(QuerySpec {
            id: self.id.into_owned(),
            class: self.class.map(Cow::into_owned),
            revision: self.revision,
        })?;
        let query = pool.query_mut(position);
        query.estimate = self.estimate;
        query.set_change(self.change);
        query.last_epoch = self.last_epoch;
        query.mastered = self.mastered;
        Ok(())
    }
}

impl<'de> Deserialize<'de> for SavedPool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Queries;

        impl<'de> Visitor<'de> for Queries {
            type Value = SavedPool;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of queries")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut queries: A) -> Result<SavedPool, A::Error> {
                let mut pool = SavedPool(Ok(Pool::default()));
                // Straight into the pool, for the same reason as `SavedQueries`.
                while let Some(query) = queries.next_element()? {
                    pool.push(query);
                }
                Ok(pool)
            }
        }

        deserializer.deserialize_seq(Queries)
    }
}

impl State {
    fn restore(self) -> Result<Curriculum> {
        check_version(self.version)?;
        self.config.validate()?;
        let pool = self.queries.0?;
        if pool.is_empty() {
            return Err(Error::NoQueries);
        }
        check_positions(&self.progress, pool.len())?;
        check_numbers(&self.progress, &pool)?;
        Curriculum::assemble(self.config, pool, self.progress)
    }
}

fn check_positions(progress: &Progress, queries: usize) -> Result<()> {
    let inconsistent = |detail: String| Err(Error::InconsistentState { detail });
    let mut planned = vec![false; queries];
    for &position in &progress.plan {
        // Positions come from a file, and everything else indexes with them unchecked.
        match planned.get_mut(position as usize) {
            None => return inconsistent(format!("the plan names query {position} of {queries}")),
            Some(true) => return inconsistent(format!("the plan names query {position} twice")),
            Some(seen) => *seen = true,
        }
    }
    let (served, planned) = (progress.served, progress.plan.len());
    if served > planned {
        return inconsistent(format!("{served} of {planned} planned queries are served"));
    }
    for &Round {
        query, rollouts, ..
    } in progress.records().iter()
    {
        if query as usize >= queries || rollouts == 0 {
            return inconsistent(format!(
                "a record of query {query} of {queries} has {rollouts} rollouts"
            ));
        }
    }
    Ok(())
}

/// Estimates and records are such as recording makes them: their sums stay finite.
fn check_numbers(progress: &Progress, pool: &Pool) -> Result<()> {
    /// Above the difficulty of any allowed metric.
    const MOST: f64 = 1e101;
    let inconsistent = |id: &QueryId, detail: String| {
        let detail = format!("query {:?} has {detail}", id.as_str());
        Err(Error::InconsistentState { detail })
    };
    for (id, query) in pool.ids().iter().zip(pool.queries()) {
        let Estimate { difficulty, weight } = query.estimate;
        if !(difficulty.abs() <= MOST && (0.0..=MOST).contains(&weight)) {
            return inconsistent(
                id,
                format!("difficulty {difficulty:e} of weight {weight:e}"),
            );
        }
        let change = query.change().unwrap_or(0.0);
        // Two allowed difficulties may lie this far apart.
        if !(0.0..=2.0 * MOST).contains(&change.abs()) {
            return inconsistent(id, format!("a difficulty that changed by {change:e}"));
        }
    }
    for round in progress.records().iter() {
        let (mean, deviation) = (round.mean(), round.deviation());
        if !(mean.abs() <= MOST && (0.0..=MOST).contains(&deviation)) {
            let detail = format!("a record of mean {mean:e} and deviation {deviation:e}");
            return inconsistent(pool.id(round.query), detail);
        }
    }
    Ok(())
}

fn check_version(found: u32) -> Result<()> {
    if found > STATE_VERSION {
        return Err(Error::FutureVersion {
            found,
            supported: STATE_VERSION,
        });
    }
    Ok(())
}

/// The state as one value; [`Curriculum::save`] writes the same as JSON, after a checksum.
impl Serialize for Curriculum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = StateView {
            version: STATE_VERSION,
            config: &self.config,
            progress: &self.progress,
            queries: SavedQueries(&self.pool),
        };
        view.serialize(serializer)
    }
}

/// Reads values since version 2; [`Curriculum::load`] reads files of version 1 too.
impl<'de> Deserialize<'de> for Curriculum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        State::deserialize(deserializer)?
            .restore()
            .map_err(de::Error::custom)
    }
}
