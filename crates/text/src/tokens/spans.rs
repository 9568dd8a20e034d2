//! Which bytes of a response each token holds.

use std::ops::Range;

use crate::error::{Error, Result};

/// The byte spans of the tokens of a response, from their byte lengths.
///
/// The sampled tokens are the truth: nothing is decoded or encoded again. A special token has
/// length 0; a character may be spread over several tokens.
///
/// ```
/// use rerec_text::TokenSpans;
///
/// let spans = TokenSpans::new("né!", &[1, 1, 1, 0, 1])?; // n | half é | half é | <eos> | !
/// assert_eq!(spans.get(2), Some(2..3));
/// assert_eq!(spans.overlapping(&(1..3)), 1..3);
/// # Ok::<(), rerec_text::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSpans {
    /// Where each token begins, and at last where the final one ends.
    offsets: Vec<usize>,
}

impl TokenSpans {
    /// Adds up byte lengths.
    ///
    /// # Errors
    /// Lengths that do not add up to the bytes of `response`.
    pub fn new(response: &str, byte_lens: &[u32]) -> Result<Self> {
        let mut offsets = Vec::with_capacity(byte_lens.len() + 1);
        let mut end = 0_usize;
        offsets.push(0);
        for &length in byte_lens {
            end = end.saturating_add(length as usize);
            offsets.push(end);
        }
        if end == response.len() {
            Ok(Self { offsets })
        } else {
            Err(Error::ByteLengths {
                response: response.len(),
                tokens: end,
            })
        }
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of token `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<Range<usize>> {
        Some(*self.offsets.get(index)?..*self.offsets.get(index + 1)?)
    }

    /// The bytes of each token, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<usize>> {
        self.offsets.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// The tokens from the first to the last that hold a byte of a span; special tokens between
    /// them are included.
    pub fn overlapping(&self, span: &Range<usize>) -> Range<usize> {
        if span.is_empty() {
            return 0..0;
        }
        // The first offset is 0, so that this is at least 0. Of tokens that begin at the start of
        // the span the last is taken: special tokens before it have no bytes.
        let first = self.offsets.partition_point(|&offset| offset <= span.start) - 1;
        let end = self.offsets.partition_point(|&offset| offset < span.end);
        first.min(self.len())..end.min(self.len()).max(first.min(self.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_add_up() {
        let error = TokenSpans::new("abc", &[1, 1]).unwrap_err();
        let message = "token byte lengths must add up to the response's 3 bytes, got 2";
        assert_eq!(error.to_string(), message);
        assert!(TokenSpans::new("a", &[u32::MAX; 3]).is_err());
        assert!(TokenSpans::new("", &[0, 0]).is_ok());
        assert!(TokenSpans::new("", &[]).unwrap().is_empty());
    }

    #[test]
    fn tokens_that_hold_bytes_of_a_span() {
        let spans = TokenSpans::new("abcdef", &[2, 0, 2, 0, 2]).unwrap();
        assert_eq!(spans.overlapping(&(0..2)), 0..1);
        assert_eq!(spans.overlapping(&(1..3)), 0..3);
        assert_eq!(spans.overlapping(&(2..4)), 2..3);
        assert_eq!(spans.overlapping(&(4..6)), 4..5);
        assert_eq!(spans.overlapping(&(3..3)), 0..0);
    }
}
