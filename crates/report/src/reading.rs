//! What can be read of a run's folder, with what cannot be read said in words.

use std::path::{Path, PathBuf};

use rerec_trainer::{
    BaselineRecord, EpochRecord, Error as RunError, Evaluation, MetricsRecord, QueryRecord,
    Records, Run, TimingRecord, TrainConfig, files,
};
use serde::de::DeserializeOwned;

use crate::charts::{Chart, charts, of_timings};
use crate::error::{Error, Result};

/// The records of a run but for its responses, which may not fit into memory.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) folder: PathBuf,
    /// The folder's name.
    pub(crate) name: String,
    /// None where they cannot be read.
    pub(crate) config: Option<TrainConfig>,
    pub(crate) metrics: Vec<MetricsRecord>,
    pub(crate) epochs: Vec<EpochRecord>,
    pub(crate) evaluations: Vec<Evaluation>,
    pub(crate) queries: Vec<QueryRecord>,
    pub(crate) timings: Vec<TimingRecord>,
    pub(crate) baselines: Vec<BaselineRecord>,
    /// What is missing or at fault.
    pub(crate) notes: Vec<String>,
}

impl Reading {
    /// Reads what is there.
    ///
    /// # Errors
    /// [`Error::NoRecords`] where the folder has no file of a run.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let has = |name: &&str| folder.join(name).is_file();
        let known = [files::CONFIG, files::METRICS, files::EVALUATIONS];
        if !known.iter().any(has) && !has(&files::ROLLOUTS) {
            let path = folder.to_owned();
            return Err(Error::NoRecords { path });
        }
        let mut notes = Vec::new();
        let config = match Run::open(folder) {
            Ok(run) => Some(run.config().clone()),
            Err(error) => {
                notes.push(with_causes(&error));
                None
            }
        };
        let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = full.file_name().map(|name| name.to_string_lossy());
        Ok(Self {
            name: name.map_or_else(|| "run".to_owned(), |name| name.into_owned()),
            metrics: all(&folder.join(files::METRICS), &mut notes),
            epochs: all(&folder.join(files::EPOCHS), &mut notes),
            evaluations: all(&folder.join(files::EVALUATIONS), &mut notes),
            queries: all(&folder.join(files::QUERIES), &mut notes),
            timings: newer(&folder.join(files::TIMINGS), &mut notes),
            baselines: newer(&folder.join(files::BASELINES), &mut notes),
            folder: folder.to_owned(),
            config,
            notes,
        })
    }

    /// All charts that have a point.
    pub(crate) fn charts(&self) -> Vec<Chart> {
        let mut charts = charts(&self.metrics, &self.epochs, &self.evaluations);
        charts.extend(of_timings(&self.timings));
        charts
    }
}

/// The readings of several folders. Their names are told apart: the second of a name gets a number.
///
/// # Errors
/// As [`Reading::of`].
pub(crate) fn readings(folders: &[impl AsRef<Path>]) -> Result<Vec<Reading>> {
    let mut readings: Vec<Reading> = Vec::with_capacity(folders.len());
    for folder in folders {
        let mut reading = Reading::of(folder.as_ref())?;
        let plain = reading.name.clone();
        let mut number = 1;
        while readings.iter().any(|known| known.name == reading.name) {
            number += 1;
            reading.name = format!("{plain}-{number}");
        }
        readings.push(reading);
    }
    Ok(readings)
}

/// As [`all`], of a file that runs of before it was written do not have, which is no fault.
fn newer<T: DeserializeOwned>(path: &Path, notes: &mut Vec<String>) -> Vec<T> {
    match path.is_file() {
        true => all(path, notes),
        false => Vec::new(),
    }
}

fn all<T: DeserializeOwned>(path: &Path, notes: &mut Vec<String>) -> Vec<T> {
    let mut records = Vec::new();
    each(path, notes, |record| records.push(record));
    records
}

/// Hands on the records of a file that can be read; notes how many cannot, and the first fault.
pub(crate) fn each<T: DeserializeOwned>(
    path: &Path,
    notes: &mut Vec<String>,
    mut take: impl FnMut(T),
) {
    let lines = match Records::open(path.to_owned()) {
        Ok(lines) => lines,
        Err(error) => return notes.push(with_causes(&error)),
    };
    let (mut faults, mut first) = (0, None);
    for record in lines {
        match record {
            Ok(record) => take(record),
            Err(error) => {
                faults += 1;
                let is_line = matches!(error, RunError::InvalidFile { .. });
                first.get_or_insert_with(|| with_causes(&error));
                // A disk that does not answer will not answer for the next line either.
                if !is_line {
                    break;
                }
            }
        }
    }
    if let Some(first) = first {
        notes.push(format!("{faults} lines left out; the first: {first}"));
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_run_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = Reading::of(folder.path()).unwrap_err();
        assert!(matches!(error, Error::NoRecords { .. }), "{error}");
    }

    #[test]
    fn runs_of_one_name_are_told_apart() {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let runs = folders.each_ref().map(|folder| folder.path().join("run"));
        for run in &runs {
            std::fs::create_dir(run).unwrap();
            std::fs::write(run.join(files::METRICS), "").unwrap();
        }
        let names = readings(&runs).unwrap().into_iter().map(|one| one.name);
        assert_eq!(names.collect::<Vec<_>>(), ["run", "run-2"]);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_the_rest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"{"step": 3, "epoch": 1, "batches": 1, "served": 2, "recorded": 2, "missed": 0, "carried_over": 0,
            "newly_mastered": 0, "returned": 0, "easier": 0, "harder": 0, "unchanged": 0, "mean_change": 0.0, "classes": [],
            "pool": {"queries": 2, "active": 2, "mastered": 0, "never_tried": 0, "mean_difficulty": 0.5,
            "mean_active_difficulty": 0.5, "histogram": [0, 0, 0, 0, 0, 2, 0, 0, 0, 0]}}"#
            .replace('\n', " ");
        // The last line is cut within a character.
        let text = [
            line.as_bytes(),
            b"\nnonsense\n",
            line.as_bytes(),
            b"\n{\"step\": \"\xc3",
        ];
        std::fs::write(folder.path().join(files::EPOCHS), text.concat()).unwrap();
        std::fs::write(folder.path().join(files::METRICS), "").unwrap();
        let reading = Reading::of(folder.path()).unwrap();
        assert_eq!((reading.epochs.len(), reading.epochs[1].step), (2, 3));
        let notes = reading.notes.join("\n");
        assert!(notes.contains("1 lines left out"), "{notes}");
        assert!(notes.contains("epochs.jsonl: line 2"), "{notes}");
        assert!(notes.contains("holds no run"), "{notes}");
    }
}
