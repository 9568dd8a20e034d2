//! Facts as text: TSV and JSON Lines.

use rerec_files::{json_cause, lines};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Place};
use crate::header;
use crate::{Attribute, Item};

/// Relation of facts whose file names none.
pub const DEFAULT_RELATION: &str = "attribute";

/// A fact as files hold it: an item, by title or id, and one of its attributes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triple {
    /// The item's title or, in a file without titles, its id.
    pub item: String,
    /// The item's id, where the file has one beside the title. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The attribute.
    pub attribute: Attribute,
}

impl Triple {
    fn new(place: Place, item: &str, relation: &str, value: &str) -> Result<Self, Fault> {
        let field = |name: &str, text: &str| match text.trim() {
            "" => Err(Fault::new(place, format!("{name} is blank"))),
            text => Ok(text.to_owned()),
        };
        let (item, relation) = (field("item", item)?, field("relation", relation)?);
        Ok(Self {
            item,
            id: None,
            attribute: Attribute {
                relation,
                value: field("attribute", value)?,
            },
        })
    }

    /// The items that facts speak of, each with its attributes, title and id both the name: a catalogue for a graph that
    /// comes without one. Items of one name that their ids tell apart have these ids.
    ///
    /// ```
    /// # use rerec_rewards::{GraphFile, GraphFormat, Triple};
    /// let facts = b"Heat\tdirector\tMann\nHeat\tgenre\tCrime\nThief\tdirector\tMann\n";
    /// let file = GraphFile::parse(facts, GraphFormat::Tsv, "facts.tsv".as_ref())?;
    /// let items = Triple::items(&file.triples(|_| false)?);
    /// assert_eq!((items[0].title.as_str(), items[0].attributes.len()), ("Heat", 2));
    /// assert_eq!((items[1].title.as_str(), items[1].attributes.len()), ("Thief", 1));
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    pub fn items(triples: &[Self]) -> Vec<Item> {
        let homonyms = Self::homonyms(triples);
        let mut positions = FxHashMap::default();
        let mut items: Vec<Item> = Vec::new();
        for triple in triples {
            let title = triple.item.as_str();
            let id = triple.id_if(homonyms.contains(title));
            let position = *positions.entry(id).or_insert_with(|| {
                items.push(Item::new(id, title));
                items.len() - 1
            });
            items[position].attributes.push(triple.attribute.clone());
        }
        items
    }

    /// Names that stand for items of several ids.
    pub(super) fn homonyms(triples: &[Self]) -> FxHashSet<&str> {
        let mut ids = FxHashMap::default();
        let several = triples.iter().filter(|triple| {
            let id = triple.id.as_deref();
            *ids.entry(triple.item.as_str()).or_insert(id) != id
        });
        several.map(|triple| triple.item.as_str()).collect()
    }

    /// What identifies the item: its name or, if that is asked for and there is one, its id.
    pub(super) fn id_if(&self, asked: bool) -> &str {
        self.id.as_deref().filter(|_| asked).unwrap_or(&self.item)
    }
}

/// `item<TAB>attribute` or `item<TAB>relation<TAB>attribute`, the same on all lines, without quoting; after the header, if
/// there is one.
pub(super) fn parse_tsv(text: &str) -> Result<(Option<String>, Vec<Triple>), Fault> {
    let mut columns = None;
    let mut header = None;
    let mut triples = Vec::new();
    for (number, line) in lines(text) {
        let place = Place::Line(number);
        // A fifth part is enough to see that there are too many, however long the line is.
        let fields: Vec<&str> = line.splitn(5, '\t').collect();
        if columns.is_none() && header.is_none() && is_header(&fields) {
            header = Some(line.to_owned());
            continue;
        }
        let expected = *columns.get_or_insert(fields.len());
        triples.push(match fields[..] {
            _ if fields.len() != expected => {
                let got = fields.len();
                let reason = format!("{got} columns, the lines before have {expected}");
                return Err(Fault::new(place, reason));
            }
            [item, value] => Triple::new(place, item, DEFAULT_RELATION, value)?,
            [item, relation, value] => Triple::new(place, item, relation, value)?,
            _ => {
                let reason = "need item<TAB>attribute or item<TAB>relation<TAB>attribute";
                return Err(Fault::new(place, reason));
            }
        });
    }
    Ok((header, triples))
}

