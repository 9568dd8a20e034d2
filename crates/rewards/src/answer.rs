//! Reading the final answer out of a response.

mod boxes;
mod list;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rerec_text::{unwrapped, without_markup};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::{Catalogue, ItemId, ItemIndex, TitleLookup, TitleMatch, TitleMatcher};

use boxes::{answer_box_where, inside, is_placeholder};

pub use boxes::{AnswerChoice, answer_box};
pub use list::{ListEntry, list_entries, list_titles};

/// A `\boxed{…}` that is not blank, by bytes of the response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerBox {
    /// From the backslash to behind the closing brace.
    pub span: Range<usize>,
    /// What the box holds: trimmed, and without wrappers such as `\text{…}`.
    pub content: Range<usize>,
}

/// What is notable about an answer or one of its items; none of it is an error of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Flag {
    /// The response has no box, or only blank or unclosed ones.
    NoBox,
    /// The box holds separators and nothing else.
    EmptyList,
    /// The catalogue has no item of that name.
    UnknownItem,
    /// The name stands for several items.
    AmbiguousTitle,
    /// The item is not among the candidates.
    OutsideCandidates,
    /// The item was listed before.
    DuplicateItem,
    /// The item has no embedding, so that its preference alignment is unknown.
    NoEmbedding,
}

impl Flag {
    /// The name used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoBox => "no_box",
            Self::EmptyList => "empty_list",
            Self::UnknownItem => "unknown_item",
            Self::AmbiguousTitle => "ambiguous_title",
            Self::OutsideCandidates => "outside_candidates",
            Self::DuplicateItem => "duplicate_item",
            Self::NoEmbedding => "no_embedding",
        }
    }
}

/// An answer: the box and the items listed in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The box, from its backslash to behind its closing brace, by bytes of the response.
    pub span: Range<usize>,
    /// The listed items, in order, duplicates and unknown ones among them.
    pub items: Vec<AnswerItem>,
}

/// One item listed in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerItem {
    /// The name as written, without markup.
    pub text: String,
    /// Where it stands, by bytes of the response.
    pub span: Range<usize>,
    /// The item meant, in the catalogue at hand; not written to files.
    #[serde(skip)]
    pub index: Option<ItemIndex>,
    /// The item meant, by its external identity.
    pub id: Option<ItemId>,
    /// What is wrong with it, if anything.
    pub flag: Option<Flag>,
}

impl Answer {
    /// The ranking that the answer stands for: its items without duplicates, in order. A rank whose item is unknown,
    /// ambiguous or outside the candidates is kept as `None`.
    pub fn ranking(&self) -> impl Iterator<Item = Option<ItemIndex>> {
        let distinct = self
            .items
            .iter()
            .filter(|item| item.flag != Some(Flag::DuplicateItem));
        distinct.map(|item| item.index.filter(|_| item.flag.is_none()))
    }
}

/// Reads answers in terms of a catalogue.
///
/// ```
/// # use std::sync::Arc;
/// # use rerec_rewards::{AnswerChoice, AnswerReader, Catalogue, Flag, Item, TitleMatch};
/// let items = vec![Item::new("7", "Heat (1995)"), Item::new("9", "Sabrina (1995)")];
/// let reader = AnswerReader::new(Arc::new(Catalogue::new(items)?), TitleMatch::Title, AnswerChoice::Last);
/// let answer = reader.read(r"I take \boxed{sabrina; Casino; Heat; Sabrina}.", None).unwrap();
/// let ids: Vec<_> = answer.items.iter().map(|item| item.id.as_ref().map(|id| id.as_str())).collect();
/// assert_eq!(ids, [Some("9"), None, Some("7"), Some("9")]);
/// assert_eq!(answer.items[1].flag, Some(Flag::UnknownItem));
/// assert_eq!(answer.items[3].flag, Some(Flag::DuplicateItem));
/// assert_eq!(answer.ranking().count(), 3);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AnswerReader {
    catalogue: Arc<Catalogue>,
    matcher: TitleMatcher,
    choice: AnswerChoice,
}

impl AnswerReader {
    /// Indexes the names of the catalogue.
    pub fn new(catalogue: Arc<Catalogue>, mode: TitleMatch, choice: AnswerChoice) -> Self {
        let matcher = TitleMatcher::new(&catalogue, mode);
        Self {
            catalogue,
            matcher,
            choice,
        }
    }

    /// The matcher that answers are read with.
    pub fn matcher(&self) -> &TitleMatcher {
        &self.matcher
    }

    /// The answer of a response, or nothing where it has no box.
    pub fn read(&self, response: &str, candidates: Option<&[ItemIndex]>) -> Option<Answer> {
        let is_known = |name: &str| self.matcher.lookup(name, None) != TitleLookup::Unknown;
        // A title may look like a placeholder or be nothing but markup, so the catalogue is asked
        // before a box is passed over.
        let is_answer = |written: &str, content: &str| match content {
            "" => self.matcher.exact_layer(written).is_some(),
            content => !is_placeholder(content) || is_known(content),
        };
        let AnswerBox { span, content } = answer_box_where(response, self.choice, is_answer)?;
        let mut seen = Seen::default();
        let mut items = self.items(response, inside(&span), content, candidates);
        for item in &mut items {
            // A repeated item is only flagged as such: it takes no rank, whatever else is wrong
            // with it.
            let repeated = !seen.insert(item);
            if repeated {
                item.flag = Some(Flag::DuplicateItem);
            }
        }
        Some(Answer { span, items })
    }

