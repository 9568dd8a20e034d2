//! Reading what was made for verl, in whichever dialect.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rerec_rewards::{Attribute, Catalogue, Item, ItemId};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::attributes::attribute_list;
use crate::dataset::{Dataset, Splits, UserId};
use crate::error::{Error, Result};
use crate::files::{CatalogueFile, ItemNames, Namesake, RatingsFile, conversation};
use crate::load_context::LoadContext;
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::table::{Cell, Column, Place, Row, Table};

/// Records of verl in JSONL or Parquet, by their endings.
///
/// | part of a query | where it is looked for |
/// |---|---|
/// | conversation | `prompt`: messages, or a text that the user says |
/// | targets | `reward_model.ground_truth`, or a column `ground_truth`: titles or ids as a list, as a JSON list in a text, or as a text parted by `;` or `[SEP]` |
/// | candidates, history | keys of `extra_info`, or columns of these names; without candidates the whole catalogue is meant |
/// | id | `extra_info.query`, `.id`, or the split with `.index`; else a hash of the conversation |
/// | class | `extra_info.class`, else `data_source` |
/// | conditions | `extra_info.query_conditions`: a list of `{"relation": …, "value": …}` |
/// | user, time | `extra_info.user`, `.time` |
///
/// `reward_model` and `extra_info` may be JSON in a text. Other columns and keys are kept in [`Dataset::extra`]; values of Parquet that are
/// neither texts, numbers nor built of them, such as the bytes of a picture, are passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerlConfig {
    /// Records to train on.
    pub train: PathBuf,
    /// Records to choose settings by. Default: none.
    #[serde(default)]
    pub validation: Option<PathBuf>,
    /// Records to report. Default: none.
    #[serde(default)]
    pub test: Option<PathBuf>,
    /// The items. Default: every name that the records hold is an item.
    #[serde(default)]
    pub catalogue: Option<CatalogueFile>,
    /// Who chose what, by the ids of the catalogue. Default: nothing is known.
    #[serde(default)]
    pub ratings: Option<RatingsFile>,
}

/// A record whose items are still names.
struct Draft {
    place: Place,
    id: QueryId,
    class: QueryClass,
    conversation: Vec<Message>,
    targets: Names,
    candidates: Option<Names>,
    conditions: Vec<Attribute>,
    history: Names,
    user: Option<UserId>,
    time: Option<i64>,
    extra: Map<String, Value>,
}

/// The names in a cell.
#[derive(Default)]
struct Names {
    /// The text that was taken apart: a title may hold the separator.
    whole: Option<String>,
    parts: Vec<String>,
}

impl Dataset {
    /// Reads records made for verl; there are neither demonstrations nor drills.
    ///
    /// # Errors
    /// A file that is missing, empty or malformed, by line or row and column; an item that the catalogue does not have; a query
    /// with a fault, or an id that comes twice.
    pub fn from_verl(config: &VerlConfig) -> Result<Self> {
        Self::from_verl_with(config, LoadContext::default())
    }

    pub(crate) fn from_verl_with(config: &VerlConfig, context: LoadContext<'_>) -> Result<Self> {
        // All splits are read before any name is resolved: without a catalogue, the names of all of
        // them are the items.
        let drafts = |path: Option<_>, split| split_drafts(path, split, context);
        let train = drafts(Some(&config.train), "train")?;
        let validation = drafts(config.validation.as_ref(), "validation")?;
        let test = drafts(config.test.as_ref(), "test")?;
        let mut remarks = Vec::new();
        let catalogue = match &config.catalogue {
            Some(file) => file.read_with(context)?,
            None => {
                remarks
                    .push("no catalogue is given: the names in the records are the items".into());
                let all = [&train, &validation, &test].into_iter().flatten();
                named_items(all.flat_map(|(_, drafts)| drafts))?
            }
        };
        let mut dataset = Self {
            catalogue,
            liked_from: f64::NEG_INFINITY,
            remarks,
            ..Self::default()
        };
        if let Some(file) = &config.ratings {
            file.read_into(&mut dataset, context)?;
        }
        let catalogue = &dataset.catalogue;
        let resolver = Resolver {
            ids: Namesake::new(catalogue, ItemNames::Ids),
            titles: Namesake::new(catalogue, ItemNames::Titles),
            catalogue,
        };
        let (mut places, mut extra) = (HashMap::new(), HashMap::new());
        let mut split = |drafts| resolver.queries(drafts, &mut places, &mut extra);
        dataset.splits = Splits {
            train: split(train)?,
            validation: split(validation)?,
            test: split(test)?,
        };
        dataset.extra = extra;
        dataset.remark_absences();
        Ok(dataset)
    }
}

