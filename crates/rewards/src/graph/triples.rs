//! Facts as text: TSV and JSON Lines.

use rerec_files::{json_cause, lines};
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Place};
use crate::{Attribute, Item};

/// Relation of facts whose file names none.
pub const DEFAULT_RELATION: &str = "attribute";

/// A fact as files hold it: an item, by title or id, and one of its attributes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triple {
    /// The item's title or id.
    pub item: String,
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
            attribute: Attribute {
                relation,
                value: field("attribute", value)?,
            },
        })
    }

    /// The items that facts speak of, each with its attributes, title and id both the name: a
    /// catalogue for a graph that comes without one.
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
        let mut positions = rustc_hash::FxHashMap::default();
        let mut items: Vec<Item> = Vec::new();
        for triple in triples {
            let position = *positions.entry(triple.item.as_str()).or_insert_with(|| {
                items.push(Item::new(triple.item.as_str(), triple.item.as_str()));
                items.len() - 1
            });
            items[position].attributes.push(triple.attribute.clone());
        }
        items
    }
}

/// `item<TAB>attribute` or `item<TAB>relation<TAB>attribute`, one way throughout, without quoting.
pub(super) fn parse_tsv(text: &str) -> Result<Vec<Triple>, Fault> {
    let mut columns = None;
    let mut triples = Vec::new();
    for (number, line) in lines(text) {
        let place = Place::Line(number);
        let fields: Vec<&str> = line.splitn(5, '\t').collect();
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
    Ok(triples)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    item: String,
    relation: Option<String>,
    #[serde(alias = "value")]
    attribute: String,
}

/// `{"item": …, "relation": …, "attribute": …}` a line; the relation may be absent.
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
        let tsv = parse_tsv("Heat\tdirector\tMann\r\n\nHeat\tgenre\t\"Crime\n").unwrap();
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
            parse_tsv("Heat\tMann").unwrap(),
            [fact("Heat", DEFAULT_RELATION, "Mann")]
        );
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
