use std::ops::Range;

use memchr::memchr2_iter;
use rerec_text::{fold, is_padding, unwrapped, without_markup};
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
/// Finds the answer of a response: its last or first `\boxed{…}` with balanced braces that is not blank. Dots, and the
/// placeholders of instructions such as `\boxed{item title}`, are blank.
///
/// A box within a box is part of the outer one. Runs in time linear in the response.
///
/// ```
/// # use rerec_rewards::{AnswerChoice, answer_box};
/// let response = r"\boxed{Alien}? No: \boxed{\text{Aliens (1986)}}, as \boxed{...}";
/// let last = answer_box(response, AnswerChoice::Last).unwrap();
/// assert_eq!(&response[last.content], "Aliens (1986)");
/// assert_eq!(last.span, 19..47);
/// let first = answer_box(response, AnswerChoice::First).unwrap();
/// assert_eq!(&response[first.content], "Alien");
/// assert!(answer_box(r"\boxed{ }", AnswerChoice::Last).is_none());
/// ```
pub fn answer_box(response: &str, choice: AnswerChoice) -> Option<AnswerBox> {
    answer_box_where(response, choice, |_, content| {
        !content.is_empty() && !is_placeholder(content)
    })
}

/// The last or first box that holds an answer, judged by what stands in it and by what is left of it without markup.
pub(super) fn answer_box_where(
    response: &str,
    choice: AnswerChoice,
    is_answer: impl Fn(&str, &str) -> bool,
) -> Option<AnswerBox> {
    let boxes = closed_boxes(response).into_iter();
    // Lazy from both ends: only the boxes that are looked at are unwrapped.
    let mut read = boxes
        .map(|span| AnswerBox {
            content: unwrapped(response, inside(&span)),
            span,
        })
        .filter(|found| {
            let written = response[inside(&found.span)].trim_matches(is_padding);
            is_answer(written, &response[found.content.clone()])
        });
    match choice {
        AnswerChoice::First => read.next(),
        AnswerChoice::Last => read.next_back(),
    }
}

/// What stands between the braces of a box.
pub(super) fn inside(span: &Range<usize>) -> Range<usize> {
    // The box and its braces are ASCII: both ends are character boundaries.
    span.start + BOX.len() + 1..span.end - 1
}

/// Whether a box holds what instructions write in the place of an answer.
pub(super) fn is_placeholder(content: &str) -> bool {
    let text = without_markup(content);
    let dots = |c: char| matches!(c, '.' | '…' | '⋯' | '_' | '-' | ',' | ';') || is_padding(c);
    if text.chars().all(dots) {
        // Separators alone are a list, if an empty one; dots stand for what was not written.
        return !content
            .chars()
            .all(|c| matches!(c, ',' | ';') || is_padding(c));
    }
    // "<answer>", in whatever words.
    let named = content
        .strip_prefix('<')
        .and_then(|inside| inside.strip_suffix('>'));
    if named.is_some_and(|inside| !inside.contains(['<', '>', ';', '\n'])) {
        return true;
    }
    // "title 1; title 2" is a pattern to fill in, but numbers without such a word may be titles:
    // "300".
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    let folded = fold(&text);
    let words = || {
        folded
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
    };
    words().all(|word| PLACES.contains(&word) || WORDS_BESIDE.contains(&word) || is_number(word))
        && words().any(|word| PLACES.contains(&word))
}

/// Words that stand for an answer, and words that may stand beside them.
const PLACES: [&str; 8] = [
    "answer",
    "answers",
    "item",
    "items",
    "title",
    "titles",
    "name",
    "placeholder",
];
const WORDS_BESIDE: [&str; 24] = [
    "the",
    "your",
    "a",
    "an",
    "of",
    "here",
    "final",
    "exact",
    "full",
    "chosen",
    "selected",
    "recommended",
    "recommendation",
    "movie",
    "film",
    "book",
    "game",
    "song",
    "product",
    "choice",
    "insert",
    "goes",
    "one",
    "and",
];

/// The outermost boxes whose braces close, in order.
fn closed_boxes(response: &str) -> Vec<Range<usize>> {
    let bytes = response.as_bytes();
    // For each open brace, where its box begins if it opens one.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut boxes: Vec<Range<usize>> = Vec::new();
    // By bytes, since in UTF-8 no brace and no backslash is part of another character. A closing
    // brace too many finds nothing open and changes nothing.
    for at in memchr2_iter(b'{', b'}', bytes).filter(|&at| !is_escaped(bytes, at)) {
        if bytes[at] == b'{' {
            open.push(response[..at].ends_with(BOX).then(|| at - BOX.len()));
        } else if let Some(Some(start)) = open.pop() {
            // Boxes inside this one have closed before it and give way to it. Each box comes and
            // goes once, which keeps the work linear.
            while boxes.last().is_some_and(|inner| inner.start > start) {
                boxes.pop();
            }
            boxes.push(start..at + 1);
        }
    }
    boxes
}

fn is_escaped(bytes: &[u8], at: usize) -> bool {
    // The backslashes before two braces never overlap, so that counting them is linear in all.
    bytes[..at]
        .iter()
        .rev()
        .take_while(|&&b| b == b'\\')
        .count()
        % 2
        == 1
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
