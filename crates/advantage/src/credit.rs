//! From a response and its reward to one reward per token.

pub(crate) mod assigner;
pub(crate) mod config;
pub(crate) mod decrease;
pub(crate) mod rejection;
pub(crate) mod step_penalty;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use rerec_text::TokenSpans;

use crate::mention::Mention;
use crate::mention::lexicon::Lexicon;
use crate::segment::Segment;

/// A response with all that the reward knows about it.
#[derive(Debug, Clone)]
pub struct JudgedResponse<'a> {
    /// The response.
    pub response: &'a str,
    /// The bytes of the response that each sampled token holds; special tokens have 0.
    pub token_byte_lens: &'a [u32],
    /// The final answer, if the response has one.
    pub answer: Option<JudgedAnswer<'a>>,
    /// The names of the items that are right answers.
    pub targets: &'a [&'a str],
    /// The reward of the response, r.
    pub reward: f64,
}

/// The final answer of a response.
#[derive(Debug, Clone)]
pub struct JudgedAnswer<'a> {
    /// The bytes of the answer, its box included.
    pub span: Range<usize>,
    /// The names of the recommended items, or what the response wrote for an unknown item.
    pub items: &'a [&'a str],
    /// Whether the answer counts as right.
    pub is_right: bool,
}

/// An item that a response may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MentionedItem<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a right answer.
    pub is_target: bool,
    /// Whether the response recommends it.
    pub is_recommended: bool,
}

/// A response split into steps, with the items that each step names: what a rule sees.
#[derive(Debug)]
pub struct Annotated<'a> {
    /// The response and its reward.
    pub judged: &'a JudgedResponse<'a>,
    /// The steps, which tile the response.
    pub segments: Vec<Segment>,
    /// The items: those of the lexicon, then targets and recommended items that it does not have.
    pub items: Vec<MentionedItem<'a>>,
    /// Where items are named, by where a mention begins.
    pub mentions: Vec<Mention>,
    /// The bytes of each token.
    pub tokens: TokenSpans,
}

impl Annotated<'_> {
    /// The mentions that segment `index` holds a part of.
    pub fn mentions_in(&self, index: usize) -> &[Mention] {
        let Some(Segment { span, .. }) = self.segments.get(index) else {
            return &[];
        };
        let before = |at: usize| {
            self.mentions
                .partition_point(|mention| mention.span.start < at)
        };
        let mut first = before(span.start);
        // In title mode a later mention ends later, so those that reach into the segment are the last before it.
        while first > 0 && self.mentions[first - 1].span.end > span.start {
            first -= 1;
        }
        self.mentions
            .get(first..before(span.end))
            .unwrap_or_default()
    }

    /// What is known of the item that a mention names.
    pub fn item(&self, mention: &Mention) -> Option<&MentionedItem<'_>> {
        self.items.get(mention.item)
    }
}

/// What each part of a response keeps of its reward: 1 is all of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Ratios {
    /// Every token the same.
    Uniform(f64),
    /// One ratio per segment.
    PerSegment {
        /// The ratio of each segment.
        ratios: Vec<f64>,
        /// The ratio of tokens outside all segments' content, such as special tokens.
        elsewhere: f64,
    },
    /// The ratio of the tokens that hold a byte of a span; of several spans the lowest.
    PerSpan {
        /// Bytes of the response, and their ratio.
        ratios: Vec<(Range<usize>, f64)>,
        /// The ratio of all other tokens.
        elsewhere: f64,
    },
    /// One ratio per token.
    PerToken(Vec<f64>),
}

/// A rule for which steps of a response earned its reward.
///
/// The reward of a token with ratio `q` is `r + (q - 1) |r|`: a ratio below 1 is worse whatever the
/// sign of the reward. Ratios of several rules multiply.
pub trait CreditRule: fmt::Debug + Send + Sync {
    /// The name of the rule in error messages.
    fn name(&self) -> &'static str;

    /// The ratios of a response.
    fn ratios(&self, response: &Annotated<'_>) -> Ratios;
}

/// The items of a judged response, and the names of those that the shared lexicon does not have.
pub(crate) struct ItemTable<'a> {
    pub(crate) items: Vec<MentionedItem<'a>>,
    /// Names that the lexicon does not have, and the place of each among them.
    pub(crate) unknown: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
}

impl<'a> ItemTable<'a> {
    pub(crate) fn new(judged: &'a JudgedResponse<'a>, lexicon: &'a Lexicon) -> Self {
        let known = lexicon.items().iter().map(|item| MentionedItem {
            name: &item.name,
            is_target: false,
            is_recommended: false,
        });
        let mut table = Self {
            items: known.collect(),
            unknown: Vec::new(),
            places: HashMap::new(),
        };
        // By name, exactly: which spelling means which item was decided when the answer was matched.
        for name in judged.targets {
            table.entry(name, lexicon).is_target = true;
        }
        for name in judged.answer.iter().flat_map(|answer| answer.items) {
            table.entry(name, lexicon).is_recommended = true;
        }
        table
    }

    fn entry(&mut self, name: &'a str, lexicon: &Lexicon) -> &mut MentionedItem<'a> {
        let known = lexicon.items().len();
        let place = lexicon.position(name).unwrap_or_else(|| {
            // Hashed, since a box may list as many names as it likes.
            let place = *self.places.entry(name).or_insert(self.unknown.len());
            if place == self.unknown.len() {
                self.unknown.push(name);
                self.items.push(MentionedItem {
                    name,
                    is_target: false,
                    is_recommended: false,
                });
            }
            known + place
        });
        &mut self.items[place]
    }
}
