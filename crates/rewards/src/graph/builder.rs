//! From (item, attribute) pairs to the compact graph.

use rustc_hash::FxHashMap;

use super::AttributeGraph;
use crate::{Attribute, Catalogue, Error, ItemIndex, MissingPolicy, Result};

#[derive(Default)]
pub(super) struct GraphBuilder {
    edges: Vec<(ItemIndex, u32)>,
    attributes: Vec<Attribute>,
    numbers: FxHashMap<Attribute, u32>,
}

impl GraphBuilder {
    pub(super) fn add(&mut self, item: ItemIndex, attribute: &Attribute) -> Result<()> {
        let number = match self.numbers.get(attribute) {
            Some(&number) => number,
            None => self.intern(attribute)?,
        };
        self.edges.push((item, number));
        Ok(())
    }

    fn intern(&mut self, attribute: &Attribute) -> Result<u32> {
        let number = u32::try_from(self.attributes.len()).map_err(|_| Error::GraphTooLarge {
            max: u32::MAX as usize,
        })?;
        self.attributes.push(attribute.clone());
        self.numbers.insert(attribute.clone(), number);
        Ok(number)
    }

    pub(super) fn build(mut self, catalogue: &Catalogue) -> AttributeGraph {
        self.edges.sort_unstable();
        self.edges.dedup();
        let mut offsets = vec![0; catalogue.len() + 1];
        let mut degrees = vec![0u32; self.attributes.len()];
        for (item, attribute) in &self.edges {
            offsets[item.position() + 1] += 1;
            degrees[*attribute as usize] += 1;
        }
        for position in 1..offsets.len() {
            offsets[position] += offsets[position - 1];
        }
        AttributeGraph {
            ids: catalogue
                .items()
                .iter()
                .map(|item| item.id.clone())
                .collect(),
            offsets,
            edges: self
                .edges
                .into_iter()
                .map(|(_, attribute)| attribute)
                .collect(),
            weights: vec![1.0; degrees.len()],
            attributes: self.attributes,
            degrees,
            missing: MissingPolicy::Error,
        }
    }
}
