use std::ops::Range;

use memchr::memchr2_iter;
use rerec_text::is_padding;
use serde::{Deserialize, Serialize};

use super::AnswerBox;

/// Which of several boxes is the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerChoice {
    /// The last one, so that a model may correct itself.
    #[default]
    Last,
    /// The first one.
    First,
}

const BOX: &str = "\\boxed";
const WRAPPERS: [&str; 7] = [
    "\\text", "\\textbf", "\\textit", "\\textrm", "\\mathrm", "\\mathbf", BOX,
];
/// Bounds the work on a box of nothing but wrappers.
const MAX_WRAPPERS: usize = 8;

/// Finds the answer of a response: its last or first `\boxed{…}` with balanced braces that is not blank.
///
/// A box within a box is part of the outer one. Runs in time linear in the response.
///
/// ```
/// # use rerec_rewards::{AnswerChoice, answer_box};
/// let response = r"\boxed{Alien}? No: \boxed{\text{Aliens (1986)}}";
/// let last = answer_box(response, AnswerChoice::Last).unwrap();
/// assert_eq!(&response[last.content], "Aliens (1986)");
/// assert_eq!(last.span, 19..47);
/// let first = answer_box(response, AnswerChoice::First).unwrap();
/// assert_eq!(&response[first.content], "Alien");
/// assert!(answer_box(r"\boxed{ }", AnswerChoice::Last).is_none());
/// ```
pub fn answer_box(response: &str, choice: AnswerChoice) -> Option<AnswerBox> {
    let boxes = closed_boxes(response);
    let mut read = boxes
        .into_iter()
        .filter_map(|span| read_box(response, span));
    match choice {
        AnswerChoice::First => read.next(),
        AnswerChoice::Last => read.next_back(),
    }
}

/// The outermost boxes whose braces close, in order.
fn closed_boxes(response: &str) -> Vec<Range<usize>> {
    let bytes = response.as_bytes();
    // For each open brace, where its box begins if it opens one.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut boxes: Vec<Range<usize>> = Vec::new();
    for at in memchr2_iter(b'{', b'}', bytes).filter(|&at| !is_escaped(bytes, at)) {
        if bytes[at] == b'{' {
            open.push(response[..at].ends_with(BOX).then(|| at - BOX.len()));
        } else if let Some(Some(start)) = open.pop() {
            while boxes.last().is_some_and(|inner| inner.start > start) {
                boxes.pop();
            }
            boxes.push(start..at + 1);
        }
    }
    boxes
}

fn is_escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at]
        .iter()
        .rev()
        .take_while(|&&b| b == b'\\')
        .count()
        % 2
        == 1
}

fn read_box(response: &str, span: Range<usize>) -> Option<AnswerBox> {
    let content = unwrap(response, span.start + BOX.len() + 1..span.end - 1);
    (!content.is_empty()).then_some(AnswerBox { span, content })
}

/// Narrows a range to what is left without padding and wrappers around the whole of it.
pub(super) fn unwrap(text: &str, range: Range<usize>) -> Range<usize> {
    let mut range = trim(text, range);
    for _ in 0..MAX_WRAPPERS {
        let Some(inside) = inside_wrapper(&text[range.clone()]) else {
            break;
        };
        range = trim(text, range.start + inside.start..range.start + inside.end);
    }
    range
}

pub(super) fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start_matches(is_padding).len());
    start..start + part.trim_matches(is_padding).len()
}

fn inside_wrapper(text: &str) -> Option<Range<usize>> {
    let opens = |name: &str| {
        text.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('{'))
    };
    let start = WRAPPERS.iter().find(|name| opens(name))?.len() + 1;
    (closing_brace(text, start)? == text.len() - 1).then(|| start..text.len() - 1)
}

fn closing_brace(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 1usize;
    for at in memchr2_iter(b'{', b'}', &bytes[start..])
        .map(|at| start + at)
        .filter(|&at| !is_escaped(bytes, at))
    {
        depth = if bytes[at] == b'{' {
            depth + 1
        } else {
            depth - 1
        };
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(response: &str, choice: AnswerChoice) -> Option<&str> {
        answer_box(response, choice).map(|found| &response[found.content])
    }

    #[test]
    fn braces_balance() {
        for (response, expected) in [
            (r"\boxed{\text{Toy Story (1995)}}", Some("Toy Story (1995)")),
            (r"\boxed{A {B} C}", Some("A {B} C")),
            (r"\boxed{A \} B}", Some(r"A \} B")),
            (r"\boxed{\text{A}; \text{B}}", Some(r"\text{A}; \text{B}")),
            (r"\boxed{\boxed{A}}", Some("A")),
            (r"} { \boxed{A} {", Some("A")),
            (r"\\boxed{A}", Some("A")),
            (r"\boxed{A", None),
            (r"\boxed {A}", None),
            (r"\Boxed{A}", None),
            (r"boxed{A}", None),
            (r"\boxed{\é}", Some(r"\é")),
        ] {
            assert_eq!(
                content(response, AnswerChoice::Last),
                expected,
                "{response}"
            );
        }
    }

    #[test]
    fn blank_and_unclosed_boxes_are_none() {
        assert_eq!(
            content("\\boxed{A} \\boxed{\u{a0}\n\u{1c}}", AnswerChoice::Last),
            Some("A")
        );
        assert_eq!(
            content(r"\boxed{\text{ }} \boxed{A}", AnswerChoice::First),
            Some("A")
        );
        assert_eq!(
            content(r"\boxed{A} then \boxed{B", AnswerChoice::Last),
            Some("A")
        );
    }

    #[test]
    fn the_span_covers_the_outermost_box() {
        let response = r"so \boxed{\boxed{A}}.";
        let found = answer_box(response, AnswerChoice::Last).unwrap();
        assert_eq!(&response[found.span], r"\boxed{\boxed{A}}");
    }
}
