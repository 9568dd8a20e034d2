//! A step per line.

use super::{Segment, SegmentKind, Segmenter, lines, tile};

/// Paragraphs: a line end closes a step, and blank lines belong to the step before them.
///
/// Line ends are LF, CR, CRLF, vertical tab, form feed, NEL, U+2028 and U+2029.
///
/// ```
/// use rerec_advantage::{Paragraphs, Segmenter};
///
/// let segments = Paragraphs.segment("First.\n\nSecond.");
/// let spans: Vec<_> = segments.iter().map(|segment| segment.span.clone()).collect();
/// assert_eq!(spans, [0..8, 8..15]);
/// assert_eq!(segments[0].content, 0..6);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Paragraphs;

impl Segmenter for Paragraphs {
    fn segment(&self, text: &str) -> Vec<Segment> {
        let filled = lines(text).filter(|line| !text[line.start..line.end].trim().is_empty());
        // The first filled line takes the blank lines before it along.
        tile(
            text,
            filled.skip(1).map(|line| line.start),
            SegmentKind::Reasoning,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        Paragraphs
            .segment(text)
            .iter()
            .map(|segment| &text[segment.span.clone()])
            .collect()
    }

    #[test]
    fn every_line_end_counts() {
        assert_eq!(
            parts("a\r\nb\rc\u{2028}d\u{85}e\u{b}f"),
            ["a\r\n", "b\r", "c\u{2028}", "d\u{85}", "e\u{b}", "f"]
        );
    }

    #[test]
    fn blank_lines_make_no_step() {
        assert_eq!(parts("\n\na\n \n\nb\n"), ["\n\na\n \n\n", "b\n"]);
        assert_eq!(parts(" \n "), [" \n "]);
        assert!(parts("").is_empty());
        assert_eq!(parts("我们先看《英雄》。"), ["我们先看《英雄》。"]);
    }
}
