//! The state of a curriculum as a file: versioned, written whole or not at all.

mod v1;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::curriculum::Progress;
use crate::difficulty::{Estimate, Round};
use crate::pool::{Pool, QueryState};
use crate::{Curriculum, CurriculumConfig, Error, QueryId, QuerySpec, Result};

/// Version of the state that this build writes; earlier ones are read as well.
///
/// 1: first. 2: queries have revisions.
pub const STATE_VERSION: u32 = 2;

/// The serialised form. Positions index `queries` of the same document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    config: CurriculumConfig,
    progress: Progress,
    queries: Vec<SavedQuery>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedQuery {
    id: QueryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(default, skip_serializing_if = "is_unknown")]
    revision: u64,
    estimate: Estimate,
    last_epoch: u32,
    mastered: bool,
}

fn is_unknown(revision: &u64) -> bool {
    *revision == 0
}

/// Read first, whatever else the document holds.
#[derive(Deserialize)]
struct Header {
    version: u32,
}

impl State {
    fn of(curriculum: &Curriculum) -> Self {
        let pool = &curriculum.pool;
        let saved = |(position, id): (u32, &QueryId)| {
            let &QueryState {
                estimate,
                revision,
                last_epoch,
                mastered,
                ..
            } = pool.query(position);
            let class = pool.class(position).map(str::to_owned);
            SavedQuery {
                id: id.clone(),
                class,
                revision,
                estimate,
                last_epoch,
                mastered,
            }
        };
        Self {
            version: STATE_VERSION,
            config: curriculum.config.clone(),
            progress: curriculum.progress.clone(),
            queries: (0..).zip(pool.ids()).map(saved).collect(),
        }
    }

    fn restore(self) -> Result<Curriculum> {
        check_version(self.version)?;
        self.config.validate()?;
        self.check_positions()?;
        let mut specs = Vec::with_capacity(self.queries.len());
        let mut known = Vec::with_capacity(self.queries.len());
        for query in self.queries {
            specs.push(QuerySpec {
                id: query.id,
                class: query.class,
                revision: query.revision,
            });
            known.push((query.estimate, query.last_epoch, query.mastered));
        }
        let mut pool = Pool::new(specs)?;
        for (query, (estimate, last_epoch, mastered)) in pool.queries_mut().iter_mut().zip(known) {
            *query = QueryState {
                estimate,
                last_epoch,
                mastered,
                ..*query
            };
        }
        Curriculum::assemble(self.config, pool, self.progress)
    }

    fn check_positions(&self) -> Result<()> {
        let inconsistent = |detail: String| Err(Error::InconsistentState { detail });
        let queries = self.queries.len();
        let Progress {
            plan,
            served,
            records,
            ..
        } = &self.progress;
        let mut planned = vec![false; queries];
        for &position in plan {
            match planned.get_mut(position as usize) {
                None => {
                    return inconsistent(format!("the plan names query {position} of {queries}"));
                }
                Some(true) => {
                    return inconsistent(format!("the plan names query {position} twice"));
                }
                Some(seen) => *seen = true,
            }
        }
        if *served > plan.len() {
            return inconsistent(format!(
                "{served} of {} planned queries are served",
                plan.len()
            ));
        }
        for &Round {
            query, rollouts, ..
        } in records
        {
            if query as usize >= queries || rollouts == 0 {
                return inconsistent(format!(
                    "a record of query {query} of {queries} has {rollouts} rollouts"
                ));
            }
        }
        Ok(())
    }
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

/// The state as one value; [`Curriculum::save`] writes the same as JSON.
impl Serialize for Curriculum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        State::of(self).serialize(serializer)
    }
}

/// Reads the current version only; [`Curriculum::load`] reads earlier ones too.
impl<'de> Deserialize<'de> for Curriculum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        State::deserialize(deserializer)?
            .restore()
            .map_err(de::Error::custom)
    }
}

impl Curriculum {
    /// Writes the state to a JSON file: whole, or not at all.
    ///
    /// # Errors
    /// The file cannot be written; whatever it held before is still there.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.write_whole(path).map_err(|source| Error::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }

    fn write_whole(&self, path: &Path) -> std::io::Result<()> {
        let parent = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let mut writer = BufWriter::new(&mut file);
        serde_json::to_writer(&mut writer, self)?;
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(folder)?.sync_all()
    }

    /// Reads a state that [`save`](Self::save) wrote; it continues exactly where that one stood.
    ///
    /// # Errors
    /// The file cannot be read, is cut short, contradicts itself, or comes from a later version.
    pub fn load(path: &Path) -> Result<Self> {
        let failed = |source| Error::Io {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let malformed = |source| Error::StateFormat {
            path: path.to_owned(),
            source,
        };
        let json = fs::read(path).map_err(failed)?;
        let Header { version } = serde_json::from_slice(&json).map_err(malformed)?;
        check_version(version)?;
        let state = match version {
            1 => serde_json::from_slice::<v1::State>(&json).map(State::from),
            _ => serde_json::from_slice(&json),
        };
        state.map_err(malformed)?.restore()
    }
}
