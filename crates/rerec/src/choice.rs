//! Queries whose items are given by title.

use std::collections::HashSet;

use rerec_rewards::{
    AnswerItem, AnswerReader, Catalogue, Flag, Item, ItemIndex, TitleLookup, list_titles,
};
use serde::Deserialize;

use crate::error::{Error, Result};

/// Titles as data sets write them: a list, or one text with separators, such as "Heat; Casino".
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a list of titles or one string")]
pub enum Titles {
    /// One title each.
    Each(Vec<String>),
    /// Several titles in one text. It is split only where the parts are titles, so that "Steins;Gate" stays whole.
    Joined(String),
}

/// The items that a query asks for and chooses from, found by their titles.
///
/// ```
/// use std::sync::Arc;
/// use rerec::{Choice, Titles};
/// use rerec::rewards::{AnswerChoice, AnswerReader, Catalogue, Item, TitleMatch};
///
/// let items = ["Heat (1995)", "Casino (1995)"].map(|title| Item::new(title, title));
/// let catalogue = Arc::new(Catalogue::new(items.into())?);
/// let reader = AnswerReader::new(catalogue, TitleMatch::Title, AnswerChoice::Last);
/// let choice = Choice::resolve(&reader, &Titles::Joined("heat; Casino".into()), None)?;
/// assert_eq!(choice.targets.len(), 2);
/// assert!(Choice::resolve(&reader, &Titles::Each(vec!["Up".into()]), None).is_err());
/// # Ok::<(), rerec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The right items.
    pub targets: Vec<ItemIndex>,
    /// The items to choose from, where the query names them.
    pub candidates: Option<Vec<ItemIndex>>,
}

impl Choice {
    /// Finds the items of a query in the catalogue of a reader.
    ///
    /// # Errors
    /// [`Error::UnknownTitle`], [`Error::AmbiguousTitle`].
    pub fn resolve(
        reader: &AnswerReader,
        targets: &Titles,
        candidates: Option<&[String]>,
    ) -> Result<Self> {
        // Candidates first: they tell targets of one title apart.
        let candidates = candidates.map(|titles| each(reader, titles, "candidates", None));
        let candidates = candidates.transpose()?;
        let targets = match targets {
            Titles::Each(titles) => each(reader, titles, "targets", candidates.as_deref()),
            Titles::Joined(titles) => joined(reader, titles, candidates.as_deref()),
        };
        Ok(Self {
            targets: targets?,
            candidates,
        })
    }

    /// A catalogue of nothing but a query's own titles, for queries that come without one: its candidates or, where it names
    /// none, its targets. Ids are the titles.
    ///
    /// # Errors
    /// A blank title.
    pub fn own_catalogue(targets: &Titles, candidates: Option<&[String]>) -> Result<Catalogue> {
        let titles = match (candidates, targets) {
            (Some(titles), _) => titles.to_vec(),
            (None, Titles::Each(titles)) => titles.clone(),
            (None, Titles::Joined(text)) => list_titles(text),
        };
        let mut known = HashSet::with_capacity(titles.len());
        // Titles are the ids here, and a catalogue refuses one that comes twice.
        let distinct = titles.iter().filter(|&title| known.insert(title));
        let items = distinct.map(|title| Item::new(title.as_str(), title.as_str()));
        Ok(Catalogue::new(items.collect())?)
    }
}

fn each(
    reader: &AnswerReader,
    titles: &[String],
    what: &'static str,
    candidates: Option<&[ItemIndex]>,
) -> Result<Vec<ItemIndex>> {
    let resolve = |title: &String| match reader.matcher().lookup(title, candidates) {
        TitleLookup::Found(item) => Ok(item),
        TitleLookup::Ambiguous(_) => Err(Error::AmbiguousTitle {
            what,
            title: title.clone(),
        }),
        TitleLookup::Unknown => Err(Error::UnknownTitle {
            what,
            title: title.clone(),
        }),
    };
    titles.iter().map(resolve).collect()
}

fn joined(
    reader: &AnswerReader,
    titles: &str,
    candidates: Option<&[ItemIndex]>,
) -> Result<Vec<ItemIndex>> {
    let items = reader.list(titles, candidates).into_iter();
    let item = |item: AnswerItem| {
        let (what, title) = ("targets", item.text);
        match (item.index, item.flag) {
            (_, Some(Flag::AmbiguousTitle)) => Err(Error::AmbiguousTitle { what, title }),
            // Also outside the candidates: the reward refuses such a target with an error of its
            // own.
            (Some(index), _) => Ok(index),
            (None, _) => Err(Error::UnknownTitle { what, title }),
        }
    };
    items.map(item).collect()
}
