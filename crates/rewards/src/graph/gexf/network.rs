//! Nodes and edges as a file has them, and which nodes are items.

use petgraph::unionfind::UnionFind;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::Attribute;
use crate::fault::{Fault, Place};
use crate::graph::triples::{DEFAULT_RELATION, Triple};

/// Nodes and edges of a file, which does not say which nodes are items.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Network {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) label: String,
}

#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) source: u32,
    pub(super) target: u32,
    pub(super) relation: Option<String>,
    pub(super) line: usize,
}

impl Network {
    /// The facts that the edges state, item first.
    ///
    /// Either end of an edge may be the item: networkx writes an undirected edge from the end that
    /// it met first. Every connected part has two sides with all its edges between them; the side
    /// with more known items is the items', or, where that does not tell, the side of the source of
    /// the part's first edge.
    ///
    /// Nodes are what their ids say: two people of one name are two attributes. `known_item` gets the id, the
    /// label, and whether another node has that label.
    pub(in crate::graph) fn triples(
        &self,
        known_item: impl Fn(&str, &str, bool) -> bool,
    ) -> Result<Vec<Triple>, Fault> {
        let sides = self.sides()?;
        let several = self.homonyms(0..self.nodes.len() as u32);
        let is_known = |node: &Node| {
            let label = node.label.as_str();
            known_item(&node.id, label, several.contains(label))
        };
        // For each side: the number of known items, then how early an edge starts from it. Pairs
        // are compared in this order.
        let mut rank = vec![(0usize, 0usize); 2 * self.nodes.len()];
        for (position, node) in self.nodes.iter().enumerate() {
            rank[sides.find(position)].0 += usize::from(is_known(node));
        }
        // Backwards, so that the first edge of a part is the last to say which side is its source.
        for (position, edge) in self.edges.iter().enumerate().rev() {
            rank[sides.find(edge.source as usize)].1 = self.edges.len() - position;
        }
        let on_item_side = |node: u32| {
            let node = node as usize;
            rank[sides.find(node)] > rank[sides.find(node + self.nodes.len())]
        };
        let ends = |edge: &Edge| match on_item_side(edge.source) {
            true => [edge.source, edge.target],
            false => [edge.target, edge.source],
        };
        let ends: Vec<[u32; 2]> = self.edges.iter().map(ends).collect();
        // Only attributes are compared: an item of the same name is told apart by its side.
        let homonyms = self.homonyms(ends.iter().map(|[_, attribute]| *attribute));
        let triple = |(edge, &[item, attribute]): (&Edge, &[u32; 2])| {
            let [item, attribute] = [item, attribute].map(|end| &self.nodes[end as usize]);
            let relation = edge.relation.as_deref().unwrap_or(DEFAULT_RELATION);
            let value = match homonyms.contains(attribute.label.as_str()) {
                true => format!("{} ({})", attribute.label, attribute.id),
                false => attribute.label.clone(),
            };
            Triple {
                item: item.label.clone(),
                id: Some(item.id.clone()),
                attribute: Attribute {
                    relation: relation.to_owned(),
                    value,
                },
            }
        };
        Ok(self.edges.iter().zip(&ends).map(triple).collect())
    }

    /// Labels that several of the nodes have, letter for letter; other spellings of a name are one attribute.
    fn homonyms(&self, nodes: impl Iterator<Item = u32>) -> FxHashSet<&str> {
        let mut first = FxHashMap::default();
        let label = |number: u32| self.nodes[number as usize].label.as_str();
        nodes
            .filter(|&number| *first.entry(label(number)).or_insert(number) != number)
            .map(label)
            .collect()
    }

    /// Node `n` and, for the side across, `n + nodes`: equal representatives are one side of a part.
    fn sides(&self) -> Result<UnionFind<usize>, Fault> {
        let nodes = self.nodes.len();
        // Two-colouring by union-find: an edge joins each end to the other side of the other end, in any order of edges.
        let mut sides = UnionFind::new(2 * nodes);
        for edge in &self.edges {
            let (source, target) = (edge.source as usize, edge.target as usize);
            sides.union(source, target + nodes);
            sides.union(source + nodes, target);
            if sides.equiv(source, source + nodes) {
                let reason = format!(
                    "edge `{}` - `{}` joins two nodes of the same side, need items on one side and attributes on the other",
                    self.nodes[source].label, self.nodes[target].label
                );
                return Err(Fault::new(Place::Line(edge.line), reason));
            }
        }
        Ok(sides)
    }
}
