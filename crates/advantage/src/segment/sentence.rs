//! A step per sentence.

use unicode_segmentation::UnicodeSegmentation;

use super::{Segment, SegmentKind, Segmenter, tile};
use crate::common_word::is_common_word;
use crate::mention::year::YearBehind;

/// Sentences by the Unicode rules (UAX #29), which know `。` and line ends; a sentence keeps the blanks after it.
///
/// Full stops of abbreviations and initials end none, nor does a `!` or `?` that a small letter or a year in brackets follows:
/// it belongs to a title. Where an initial may end a sentence as well, the next word decides: "Malcolm X. He was" are two.
///
/// ```
/// use rerec_advantage::{Segmenter, Sentences};
///
/// let text = "Dr. Strangelove (1964) is long. 我们先看《英雄》。再看别的。";
/// let parts: Vec<_> = Sentences.segment(text).iter().map(|s| &text[s.span.clone()]).collect();
/// assert_eq!(parts, ["Dr. Strangelove (1964) is long. ", "我们先看《英雄》。", "再看别的。"]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Sentences;

impl Segmenter for Sentences {
    fn segment(&self, text: &str) -> Vec<Segment> {
        let filled = text
            .split_sentence_bound_indices()
            .filter(|(_, s)| !s.trim().is_empty());
        let mut begin = 0;
        let cuts = filled.skip(1).map(|(start, _)| start).filter(|&start| {
            // What Unicode takes for a sentence is all that is looked at: each is read once.
            let ends = ends_sentence(&text[begin..start], &text[start..]);
            begin = start;
            ends
        });
        tile(text, cuts.collect::<Vec<_>>(), SegmentKind::Reasoning)
    }
}

/// Abbreviations before a name or a number, with which no sentence ends.
const BEFORE_A_NAME: [&str; 33] = [
    "dr", "mr", "mrs", "ms", "mx", "messrs", "prof", "st", "ste", "mt", "ft", "lt", "col", "gen",
    "sgt", "capt", "cpt", "cmdr", "maj", "rev", "hon", "sen", "gov", "pres", "sr", "fr", "vs", "v",
    "e.g", "i.e", "cf", "dir", "feat",
];

/// Abbreviations before a number.
const BEFORE_A_NUMBER: [&str; 14] = [
    "no", "nos", "vol", "ep", "eps", "pt", "ch", "p", "pp", "fig", "ca", "c", "approx", "ser",
];

/// Abbreviations with which a sentence may end.
const ANYWHERE: [&str; 12] = [
    "jr", "etc", "inc", "ltd", "co", "corp", "bros", "al", "a.k.a", "esp", "orig", "min",
];

/// Whether one sentence ends before `after`; `before` is all that Unicode puts into the one.
fn ends_sentence(before: &str, after: &str) -> bool {
    let trimmed = before.trim_end();
    let is_line_end = |c: char| c != ' ' && c != '\t' && c.is_whitespace() && c != '\u{a0}';
    // A line end closes a sentence whatever is before it, an abbreviation too.
    if before[trimmed.len()..].contains(is_line_end) {
        return true;
    }
    let is_closer = |c: char| {
        matches!(
            c,
            '"' | '\'' | '”' | '’' | '»' | '*' | '_' | ')' | ']' | '`'
        )
    };
    let bare = trimmed.trim_end_matches(is_closer);
    if !bare.ends_with(['.', '!', '?', '…']) {
        return true;
    }
    // Markup may stand on either side: "**Airplane!** (1980)".
    let rest = after.trim_start_matches(|c: char| c == ' ' || is_closer(c));
    let dated = rest.starts_with(['(', '[', '（']) && YearBehind::of(rest).is_in_brackets();
    let next = rest.trim_start_matches(['“', '‘', '(', '[']);
    let goes_on = next.starts_with(char::is_lowercase) || dated;
    !goes_on
        && !bare
            .strip_suffix('.')
            .is_some_and(|bare| is_abbreviation(bare, next))
}

/// Whether the full stop between a text and the next word is that of an abbreviation.
fn is_abbreviation(text: &str, next: &str) -> bool {
    let start = text.rfind(|c: char| {
        c.is_whitespace() || matches!(c, '(' | '[' | '"' | '“' | '*' | '_' | '-' | '/')
    });
    let word = start.map_or(text, |at| {
        text[at..].trim_start_matches(|c: char| !c.is_alphanumeric())
    });
    let is_in = |list: &[&str]| list.iter().any(|known| word.eq_ignore_ascii_case(known));
    let end = next
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(next.len());
    // An initial may end a sentence: in "Malcolm X. He was" the common word begins the next one.
    let starts_anew = is_common_word(&next[..end]);
    let initials = !word.is_empty() && word.split('.').all(is_initial);
    is_in(&BEFORE_A_NAME)
        || is_in(&BEFORE_A_NUMBER) && next.starts_with(|c: char| c.is_ascii_digit())
        || (initials || is_in(&ANYWHERE)) && !starts_anew
}

/// One letter: "I" is a word.
fn is_initial(word: &str) -> bool {
    let mut chars = word.chars();
    matches!((chars.next(), chars.next()), (Some(c), None) if c.is_uppercase() && c != 'I')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        Sentences
            .segment(text)
            .iter()
            .map(|s| &text[s.span.clone()])
            .collect()
    }

    #[test]
    fn abbreviations_and_titles_end_no_sentence() {
        for text in [
            "I like Dr. Strangelove (1964) a lot.",
            "Mr. and Mrs. Smith is fun.",
            "Both Mrs. Doubtfire and St. Elmo's Fire fit.",
            "E.T. the Extra-Terrestrial is sad.",
            "Watch E.T. Phone home.",
            "L.A. Confidential and S.W.A.T. Reloaded fit.",
            "A book by J. R. R. Tolkien is next.",
            "Kramer vs. Kramer is sad.",
            "Kill Bill: Vol. 2 is next.",
            "Fast & Furious Pt. 1 is next.",
            "The film (dir. Kubrick) is long.",
            "Monsters, Inc. Scares me.",
            "I like Airplane! a lot.",
            "I like Mamma Mia! (2008) a lot.",
            "I like **Mamma Mia!** (2008) a lot.",
            "What's Up, Doc? [1972] is fun.",
            "Is it \"Airplane!\" or not?",
            "Comedies, e.g. Airplane, fit.",
        ] {
            assert_eq!(parts(text), [text], "{text}");
        }
    }

    #[test]
    fn sentences_end_all_the_same() {
        for (text, expected) in [
            (
                "Heat is long. Up is not.",
                &["Heat is long. ", "Up is not."][..],
            ),
            ("I like E.T. It is sad.", &["I like E.T. ", "It is sad."]),
            (
                "I like Malcolm X. He is real.",
                &["I like Malcolm X. ", "He is real."],
            ),
            ("It was I. Heat is long.", &["It was I. ", "Heat is long."]),
            (
                "Action, drama, etc. The rest is out.",
                &["Action, drama, etc. ", "The rest is out."],
            ),
            ("I say no. Heat is long.", &["I say no. ", "Heat is long."]),
            (
                "Is it Heat? Yes! Up is not.",
                &["Is it Heat? ", "Yes! ", "Up is not."],
            ),
            (
                "Ask the Dr.\nHeat is long.",
                &["Ask the Dr.\n", "Heat is long."],
            ),
            (
                "So it is. (It was 2015 then.)",
                &["So it is. ", "(It was 2015 then.)"],
            ),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }
}
