//! Text of bytes that are not all UTF-8, as when a response is cut inside a character.

use crate::error::{Error, Result};

/// A response as text, with token byte lengths that add up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossyText {
    /// The text, with U+FFFD in place of invalid UTF-8.
    pub text: String,
    /// The bytes of the text that each token holds; a replacement belongs to the token of the first
    /// byte it replaces.
    pub token_byte_lens: Vec<u32>,
}

/// The text of a response from the raw bytes of its tokens.
///
/// ```
/// use rerec_text::lossy_text;
///
/// let lossy = lossy_text(b"a\xF0\x9F", &[1, 1, 1])?; // cut after half an emoji
/// assert_eq!((lossy.text.as_str(), lossy.token_byte_lens), ("a\u{FFFD}", vec![1, 3, 0]));
/// # Ok::<(), rerec_text::Error>(())
/// ```
///
/// # Errors
/// Lengths that do not add up to the bytes.
pub fn lossy_text(bytes: &[u8], token_byte_lens: &[u32]) -> Result<LossyText> {
    let lengths = token_byte_lens.iter().map(|&length| length as usize);
    // Saturating: lengths come from outside, and a sum that wraps around could fit.
    let total = lengths.clone().fold(0, usize::saturating_add);
    if total != bytes.len() {
        return Err(Error::ByteLengths {
            response: bytes.len(),
            tokens: total,
        });
    }
    Ok(LossyText::new(bytes, lengths))
}

impl LossyText {
    /// The text of tokens, each given by its bytes.
    ///
    /// ```
    /// use rerec_text::LossyText;
    ///
    /// let halves: [&[u8]; 3] = [b"caf\xC3", b"\xA9", b""];
    /// let lossy = LossyText::of_tokens(halves);
    /// assert_eq!((lossy.text.as_str(), lossy.token_byte_lens), ("café", vec![4, 1, 0]));
    /// ```
    pub fn of_tokens<'a>(tokens: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
        for token in tokens {
            bytes.extend_from_slice(token);
            lengths.push(token.len());
        }
        Self::new(&bytes, lengths.into_iter())
    }

    /// Of bytes and lengths that add up to them.
    fn new(bytes: &[u8], lengths: impl Iterator<Item = usize>) -> Self {
        let (text, ends) = decode(bytes);
        let (mut raw, mut before) = (0, 0);
        let held = lengths.map(|length| {
            raw += length;
            let end = if raw == 0 { 0 } else { ends[raw - 1] };
            let held = end - before;
            before = end;
            held as u32
        });
        let token_byte_lens = held.collect();
        Self {
            text,
            token_byte_lens,
        }
    }
}

/// The text, and for each raw byte where the text ends that its token has a claim to.
fn decode(bytes: &[u8]) -> (String, Vec<usize>) {
    let (mut text, mut ends) = (
        String::with_capacity(bytes.len()),
        Vec::with_capacity(bytes.len()),
    );
    // Each valid byte reaches one byte further. All bytes of a fault reach the end of its
    // replacement, so that the token of the first of them gets its three bytes and the others get
    // none.
    for chunk in bytes.utf8_chunks() {
        let start = text.len();
        text.push_str(chunk.valid());
        ends.extend(start + 1..=text.len());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            ends.resize(ends.len() + chunk.invalid().len(), text.len());
        }
    }
    (text, ends)
}

#[cfg(test)]
mod tests {
    use super::lossy_text;

    #[test]
    fn valid_text_is_untouched() {
        let lossy = lossy_text("né".as_bytes(), &[0, 2, 1]).unwrap();
        assert_eq!(
            (lossy.text.as_str(), lossy.token_byte_lens),
            ("né", vec![0, 2, 1])
        );
    }

    #[test]
    fn faults_in_the_middle() {
        let lossy = lossy_text(b"\xFFa\xC3b", &[1, 2, 0, 1]).unwrap();
        assert_eq!(lossy.text, "\u{FFFD}a\u{FFFD}b");
        assert_eq!(lossy.token_byte_lens, [3, 4, 0, 1]);
        assert!(lossy_text(b"a", &[2]).is_err());
    }
}
