//! A text that names are searched in.

use std::cell::OnceCell;
use std::ops::Range;

use rerec_text::small_words;

/// Names of up to so many bytes are read letter by letter.
const SHORT: usize = 64;

/// A text, and where its words with small letters begin once somebody asked.
pub(super) struct Reading<'t> {
    pub(super) text: &'t str,
    small: OnceCell<Vec<usize>>,
}

impl<'t> Reading<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let small = OnceCell::new();
        Self { text, small }
    }

    /// [`small_words`] of the name at a span, in a time that does not grow with the name: of many long names that end at one
    /// place, each may have to be looked at.
    pub(super) fn small_words(&self, span: &Range<usize>) -> usize {
        let name = self.text.get(span.clone()).unwrap_or_default();
        if name.len() <= SHORT {
            return small_words(name);
        }
        let lead = name.find(is_of_word).unwrap_or(name.len());
        let rest = &name[lead..];
        let first = &rest[..rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())];
        // The first word alone may be an article, or begin in the middle of a word of the text.
        let after_first = span.start + lead + first.len();
        let starts = self.small.get_or_init(|| small_starts(self.text));
        let before = |at: usize| starts.partition_point(|&start| start < at);
        small_words(first) + before(span.end) - before(after_first)
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\'' || c == '’'
}

/// Where the words begin that begin with a small letter.
fn small_starts(text: &str) -> Vec<usize> {
    let mut in_word = false;
    let starts = text.char_indices().filter(|(_, c)| {
        let opens = !std::mem::replace(&mut in_word, is_of_word(*c));
        opens && c.is_lowercase()
    });
    starts.map(|(start, _)| start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_counted_like_short_ones() {
        let text = "so the House's of (the) “long” Road, l’Avventura and un'altra 'of' THE é ß 英雄 1a a1 ".repeat(4);
        let reading = Reading::new(&text);
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for &start in places.iter().step_by(3) {
            for &end in places.iter().filter(|&&end| end > start + SHORT) {
                assert_eq!(
                    reading.small_words(&(start..end)),
                    small_words(&text[start..end]),
                    "{}",
                    &text[start..end]
                );
            }
        }
    }
}
