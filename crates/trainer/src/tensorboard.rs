//! Event files that TensorBoard reads, beside the run's own records.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::{Evaluation, MetricsRecord};

/// The folder of the event files in a run's.
const FOLDER: &str = "tensorboard";

/// Writes scalars. Each process that goes on with a run begins a file of its own, which tells TensorBoard to forget what earlier files say
/// of the steps that are made again.
#[derive(Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a file of a run, whose next step is `step`.
    pub(crate) fn create(run: &Path, step: u64) -> Result<Self> {
        let folder = run.join(FOLDER);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        // TensorBoard reads files in the order of their names: one of a later moment comes later.
        let name = format!("events.out.tfevents.{:.9}.rerec", now());
        let path = folder.join(name);
        let file = File::create_new(&path).map_err(Error::io(&path))?;
        let mut events = Self { path, file };
        events.write(&event(now(), 0, &text(3, "brain.Event:2")))?;
        // SessionLog { status: START }
        events.write(&event(now(), step, &message(7, &[0x08, 1])))?;
        Ok(events)
    }

    /// The metrics of a step.
    pub(crate) fn step(&mut self, metrics: &MetricsRecord) -> Result<()> {
        let share = |groups: usize| groups as f64 / metrics.queries.max(1) as f64;
        let (reward, update) = (&metrics.reward, &metrics.update);
        let mut scalars = vec![
            ("train/accuracy", metrics.accuracy),
            ("train/learning_rate", metrics.learning_rate),
            ("train/epoch", metrics.epoch.into()),
            ("responses/tokens", metrics.mean_tokens),
            ("responses/truncated", metrics.truncated),
            ("responses/steps_penalised", metrics.steps_penalised as f64),
            ("groups/with_hit", share(metrics.groups_with_hit)),
            ("groups/shaped_only", share(metrics.groups_shaped_only)),
            (
                "groups/without_signal",
                share(metrics.groups_without_signal),
            ),
            ("policy/entropy", metrics.entropy),
            ("policy/kl", update.kl),
            ("policy/loss", update.loss),
            ("policy/clip_fraction", update.clip_fraction),
            ("policy/max_log_ratio", update.max_log_ratio),
            ("policy/grad_norm", update.grad_norm),
        ];
        let parts = [
            ("reward/total", reward.total),
            ("reward/format", reward.format),
            ("reward/ndcg", reward.ndcg),
            ("reward/ranking", reward.ranking),
            ("reward/query_alignment", reward.query_alignment),
            ("reward/preference_alignment", reward.preference_alignment),
        ];
        scalars.extend(
            parts
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        self.scalars(metrics.step, &scalars)
    }

    /// The scores of an evaluation, by class.
    pub(crate) fn evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        let phase = evaluation.phase.label().replace(' ', "_");
        let classes = evaluation
            .classes
            .iter()
            .map(|(class, scores)| (class.label(), scores));
        let mut named = Vec::new();
        for (class, scores) in classes.chain([("all", &evaluation.overall)]) {
            for (metric, value) in [
                ("accuracy", scores.share()),
                ("ndcg", scores.ndcg),
                ("mrr", scores.mrr),
            ] {
                named.push((format!("{phase}/{metric}/{class}"), value));
            }
        }
        let scalars: Vec<(&str, f64)> = named
            .iter()
            .map(|(name, value)| (&**name, *value))
            .collect();
        self.scalars(evaluation.step, &scalars)
    }

    fn scalars(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<()> {
        let values = scalars.iter().flat_map(|(name, value)| {
            // Summary.Value { tag, simple_value }
            let float = [&[0x15][..], &(*value as f32).to_le_bytes()].concat();
            message(1, &[text(1, name), float].concat())
        });
        let summary: Vec<u8> = values.collect();
        self.write(&event(now(), step, &message(5, &summary)))
    }

    /// One record: length, data, and the masked CRC32C of each.
    fn write(&mut self, data: &[u8]) -> Result<()> {
        let len = (data.len() as u64).to_le_bytes();
        let record = [&len[..], &masked_crc(&len), data, &masked_crc(data)].concat();
        self.file.write_all(&record).map_err(Error::io(&self.path))
    }
}

/// As the format of the records has it.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    let crc = crc32c::crc32c(bytes);
    crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// An event: wall time in seconds, step, and what happened.
fn event(time: f64, step: u64, what: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x09];
    bytes.extend(time.to_le_bytes());
    if step > 0 {
        bytes.push(0x10);
        bytes.extend(varint(step));
    }
    bytes.extend(what);
    bytes
}

/// A field of a protocol buffer that holds a message or a text.
fn message(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut encoded = vec![field << 3 | 2];
    encoded.extend(varint(bytes.len() as u64));
    encoded.extend(bytes);
    encoded
}

fn text(field: u8, text: &str) -> Vec<u8> {
    message(field, text.as_bytes())
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_as_every_event_file_does() {
        let run = tempfile::tempdir().unwrap();
        let events = EventFile::create(run.path(), 300).unwrap();
        let bytes = fs::read(&events.path).unwrap();
        // 24 bytes and the masked CRC of that length; then a time, and the version as field 3.
        assert_eq!(
            bytes[..12],
            [0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]
        );
        assert_eq!(bytes[12], 0x09);
        assert_eq!(&bytes[21..36], b"\x1a\x0dbrain.Event:2");
        // Step 300 is the varint ac 02, the start of a session field 7 with its status 1.
        assert_eq!(&bytes[40 + 12 + 9..][..7], b"\x10\xac\x02\x3a\x02\x08\x01");
    }

    #[test]
    fn a_scalar_is_a_tag_and_a_float() {
        let run = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(run.path(), 0).unwrap();
        let before = fs::metadata(&events.path).unwrap().len() as usize;
        events.scalars(1, &[("ab", 0.5)]).unwrap();
        let record = fs::read(&events.path).unwrap().split_off(before);
        // Behind length, its CRC and the time: step 1, a summary of 11 bytes, a value of 9, the tag, and 0.5.
        let data = &record[12 + 9..record.len() - 4];
        assert_eq!(data, b"\x10\x01\x2a\x0b\x0a\x09\x0a\x02ab\x15\0\0\0\x3f");
        assert_eq!(record[..8], (data.len() as u64 + 9).to_le_bytes());
    }
}
