//! The files that a run writes while it goes on.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

use crate::config::TrainConfig;
use crate::error::{Error, Result};
use crate::files::{CONFIG, EPOCHS, EVALUATIONS, METRICS, QUERIES, ROLLOUTS, TIMINGS, WARM_START};
use crate::run::Records;
use crate::tensorboard::EventFile;
use crate::{
    EpochRecord, Evaluation, GroupRecord, MetricsRecord, QueryRecord, TimingRecord, WarmStartRecord,
};

/// Bytes of each file that belong to what a checkpoint holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lengths {
    metrics: u64,
    rollouts: u64,
    epochs: u64,
    evaluations: u64,
    /// Older checkpoints do not count it.
    #[serde(default)]
    queries: u64,
    #[serde(default)]
    timings: u64,
    #[serde(default)]
    warm_start: u64,
}

/// Appends the records of a run to its files.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    metrics: JsonLines,
    rollouts: JsonLines,
    epochs: JsonLines,
    evaluations: JsonLines,
    queries: JsonLines,
    timings: JsonLines,
    warm_start: JsonLines,
    /// The same for TensorBoard.
    events: EventFile,
    /// The queries that are written down.
    known: HashSet<QueryId>,
}

impl Ledger {
    /// Opens the files of a run and cuts them to what its checkpoint counts: what stands behind belongs to steps that will be
    /// made again. `steps` are done already.
    pub(crate) fn open(folder: &Path, lengths: Lengths, steps: u64) -> Result<Self> {
        let open = |name, len| JsonLines::open(folder.join(name), len);
        let queries = open(QUERIES, lengths.queries)?;
        Ok(Self {
            known: known(&queries.path)?,
            queries,
            metrics: open(METRICS, lengths.metrics)?,
            rollouts: open(ROLLOUTS, lengths.rollouts)?,
            epochs: open(EPOCHS, lengths.epochs)?,
            evaluations: open(EVALUATIONS, lengths.evaluations)?,
            timings: open(TIMINGS, lengths.timings)?,
            warm_start: open(WARM_START, lengths.warm_start)?,
            events: EventFile::create(folder, steps + 1)?,
            folder: folder.to_owned(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The state of all files, for a checkpoint. They are on the disk when this returns: a checkpoint must not count lines
    /// that a power failure takes away again.
    pub(crate) fn lengths(&self) -> Result<Lengths> {
        Ok(Lengths {
            metrics: self.metrics.synced_len()?,
            rollouts: self.rollouts.synced_len()?,
            epochs: self.epochs.synced_len()?,
            evaluations: self.evaluations.synced_len()?,
            queries: self.queries.synced_len()?,
            timings: self.timings.synced_len()?,
            warm_start: self.warm_start.synced_len()?,
        })
    }

    pub(crate) fn warm_step(&mut self, record: &WarmStartRecord) -> Result<()> {
        self.warm_start.push(record)
    }

    pub(crate) fn step(&mut self, metrics: &MetricsRecord, groups: &[GroupRecord]) -> Result<()> {
        // Rollouts before metrics: a step whose metrics can be read has its rollouts.
        groups
            .iter()
            .try_for_each(|group| self.rollouts.push(group))?;
        self.metrics.push(metrics)?;
        self.events.step(metrics)
    }

    pub(crate) fn timing(&mut self, timing: &TimingRecord) -> Result<()> {
        self.timings.push(timing)
    }

    /// Writes a query down, unless it is already.
    pub(crate) fn query(
        &mut self,
        id: &QueryId,
        record: impl FnOnce() -> QueryRecord,
    ) -> Result<()> {
        if self.known.contains(id) {
            return Ok(());
        }
        self.known.insert(id.clone());
        self.queries.push(&record())
    }

    pub(crate) fn epoch(&mut self, epoch: &EpochRecord) -> Result<()> {
        self.epochs.push(epoch)
    }

    pub(crate) fn evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        self.evaluations.push(evaluation)?;
        self.events.evaluation(evaluation)
    }
}

fn known(path: &Path) -> Result<HashSet<QueryId>> {
    let records = Records::<QueryRecord>::open(path.to_owned())?;
    records.map(|record| Ok(record?.query)).collect()
}

/// Makes the folder of a new run and writes its settings; one that holds anything already is refused.
pub(crate) fn create(config: &TrainConfig) -> Result<()> {
    let folder = config.run_folder();
    refuse_used(&folder)?;
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    write_config(config)
}

/// Whether a run's folder is there, but nothing of a run in it yet.
#[cfg(feature = "torch")]
pub(crate) fn is_barely_begun(folder: &Path) -> bool {
    folder.is_dir() && refuse_used(folder).is_ok()
}

/// Refuses a folder that holds anything but drafts of files that a killed run left.
pub(crate) fn refuse_used(folder: &Path) -> Result<()> {
    let is_draft = |name: &OsStr| name.to_string_lossy().starts_with(".draft-");
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    match entries.any(|entry| !is_draft(&entry.file_name())) {
        true => Err(Error::RunExists {
            path: folder.to_owned(),
        }),
        false => Ok(()),
    }
}

/// Writes the settings of a run into its folder.
pub(crate) fn write_config(config: &TrainConfig) -> Result<()> {
    let path = config.run_folder().join(CONFIG);
    let text = toml::to_string(config).map_err(|error| Error::InvalidFile {
        path: path.clone(),
        what: error.to_string(),
    })?;
    rerec_files::write(&path, |file| file.put(text.as_bytes()))?;
    Ok(())
}

/// A file with one JSON value per line.
#[derive(Debug)]
struct JsonLines {
    path: PathBuf,
    file: File,
    len: u64,
}

impl JsonLines {
    fn open(path: PathBuf, len: u64) -> Result<Self> {
        let mut options = OpenOptions::new();
        // Appending: once the file has been cut, writing goes on at its new end.
        let file = options.create(true).append(true).open(&path);
        let file = file.map_err(Error::io(&path))?;
        let got = file.metadata().map_err(Error::io(&path))?.len();
        // A shorter file has lost records of finished steps, which cannot be restored.
        if got < len {
            let what = format!("has {got} bytes, but the checkpoint counts {len}");
            return Err(Error::InvalidFile { path, what });
        }
        file.set_len(len).map_err(Error::io(&path))?;
        Ok(Self { path, file, len })
    }

    fn push(&mut self, value: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_string(value).map_err(|error| Error::InvalidFile {
            path: self.path.clone(),
            what: error.to_string(),
        })?;
        // The line end goes out in the same write: readers take a line without it for unfinished.
        line.push('\n');
        let written = self.file.write_all(line.as_bytes());
        written.map_err(Error::io(&self.path))?;
        self.len += line.len() as u64;
        Ok(())
    }

    fn synced_len(&self) -> Result<u64> {
        self.file.sync_data().map_err(Error::io(&self.path))?;
        Ok(self.len)
    }
}
