//! From (item, attribute) pairs to the compact graph.

use rerec_text::composed;
use rustc_hash::FxHashMap;

use super::AttributeGraph;
use crate::{Attribute, Catalogue, Error, ItemIndex, MissingPolicy, Result};

/// What spellings of one attribute have in common: NFC, any case, any white space between words.
pub(super) fn fold(text: &str) -> String {
    // Upper case first: "ß" and "SS" meet there, final and inner sigma too.
    let cased = text.to_uppercase().to_lowercase();
    let words: Vec<&str> = cased.split_whitespace().collect();
    // Last, since a change of case can take a text out of NFC.
    composed(&words.join(" ")).into_owned()
}

#[derive(Default)]
pub(super) struct GraphBuilder {
    edges: Vec<(ItemIndex, u32)>,
    attributes: Vec<Attribute>,
    /// By spelling, so that folding is done once for each.
    numbers: FxHashMap<Attribute, u32>,
    folded: FxHashMap<[String; 2], u32>,
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
        let next = u32::try_from(self.attributes.len()).map_err(|_| Error::GraphTooLarge {
            max: u32::MAX as usize,
        })?;
        let folded = [&attribute.relation, &attribute.value].map(|text| fold(text));
        let number = *self.folded.entry(folded).or_insert(next);
        if number == next {
            self.attributes.push(attribute.clone());
        }
        self.numbers.insert(attribute.clone(), number);
        Ok(number)
    }

    pub(super) fn build(mut self, catalogue: &Catalogue) -> AttributeGraph {
        // Sorted by item, then attribute: each item's attributes are ascending, as binary search wants them.
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
