//! Reasoning steps: byte spans that tile a response.

pub(crate) mod marker;
pub(crate) mod nested;
pub(crate) mod paragraph;
pub(crate) mod sentence;
pub(crate) mod tag;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::mention::Mention;

/// What a segment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SegmentKind {
    /// It argues: rules judge it.
    Reasoning,
    /// It gives the answer, which the reward judges already.
    Answer,
}

/// A step of a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The bytes of the segment, the line end that closes it included. Segments tile a response.
    pub span: Range<usize>,
    /// The bytes that make the step: the span without the line ends and blank lines around it. A
    /// token that holds only line ends belongs to no step.
    pub content: Range<usize>,
    /// What the segment is for.
    pub kind: SegmentKind,
}

impl Segment {
    /// The segment of `text` that has this span; its content follows from the text.
    ///
    /// A span that is not made of whole characters of `text` has no content.
    pub fn new(text: &str, span: Range<usize>, kind: SegmentKind) -> Self {
        let content = content(text.get(span.clone()).unwrap_or_default());
        let content = span.start + content.start..span.start + content.end;
        Self {
            span,
            content,
            kind,
        }
    }
}

/// Splits a response into steps.
///
/// Implementations return segments that tile the text: the first begins at byte 0, each ends where
/// the next begins on a character boundary, the last ends with the text; no segment is empty, and
/// the empty text has none.
pub trait Segmenter: fmt::Debug + Send + Sync {
    /// The segments of a response, in order.
    fn segment(&self, text: &str) -> Vec<Segment>;
}

/// Cuts the answer out of the segments it lies in, as one segment of its own.
///
/// What stands before the answer on its line stays a step, which a rule still judges.
///
/// ```
/// use rerec_advantage::{Paragraphs, SegmentKind, Segmenter, cut_answer};
///
/// let text = "Not Jumanji.\nSo \\boxed{Heat}.";
/// let segments = cut_answer(text, Paragraphs.segment(text), 16..28)?;
/// let parts: Vec<&str> = segments.iter().map(|s| &text[s.span.clone()]).collect();
/// assert_eq!(parts, ["Not Jumanji.\n", "So ", "\\boxed{Heat}", "."]);
/// assert_eq!(segments[2].kind, SegmentKind::Answer);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
///
/// # Errors
/// An answer that is empty, ends after the text or does not lie on character boundaries.
pub fn cut_answer(
    text: &str,
    segments: Vec<Segment>,
    answer: Range<usize>,
) -> Result<Vec<Segment>> {
    if text.get(answer.clone()).is_none_or(str::is_empty) {
        let (start, end) = (answer.start, answer.end);
        return Err(Error::AnswerSpan {
            start,
            end,
            response: text.len(),
        });
    }
    let mut cut = Vec::with_capacity(segments.len() + 2);
    for segment in segments {
        let Segment { span, kind, .. } = &segment;
        if span.end <= answer.start || answer.end <= span.start {
            cut.push(segment);
            continue;
        }
        if span.start < answer.start {
            cut.push(Segment::new(text, span.start..answer.start, *kind));
        }
        // Of several segments that the answer lies in, the first gives it its place; the others lose what it covers.
        if span.start <= answer.start {
            cut.push(Segment::new(text, answer.clone(), SegmentKind::Answer));
        }
        if answer.end < span.end {
            cut.push(Segment::new(text, answer.end..span.end, *kind));
        }
    }
    Ok(cut)
}

/// Joins steps between which a mention goes on; the mentions end in the order in which they begin.
pub(crate) fn join_inside(
    text: &str,
    segments: Vec<Segment>,
    mentions: &[Mention],
) -> Vec<Segment> {
    let is_inside = |at: usize| {
        let before = mentions.partition_point(|mention| mention.span.start < at);
        let last = before.checked_sub(1).and_then(|last| mentions.get(last));
        last.is_some_and(|mention| mention.span.end > at)
    };
    let mut joined: Vec<Segment> = Vec::with_capacity(segments.len());
    for segment in segments {
        match joined.last_mut() {
            // Only within a kind: a name that runs across a tag must not join answer and reasoning.
            Some(last) if last.kind == segment.kind && is_inside(segment.span.start) => {
                *last = Segment::new(text, last.span.start..segment.span.end, segment.kind);
            }
            _ => joined.push(segment),
        }
    }
    joined
}

