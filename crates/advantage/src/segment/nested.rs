//! Splitters inside one another.

use serde::{Deserialize, Serialize};

use super::marker::StepMarkers;
use super::paragraph::Paragraphs;
use super::sentence::Sentences;
use super::tag::ThinkTags;
use super::{Segment, SegmentKind, Segmenter};
use crate::error::{Error, Result};

/// A splitter by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// [`Paragraphs`].
    Paragraph,
    /// [`Sentences`].
    Sentence,
    /// [`StepMarkers`].
    Step,
    /// [`ThinkTags`].
    Think,
}

impl Split {
    fn segmenter(self) -> Box<dyn Segmenter> {
        match self {
            Self::Paragraph => Box::new(Paragraphs),
            Self::Sentence => Box::new(Sentences),
            Self::Step => Box::new(StepMarkers),
            Self::Think => Box::new(ThinkTags),
        }
    }
}

/// Splitters one inside the other: each splits the reasoning that the one before it left whole.
///
/// ```
/// use rerec_advantage::{Nested, Segmenter, Split};
///
/// let text = "<think>Heat?\nUp!</think>Up\nit is.";
/// let nested = Nested::of(&[Split::Think, Split::Paragraph])?;
/// let parts: Vec<_> = nested.segment(text).iter().map(|s| &text[s.span.clone()]).collect();
/// assert_eq!(parts, ["<think>Heat?\n", "Up!</think>", "Up\nit is."]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug)]
pub struct Nested {
    outer: Box<dyn Segmenter>,
    inner: Vec<Box<dyn Segmenter>>,
}

impl Nested {
    /// `outer` first, then each of `inner` in turn.
    pub fn new(outer: Box<dyn Segmenter>, inner: Vec<Box<dyn Segmenter>>) -> Self {
        Self { outer, inner }
    }

    /// The splitters with these names, the outermost first.
    ///
    /// # Errors
    /// No name at all.
    pub fn of(splits: &[Split]) -> Result<Self> {
        let (outer, inner) = splits.split_first().ok_or_else(|| Error::InvalidSetting {
            setting: "split",
            got: "an empty list".to_owned(),
            allowed: "a list of at least 1 splitter",
        })?;
        Ok(Self::new(
            outer.segmenter(),
            inner.iter().map(|split| split.segmenter()).collect(),
        ))
    }
}

impl Segmenter for Nested {
    fn segment(&self, text: &str) -> Vec<Segment> {
        let outer = self.outer.segment(text);
        self.inner.iter().fold(outer, |segments, inner| {
            segments
                .into_iter()
                .flat_map(|segment| split_again(&**inner, text, segment))
                .collect()
        })
    }
}

fn split_again(inner: &dyn Segmenter, text: &str, segment: Segment) -> Vec<Segment> {
    let (SegmentKind::Reasoning, Some(part)) = (segment.kind, text.get(segment.span.clone()))
    else {
        return vec![segment];
    };
    // An inner splitter sees a part and counts from its start; an answer is left whole.
    let mut parts = inner.segment(part);
    for Segment { span, content, .. } in &mut parts {
        for place in [
            &mut span.start,
            &mut span.end,
            &mut content.start,
            &mut content.end,
        ] {
            *place += segment.span.start;
        }
    }
    parts
}
