//! A step a sentence.

use unicode_segmentation::UnicodeSegmentation;

use super::{Segment, SegmentKind, Segmenter, tile};

/// Sentences by the Unicode rules (UAX #29), which know `。` and line ends; a sentence keeps the
/// blanks after it.
///
/// ```
/// use rerec_advantage::{Segmenter, Sentences};
///
/// let text = "Heat is long. 我们先看《英雄》。再看别的。";
/// let parts: Vec<_> = Sentences.segment(text).iter().map(|s| &text[s.span.clone()]).collect();
/// assert_eq!(parts, ["Heat is long. ", "我们先看《英雄》。", "再看别的。"]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Sentences;

impl Segmenter for Sentences {
    fn segment(&self, text: &str) -> Vec<Segment> {
        let filled = text
            .split_sentence_bound_indices()
            .filter(|(_, s)| !s.trim().is_empty());
        tile(
            text,
            filled.skip(1).map(|(start, _)| start),
            SegmentKind::Reasoning,
        )
    }
}
