use rustc_hash::FxHashMap;

use super::AttributeGraph;

/// What a graph holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GraphStatistics {
    /// Items of the catalogue.
    pub items: usize,
    /// Items with at least one attribute.
    pub items_with_attributes: usize,
    /// Distinct attributes.
    pub attributes: usize,
    /// Edges between an item and an attribute.
    pub edges: usize,
    /// Attributes that only one item has, which align nothing but that item.
    pub lone_attributes: usize,
    /// The same, relation by relation, in ascending order of names.
    pub relations: Vec<RelationStatistics>,
}

/// What a graph holds of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelationStatistics {
    /// The relation.
    pub relation: String,
    /// Distinct values.
    pub values: usize,
    /// Edges.
    pub edges: usize,
    /// Items of the value that most items have.
    pub largest: usize,
}

impl AttributeGraph {
    /// Counts what the graph holds.
    ///
    /// ```
    /// # use rerec_rewards::*;
    /// let catalogue = Catalogue::new(vec![Item::new("a", "A"), Item::new("b", "B"), Item::new("c", "C")])?;
    /// let facts = b"a\tgenre\tCrime\nb\tgenre\tCrime\nb\tdirector\tMann\n";
    /// let file = GraphFile::parse(facts, GraphFormat::Tsv, "facts.tsv".as_ref())?;
    /// let graph = AttributeGraph::from_triples(&file.triples(|_| false)?, &catalogue, JoinBy::Id)?.graph;
    /// let statistics = graph.statistics();
    /// assert_eq!((statistics.items_with_attributes, statistics.edges), (2, 3));
    /// assert_eq!(statistics.relations[1].relation, "genre");
    /// assert_eq!(statistics.relations[1].largest, 2);
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    pub fn statistics(&self) -> GraphStatistics {
        let mut relations: FxHashMap<&str, RelationStatistics> = FxHashMap::default();
        for (attribute, &degree) in self.attributes.iter().zip(&self.degrees) {
            let degree = degree as usize;
            let relation = relations.entry(&attribute.relation).or_insert_with(|| {
                let relation = attribute.relation.clone();
                RelationStatistics {
                    relation,
                    values: 0,
                    edges: 0,
                    largest: 0,
                }
            });
            relation.values += 1;
            relation.edges += degree;
            relation.largest = relation.largest.max(degree);
        }
        let mut relations: Vec<_> = relations.into_values().collect();
        relations.sort_unstable_by(|a, b| a.relation.cmp(&b.relation));
        GraphStatistics {
            items: self.ids.len(),
            items_with_attributes: self
                .offsets
                .windows(2)
                .filter(|pair| pair[0] < pair[1])
                .count(),
            attributes: self.attributes.len(),
            edges: self.edges.len(),
            lone_attributes: self.degrees.iter().filter(|&&degree| degree == 1).count(),
            relations,
        }
    }
}