// Places of the columns.
const PROMPT: usize = 0;
const REWARD_MODEL: usize = 1;
const GROUND_TRUTH: usize = 2;
const DATA_SOURCE: usize = 3;
const EXTRA_INFO: usize = 4;
const CANDIDATES: usize = 5;
const HISTORY: usize = 6;
const REST: usize = 7;

fn split_drafts<'p>(
    path: Option<&'p PathBuf>,
    split: &str,
    context: LoadContext<'_>,
) -> Result<Option<(&'p Path, Vec<Draft>)>> {
    match path {
        Some(path) => Ok(Some((path, drafts(path, split, context)?))),
        None => Ok(None),
    }
}

fn drafts(path: &Path, split: &str, context: LoadContext<'_>) -> Result<Vec<Draft>> {
    let columns = [
        Column::required("prompt"),
        Column::optional("reward_model"),
        Column::optional("ground_truth"),
        Column::optional("data_source"),
        Column::optional("extra_info"),
        Column::optional("candidates"),
        Column::optional("history"),
        Column::rest(),
    ];
    let mut drafts = Vec::new();
    Table::open(path)?.watched(context).rows(&columns, |row| {
        drafts.push(draft(row, split)?);
        Ok(())
    })?;
    Error::refuse_empty(&drafts, path, "records")?;
    Ok(drafts)
}

fn draft(row: Row<'_>, split: &str) -> Result<Draft> {
    let conversation = conversation(row, PROMPT)?;
    let (reward, extra) = (
        // Some exporters store nested columns as JSON in a text, which a table without structs can
        // hold.
        row.cell(REWARD_MODEL).unfolded(),
        row.cell(EXTRA_INFO).unfolded(),
    );
    let truth = match reward.get("ground_truth") {
        Cell::Missing => row.cell(GROUND_TRUTH),
        truth => truth,
    };
    let targets = names(truth).filter(|names| !names.parts.is_empty());
    let targets = targets.ok_or_else(|| {
        let allowed = "hold ground_truth, a text or a list of texts that is not empty";
        row.fault_of(REWARD_MODEL, allowed, truth.to_string())
    })?;
    let listed = |key: &str, column: usize| match (extra.get(key), row.cell(column)) {
        (Cell::Missing, Cell::Missing) => Ok(None),
        (Cell::Missing, cell) | (cell, _) => names(cell)
            .map(Some)
            .ok_or_else(|| row.fault_of(column, "be a text or a list of texts", cell.to_string())),
    };
    let text = |cell: &Cell<'_>| {
        cell.text()
            .filter(|text| !text.trim().is_empty())
            .map(Cow::into_owned)
    };
    let class = text(extra.get("class")).or_else(|| text(row.cell(DATA_SOURCE)));
    let id = text(extra.get("query")).or_else(|| text(extra.get("id")));
    // verl numbers the records of each split from 0, so that an index alone comes twice.
    let index = || text(extra.get("index")).map(|index| format!("{split}-{index}"));
    let id = id
        .or_else(index)
        .unwrap_or_else(|| fingerprint(&conversation));
    let conditions = attribute_list(extra.get("query_conditions")).ok_or_else(|| {
        let allowed = "hold query_conditions, a list of {\"relation\": text, \"value\": text}";
        row.fault_of(
            EXTRA_INFO,
            allowed,
            extra.get("query_conditions").to_string(),
        )
    })?;
    Ok(Draft {
        place: row.place(),
        id: id.into(),
        class: class.map_or(QueryClass::UNLABELLED, Into::into),
        targets,
        candidates: listed("candidates", CANDIDATES)?,
        history: listed("history", HISTORY)?.unwrap_or_default(),
        user: text(extra.get("user")).map(Into::into),
        time: extra.get("time").whole(),
        conditions,
        extra: held(row, &reward, &extra),
        conversation,
    })
}

/// Keys of `extra_info` that a query holds.
const OF_QUERY: [&str; 9] = [
    "split",
    "query",
    "class",
    "targets",
    "candidates",
    "query_conditions",
    "history",
    "user",
    "time",
];

/// What a record holds beside the query, in its shape.
fn held(row: Row<'_>, reward: &Cell<'_>, extra: &Cell<'_>) -> Map<String, Value> {
    let mut held = without(row.cell(REST), &[]);
    let parts = [
        ("data_source", row.cell(DATA_SOURCE).to_json()),
        ("reward_model", without(reward, &["ground_truth"]).into()),
        ("extra_info", without(extra, &OF_QUERY).into()),
    ];
    for (key, value) in parts {
        let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        if !is_empty {
            held.insert(key.to_owned(), value);
        }
    }
    held
}

