//! The queries.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rerec_rewards::{Attribute, Catalogue, ItemId};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};

use super::{ItemNames, Namesake};
use crate::attributes::attribute_list;
use crate::dataset::Splits;
use crate::error::{Error, Result};
use crate::load_context::LoadContext;
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::split_by::SplitBy;
use crate::table::{Cell, Column, Place, Row, Table};

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
    /// Column of what is asked for, a list of `{"relation": …, "value": …}`, or the same as JSON in a text. Default: none, and it is not
    /// known.
    pub conditions: Option<String>,
    /// Column of what the user liked before. Default `history`, which may be missing.
    pub history: String,
    /// Column of who asks. Default: none, and nobody is known to ask.
    pub user: Option<String>,
    /// Column of when the target was chosen, a whole number. Default: none.
    pub time: Option<String>,
    /// What the splits are to keep apart, `target`, `user` or `time`: `rerec data inspect` checks it. Default `target`.
    pub split_by: SplitBy,
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
            conditions: None,
            history: "history".into(),
            user: None,
            time: None,
            split_by: SplitBy::Target,
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
const USER: usize = 6;
const TIME: usize = 7;
const CONDITIONS: usize = 8;

impl QueryFiles {
    /// Reads the queries of all splits, each checked: see [`Query::check`].
    ///
    /// # Errors
    /// A file that is missing, empty or malformed, by line or row and column; an item that the catalogue does not have; a query
    /// with a fault, or an id that comes twice, in whichever splits.
    pub fn read(&self, catalogue: &Catalogue) -> Result<Splits> {
        self.read_with(catalogue, LoadContext::default())
    }

    pub(crate) fn read_with<'p>(
        &'p self,
        catalogue: &Catalogue,
        context: LoadContext<'_>,
    ) -> Result<Splits> {
        let namesake = Namesake::new(catalogue, self.items);
        let mut ids = HashMap::new();
        let mut read = |path: Option<&'p Path>| match path {
            Some(path) => self.read_split(path, &namesake, &mut ids, context),
            None => Ok(Vec::new()),
        };
        Ok(Splits {
            train: read(Some(&self.train))?,
            validation: read(self.validation.as_deref())?,
            test: read(self.test.as_deref())?,
        })
    }

    fn read_split<'p>(
        &self,
        path: &'p Path,
        namesake: &Namesake<'_>,
        ids: &mut HashMap<QueryId, (&'p Path, Place)>,
        context: LoadContext<'_>,
    ) -> Result<Vec<Query>> {
        let columns = [
            Column::required(&self.id),
            Column::optional(&self.class),
            Column::required(&self.conversation),
            Column::required(&self.targets),
            Column::optional(&self.candidates),
            Column::optional(&self.history),
            Column::if_named_for_some(self.user.as_deref()),
            Column::if_named_for_some(self.time.as_deref()),
            Column::if_named_for_some(self.conditions.as_deref()),
        ];
        let mut queries = Vec::new();
        Table::open(path)?.watched(context).rows(&columns, |row| {
            let query = self.query(row, namesake)?;
            // `ids` is shared by the three splits, and the message names the other file as well as
            // the row.
            if let Some((file, first)) = ids.insert(query.id.clone(), (path, row.place())) {
                let file = file.display();
                return Err(row.fault(ID, format!("be unique, but {first} of {file} has it too")));
            }
            // Its items were found in the catalogue.
            query.check_alone().map_err(|fault| Error::Query {
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
            conditions: conditions(row, CONDITIONS)?,
            history: items(HISTORY)?,
            user: row.optional_text(USER)?.map(|user| user.trim().into()),
            time: row.time(TIME)?,
        })
    }

    fn items(&self, row: Row<'_>, column: usize, namesake: &Namesake<'_>) -> Result<Vec<ItemId>> {
        let mut items = Vec::new();
        row.for_each_text(column, &self.separator, |name| {
            let found = namesake.find(name);
            let fault = |allowed| row.fault_of(column, allowed, format!("{name:?}"));
            items.push(found.map_err(fault)?);
            Ok(())
        })?;
        Ok(items)
    }
}

/// What is asked for; a text is read as JSON.
fn conditions(row: Row<'_>, column: usize) -> Result<Vec<Attribute>> {
    let cell = row.cell(column).unfolded();
    attribute_list(&cell).ok_or_else(|| {
        let allowed = "be a list of conditions {\"relation\": text, \"value\": text}";
        row.fault_of(column, allowed, cell.to_string())
    })
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
