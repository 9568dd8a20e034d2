use std::path::Path;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::builder::GraphBuilder;
use super::id_space::IdSpaceCheck;
use super::{AttributeGraph, GraphFile, Triple};
use crate::{Catalogue, Error, ItemIndex, Result, TitleLookup, TitleMatch, TitleMatcher};

/// Names of unknown items that a report quotes.
const EXAMPLES: usize = 5;

/// What the item names of a graph file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinBy {
    /// Titles, in any spelling that [`TitleMatcher`] knows; items of one title by the ids that tell them apart.
    #[default]
    Title,
    /// Item ids, as they stand: the ids of a GEXF file's nodes, or what stands in the item's place in other formats.
    Id,
}

/// A graph joined to a catalogue, with a report of the join.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JoinedGraph {
    /// The graph.
    pub graph: AttributeGraph,
    /// What was joined and what was left out.
    pub report: JoinReport,
}

/// How much of a file was joined.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JoinReport {
    /// Facts read.
    pub triples: usize,
    /// Facts whose item is in the catalogue.
    pub joined: usize,
    /// Catalogue items with at least one attribute.
    pub items: usize,
    /// Distinct names that stand for no item; their facts are left out.
    pub unknown: usize,
    /// Distinct names that stand for several items; their facts are left out.
    pub ambiguous: usize,
    /// The first names left out.
    pub left_out: Vec<String>,
    /// Whether items joined to their own attributes look more alike than at random.
    pub id_space: IdSpaceCheck,
}

impl AttributeGraph {
    /// Reads a `.gexf`, `.tsv` or `.jsonl` file and joins it to the catalogue.
    ///
    /// # Errors
    /// Those of [`GraphFile::read`] and [`from_triples`](Self::from_triples).
    pub fn read(path: &Path, catalogue: &Catalogue, by: JoinBy) -> Result<JoinedGraph> {
        Self::join(&GraphFile::read(path)?, catalogue, by)
    }

    /// Joins a file that was read to the catalogue, whose items tell which nodes of a GEXF file are items.
    ///
    /// # Errors
    /// Those of [`GraphFile::triples`] and [`from_triples`](Self::from_triples).
    pub fn join(file: &GraphFile, catalogue: &Catalogue, by: JoinBy) -> Result<JoinedGraph> {
        let resolver = Resolver::new(catalogue, by);
        let known = |id: &str, label: &str, is_homonym: bool| {
            // A number such as `17` is an id of many catalogues, so that ids count only where they are asked for.
            let lookup = match (by, is_homonym) {
                (JoinBy::Id, _) => resolver.resolve(id),
                (JoinBy::Title, true) if catalogue.index_of(id).is_some() => return true,
                (JoinBy::Title, _) => resolver.resolve(label),
            };
            !matches!(lookup, TitleLookup::Unknown)
        };
        join(&file.triples_of(known)?, catalogue, &resolver)
    }

    /// Joins facts to the catalogue; those of unknown or ambiguous items are left out and counted.
    ///
    /// ```
    /// # use rerec_rewards::*;
    /// let catalogue = Catalogue::new(vec![Item::new("6", "Heat (1995)"), Item::new("7", "Thief (1981)")])?;
    /// let facts = b"Heat\tdirector\tMann\nTHIEF\tdirector\tMann\nAlien\tdirector\tScott\n";
    /// let file = GraphFile::parse(facts, GraphFormat::Tsv, "facts.tsv".as_ref())?;
    /// let joined = AttributeGraph::from_triples(&file.triples(|_| false)?, &catalogue, JoinBy::Title)?;
    /// assert_eq!((joined.report.joined, joined.report.unknown), (2, 1));
    /// assert_eq!(joined.report.left_out, ["Alien"]);
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoTripleInCatalogue`] if not one fact joins, [`Error::GraphTooLarge`].
    pub fn from_triples(
        triples: &[Triple],
        catalogue: &Catalogue,
        by: JoinBy,
    ) -> Result<JoinedGraph> {
        join(triples, catalogue, &Resolver::new(catalogue, by))
    }
}

fn join(triples: &[Triple], catalogue: &Catalogue, resolver: &Resolver<'_>) -> Result<JoinedGraph> {
    let homonyms = Triple::homonyms(triples);
    let mut resolved: FxHashMap<(&str, bool), Option<ItemIndex>> = FxHashMap::default();
    let (mut joined, mut unknown, mut ambiguous) = (0, 0, 0);
    let mut left_out = Vec::new();
    let mut builder = GraphBuilder::default();
    for triple in triples {
        // Looked up once for each name: a title costs a quarter of a microsecond, and files repeat it with every fact.
        let is_homonym = homonyms.contains(triple.item.as_str());
        let name = triple.id_if(is_homonym || resolver.is_by_id());
        // The flag is part of the key: the id of one item may be the title of another.
        let item = *resolved.entry((name, is_homonym)).or_insert_with(|| {
            let lookup = match is_homonym {
                true => resolver.resolve_homonym(name),
                false => resolver.resolve(name),
            };
            match lookup {
                TitleLookup::Found(item) => return Some(item),
                TitleLookup::Ambiguous(_) => ambiguous += 1,
                TitleLookup::Unknown => unknown += 1,
            }
            if left_out.len() < EXAMPLES {
                left_out.push(name.to_owned());
            }
            None
        });
        if let Some(item) = item {
            builder.add(item, &triple.attribute)?;
            joined += 1;
        }
    }
    if joined == 0 {
        return Err(Error::NoTripleInCatalogue {
            triples: triples.len(),
            items: catalogue.len(),
        });
    }
    let graph = builder.build(catalogue);
    let report = JoinReport {
        triples: triples.len(),
        joined,
        items: graph.statistics().items_with_attributes,
        unknown,
        ambiguous,
        left_out,
        id_space: graph.check_id_space(catalogue),
    };
    Ok(JoinedGraph { graph, report })
}

/// From names in a file to items.
struct Resolver<'a> {
    catalogue: &'a Catalogue,
    /// None: names are ids.
    titles: Option<TitleMatcher>,
}

impl<'a> Resolver<'a> {
    fn new(catalogue: &'a Catalogue, by: JoinBy) -> Self {
        let titles = (by == JoinBy::Title).then(|| TitleMatcher::new(catalogue, TitleMatch::Title));
        Self { catalogue, titles }
    }

    fn is_by_id(&self) -> bool {
        self.titles.is_none()
    }

    fn resolve(&self, name: &str) -> TitleLookup {
        match &self.titles {
            None => self
                .catalogue
                .index_of(name)
                .map_or(TitleLookup::Unknown, TitleLookup::Found),
            Some(titles) => titles.lookup(name, None),
        }
    }

    /// The item of an id whose title several items of the file have: no title can tell which one is meant.
    fn resolve_homonym(&self, id: &str) -> TitleLookup {
        let found = self.catalogue.index_of(id);
        match (found, self.is_by_id()) {
            (Some(item), _) => TitleLookup::Found(item),
            (None, true) => TitleLookup::Unknown,
            (None, false) => TitleLookup::Ambiguous(Vec::new()),
        }
    }
}