/// Whether segments tile a text as [`Segmenter`] promises.
pub(crate) fn check_tiling(text: &str, segments: &[Segment]) -> Result<()> {
    let mut expected = 0;
    for (index, segment) in segments.iter().enumerate() {
        let Range { start, end } = segment.span;
        if start != expected || text.get(start..end).is_none_or(str::is_empty) {
            return Err(Error::Segments {
                segment: index,
                expected,
                got: start,
            });
        }
        expected = end;
    }
    if expected == text.len() {
        return Ok(());
    }
    Err(Error::Segments {
        segment: segments.len(),
        expected: text.len(),
        got: expected,
    })
}

/// Segments of one kind between ascending boundaries inside a text, its ends left out.
fn tile(text: &str, cuts: impl IntoIterator<Item = usize>, kind: SegmentKind) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut start = 0;
    for end in cuts.into_iter().chain([text.len()]) {
        // A cut at 0 or one that comes twice makes no empty segment.
        if start < end {
            segments.push(Segment::new(text, start..end, kind));
            start = end;
        }
    }
    segments
}

/// The lines of a text: where each begins, where its line end begins and where the next begins.
///
/// A line ends at a mandatory break of UAX #14: LF, CR, CRLF, vertical tab, form feed, NEL, U+2028
/// or U+2029. The CR of a CRLF counts as the line's last byte, as in the authors' released code.
fn lines(text: &str) -> impl Iterator<Item = Line> + '_ {
    let bytes = text.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        if start == bytes.len() {
            return None;
        }
        let (end, next) = line_end(bytes, start);
        let line = Line { start, end, next };
        start = line.next;
        Some(line)
    })
}

struct Line {
    start: usize,
    end: usize,
    next: usize,
}

/// Where the first line end from a byte on begins, and where it ends.
fn line_end(bytes: &[u8], from: usize) -> (usize, usize) {
    let mut end = from;
    // Most bytes are printable ASCII, which this passes over quickly.
    let candidate = |byte: &u8| matches!(byte, 0x0A..=0x0D | 0xC2 | 0xE2);
    while let Some(skipped) = bytes[end..].iter().position(candidate) {
        end += skipped;
        let length = match bytes[end..] {
            // The line end is the LF that follows, and the CR the line's last byte.
            [b'\r', b'\n', ..] => 0,
            [b'\n' | b'\r' | 0x0B | 0x0C, ..] => 1,
            [0xC2, 0x85, ..] => 2,
            [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
            // Any other character that begins with 0xC2 or 0xE2. A step of one byte is safe, since
            // no byte inside a character begins a line end.
            _ => 0,
        };
        if length > 0 {
            return (end, end + length);
        }
        end += 1;
    }
    (bytes.len(), bytes.len())
}

/// The bytes of a segment's text without the line ends and blank lines around it.
fn content(text: &str) -> Range<usize> {
    // Blanks inside the first and the last line belong to the step, whole blank lines around it do not.
    let last = text.trim_end().len();
    if last == 0 {
        return 0..0;
    }
    let first = text.len() - text.trim_start().len();
    let before = lines(&text[..first]).last();
    let start = before.map_or(0, |line| {
        if line.end < line.next {
            line.next
        } else {
            line.start
        }
    });
    start..line_end(text.as_bytes(), last).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Paragraphs;

    #[test]
    fn an_answer_over_several_lines_is_one_segment() {
        let text = "a\n\\boxed{\nb\n}\nc";
        let segments = cut_answer(text, Paragraphs.segment(text), 2..13).unwrap();
        let parts: Vec<&str> = segments.iter().map(|s| &text[s.span.clone()]).collect();
        assert_eq!(parts, ["a\n", "\\boxed{\nb\n}", "\n", "c"]);
        check_tiling(text, &segments).unwrap();
    }

    #[test]
    fn an_answer_off_the_text_is_an_error() {
        for (start, end) in [(3, 9), (1, 2), (2, 2), (3, 1)] {
            let text = "aéb";
            assert!(cut_answer(text, Paragraphs.segment(text), start..end).is_err());
        }
    }

    #[test]
    fn content_leaves_out_line_ends_and_blank_lines_only() {
        assert_eq!(content("\n a b \n \n"), 1..6);
        assert_eq!(content("\n a b\r\n \n"), 1..6);
        assert_eq!(content(" a"), 0..2);
        assert_eq!(content("\n\u{2028}\n"), 0..0);
    }

    #[test]
    fn segments_that_do_not_tile_are_named() {
        let segment = |span| Segment::new("abcd", span, SegmentKind::Reasoning);
        assert!(check_tiling("abcd", &[segment(0..2), segment(2..4)]).is_ok());
        assert!(check_tiling("abcd", &[segment(0..2), segment(3..4)]).is_err());
        assert!(check_tiling("abcd", &[segment(0..2)]).is_err());
        assert!(check_tiling("abcd", &[segment(0..2), segment(2..2), segment(2..4)]).is_err());
    }
}