    /// The items of a list that stands in no box, such as a ground truth of "Heat; Casino".
    ///
    /// It is split only where one of its parts is a title: a text of unknown titles is one unknown item.
    pub fn list(&self, text: &str, candidates: Option<&[ItemIndex]>) -> Vec<AnswerItem> {
        let whole = 0..text.len();
        let items = self.items(
            text,
            whole.clone(),
            unwrapped(text, whole.clone()),
            candidates,
        );
        // "Steins;Gate" without that title in the catalogue is one unknown item, not two.
        if items.len() > 1
            && items
                .iter()
                .all(|item| item.flag == Some(Flag::UnknownItem))
        {
            return vec![self.item(text, text.trim().into(), whole, candidates)];
        }
        items
    }

    /// The items listed in a part of a text, which is narrowed to its content by the markup around it.
    fn items(
        &self,
        text: &str,
        written: Range<usize>,
        content: Range<usize>,
        candidates: Option<&[ItemIndex]>,
    ) -> Vec<AnswerItem> {
        // A title that looks like markup or like a list is a title.
        if let Some(title) = self.matcher.exact_layer(&text[written]) {
            let start = title.as_ptr() as usize - text.as_ptr() as usize;
            let span = start..start + title.len();
            return vec![self.item(title, title.into(), span, candidates)];
        }
        let entries = list_entries(text, content.clone());
        // A title that holds a separator, such as "Steins;Gate", is found whole before its parts
        // are asked. A box of one entry is looked up below.
        if !matches!(&entries[..], [only] if only.span == content) {
            let all = &text[content.clone()];
            let whole = self.item(all, all.into(), content, candidates);
            if whole.index.is_some() {
                return vec![whole];
            }
        }
        let mut items = Vec::with_capacity(entries.len());
        let mut rest = &entries[..];
        while let [first, ..] = rest {
            let item = self.item(
                first.written(text),
                first.text.clone(),
                first.span.clone(),
                candidates,
            );
            // Only what is unknown by itself is joined to what follows: "Heat" in "Heat; Casino" is
            // not.
            let joined =
                (item.flag == Some(Flag::UnknownItem)).then(|| self.joined(text, rest, candidates));
            let (item, length) = joined.flatten().unwrap_or((item, 1));
            items.push(item);
            rest = &rest[length..];
        }
        items
    }

    /// The title that the first entries of a list make together, and their number: "Steins;Gate".
    fn joined(
        &self,
        text: &str,
        entries: &[ListEntry<'_>],
        candidates: Option<&[ItemIndex]>,
    ) -> Option<(AnswerItem, usize)> {
        // No title has more semicolons; and so the work is linear.
        const LONGEST: usize = 4;
        // The longest first: a title of three parts must not lose its last one.
        (2..=entries.len().min(LONGEST)).rev().find_map(|length| {
            let (first, last) = (entries.first()?, entries.get(length - 1)?);
            let gaps = entries[..length].windows(2);
            // Entries on lines or with numbers are answers of their own, whatever they spell
            // together.
            let mut gaps = gaps.map(|pair| text[pair[0].span.end..pair[1].span.start].trim());
            let span = first.span.start..last.span.end;
            let joined = gaps.all(|gap| gap == ";").then(|| &text[span.clone()])?;
            let item = self.item(joined, joined.into(), span, candidates);
            item.index.is_some().then_some((item, length))
        })
    }

    /// The item that a name means, as it is written and as it is reported.
    fn item(
        &self,
        written: &str,
        text: Cow<'_, str>,
        span: Range<usize>,
        candidates: Option<&[ItemIndex]>,
    ) -> AnswerItem {
        let (index, flag) = match self.matcher.lookup(written, candidates) {
            // The matcher takes candidates to choose among items of one name only; others are found
            // too, and flagged.
            TitleLookup::Found(index)
                if candidates.is_some_and(|candidates| !candidates.contains(&index)) =>
            {
                (Some(index), Some(Flag::OutsideCandidates))
            }
            TitleLookup::Found(index) => (Some(index), None),
            TitleLookup::Ambiguous(_) => (None, Some(Flag::AmbiguousTitle)),
            TitleLookup::Unknown => (None, Some(Flag::UnknownItem)),
        };
        let id = index.map(|index| self.catalogue.get(index).id.clone());
        // "M*A*S*H" seems to hold markup, but a title of the catalogue stays as it is written.
        let text = match without_markup(&text) {
            Cow::Owned(plain) if !plain.is_empty() && !self.matcher.has_exactly(&text) => plain,
            _ => text.into_owned(),
        };
        AnswerItem {
            text,
            span,
            index,
            id,
            flag,
        }
    }
}

/// What an answer has listed so far.
#[derive(Default)]
struct Seen {
    items: FxHashSet<ItemIndex>,
    unresolved: FxHashSet<String>,
}

impl Seen {
    fn insert(&mut self, item: &AnswerItem) -> bool {
        match item.index {
            Some(index) => self.items.insert(index),
            // What resolves to nothing can only be compared as it is written.
            None => self.unresolved.insert(item.text.clone()),
        }
    }
}
