//! One spelling for what readers take for the same name.

use std::ops::Range;

use unicode_normalization::char::decompose_canonical;

/// A folded text that knows where its bytes came from.
pub(super) struct Folded {
    pub(super) text: String,
    /// The characters that the folded text has not as they were, in order.
    changes: Vec<Change>,
}

/// A character of the original and what stands for it.
struct Change {
    original: Range<usize>,
    folded: Range<usize>,
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
            changes: Vec::new(),
        };
        let mut rest = original;
        loop {
            let (ascii, other) = rest.split_at(ascii_run(rest));
            folded.text.push_str(ascii);
            let mut chars = other.chars();
            let Some(c) = chars.next() else { break };
            folded.push(c, original.len() - other.len(), fold);
            rest = chars.as_str();
        }
        // All ASCII at once: far quicker than letter by letter.
        folded.text.make_ascii_lowercase();
        folded
    }

    /// Appends what stands for the character `c` that begins at a byte of the original.
    fn push(&mut self, c: char, at: usize, fold: Fold) {
        let start = self.text.len();
        fold_char(c, fold, |part| self.text.push(part));
        if !self.text[start..].chars().eq([c]) {
            self.changes.push(Change {
                original: at..at + c.len_utf8(),
                folded: start..self.text.len(),
            });
        }
    }

    /// The original of a span of whole characters of the folded text; `None` for a span that splits
    /// a character of the original. Marks that were folded away belong to the letter before them.
    pub(super) fn original(&self, span: Range<usize>) -> Option<Range<usize>> {
        Some(self.origin(span.start)?..self.origin(span.end)?)
    }

    fn origin(&self, at: usize) -> Option<usize> {
        let before = self.changes.partition_point(|c| c.folded.end <= at);
        let splits = self
            .changes
            .get(before)
            .is_some_and(|c| c.folded.start < at);
        let kept_since = |c: &Change| c.original.end + (at - c.folded.end);
        let last = before
            .checked_sub(1)
            .and_then(|last| self.changes.get(last));
        (!splits).then(|| last.map_or(at, kept_since))
    }
}

/// The number of bytes before the first character that is not ASCII.
fn ascii_run(text: &str) -> usize {
    const BLOCK: usize = 32;
    let (blocks, bytes) = (text.as_bytes().chunks_exact(BLOCK), text.as_bytes());
    let passed = BLOCK * blocks.take_while(|block| block.is_ascii()).count();
    passed
        + bytes[passed..]
            .iter()
            .take_while(|byte| byte.is_ascii())
            .count()
}

/// What stands for a character that is not ASCII.
fn fold_char(c: char, fold: Fold, mut push: impl FnMut(char)) {
    match (fold, c) {
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
        let fold = |text: &str, fold| Folded::new(text, fold).text;
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
        assert_eq!(folded.original(6..7), Some(9..10));
        // One kana becomes two characters, of which the first alone is no part of the original.
        let folded = Folded::new("Aが", Fold::Spelling);
        assert_eq!((folded.text.len(), folded.original(1..4)), (7, None));
        assert_eq!(folded.original(0..7), Some(0..4));
    }
}
