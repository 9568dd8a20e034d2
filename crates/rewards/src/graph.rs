use std::collections::HashMap;

use petgraph::graph::UnGraph;
use serde::{Deserialize, Serialize};

use crate::{Attribute, Catalogue, Error, ItemId, ItemIndex, MissingPolicy, Result};

mod builder;
mod file;
mod gexf;
mod id_space;
mod join;
mod statistics;
mod triples;

use builder::GraphBuilder;
pub use file::{GraphFile, GraphFormat};
pub use id_space::{Agreement, IdSpaceCheck};
pub use join::{JoinBy, JoinReport, JoinedGraph};
pub use statistics::{GraphStatistics, RelationStatistics};
pub use triples::{DEFAULT_RELATION, Triple};

/// How query alignment counts attributes, and its value where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlignmentConfig {
    /// Weight of an attribute. Default: `uniform`, the paper's.
    pub weighting: AttributeWeighting,
    /// Score where a target has no attributes, or the targets share none. Default: `error`.
    pub missing: MissingPolicy,
}

/// Weight of an attribute in query alignment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeWeighting {
    /// Every attribute counts 1.
    #[default]
    Uniform,
    /// An attribute counts 1 / (number of items that have it), so that a director tells more than
    /// a language. A target has one attribute of its own and one that three items have: of 1 + 1/3
    /// an item with the latter alone gets 1/3, so that it aligns by 0.25 instead of 0.5.
    InverseDegree,
}

/// Items and their attributes as a bipartite graph, for one catalogue.
///
/// ```
/// # use rerec_rewards::{Attribute, AttributeGraph, Catalogue, Item};
/// let item = |id: &str, facts: &[(&str, &str)]| Item {
///     attributes: facts.iter().map(|&(relation, value)| Attribute {
///         relation: relation.into(),
///         value: value.into(),
///     }).collect(),
///     ..Item::new(id, id)
/// };
/// let catalogue = Catalogue::new(vec![
///     item("Heat", &[("director", "Mann"), ("genre", "Crime"), ("decade", "1990s")]),
///     item("Thief", &[("director", "Mann"), ("genre", "Crime"), ("decade", "1980s")]),
///     item("Casino", &[("director", "Scorsese"), ("genre", "Crime"), ("decade", "1990s")]),
/// ])?;
/// let graph = AttributeGraph::from_catalogue(&catalogue)?;
/// let [heat, thief, casino] = [0, 1, 2].map(|p| catalogue.iter().nth(p).unwrap().0);
/// // Thief has two of Heat's three attributes.
/// assert_eq!(graph.query_alignment(thief, &[heat])?, 2.0 / 3.0);
/// // Heat and Thief share director and genre; Casino has one of the two.
/// assert_eq!(graph.query_alignment(casino, &[heat, thief])?, 0.5);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AttributeGraph {
    ids: Vec<ItemId>,
    /// Attributes of item `i`: `edges[offsets[i]..offsets[i + 1]]`, ascending.
    offsets: Vec<usize>,
    edges: Vec<u32>,
    attributes: Vec<Attribute>,
    /// Items per attribute.
    degrees: Vec<u32>,
    /// Weights of the attributes under the configuration.
    weights: Vec<f64>,
    missing: MissingPolicy,
}

/// A node of the graph as petgraph sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GraphNode {
    /// An item of the catalogue.
    Item(ItemId),
    /// An attribute of items.
    Attribute(Attribute),
}

impl AttributeGraph {
    /// The graph of the attributes that the catalogue's items carry; a repeated attribute counts once.
    ///
    /// # Errors
    /// [`Error::GraphTooLarge`].
    pub fn from_catalogue(catalogue: &Catalogue) -> Result<Self> {
        let mut builder = GraphBuilder::default();
        for (index, item) in catalogue.iter() {
            for attribute in &item.attributes {
                builder.add(index, attribute)?;
            }
        }
        Ok(builder.build(catalogue))
    }

    /// The same graph with another way to count.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if the score for missing data lies outside [-1, 1].
    pub fn with_alignment(mut self, config: AlignmentConfig) -> Result<Self> {
        self.missing = config.missing.validated()?;
        self.weights = match config.weighting {
            AttributeWeighting::Uniform => vec![1.0; self.degrees.len()],
            AttributeWeighting::InverseDegree => self
                .degrees
                .iter()
                .map(|&degree| 1.0 / f64::from(degree))
                .collect(),
        };
        Ok(self)
    }

