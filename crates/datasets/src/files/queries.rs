//! The queries.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rerec_rewards::{Catalogue, ItemId};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};

use super::{ItemNames, Namesake};
use crate::dataset::Splits;
use crate::error::{Error, Result};
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::table::{Cell, Column, Row, Table};

/// A table of queries for each split, and which column holds what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryFiles {
    /// Queries to train on, in a file with the ending .jsonl, .csv, .tsv or .parquet.
    pub train: PathBuf,
    /// Queries to choose settings by. Default: none.
    pub validation: Option<PathBuf>,
    /// Queries to report. Default: none.
    pub test: Option<PathBuf>,
    /// Column of the ids. Default `id`.
    pub id: String,
    /// Column of the classes. Default `class`, which may be missing: all queries are then of the class `unlabelled`.
    pub class: String,
    /// Column of the conversations: a text, which the user says, or a list of `{"role": …, "content": …}`.
    /// Default `conversation`.
    pub conversation: String,
    /// Column of the right answers. Default `targets`.
    pub targets: String,
    /// Column of the items to choose from. Default `candidates`; where it is missing the whole catalogue is meant.
    pub candidates: String,
    /// Column of what the user liked before. Default `history`, which may be missing.
    pub history: String,
    /// By what the columns name items, `ids` or `titles`. Default `ids`.
    pub items: ItemNames,
    /// What parts several items in one text. Default `|`.
    pub separator: String,
}

impl Default for QueryFiles {
    fn default() -> Self {
        Self {
            train: "train.jsonl".into(),
            validation: None,
            test: None,
            id: "id".into(),
            class: "class".into(),
            conversation: "conversation".into(),
            targets: "targets".into(),
            candidates: "candidates".into(),
            history: "history".into(),
            items: ItemNames::Ids,
            separator: "|".into(),
        }
    }
}

// Places of the columns.
const ID: usize = 0;
const CLASS: usize = 1;
const CONVERSATION: usize = 2;
const TARGETS: usize = 3;
const CANDIDATES: usize = 4;
const HISTORY: usize = 5;

impl QueryFiles {
    /// Reads the queries of all splits, each checked: see [`Query::check`].
    ///
    /// # Errors
    /// A file that is missing, empty or malformed, by line or row and column; an item that the catalogue does not have; a query
    /// with a fault, or an id that comes twice, in whichever splits.
    pub fn read(&self, catalogue: &Catalogue) -> Result<Splits> {
        let namesake = Namesake::new(catalogue, self.items);
        let mut ids = HashMap::new();
        let mut read = |path: Option<&PathBuf>| match path {
            Some(path) => self.read_split(path, catalogue, &namesake, &mut ids),
            None => Ok(Vec::new()),
        };
        Ok(Splits {
            train: read(Some(&self.train))?,
            validation: read(self.validation.as_ref())?,
            test: read(self.test.as_ref())?,
        })
    }

    fn read_split(
        &self,
        path: &Path,
        catalogue: &Catalogue,
        namesake: &Namesake<'_>,
        ids: &mut HashMap<QueryId, String>,
    ) -> Result<Vec<Query>> {
        let columns = [
            Column::required(&self.id),
            Column::optional(&self.class),
            Column::required(&self.conversation),
            Column::required(&self.targets),
            Column::optional(&self.candidates),
            Column::optional(&self.history),
        ];
        let mut queries = Vec::new();
        Table::open(path)?.rows(&columns, |row| {
            let query = self.query(row, namesake)?;
            let place = format!("{} of {}", row.place(), path.display());
            // `ids` is shared by the three splits, and the message names the other file as well as
            // the row.
            if let Some(first) = ids.insert(query.id.clone(), place) {
                return Err(row.fault(ID, format!("be unique, but {first} has it too")));
            }
            query.check(catalogue).map_err(|fault| Error::Query {
                path: row.path(),
                place: row.place(),
                id: query.id.clone(),
                fault,
            })?;
            queries.push(query);
            Ok(())
        })?;
        Error::refuse_empty(&queries, path, "queries")?;
        Ok(queries)
    }

    fn query(&self, row: Row<'_>, namesake: &Namesake<'_>) -> Result<Query> {
        let items = |column| self.items(row, column, namesake);
        let class = row.optional_text(CLASS)?;
        // An empty list of candidates is a fault of the query, not the whole catalogue.
        let candidates = match row.cell(CANDIDATES) {
            Cell::Missing => None,
            _ => Some(items(CANDIDATES)?),
        };
        Ok(Query {
            id: row.text(ID)?.trim().into(),
            class: class.map_or(QueryClass::UNLABELLED, |label| label.trim().into()),
            conversation: conversation(row, CONVERSATION)?,
            targets: items(TARGETS)?,
            candidates,
            history: items(HISTORY)?,
        })
    }

    fn items(&self, row: Row<'_>, column: usize, namesake: &Namesake<'_>) -> Result<Vec<ItemId>> {
        let names = row.texts(column, &self.separator)?.into_iter();
        let find = |name: String| {
            let found = namesake.find(&name);
            found.map_err(|allowed| row.fault_of(column, allowed, format!("{name:?}")))
        };
        names.map(find).collect()
    }
}

/// A cell as a conversation: what the user says, or messages with their roles.
pub(crate) fn conversation(row: Row<'_>, column: usize) -> Result<Vec<Message>> {
    let message = |cell: &Cell<'_>| match (cell.get("role"), cell.get("content")) {
        (Cell::Text(role), Cell::Text(content)) => Some(Message::new(&**role, &**content)),
        _ => None,
    };
    let messages = match row.cell(column) {
        Cell::Text(text) => Some(vec![Message::user(&**text)]),
        Cell::List(cells) => cells.iter().map(message).collect(),
        _ => None,
    };
    messages.ok_or_else(|| {
        row.fault(
            column,
            "be a text or a list of messages {\"role\": text, \"content\": text}",
        )
    })
}
