//! The state of a curriculum as a file: versioned, written whole or not at all.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::curriculum::Progress;
use crate::difficulty::{Estimate, Round};
use crate::pool::{Pool, QueryState};
use crate::{Curriculum, CurriculumConfig, Error, QueryId, QuerySpec, Result};

/// Version of the state that this build writes.
pub const STATE_VERSION: u32 = 1;

/// The serialised form. Positions index `queries` of the same document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    config: CurriculumConfig,
    epoch: u32,
    steps_taken: u64,
    epoch_batches: usize,
    served: usize,
    plan: Vec<u32>,
    records: Vec<(u32, Round)>,
    queries: Vec<SavedQuery>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedQuery {
    id: QueryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    difficulty: f64,
    weight: f64,
    last_epoch: u32,
    mastered: bool,
}

/// Read first, whatever else the document holds.
#[derive(Deserialize)]
struct Header {
    version: u32,
}

impl State {
    fn of(curriculum: &Curriculum) -> Self {
        let Progress {
            epoch,
            plan,
            served,
            epoch_batches,
            batches,
            records,
        } = curriculum.progress.clone();
        let pool = &curriculum.pool;
        let saved = |(id, query): (&QueryId, &QueryState)| SavedQuery {
            id: id.clone(),
            class: pool.classes()[usize::from(query.class)].clone(),
            difficulty: query.estimate.difficulty,
            weight: query.estimate.weight,
            last_epoch: query.last_epoch,
            mastered: query.mastered,
        };
        let queries = pool.ids().iter().zip(pool.queries()).map(saved).collect();
        let config = curriculum.config.clone();
        Self {
            version: STATE_VERSION,
            config,
            epoch,
            steps_taken: batches,
            epoch_batches,
            served,
            plan,
            records,
            queries,
        }
    }

    fn restore(self) -> Result<Curriculum> {
        if self.version != STATE_VERSION {
            return Err(Error::FutureVersion {
                found: self.version,
                supported: STATE_VERSION,
            });
        }
        self.config.validate()?;
        self.check()?;
        let (specs, saved): (Vec<_>, Vec<_>) = (self.queries.into_iter())
            .map(|query| {
                let estimate = Estimate {
                    difficulty: query.difficulty,
                    weight: query.weight,
                };
                (
                    QuerySpec {
                        id: query.id,
                        class: query.class,
                    },
                    (estimate, query.last_epoch, query.mastered),
                )
            })
            .unzip();
        let mut pool = Pool::new(specs)?;
        for (query, (estimate, last_epoch, mastered)) in pool.queries_mut().iter_mut().zip(saved) {
            *query = QueryState {
                estimate,
                last_epoch,
                mastered,
                class: query.class,
            };
        }
        let Self {
            epoch,
            steps_taken: batches,
            epoch_batches,
            served,
            plan,
            records,
            ..
        } = self;
        Curriculum::assemble(
            self.config,
            pool,
            Progress {
                epoch,
                plan,
                served,
                epoch_batches,
                batches,
                records,
            },
        )
    }

    fn check(&self) -> Result<()> {
        let inconsistent = |detail: String| Err(Error::InconsistentState { detail });
        let queries = self.queries.len();
        let mut planned = vec![false; queries];
        for &position in &self.plan {
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
        if let Some((position, _)) = self
            .records
            .iter()
            .find(|(position, _)| *position as usize >= queries)
        {
            return inconsistent(format!("a record names query {position} of {queries}"));
        }
        if self.served > self.plan.len() {
            return inconsistent(format!(
                "{} of {} planned queries are served",
                self.served,
                self.plan.len()
            ));
        }
        Ok(())
    }
}

impl Serialize for Curriculum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        State::of(self).serialize(serializer)
    }
}

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
        let failed = |source| Error::Io {
            action: "write",
            path: path.to_owned(),
            source,
        };
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        let mut writer = BufWriter::new(&mut file);
        serde_json::to_writer(&mut writer, self).map_err(|error| failed(error.into()))?;
        writer.flush().map_err(failed)?;
        drop(writer);
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }

    /// Reads a state that [`save`](Self::save) wrote; it continues exactly where that one stood.
    ///
    /// # Errors
    /// The file cannot be read, is cut short, contradicts itself, or comes from a later version.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let format = |source| Error::StateFormat {
            path: path.to_owned(),
            source,
        };
        let Header { version } = serde_json::from_slice(&bytes).map_err(format)?;
        if version > STATE_VERSION {
            return Err(Error::FutureVersion {
                found: version,
                supported: STATE_VERSION,
            });
        }
        serde_json::from_slice::<State>(&bytes)
            .map_err(format)?
            .restore()
    }
}