    /// Query alignment score: |A(p) ∩ A(T)| / |A(T)| in [0, 1], where A(T) are the attributes that
    /// all targets share and every attribute counts its weight; 0 for a candidate without attributes.
    ///
    /// # Errors
    /// [`Error::NoTargets`], [`Error::IndexOutOfCatalogue`]; unless the policy names a score:
    /// [`Error::ItemWithoutAttributes`], [`Error::NoSharedAttributes`].
    pub fn query_alignment(&self, candidate: ItemIndex, targets: &[ItemIndex]) -> Result<f64> {
        self.missing.or_score(self.alignment(candidate, targets))
    }

    /// The least and the largest query alignment.
    pub(crate) fn range(&self) -> (f64, f64) {
        match self.missing {
            // The score for missing data may be negative.
            MissingPolicy::Score(score) => (score.min(0.0), score.max(1.0)),
            MissingPolicy::Error => (0.0, 1.0),
        }
    }

    fn alignment(&self, candidate: ItemIndex, targets: &[ItemIndex]) -> Result<f64> {
        let (&first, others) = targets.split_first().ok_or(Error::NoTargets)?;
        self.require_known(candidate)?;
        // Each target is checked by itself first: one without attributes would empty the
        // intersection and be reported as targets that share nothing.
        for &target in targets {
            self.require_attributes(target)?;
        }
        let (mut shared, mut matched) = (0.0, 0.0);
        // Shared attributes are among those of the first target. All lists are ascending, so that
        // the others are looked up by binary search.
        for &attribute in self.attributes_of(first) {
            if others.iter().all(|&target| self.has(target, attribute)) {
                let weight = self.weights[attribute as usize];
                shared += weight;
                matched += if self.has(candidate, attribute) {
                    weight
                } else {
                    0.0
                };
            }
        }
        if shared > 0.0 {
            Ok(matched / shared)
        } else {
            Err(self.no_shared_attributes(targets))
        }
    }

    fn require_known(&self, item: ItemIndex) -> Result<&ItemId> {
        let (index, items) = (item.position(), self.ids.len());
        let outside = Error::IndexOutOfCatalogue { index, items };
        self.ids.get(index).ok_or(outside)
    }

    fn require_attributes(&self, item: ItemIndex) -> Result<()> {
        let id = self.require_known(item)?;
        if self.attributes_of(item).is_empty() {
            return Err(Error::ItemWithoutAttributes { id: id.clone() });
        }
        Ok(())
    }

    fn no_shared_attributes(&self, targets: &[ItemIndex]) -> Error {
        let targets = targets
            .iter()
            .map(|target| self.ids[target.position()].clone())
            .collect();
        Error::NoSharedAttributes { targets }
    }

    /// Where each attribute stands among the graph's.
    pub(crate) fn positions(&self) -> HashMap<&Attribute, u32> {
        self.attributes.iter().zip(0..).collect()
    }

    /// Whether an item has the attribute at this position; false for an index that the catalogue does not have.
    pub(crate) fn has(&self, item: ItemIndex, attribute: u32) -> bool {
        self.attributes_of(item).binary_search(&attribute).is_ok()
    }

    /// None for an index that the catalogue does not have.
    fn attributes_of(&self, item: ItemIndex) -> &[u32] {
        let position = item.position();
        match self.offsets.get(position..=position + 1) {
            Some(&[begin, end]) => &self.edges[begin..end],
            _ => &[],
        }
    }

    /// Whether this was built for the catalogue.
    pub(crate) fn is_of(&self, catalogue: &Catalogue) -> bool {
        self.ids
            .iter()
            .eq(catalogue.items().iter().map(|item| &item.id))
    }

    /// The attributes of an item; none for an index that the catalogue does not have.
    ///
    /// They come in the order in which the graph met them first.
    pub fn attributes(&self, item: ItemIndex) -> impl Iterator<Item = &Attribute> {
        self.attributes_of(item)
            .iter()
            .map(|&attribute| &self.attributes[attribute as usize])
    }

