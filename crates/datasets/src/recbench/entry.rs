//! One query of RecBench+'s files.

use std::path::{Path, PathBuf};

use rerec_rewards::Attribute;
use rerec_text::QueryId;

use super::Domain;
use crate::attributes::attribute;
use crate::error::{Error, Result};
use crate::query_class::QueryClass;
use crate::table::{Cell, Place, read_list};

/// What a query says and asks for.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: QueryId,
    /// The user whose items it was made from.
    pub(super) user: Option<String>,
    pub(super) query: String,
    /// Ids, where the file gives them, and titles.
    pub(super) items: Vec<(Option<String>, String)>,
    /// What the items share, where the file says it; `None` where that cannot be read.
    pub(super) conditions: Option<Vec<Attribute>>,
}

/// The names that the files of each class have had.
fn file_names(class: &QueryClass) -> Option<&'static [&'static str]> {
    let names: [&[&str]; 5] = [
        &["ExplicitQuery.json"],
        &["ImplicitQuery.json"],
        &["MisinformedQuery.json"],
        &["InterestBasedQuery.json"],
        &["DemographicsBasedQuery.json", "UserBasedQuery.json"],
    ];
    let place = QueryClass::RECBENCH.iter().position(|known| known == class);
    place.map(|place| names[place])
}

/// The file of a class's queries.
pub(super) fn file(folder: &Path, class: &QueryClass) -> Result<PathBuf> {
    let names = file_names(class).ok_or_else(|| Error::InvalidSetting {
        setting: "classes",
        got: format!("{:?}", class.label()),
        allowed: "explicit, implicit, misinformed, interest or demographics".to_owned(),
    })?;
    let mut paths = names.iter().map(|name| folder.join(name));
    let found = paths.find(|path| path.is_file());
    found.ok_or_else(|| Error::NoRecBenchFile {
        path: folder.join(names[0]),
    })
}

/// Reads the queries of one class.
pub(super) fn read(path: &Path, class: &QueryClass, domain: Domain) -> Result<Vec<Entry>> {
    let is_profile = *class == QueryClass::INTEREST || *class == QueryClass::DEMOGRAPHICS;
    let mut entries = Vec::new();
    read_list(path, |place, cell| {
        let source = Source {
            path,
            place,
            cell,
            class,
            domain,
        };
        match is_profile {
            true => entries.extend(source.profile()?),
            false => entries.push(source.condition()?),
        }
        Ok(())
    })?;
    Ok(entries)
}

/// An element of a file's list.
struct Source<'a> {
    path: &'a Path,
    place: Place,
    cell: &'a Cell<'a>,
    class: &'a QueryClass,
    domain: Domain,
}

impl Source<'_> {
    /// A query on conditions: one query, and the items that meet them.
    fn condition(&self) -> Result<Entry> {
        let [titles, ids] = match self.domain {
            Domain::Movie => ["movieSubset", "movieSubsetId"],
            Domain::Book => ["bookSubset", "bookSubsetId"],
        };
        // Misinformed queries have one wording, `query`. The others have two, of which the one with
        // a situation is used.
        let key = match self.cell.get("query") {
            Cell::Missing => "situational_description_query",
            _ => "query",
        };
        Ok(Entry {
            id: self.id(None)?,
            user: self.cell.get("source_user").text().map(Into::into),
            query: self.text(self.cell, key)?,
            items: self.items(self.cell, titles, Some(ids))?,
            conditions: self.shared_relationships(),
        })
    }

    /// A profile: several queries with their items, some of them empty.
    fn profile(&self) -> Result<Vec<Entry>> {
        const QUERIES: &str = "query & ground true";
        let Cell::List(children) = self.cell.get(QUERIES) else {
            return Err(self.fault(QUERIES, "be a list of queries", self.cell.get(QUERIES)));
        };
        let titles = match self.domain {
            Domain::Movie => "movie subset",
            Domain::Book => "book subset",
        };
        let is_empty =
            |child: &Cell<'_>| matches!(child, Cell::Record(fields) if fields.is_empty());
        // Some children are `{}`. They are dropped before the numbering, which is part of the ids.
        let children = children.iter().filter(|child| !is_empty(child));
        let entry = |(number, child): (usize, &Cell<'_>)| {
            Ok(Entry {
                id: self.id(Some(number))?,
                // Source users are those who share the items; nobody asks.
                user: None,
                query: self.text(child, "query")?,
                items: self.items(child, titles, None)?,
                conditions: Some(Vec::new()),
            })
        };
        children.enumerate().map(entry).collect()
    }

    /// "implicit-17", or "interest-17-0" for the first query of profile 17.
    fn id(&self, child: Option<usize>) -> Result<QueryId> {
        let Place::Row(row) = self.place else {
            return Err(self.fault("data_idx", "be given", &Cell::Missing));
        };
        let index = self.cell.get("data_idx").text();
        // Rows count from 1, `data_idx` from 0.
        let index = index.unwrap_or_else(|| (row - 1).to_string().into());
        let class = self.class;
        Ok(match child {
            Some(child) => format!("{class}-{index}-{child}"),
            None => format!("{class}-{index}"),
        }
        .into())
    }

    fn text(&self, cell: &Cell<'_>, key: &str) -> Result<String> {
        match cell.get(key) {
            Cell::Text(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            other => Err(self.fault(key, "be a text that is not blank", other)),
        }
    }

    fn items(
        &self,
        cell: &Cell<'_>,
        titles: &str,
        ids: Option<&str>,
    ) -> Result<Vec<(Option<String>, String)>> {
        let texts = |key: &str| match cell.get(key) {
            // A text is refused, as it would be taken apart; in a list the separator has no effect.
            list @ Cell::List(_) => list.texts("").ok_or(list),
            other => Err(other),
        };
        let names = texts(titles)
            .ok()
            .filter(|names| !names.is_empty())
            .ok_or_else(|| {
                self.fault(
                    titles,
                    "be a list of titles, at least one",
                    cell.get(titles),
                )
            })?;
        let ids = ids.and_then(|key| texts(key).ok()).unwrap_or_default();
        // Ids stand beside the titles; a list of another length says nothing about which is whose.
        let is_parallel = ids.len() == names.len();
        let mut ids = ids.into_iter().filter(|_| is_parallel);
        Ok(names.into_iter().map(|name| (ids.next(), name)).collect())
    }

    /// Pairs of relation and value; `None` where they are something else.
    fn shared_relationships(&self) -> Option<Vec<Attribute>> {
        let pair = |cell: &Cell<'_>| match cell {
            Cell::List(pair) => match &pair[..] {
                [relation, value] => attribute(relation, value),
                _ => None,
            },
            _ => None,
        };
        match self.cell.get("sharedRelationships") {
            Cell::List(pairs) => pairs.iter().map(pair).collect(),
            cell => cell.is_blank().then(Vec::new),
        }
    }

    fn fault(&self, key: &str, allowed: &str, got: &Cell<'_>) -> Error {
        Error::Field {
            path: PathBuf::from(self.path),
            place: self.place,
            field: key.to_owned(),
            allowed: allowed.to_owned(),
            got: got.to_string(),
        }
    }
}
