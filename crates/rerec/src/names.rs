//! The names by which responses may speak of the items of a catalogue.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rerec_advantage::{CreditAssigner, ItemNames, Lexicon};
use rerec_rewards::{Catalogue, ItemIndex};

use crate::error::Result;

/// Names of every item, and the lexicon of them all once a query asks for it.
#[derive(Debug)]
pub(crate) struct Names {
    items: Vec<ItemNames>,
    whole: OnceLock<Lexicon>,
}

/// The lexicon of a query's own items, or the one of the whole catalogue, which queries without candidates share.
pub(crate) enum QueryLexicon<'a> {
    Own(Lexicon),
    Whole(&'a Lexicon),
}

impl QueryLexicon<'_> {
    pub(crate) fn get(&self) -> &Lexicon {
        match self {
            Self::Own(lexicon) => lexicon,
            Self::Whole(lexicon) => lexicon,
        }
    }
}

impl Names {
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let names = catalogue.items().iter().map(|item| {
            let mut names = ItemNames::from_title(&item.title);
            names.aliases.extend(item.aliases.iter().cloned());
            names
        });
        Self {
            items: names.collect(),
            whole: OnceLock::new(),
        }
    }

    /// The name of an item; empty for one that is not in the catalogue, which the reward has refused before.
    pub(crate) fn of(&self, item: ItemIndex) -> &str {
        let names = self.items.get(item.position());
        names.map_or("", |names| names.name.as_str())
    }

    /// The items that responses to a query may speak of. A name within another's, "Toy Story" in "Toy Story 2", is told from it
    /// only where both are known, so all candidates are in it, not the targets alone.
    pub(crate) fn lexicon(
        &self,
        assigner: &CreditAssigner,
        targets: &[ItemIndex],
        candidates: Option<&[ItemIndex]>,
    ) -> Result<QueryLexicon<'_>> {
        let Some(candidates) = candidates else {
            return Ok(QueryLexicon::Whole(self.whole(assigner)?));
        };
        let items = candidates.iter().chain(targets);
        let names = items.filter_map(|item| self.items.get(item.position()));
        Ok(QueryLexicon::Own(assigner.lexicon(distinct(names))?))
    }

    fn whole(&self, assigner: &CreditAssigner) -> Result<&Lexicon> {
        if let Some(lexicon) = self.whole.get() {
            return Ok(lexicon);
        }
        let lexicon = assigner.lexicon(distinct(&self.items))?;
        Ok(self.whole.get_or_init(|| lexicon))
    }
}

/// Names of different items may be equal, as those of a remake without its year; a lexicon has each once.
fn distinct<'a>(names: impl IntoIterator<Item = &'a ItemNames>) -> Vec<ItemNames> {
    let mut seen = BTreeSet::new();
    let names = names.into_iter();
    let first = names.filter(|names| seen.insert(names.name.as_str()));
    first.cloned().collect()
}