    /// The graph as petgraph holds it, for its algorithms: items first, in the catalogue's order.
    ///
    /// ```
    /// # use rerec_rewards::{Attribute, AttributeGraph, Catalogue, Item};
    /// let crime = Attribute { relation: "genre".into(), value: "crime".into() };
    /// let item = |id: &str| Item { attributes: vec![crime.clone()], ..Item::new(id, id) };
    /// let graph = AttributeGraph::from_catalogue(&Catalogue::new(vec![item("Heat"), item("Thief")])?)?;
    /// // Two items, one attribute, an edge from it to each.
    /// let graph = graph.to_petgraph();
    /// assert_eq!((graph.node_count(), graph.edge_count()), (3, 2));
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    pub fn to_petgraph(&self) -> UnGraph<GraphNode, ()> {
        let nodes = self.ids.len() + self.attributes.len();
        let mut graph = UnGraph::with_capacity(nodes, self.edges.len());
        let items: Vec<_> = self
            .ids
            .iter()
            .map(|id| graph.add_node(GraphNode::Item(id.clone())))
            .collect();
        let attributes: Vec<_> = self
            .attributes
            .iter()
            .map(|attribute| graph.add_node(GraphNode::Attribute(attribute.clone())))
            .collect();
        for (item, bounds) in items.into_iter().zip(self.offsets.windows(2)) {
            for &attribute in &self.edges[bounds[0]..bounds[1]] {
                graph.add_edge(item, attributes[attribute as usize], ());
            }
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Item;

    fn graph_of(items: &[(&str, &[&str])]) -> (Vec<ItemIndex>, AttributeGraph) {
        let item = |&(id, values): &(&str, &[&str])| Item {
            attributes: values
                .iter()
                .map(|&value| Attribute {
                    relation: "is".into(),
                    value: value.into(),
                })
                .collect(),
            ..Item::new(id, id)
        };
        let catalogue = Catalogue::new(items.iter().map(item).collect()).unwrap();
        let graph = AttributeGraph::from_catalogue(&catalogue).unwrap();
        (catalogue.iter().map(|(index, _)| index).collect(), graph)
    }

    #[test]
    fn a_repeated_attribute_counts_once() {
        let (at, graph) = graph_of(&[("a", &["x", "y", "x"]), ("b", &["x"])]);
        assert_eq!(graph.query_alignment(at[1], &[at[0]]).unwrap(), 0.5);
        assert_eq!(
            graph
                .attributes(at[0])
                .map(|a| a.value.as_str())
                .collect::<Vec<_>>(),
            ["x", "y"]
        );
    }

    #[test]
    fn a_rare_attribute_weighs_more_by_inverse_degree() {
        // "x" belongs to three items (weight 1/3), "y" to one (weight 1): b has 1/3 of 4/3.
        let (at, graph) = graph_of(&[("a", &["x", "y"]), ("b", &["x"]), ("c", &["x"])]);
        let weighting = AttributeWeighting::InverseDegree;
        let graph = graph
            .with_alignment(AlignmentConfig {
                weighting,
                ..Default::default()
            })
            .unwrap();
        assert_eq!(graph.query_alignment(at[1], &[at[0]]).unwrap(), 0.25);
    }

    #[test]
    fn missing_data_is_an_error_or_a_chosen_score() {
        let (at, graph) = graph_of(&[("a", &["x"]), ("b", &["y"]), ("c", &[])]);
        let message = |candidate, targets: &[ItemIndex]| {
            graph
                .query_alignment(candidate, targets)
                .unwrap_err()
                .to_string()
        };
        let without = "item `c` has no attribute in the graph";
        assert_eq!(message(at[0], &[]), "no target given, need at least one");
        assert_eq!(message(at[0], &[at[2]]), without);
        assert_eq!(graph.query_alignment(at[2], &[at[0]]).unwrap(), 0.0);
        assert!(matches!(
            graph.query_alignment(at[0], &[at[0], at[1]]),
            Err(Error::NoSharedAttributes { targets }) if targets.len() == 2
        ));
        let stranger = ItemIndex::from_position(9).unwrap();
        let missing = MissingPolicy::Score(0.5);
        let lenient = graph
            .with_alignment(AlignmentConfig {
                missing,
                ..Default::default()
            })
            .unwrap();
        assert_eq!(
            lenient.query_alignment(at[0], &[at[0], at[1]]).unwrap(),
            0.5
        );
        assert!(matches!(
            lenient.query_alignment(stranger, &[at[0]]),
            Err(Error::IndexOutOfCatalogue { index: 9, items: 3 })
        ));
    }

    #[test]
    fn petgraph_sees_items_attributes_and_edges() {
        let (_, graph) = graph_of(&[("a", &["x", "y"]), ("b", &["x"])]);
        let view = graph.to_petgraph();
        assert_eq!((view.node_count(), view.edge_count()), (4, 3));
        assert_eq!(petgraph::algo::connected_components(&view), 1);
    }
}