/// The fields of a record but some.
fn without(record: &Cell<'_>, known: &[&str]) -> Map<String, Value> {
    match record.to_json() {
        Value::Object(mut fields) => {
            fields.retain(|key, _| !known.contains(&key.as_str()));
            fields
        }
        _ => Map::new(),
    }
}

/// Titles or ids, as a list or in one text.
fn names(cell: &Cell<'_>) -> Option<Names> {
    let cell = cell.unfolded();
    let whole = match &cell {
        Cell::Text(text) => Some(text.trim().to_owned()),
        _ => None,
    };
    let separator = match &whole {
        // The rarer separator decides: beside it a semicolon belongs to a title.
        Some(text) if text.contains("[SEP]") => "[SEP]",
        _ => ";",
    };
    let parts = cell.texts(separator)?;
    Some(Names { whole, parts })
}

/// An id that stays the same wherever the record stands.
fn fingerprint(conversation: &[Message]) -> String {
    let mut hash = Sha256::new();
    for message in conversation {
        for part in [&message.role, &message.content] {
            // The length keeps role and content, and one message and the next, apart.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    let bytes = hash.finalize();
    bytes
        .iter()
        // 64 bits are short to read in logs and still make a collision unlikely; one would be
        // reported as an id that comes twice.
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Every name that the records hold as an item, in their order.
fn named_items<'d>(drafts: impl Iterator<Item = &'d Draft>) -> Result<Catalogue> {
    let (mut items, mut known) = (Vec::new(), HashSet::new());
    for draft in drafts {
        let lists = [&draft.targets, &draft.history];
        let lists = lists.into_iter().chain(&draft.candidates);
        for name in lists.flat_map(|names| &names.parts) {
            if known.insert(name.as_str()) {
                items.push(Item::new(name.as_str(), name.as_str()));
            }
        }
    }
    Ok(Catalogue::new(items)?)
}

/// Finds items by id, then by title.
struct Resolver<'a> {
    ids: Namesake<'a>,
    titles: Namesake<'a>,
    catalogue: &'a Catalogue,
}

impl Resolver<'_> {
    fn queries<'p>(
        &self,
        split: Option<(&'p Path, Vec<Draft>)>,
        places: &mut HashMap<QueryId, (&'p Path, Place)>,
        extra: &mut HashMap<QueryId, Map<String, Value>>,
    ) -> Result<Vec<Query>> {
        let Some((path, drafts)) = split else {
            return Ok(Vec::new());
        };
        let query = |draft: Draft| {
            let place = draft.place;
            let items = |field: &str, names: &Names| self.items(path, place, field, names);
            let query = Query {
                targets: items("ground_truth", &draft.targets)?,
                candidates: match &draft.candidates {
                    Some(names) => Some(items("candidates", names)?),
                    None => None,
                },
                conditions: draft.conditions,
                history: items("history", &draft.history)?,
                id: draft.id,
                class: draft.class,
                conversation: draft.conversation,
                user: draft.user,
                time: draft.time,
            };
            if !draft.extra.is_empty() {
                extra.insert(query.id.clone(), draft.extra);
            }
            if let Some((file, first)) = places.insert(query.id.clone(), (path, place)) {
                let file = file.display();
                return Err(Error::Field {
                    path: path.to_owned(),
                    place,
                    field: "extra_info.index".to_owned(),
                    allowed: format!(
                        "give each record an id of its own, but {first} of {file} has it too"
                    ),
                    got: format!("{:?}", query.id.as_str()),
                });
            }
            query.check(self.catalogue).map_err(|fault| Error::Query {
                path: path.to_owned(),
                place,
                id: query.id.clone(),
                fault,
            })?;
            Ok(query)
        };
        drafts.into_iter().map(query).collect()
    }

    /// The items of the names: one, where the whole text is known.
    fn items(&self, path: &Path, place: Place, field: &str, names: &Names) -> Result<Vec<ItemId>> {
        // Ids first: they are exact, while titles are matched with some tolerance.
        let known = |name: &str| self.ids.find(name).or_else(|_| self.titles.find(name));
        // Before the parts, as a title may hold a semicolon itself.
        if let Some(Ok(item)) = names.whole.as_deref().map(known) {
            return Ok(vec![item]);
        }
        let find = |name: &String| {
            known(name).map_err(|allowed| Error::Field {
                path: path.to_owned(),
                place,
                field: field.to_owned(),
                allowed,
                got: format!("{name:?}"),
            })
        };
        names.parts.iter().map(find).collect()
    }
}
