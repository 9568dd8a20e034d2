//! JSONL: one record a line, faults named by file and line.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

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

/// Writes one record a line.
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
    let fault = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = BufWriter::new(File::create(path).map_err(fault)?);
    for record in records {
        serde_json::to_writer(&mut file, &record).map_err(|error| fault(error.into()))?;
        file.write_all(b"\n").map_err(fault)?;
    }
    file.flush().map_err(fault)
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
    let text = fs::read_to_string(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let parse = |(place, line)| {
        let fault = |fault| Error::Json {
            path: path.to_owned(),
            line: place + 1,
            fault,
        };
        Ok((place + 1, serde_json::from_str(line).map_err(fault)?))
    };
    lines.map(parse).collect()
}
