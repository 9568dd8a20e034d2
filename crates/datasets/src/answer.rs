//! A response of the warm start as it is written, with what of it is to be learned.

use std::ops::Range;

use rerec_rewards::{Attribute, Item};

use crate::dataset::Drill;
use crate::facts::attributes_under;
use crate::marks::{FITS, fits, listed};

/// A response of which only that is learned which follows from what stands before it.
///
/// The rest would be noise, and more of it than of signal: with the numbers of the options learned too, which come in random order, a
/// model does not find out within thousands of steps what a number is for.
#[derive(Default)]
pub(crate) struct Answer {
    text: String,
    learned: Vec<Range<usize>>,
}

impl Answer {
    pub(crate) fn show(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn learn(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.learned.push(start..self.text.len());
    }

    pub(crate) fn into_drill(self, prompt: impl Into<String>) -> Drill {
        Drill {
            prompt: prompt.into(),
            response: self.text,
            learned: Some(self.learned),
        }
    }

    /// "director Ada Lorne yes, genre western yes. It fits." What is known of the item under the wanted relations is shown; whether it is
    /// what is wanted is learned.
    pub(crate) fn mark(&mut self, item: &Item, wanted: &[Attribute]) {
        let mut relations: Vec<&str> = wanted
            .iter()
            .map(|condition| condition.relation.as_str())
            .collect();
        // Conditions come in the order of the relations, so that equal ones are neighbours.
        relations.dedup();
        let known: Vec<&Attribute> = attributes_under(&item.attributes, &relations).collect();
        if known.is_empty() {
            self.show("nothing known");
        }
        for (place, attribute) in known.into_iter().enumerate() {
            self.show(if place == 0 { "" } else { ", " });
            self.show(&listed([attribute]));
            self.learn(match wanted.contains(attribute) {
                true => " yes",
                false => " no",
            });
        }
        self.show(".");
        if fits(item, wanted) {
            self.learn(FITS);
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
