//! One spelling for what readers take for the same name.

use std::ops::Range;

use unicode_normalization::char::decompose_canonical;

/// A folded text that knows where its bytes came from.
pub(super) struct Folded {
    pub(super) text: String,
    /// For each byte of the text and its end, the byte of the original that it stands for.
    origin: Vec<usize>,
}

/// Which differences are folded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Case.
    Case,
    /// Case, Latin accents, composed and decomposed forms, typographic quotes, dashes and spaces.
    Spelling,
}

impl Folded {
    pub(super) fn new(original: &str, fold: Fold) -> Self {
        let mut folded = Self {
            text: String::with_capacity(original.len()),
            origin: Vec::with_capacity(original.len() + 1),
        };
        for (at, c) in original.char_indices() {
            fold_char(c, fold, |part| folded.text.push(part));
            folded.origin.resize(folded.text.len(), at);
        }
        folded.origin.push(original.len());
        folded
    }

    /// The original of a span of the folded text; `None` for a span that splits a character of the
    /// original. Marks that were folded away belong to the letter before them.
    pub(super) fn original(&self, span: Range<usize>) -> Option<Range<usize>> {
        let origin = |at: usize| self.origin.get(at).copied();
        let splits = |at: usize| at > 0 && origin(at - 1) == origin(at);
        if splits(span.start) || splits(span.end) {
            return None;
        }
        Some(origin(span.start)?..origin(span.end)?)
    }
}

/// A text folded, for patterns.
pub(super) fn fold(text: &str, fold: Fold) -> String {
    let mut folded = String::with_capacity(text.len());
    text.chars()
        .for_each(|c| fold_char(c, fold, |part| folded.push(part)));
    folded
}

fn fold_char(c: char, fold: Fold, mut push: impl FnMut(char)) {
    match (fold, c) {
        (_, c) if c.is_ascii() => push(c.to_ascii_lowercase()),
        (Fold::Case, c) => c.to_lowercase().for_each(push),
        (_, '\u{300}'..='\u{36F}') => {}
        (_, '\u{2018}' | '\u{2019}' | '\u{2BC}') => push('\''),
        (_, '\u{201C}' | '\u{201D}') => push('"'),
        (_, '\u{2010}'..='\u{2015}') => push('-'),
        (_, '\u{A0}' | '\u{2009}' | '\u{202F}' | '\u{3000}') => push(' '),
        // Syllables stay whole: one must not match the beginning of another.
        (_, c @ '\u{AC00}'..='\u{D7AF}') => push(c),
        (_, c) => decompose_canonical(c, |part| {
            if !matches!(part, '\u{300}'..='\u{36F}') {
                part.to_lowercase().for_each(&mut push);
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling() {
        assert_eq!(
            fold("Amélie’s “Été” – ÎLE", Fold::Spelling),
            "amelie's \"ete\" - ile"
        );
        assert_eq!(fold("Ame\u{301}lie", Fold::Spelling), "amelie");
        assert_eq!(fold("ÉTÉ", Fold::Case), "été");
        assert_eq!(
            fold("がか", Fold::Spelling),
            fold("か\u{3099}か", Fold::Spelling)
        );
    }

    #[test]
    fn origins_point_back() {
        let folded = Folded::new("é👍e\u{301}x", Fold::Spelling);
        assert_eq!(folded.text, "e👍ex");
        assert_eq!(folded.original(0..1), Some(0..2));
        assert_eq!(folded.original(1..5), Some(2..6));
        // The accent that was folded away belongs to the letter before it.
        assert_eq!(folded.original(5..6), Some(6..9));
        assert_eq!(folded.original(2..6), None);
    }
}
