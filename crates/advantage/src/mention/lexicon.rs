//! One pass over a text for the names of all items.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::Anchored;
use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;

use rerec_text::{Fold, Folded, ItemNames, is_boundary, small_words, year_of};

use super::reading::Reading;
use super::standing::{is_marked, opens_sentence, stands_alone};
use super::year::YearBehind;
use super::{Mention, MentionMode};
use crate::common_word::is_common_word;
use crate::error::{Error, Result};

/// The items that the responses to a query may name; built once per query, searched once per response.
///
/// ```
/// use rerec_advantage::{ItemNames, Lexicon, Mention, MentionMode};
///
/// let items = ["Go (1999)", "Toy Story (1995)", "Toy Story 2 (1999)"].map(ItemNames::from_title);
/// let lexicon = Lexicon::new(items, MentionMode::Title)?;
/// let mentions = lexicon.find("Good, but Toy Story 2 beats Toy Story (1995).");
/// assert_eq!(mentions, [Mention { span: 10..21, item: 2 }, Mention { span: 28..44, item: 1 }]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lexicon {
    items: Vec<ItemNames>,
    index: HashMap<String, usize>,
    mode: MentionMode,
    searcher: Option<NFA>,
    patterns: Vec<Pattern>,
    /// Names that begin with a year, such as "2001: a space odyssey", as they are searched for.
    dated: Vec<String>,
}

/// A name to search for.
#[derive(Debug, Clone)]
struct Pattern {
    item: usize,
    /// What must hold around a name that does not give the item's year.
    yearless: Option<Yearless>,
}

#[derive(Debug, Clone)]
struct Yearless {
    /// The year of the item, if it has one.
    year: Option<u16>,
    /// How many of its words begin with a small letter.
    small_words: usize,
    /// Whether the name says little by itself, such as "It".
    is_common: bool,
}

impl Lexicon {
    /// Prepares the search for some items. An item that comes twice is one item with all aliases.
    ///
    /// # Errors
    /// A blank name or alias; more names than the searcher can hold.
    pub fn new(items: impl IntoIterator<Item = ItemNames>, mode: MentionMode) -> Result<Self> {
        let (items, index) = merge(items)?;
        let mut names = Vec::new();
        let mut patterns = Vec::new();
        for (item, known) in items.iter().enumerate() {
            for name in known.all() {
                let normalised = mode.normalise(name);
                // A name of nothing but accents would be found between any two letters.
                if normalised.trim().is_empty() {
                    continue;
                }
                names.push(normalised);
                patterns.push(Pattern {
                    item,
                    yearless: yearless(name, &known.name),
                });
            }
        }
        let is_dated =
            |name: &&String| name.len() > 4 && name.bytes().take(4).all(|b| b.is_ascii_digit());
        let dated = names.iter().filter(is_dated).cloned().collect();
        let searcher = build(&names).map_err(|source| Error::TooManyNames {
            items: items.len(),
            source,
        })?;
        Ok(Self {
            items,
            index,
            mode,
            searcher,
            patterns,
            dated,
        })
    }

    /// The items, each at the place by which mentions call it.
    pub fn items(&self) -> &[ItemNames] {
        &self.items
    }

    /// The place of the item with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// What counts as naming an item.
    pub fn mode(&self) -> MentionMode {
        self.mode
    }

    /// Every mention of an item, by where it begins; a name that several items share mentions each.
    pub fn find(&self, text: &str) -> Vec<Mention> {
        self.resolve(self.occurrences(text))
    }

    /// The same for the items of two lexicons of one mode, those of `more` after those of `self`.
    pub(crate) fn find_with(&self, more: &Self, text: &str) -> Vec<Mention> {
        let mut mentions = self.occurrences(text);
        let offset = self.items.len();
        mentions.extend(more.occurrences(text).into_iter().map(|mention| Mention {
            item: offset + mention.item,
            ..mention
        }));
        self.resolve(mentions)
    }

    /// Every name in a text that may stand where it stands, but for those inside another that ends where they do; in no order.
    fn occurrences(&self, text: &str) -> Vec<Mention> {
        let Some(searcher) = &self.searcher else {
            return Vec::new();
        };
        if self.mode == MentionMode::Substring {
            return self.accept(searcher, text, text, Some);
        }
        let folded = Folded::new(text, self.mode.fold());
        self.accept(searcher, text, &folded.text, |span| folded.original(span))
    }

    fn accept(
        &self,
        searcher: &NFA,
        text: &str,
        searched: &str,
        original: impl Fn(Range<usize>) -> Option<Range<usize>>,
    ) -> Vec<Mention> {
        let mut mentions = Vec::new();
        let reading = Reading::new(text);
        let Ok(mut state) = searcher.start_state(Anchored::No) else {
            return mentions;
        };
        for (at, byte) in searched.bytes().enumerate() {
            state = searcher.next_state(Anchored::No, state, byte);
            // Few states are special: most bytes cost one comparison more than the transition.
            if !searcher.is_special(state) || !searcher.is_match(state) {
                continue;
            }
            let end = at + 1;
            let mut behind = None;
            let mut longest = 0;
            // All names that end here, the longest first. In title mode the first that may stand hides the others, so that the
            // work does not grow with the depth of names within names.
            for place in 0..searcher.match_len(state) {
                let id = searcher.match_pattern(state, place);
                let length = searcher.pattern_len(id);
                if self.mode == MentionMode::Title && length < longest {
                    break;
                }
                let pattern = self.patterns.get(id.as_usize());
                // A span that splits a letter of the original, such as one kana of two signs, is no name in it.
                let (Some(pattern), Some(span)) = (pattern, original(end - length..end)) else {
                    continue;
                };
                if self.mode != MentionMode::Title
                    || self.may_stand(pattern, &reading, &span, &mut behind)
                {
                    longest = length;
                    mentions.push(Mention {
                        span,
                        item: pattern.item,
                    });
                }
            }
        }
        mentions
    }

