//! A step per numbered or marked line.

use super::{Segment, SegmentKind, Segmenter, lines, tile};

/// Steps that are numbered or marked: a line that begins with `1.`, `2)`, `(3)`, `Step 4`, `第5步`,
/// `-`, `*`, `•` or a `#` heading opens a step, which runs to the next such line.
///
/// What stands before the first mark is a step of its own; markdown emphasis before a number is
/// passed over.
///
/// ```
/// use rerec_advantage::{Segmenter, StepMarkers};
///
/// let text = "Let me see.\n1. Heat:\n  long\n2. Up\n";
/// let parts: Vec<_> = StepMarkers.segment(text).iter().map(|s| &text[s.span.clone()]).collect();
/// assert_eq!(parts, ["Let me see.\n", "1. Heat:\n  long\n", "2. Up\n"]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct StepMarkers;

impl Segmenter for StepMarkers {
    fn segment(&self, text: &str) -> Vec<Segment> {
        let marked = lines(text).filter(|line| opens_step(&text[line.start..line.end]));
        tile(
            text,
            marked.map(|line| line.start).filter(|&start| start > 0),
            SegmentKind::Reasoning,
        )
    }
}

fn opens_step(line: &str) -> bool {
    let line = line.trim_start();
    is_bullet(line) || is_heading(line) || is_numbered(line.trim_start_matches(['*', '_']))
}

fn is_bullet(line: &str) -> bool {
    let rest = line.strip_prefix(['-', '*', '•', '–']);
    rest.is_some_and(|rest| rest.starts_with(char::is_whitespace))
}

fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    rest.len() < line.len() && rest.starts_with(char::is_whitespace)
}

/// A number that a mark follows, or a word for a step that a number follows.
fn is_numbered(line: &str) -> bool {
    // `get`: the fourth byte may lie inside a character.
    let is_step_word = line
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case("step"));
    if is_step_word && after_number(line[4..].trim_start()).is_some() {
        return true;
    }
    let line = line.strip_prefix('第').unwrap_or(line);
    after_number(line.strip_prefix('(').unwrap_or(line)).is_some_and(|rest| {
        let marked = rest.strip_prefix(['.', ')', ':', '、', '．', '：', '步']);
        // `3.5 stars` is a number, not the third step.
        marked.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// What follows a number of at most two digits at the start of a text.
fn after_number(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (1..=2).contains(&(text.len() - rest.len())).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::opens_step;

    #[test]
    fn marks() {
        for line in [
            "1. a",
            "2) a",
            "(3) a",
            "  12: a",
            "Step 4: a",
            "step 4",
            "**5.** a",
            "第5步：a",
            "3、a",
            "- a",
            "* a",
            "• a",
            "## a",
        ] {
            assert!(opens_step(line), "{line}");
        }
        for line in [
            "a",
            "",
            "1995 was",
            "3.5 stars",
            "-5",
            "*a*",
            "Stepping",
            "#1",
            "(500) Days",
            "étape",
        ] {
            assert!(!opens_step(line), "{line}");
        }
    }
}
