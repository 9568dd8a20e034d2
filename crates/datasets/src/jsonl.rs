//! JSONL: one record a line, faults named by file and line.

use std::collections::HashSet;
use std::path::Path;

use rerec_files::{json_cause, lines, read_text};
use rerec_rewards::{Catalogue, Item};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::query::{Query, QueryFault};

/// Reads one record a line; blank lines are skipped.
///
/// # Errors
/// A file that cannot be read; a line that is not a record.
pub fn read_jsonl<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    Ok(numbered(path)?
        .into_iter()
        .map(|(_, record)| record)
        .collect())
}

/// Writes one record a line; the file appears whole or not at all.
///
/// ```
/// use rerec_datasets::{Rating, read_jsonl, write_jsonl};
///
/// let path = std::env::temp_dir().join(format!("ratings-{}.jsonl", std::process::id()));
/// let ratings = [Rating { user: "u1".into(), item: "film-007".into(), rating: 4.0 }];
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
    rerec_files::write(path, |file| {
        for (line, record) in (1..).zip(records) {
            let mut text = serde_json::to_vec(&record).map_err(|error| Error::Json {
                path: path.to_owned(),
                line,
                fault: error.to_string(),
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
/// As [`read_jsonl`]; a query with a fault, or an id that comes twice, by its line.
pub fn read_queries(path: &Path, catalogue: &Catalogue) -> Result<Vec<Query>> {
    let mut ids = HashSet::new();
    let checked = |(line, query): (usize, Query)| {
        let fault = if ids.insert(query.id.clone()) {
            query.check(catalogue)
        } else {
            Err(QueryFault::DuplicateId)
        };
        match fault {
            Ok(()) => Ok(query),
            Err(fault) => Err(Error::Query {
                path: path.to_owned(),
                line,
                id: query.id,
                fault,
            }),
        }
    };
    numbered(path)?.into_iter().map(checked).collect()
}

fn numbered<T: DeserializeOwned>(path: &Path) -> Result<Vec<(usize, T)>> {
    let text = read_text(path)?;
    let parse = |(number, line): (usize, &str)| {
        let fault = |error| Error::Json {
            path: path.to_owned(),
            line: number,
            fault: json_cause(&error, line.as_bytes()),
        };
        Ok((number, serde_json::from_str(line).map_err(fault)?))
    };
    lines(&text).map(parse).collect()
}