    /// Whether a name may stand at a span of a text; `behind` keeps what is behind it for other names that end there.
    fn may_stand<'t>(
        &self,
        pattern: &Pattern,
        reading: &Reading<'t>,
        span: &Range<usize>,
        behind: &mut Option<YearBehind<'t>>,
    ) -> bool {
        let text = reading.text;
        let (Some(before), Some(name), Some(after)) = (
            text.get(..span.start),
            text.get(span.clone()),
            text.get(span.end..),
        ) else {
            return false;
        };
        let begins = is_boundary(before.chars().next_back(), name.chars().next());
        let ends = is_boundary(name.chars().next_back(), after.chars().next());
        let Some(guard) = pattern.yearless.as_ref().filter(|_| begins && ends) else {
            return begins && ends;
        };
        // Read once for all names that end here, and only where one of them may stand.
        let behind = *behind.get_or_insert_with(|| self.year_behind(after));
        guard.allows(before, after, behind, || reading.small_words(span))
    }

    /// What is behind a name, unless it is the beginning of another: "Heat, 2001: A Space Odyssey".
    fn year_behind<'t>(&self, after: &'t str) -> YearBehind<'t> {
        let behind = YearBehind::of(after);
        let begins_name = |at: usize| {
            let is_there = |name: &&str| {
                // `get`: names are folded, so that their length may lead behind the text or into a
                // character.
                let there = after.get(at..at + name.len());
                there.is_some_and(|there| there.eq_ignore_ascii_case(name))
            };
            self.dated
                .iter()
                .map(String::as_str)
                .any(|name| is_there(&name))
        };
        match behind.bare.is_some_and(begins_name) {
            true => YearBehind::default(),
            false => behind,
        }
    }

    /// Orders mentions; in title mode a name inside a longer one is no mention.
    fn resolve(&self, mut mentions: Vec<Mention>) -> Vec<Mention> {
        mentions.sort_unstable_by_key(|m| (m.span.start, std::cmp::Reverse(m.span.end), m.item));
        mentions.dedup();
        if self.mode != MentionMode::Title {
            return mentions;
        }
        // Sorted by where they begin, longest first: a mention lies inside another if and only if it ends no later than the
        // farthest end so far. Items of one name share a span and stay.
        let mut longest = 0..0;
        mentions.retain(|mention| {
            // Equal spans belong to several items of one name, all of which are mentioned.
            let kept = mention.span.end > longest.end || mention.span == longest;
            if kept {
                longest = mention.span.clone();
            }
            kept
        });
        mentions
    }
}

impl MentionMode {
    fn fold(self) -> Fold {
        match self {
            Self::Title => Fold::Spelling,
            Self::Substring | Self::SubstringIgnoreCase => Fold::Case,
        }
    }

    fn normalise(self, name: &str) -> String {
        match self {
            Self::Title => Folded::new(name.trim(), Fold::Spelling).text,
            Self::SubstringIgnoreCase => Folded::new(name, Fold::Case).text,
            Self::Substring => name.to_owned(),
        }
    }
}

impl Yearless {
    fn allows(
        &self,
        before: &str,
        after: &str,
        behind: YearBehind<'_>,
        small_words: impl FnOnce() -> usize,
    ) -> bool {
        if let Some(agrees) = self.year.and_then(|year| behind.agrees_with(year)) {
            return agrees;
        }
        // "It" at the beginning of a sentence is a pronoun, unless something marks it as a name.
        let is_word = self.is_common && !is_marked(before, after);
        if is_word && (opens_sentence(before) && !stands_alone(after)) {
            return false;
        }
        // A text that writes more of the words small than the title does speaks of something else:
        // "on the edge" is not "The Edge (1997)".
        small_words() <= self.small_words
    }
}

fn yearless(name: &str, title: &str) -> Option<Yearless> {
    // A name with its year needs no other sign that the item is meant.
    year_of(name).is_none().then(|| Yearless {
        year: year_of(title),
        small_words: small_words(name),
        is_common: is_common_word(name),
    })
}

type Merged = (Vec<ItemNames>, HashMap<String, usize>);

fn merge(items: impl IntoIterator<Item = ItemNames>) -> Result<Merged> {
    let (mut merged, mut index) = (Vec::<ItemNames>::new(), HashMap::new());
    for (place, item) in items.into_iter().enumerate() {
        if let Some(blank) = item.all().find(|name| name.trim().is_empty()) {
            let value = blank.to_owned();
            return Err(Error::Blank {
                what: "name of item",
                index: place,
                value,
            });
        }
        // A name is an identity: an item that a graph and a catalogue both list is one item with the aliases of both.
        match index.get(&item.name) {
            Some(&known) => {
                let known: &mut ItemNames = &mut merged[known];
                known.aliases.extend(item.aliases);
            }
            None => {
                index.insert(item.name.clone(), merged.len());
                merged.push(item);
            }
        }
    }
    for item in &mut merged {
        item.aliases.sort_unstable();
        item.aliases.dedup();
    }
    Ok((merged, index))
}

fn build(names: &[String]) -> Result<Option<NFA>, aho_corasick::BuildError> {
    if names.is_empty() {
        return Ok(None);
    }
    // A DFA searches a third faster, but takes three times as long to build as a query can win back. A prefilter is of no
    // use to a search for overlapping names.
    NFA::builder().prefilter(false).build(names).map(Some)
}

#[cfg(test)]
mod tests;
