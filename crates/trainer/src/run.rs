//! Reading the records of a run.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use rerec_policy::ModelSource;
use serde::de::DeserializeOwned;

use crate::checkpoint;
use crate::config::TrainConfig;
use crate::error::{Error, Result};
use crate::files::{
    BASELINES, CONFIG, EPOCHS, EVALUATIONS, METRICS, QUERIES, ROLLOUTS, TIMINGS, WARM_START,
};
use crate::{
    BaselineRecord, EpochRecord, Evaluation, GroupRecord, MetricsRecord, QueryRecord, TimingRecord,
    WarmStartRecord,
};

/// The folder of a running or finished run, with all its records. Reading it needs no libtorch and disturbs no run.
///
/// ```no_run
/// let run = rerec_trainer::Run::open("runs/quickstart")?;
/// let last = run.metrics()?.last().map(|step| step.accuracy);
/// # Ok::<(), rerec_trainer::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Run {
    folder: PathBuf,
    config: TrainConfig,
}

impl Run {
    /// Opens a run's folder and reads its settings.
    ///
    /// # Errors
    /// [`Error::NoRun`] where there is none; settings that cannot be read.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref().to_owned();
        let path = folder.join(CONFIG);
        if !path.is_file() {
            return Err(Error::NoRun { path: folder });
        }
        let text = rerec_files::read_text(&path)?;
        let config = toml::from_str(&text).map_err(|source| Error::ConfigFile {
            path,
            source: Box::new(source),
        })?;
        Ok(Self { folder, config })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// One record per step.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is no record.
    pub fn metrics(&self) -> Result<Vec<MetricsRecord>> {
        self.records(METRICS)?.collect()
    }

    /// One record per epoch of the curriculum.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is no record.
    pub fn epochs(&self) -> Result<Vec<EpochRecord>> {
        self.records(EPOCHS)?.collect()
    }

    /// One record per evaluation.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is no record.
    pub fn evaluations(&self) -> Result<Vec<Evaluation>> {
        self.records(EVALUATIONS)?.collect()
    }

    /// What baselines get right on the test queries; none of runs begun before it was written down.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is no record.
    pub fn baselines(&self) -> Result<Vec<BaselineRecord>> {
        self.newer_records(BASELINES)
    }

    /// Where the time of each step went; none of runs begun before it was written down.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is no record.
    pub fn timings(&self) -> Result<Vec<TimingRecord>> {
        self.newer_records(TIMINGS)
    }

    /// One record per step of the warm start; none of runs begun before they were written down.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is no record.
    pub fn warm_start(&self) -> Result<Vec<WarmStartRecord>> {
        self.newer_records(WARM_START)
    }

    /// The groups of responses of all steps, one at a time: a long run's do not fit into memory.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn groups(&self) -> Result<Records<GroupRecord>> {
        self.records(ROLLOUTS)
    }

    /// The queries that were asked, each once. Runs begun before they were written down have none.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn queries(&self) -> Result<Records<QueryRecord>> {
        self.records(QUERIES)
    }

    /// Where the model of a checkpoint lies, a folder that `DecoderPolicy::open` reads with the run's settings of the policy.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`] where the run has none, or keeps none of that kind.
    pub fn model(&self, which: Kept) -> Result<ModelSource> {
        let path = checkpoint::policy_folder(&self.folder, which)?;
        Ok(ModelSource::Folder {
            path,
            adapters: None,
        })
    }

    /// The records of a file that older runs do not have.
    fn newer_records<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        match self.folder.join(name).is_file() {
            true => self.records(name)?.collect(),
            false => Ok(Vec::new()),
        }
    }

    fn records<T>(&self, name: &str) -> Result<Records<T>> {
        Records::open(self.folder.join(name))
    }
}

/// A checkpoint that a run keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// The best on validation queries where the run keeps it, else the last.
    #[default]
    BestOrLast,
    /// The best on validation queries.
    Best,
    /// The last.
    Last,
}

/// The records of a file, line by line. A last line without its end is one that the run is just writing, and left out.
#[derive(Debug)]
pub struct Records<T> {
    path: PathBuf,
    lines: BufReader<File>,
    number: usize,
    kind: PhantomData<fn() -> T>,
}

impl<T> Records<T> {
    /// Opens a file with one record per line, such as those of a run's folder.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::io(&path))?;
        Ok(Self {
            path,
            lines: BufReader::new(file),
            number: 0,
            kind: PhantomData,
        })
    }
}

impl<T: DeserializeOwned> Iterator for Records<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        // Bytes: an unfinished line may end within a character.
        let mut line = Vec::new();
        if let Err(error) = self.lines.read_until(b'\n', &mut line) {
            return Some(Err(Error::io(&self.path)(error)));
        }
        let line = line.strip_suffix(b"\n")?;
        self.number += 1;
        let record = serde_json::from_slice(line).map_err(|error| Error::InvalidFile {
            path: self.path.clone(),
            what: format!("line {}: {error}", self.number),
        });
        Some(record)
    }
}
