//! A step a tagged part of the response.

use super::{Segment, SegmentKind, Segmenter};

/// Think and answer tags: `<think>…</think>` is reasoning, `<answer>…</answer>` is the answer, tags
/// included. Where a response closes its thinking and has no answer tag, the rest is the answer.
///
/// ```
/// use rerec_advantage::{SegmentKind, Segmenter, ThinkTags};
///
/// let text = "<think>Heat?</think>Up it is.";
/// let segments = ThinkTags.segment(text);
/// assert_eq!(segments[0].span, 0..20);
/// assert_eq!((segments[1].span.clone(), segments[1].kind), (20..29, SegmentKind::Answer));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ThinkTags;

impl Segmenter for ThinkTags {
    fn segment(&self, text: &str) -> Vec<Segment> {
        let tagged = text.contains("<answer>");
        let outside = |thought: bool| match thought && !tagged {
            true => SegmentKind::Answer,
            false => SegmentKind::Reasoning,
        };
        let (mut segments, mut start, mut kind) = (Vec::new(), 0, SegmentKind::Reasoning);
        for tag in tags(text) {
            let (boundary, next) = match tag {
                Tag::OpenThink(at) => (at, SegmentKind::Reasoning),
                Tag::OpenAnswer(at) => (at, SegmentKind::Answer),
                Tag::CloseThink(end) => (end, outside(true)),
                Tag::CloseAnswer(end) => (end, outside(false)),
            };
            if start < boundary {
                segments.push(Segment::new(text, start..boundary, kind));
                start = boundary;
            }
            kind = next;
        }
        if start < text.len() {
            segments.push(Segment::new(text, start..text.len(), kind));
        }
        segments
    }
}

/// A tag with the boundary it makes: where an opening one begins, where a closing one ends.
enum Tag {
    OpenThink(usize),
    CloseThink(usize),
    OpenAnswer(usize),
    CloseAnswer(usize),
}

fn tags(text: &str) -> impl Iterator<Item = Tag> + '_ {
    text.match_indices('<').filter_map(|(at, _)| {
        let closing = |tag: &str| text[at..].starts_with(tag).then_some(at + tag.len());
        let opening = |tag: &str| text[at..].starts_with(tag).then_some(at);
        opening("<think>")
            .map(Tag::OpenThink)
            .or_else(|| closing("</think>").map(Tag::CloseThink))
            .or_else(|| opening("<answer>").map(Tag::OpenAnswer))
            .or_else(|| closing("</answer>").map(Tag::CloseAnswer))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(&str, SegmentKind)> {
        let segments = ThinkTags.segment(text);
        segments
            .into_iter()
            .map(|segment| (&text[segment.span], segment.kind))
            .collect()
    }

    #[test]
    fn tags_split_and_tell_kinds() {
        use SegmentKind::{Answer, Reasoning};
        assert_eq!(
            parts("<think>a</think>\n<answer>b</answer>c"),
            [
                ("<think>a</think>", Reasoning),
                ("\n", Reasoning),
                ("<answer>b</answer>", Answer),
                ("c", Reasoning),
            ]
        );
        assert_eq!(parts("<think>a"), [("<think>a", Reasoning)]);
        assert_eq!(parts("a < b"), [("a < b", Reasoning)]);
        assert_eq!(
            parts("a</think>b"),
            [("a</think>", Reasoning), ("b", Answer)]
        );
        assert!(parts("").is_empty());
    }
}