/// Whether every column bears a name that tables of facts give it, such as `head relation tail`.
fn is_header(fields: &[&str]) -> bool {
    let is = |field: &str, kind| header::names(field, kind);
    match *fields {
        [item, value] => is(item, header::ITEM) && is(value, header::ATTRIBUTE),
        [item, relation, value] => {
            is(item, header::ITEM) && is(relation, header::RELATION) && is(value, header::ATTRIBUTE)
        }
        _ => false,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    item: String,
    relation: Option<String>,
    #[serde(alias = "value")]
    attribute: String,
}

/// `{"item": …, "relation": …, "attribute": …}` per line; the relation may be absent.
pub(super) fn parse_jsonl(text: &str) -> Result<Vec<Triple>, Fault> {
    let triple = |(number, line): (usize, &str)| {
        let place = Place::Line(number);
        let line: Line = serde_json::from_str(line)
            .map_err(|error| Fault::new(place, json_cause(&error, line.as_bytes())))?;
        let relation = line.relation.as_deref().unwrap_or(DEFAULT_RELATION);
        Triple::new(place, &line.item, relation, &line.attribute)
    };
    lines(text).map(triple).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(item: &str, relation: &str, value: &str) -> Triple {
        Triple::new(Place::Line(1), item, relation, value).unwrap()
    }

    #[test]
    fn both_formats_say_the_same() {
        let tsv = parse_tsv("Heat\tdirector\tMann\r\n\nHeat\tgenre\t\"Crime\n")
            .unwrap()
            .1;
        let jsonl = parse_jsonl(
            "{\"item\": \"Heat\", \"relation\": \"director\", \"attribute\": \"Mann\"}\n\
             {\"item\": \"Heat\", \"relation\": \"genre\", \"value\": \"\\\"Crime\"}",
        );
        assert_eq!(
            tsv,
            [
                fact("Heat", "director", "Mann"),
                fact("Heat", "genre", "\"Crime")
            ]
        );
        assert_eq!(jsonl.unwrap(), tsv);
        assert_eq!(
            parse_tsv("Heat\tMann").unwrap().1,
            [fact("Heat", DEFAULT_RELATION, "Mann")]
        );
    }

    #[test]
    fn a_header_is_no_fact() {
        for header in [
            "item\trelation\tattribute",
            "head_id:token\trelation_id:token\ttail_id:token",
            "Subject\tPredicate\tObject",
            "\"title\"\t\"property\"\t\"value\"",
            "\u{feff}#movie id\trel\tentity",
        ] {
            let text = format!("{header}\nHeat\tdirector\tMann\n");
            let (found, triples) = parse_tsv(&text).unwrap();
            assert_eq!(
                found.as_deref(),
                Some(header.trim_start_matches('\u{feff}'))
            );
            assert_eq!(triples, [fact("Heat", "director", "Mann")]);
        }
        let (found, triples) = parse_tsv("item\tattribute\nitem\tattribute\n").unwrap();
        assert_eq!((found.is_some(), triples.len()), (true, 1));
        assert_eq!(parse_tsv("Heat\tMann\nitem\tattribute\n").unwrap().0, None);
    }

    #[test]
    fn faults_name_the_line() {
        let tsv = |text| {
            let fault = parse_tsv(text).unwrap_err();
            format!("{}: {}", fault.place, fault.reason)
        };
        assert_eq!(
            tsv("a\tb\tc\na\tb"),
            "line 2: 2 columns, the lines before have 3"
        );
        assert_eq!(
            tsv("a"),
            "line 1: need item<TAB>attribute or item<TAB>relation<TAB>attribute"
        );
        assert_eq!(tsv("a\tb\n\t b"), "line 2: item is blank");
        let fault =
            parse_jsonl("{\"item\": \"a\", \"attribute\": \"b\"}\n{\"item\": 1}").unwrap_err();
        assert_eq!(fault.place, Place::Line(2));
        assert!(parse_jsonl("{\"item\": \"a\", \"attribute\": \"b\", \"year\": 1}").is_err());
    }
}
