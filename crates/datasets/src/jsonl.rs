//! JSONL: one record a line, faults named by file, line and column.

use std::collections::HashSet;
use std::path::Path;

use rerec_rewards::{Catalogue, Item};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::load_context::LoadContext;
use crate::query::{Query, QueryFault};
use crate::table::{Place, for_each_line, line_fault};

/// Reads one record a line; blank lines are skipped.
///
/// # Errors
/// A file that cannot be read; a line that is not a record.
pub fn read_jsonl<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut records = Vec::new();
    for_each_record(path, |_, record| {
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

/// Writes one record a line; the file appears whole or not at all.
///
/// ```
/// use rerec_datasets::{Rating, read_jsonl, write_jsonl};
///
/// let path = std::env::temp_dir().join(format!("ratings-{}.jsonl", std::process::id()));
/// let ratings = [Rating { user: "u1".into(), item: "film-007".into(), rating: 4.0, time: None }];
/// write_jsonl(&path, &ratings)?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"user\":\"u1\",\"item\":\"film-007\",\"rating\":4.0}\n");
/// assert_eq!(read_jsonl::<Rating>(&path)?, ratings);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), rerec_datasets::Error>(())
/// ```
///
/// # Errors
/// A file that cannot be written.
pub fn write_jsonl<T: Serialize>(path: &Path, records: impl IntoIterator<Item = T>) -> Result<()> {
    write_records(path, records.into_iter().map(Ok))
}

/// As [`write_jsonl`], of records that are made while they are written; the first fault leaves no file.
pub(crate) fn write_records<T: Serialize>(
    path: &Path,
    records: impl Iterator<Item = Result<T>>,
) -> Result<()> {
    rerec_files::write(path, |file| {
        for (line, record) in (1..).zip(records) {
            let mut text = serde_json::to_vec(&record?).map_err(|error| Error::Json {
                path: path.to_owned(),
                place: Place::Line(line),
                cause: error.to_string(),
            })?;
            text.push(b'\n');
            file.put(&text)?;
        }
        Ok(())
    })
    .map(drop)
}

/// Reads a catalogue, one item a line.
///
/// # Errors
/// As [`read_jsonl`]; items that do not form a catalogue.
pub fn read_catalogue(path: &Path) -> Result<Catalogue> {
    let items = read_jsonl::<Item>(path)?;
    Catalogue::new(items).map_err(|fault| Error::Items {
        path: path.to_owned(),
        fault,
    })
}

/// Reads queries on a catalogue, each checked: see [`Query::check`].
///
/// # Errors
/// As [`read_jsonl`]; a query with a fault or with an id that another has, by its line.
pub fn read_queries(path: &Path, catalogue: &Catalogue) -> Result<Vec<Query>> {
    let (mut ids, mut queries) = (HashSet::new(), Vec::new());
    for_each_record(path, |place, query: Query| {
        // The id first: a line that was copied is reported as such, not by a fault it shares with
        // its original.
        let fault = if ids.insert(query.id.clone()) {
            query.check(catalogue)
        } else {
            Err(QueryFault::DuplicateId)
        };
        fault.map_err(|fault| Error::Query {
            path: path.to_owned(),
            place,
            id: query.id.clone(),
            fault,
        })?;
        queries.push(query);
        Ok(())
    })?;
    Ok(queries)
}

fn for_each_record<T: DeserializeOwned>(
    path: &Path,
    mut each: impl FnMut(Place, T) -> Result<()>,
) -> Result<()> {
    for_each_line(path, LoadContext::default(), &mut |place, line| {
        let record = serde_json::from_str(line);
        each(
            place,
            record.map_err(|fault| line_fault(path, place, line, &fault))?,
        )
    })
}
