//! A step per tagged part of the response.

use super::{Segment, SegmentKind, Segmenter};

/// Think and answer tags: `<think>…</think>` is reasoning, `<answer>…</answer>` is the answer, tags included. Where a response
/// closes its thinking and has no answer tag, the rest is the answer.
///
/// A tag that the response only speaks of ends nothing: one in quotes or before the word "tag", an answer tag inside a thought
/// that is closed later, a `</think>` before the one that closes the thought, an `<answer>` before the one that opens the answer.
///
/// ```
/// use rerec_advantage::{SegmentKind, Segmenter, ThinkTags};
///
/// let text = "<think>Use <answer>. Heat?</think>Up it is.";
/// let segments = ThinkTags.segment(text);
/// assert_eq!(segments[0].span, 0..34);
/// assert_eq!((segments[1].span.clone(), segments[1].kind), (34..43, SegmentKind::Answer));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ThinkTags;

impl Segmenter for ThinkTags {
    fn segment(&self, text: &str) -> Vec<Segment> {
        let tags = structure(tags(text));
        // If there is an answer tag, the text between `</think>` and it is still reasoning.
        let tagged = tags.iter().any(|tag| tag.kind == TagKind::OpenAnswer);
        let (mut segments, mut start, mut kind) = (Vec::new(), 0, SegmentKind::Reasoning);
        for tag in tags {
            let (boundary, next) = match tag.kind {
                TagKind::OpenThink => (tag.start, SegmentKind::Reasoning),
                TagKind::OpenAnswer => (tag.start, SegmentKind::Answer),
                TagKind::CloseThink if !tagged => (tag.end, SegmentKind::Answer),
                TagKind::CloseThink | TagKind::CloseAnswer => (tag.end, SegmentKind::Reasoning),
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TagKind {
    OpenThink,
    CloseThink,
    OpenAnswer,
    CloseAnswer,
}

/// A tag and its bytes.
#[derive(Debug, Clone, Copy)]
struct Tag {
    kind: TagKind,
    start: usize,
    end: usize,
}

/// The tags of a text that are not quoted.
fn tags(text: &str) -> Vec<Tag> {
    const TAGS: [(&str, TagKind); 4] = [
        ("<think>", TagKind::OpenThink),
        ("</think>", TagKind::CloseThink),
        ("<answer>", TagKind::OpenAnswer),
        ("</answer>", TagKind::CloseAnswer),
    ];
    let tag_at = |start: usize| {
        let (tag, kind) = TAGS
            .into_iter()
            .find(|(tag, _)| text[start..].starts_with(tag))?;
        let end = start + tag.len();
        (!is_spoken_of(&text[..start], &text[end..])).then_some(Tag { kind, start, end })
    };
    text.match_indices('<')
        .filter_map(|(start, _)| tag_at(start))
        .collect()
}

/// Whether a tag between two texts is in quotes or is called a tag.
fn is_spoken_of(before: &str, after: &str) -> bool {
    const QUOTES: [(char, char); 6] = [
        ('`', '`'),
        ('"', '"'),
        ('\'', '\''),
        ('“', '”'),
        ('‘', '’'),
        ('«', '»'),
    ];
    let quoted = QUOTES
        .iter()
        .any(|(open, close)| before.ends_with(*open) && after.starts_with(*close));
    let behind = after.trim_start_matches([' ', '*', '`', '"', '\'']);
    // In small letters: "Tag (2018)" may be the answer.
    let called = behind.strip_prefix("tag").is_some_and(|rest| {
        !rest
            .strip_prefix('s')
            .unwrap_or(rest)
            .starts_with(char::is_alphanumeric)
    });
    quoted || called && behind.len() < after.len()
}

/// The tags that structure a response, without those that it only speaks of.
fn structure(tags: Vec<Tag>) -> Vec<Tag> {
    // Backwards, a tag knows what comes after it: of two tags of a kind in a row, none of the other kind of their pair between
    // them, the later one closes or opens, and an answer tag before a `</think>` stands in the thought.
    let (mut structure, mut next_think, mut next_answer) = (Vec::new(), None, None);
    for tag in tags.into_iter().rev() {
        let is_real = match tag.kind {
            TagKind::OpenThink => true,
            TagKind::CloseThink => next_think != Some(TagKind::CloseThink),
            TagKind::OpenAnswer => {
                next_think != Some(TagKind::CloseThink) && next_answer != Some(TagKind::OpenAnswer)
            }
            TagKind::CloseAnswer => {
                next_think != Some(TagKind::CloseThink) && next_answer != Some(TagKind::CloseAnswer)
            }
        };
        match tag.kind {
            TagKind::OpenThink | TagKind::CloseThink => next_think = Some(tag.kind),
            _ if is_real => next_answer = Some(tag.kind),
            _ => {}
        }
        if is_real {
            structure.push(tag);
        }
    }
    structure.reverse();
    structure
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
        assert_eq!(
            parts("<think>a</think>b<think>c</think>d"),
            [
                ("<think>a</think>", Reasoning),
                ("b", Answer),
                ("<think>c</think>", Reasoning),
                ("d", Answer)
            ]
        );
    }

    #[test]
    fn tags_that_are_only_spoken_of_end_nothing() {
        use SegmentKind::{Answer, Reasoning};
        for thought in [
            "<think>I must use <answer> tags. Casino fits.</think>",
            "<think>I put it into <answer> and </answer>. Casino fits.</think>",
            "<think>Then <answer>X</answer> at the end. Casino fits.</think>",
            "<think>I close with </think> then. Casino fits.</think>",
            "<think>Between <think> and </think>. Casino fits.</think>",
            "<think>After \"</think>\" I write `<answer>`. Casino fits.</think>",
            "<think>A `</think>` tag. <think> Casino fits.</think>",
            "I must use <answer>. Casino fits.</think>",
        ] {
            let text = format!("{thought}<answer>Heat</answer>");
            let expected = [(thought, Reasoning), ("<answer>Heat</answer>", Answer)];
            let found = parts(&text);
            let reasoning: Vec<_> = found
                .iter()
                .filter(|(_, kind)| *kind == Reasoning)
                .collect();
            assert_eq!(
                reasoning.iter().map(|(part, _)| *part).collect::<String>(),
                thought
            );
            assert_eq!(found.last(), Some(&expected[1]), "{text}");
        }
        assert_eq!(
            parts("<think>Use <answer> tags.</think>Heat"),
            [
                ("<think>Use <answer> tags.</think>", Reasoning),
                ("Heat", Answer)
            ]
        );
        assert_eq!(
            parts("I must use <answer>. Casino fits.\n<answer>Heat</answer>"),
            [
                ("I must use <answer>. Casino fits.\n", Reasoning),
                ("<answer>Heat</answer>", Answer)
            ]
        );
        // A thought that is never closed hides no answer.
        assert_eq!(
            parts("<think>Casino fits. <answer>Heat</answer>"),
            [
                ("<think>Casino fits. ", Reasoning),
                ("<answer>Heat</answer>", Answer)
            ]
        );
    }
}
