//! The bytes of every token of a `tokenizers` vocabulary.

use serde_json::Value;
use tokenizers::Tokenizer;
use tokenizers::decoders::wordpiece::cleanup;

use super::lossy::{LossyText, lossy_text};
use crate::error::{Error, Result};
use crate::ragged::Ragged;

/// The bytes that each token of a vocabulary adds to a text; special tokens add none.
///
/// Knows byte-level BPE (GPT-2, Llama 3, Qwen), SentencePiece-style (`▁` for a space, with or
/// without byte fallback: Llama 2, Mistral, Gemma) and WordPiece-style vocabularies (BERT), told
/// apart by the tokenizer's decoder. Never calls the decoder: that loses half characters.
///
/// ```
/// # use tokenizers::Tokenizer;
/// # let json = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens":
/// #  [{"id": 3, "content": "<eos>", "single_word": false, "lstrip": false, "rstrip": false,
/// #    "normalized": false, "special": true}],
/// #  "normalizer": null, "pre_tokenizer": null, "post_processor": null,
/// #  "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
/// #  "model": {"type": "WordLevel", "vocab": {"Ġcaf": 0, "Ã": 1, "©": 2}, "unk_token": "?"}}"#;
/// # let tokenizer: Tokenizer = json.parse().unwrap();
/// use rerec_advantage::TokenBytes;
///
/// // "Ġcaf" is " caf"; "Ã" and "©" are the two bytes of "é"; <eos> is special.
/// let vocabulary = TokenBytes::from_tokenizer(&tokenizer)?;
/// let decoded = vocabulary.decode(&[0, 1, 2, 3])?;
/// assert_eq!(decoded.text, " café");
/// assert_eq!(decoded.token_byte_lens, [4, 1, 1, 0]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TokenBytes {
    /// What a token adds after others, and what it adds as the first of a text.
    inside: Ragged<u8>,
    leading: Ragged<u8>,
}

/// How a vocabulary spells its tokens.
#[derive(Debug)]
enum Spelling {
    /// Each byte as one printable character.
    ByteLevel,
    /// A mark in place of spaces, perhaps `<0x0A>` for single bytes.
    Metaspace {
        mark: String,
        byte_fallback: bool,
        leading: LeadingSpace,
    },
    /// A space before every word, a prefix before what continues one.
    WordPiece { prefix: String, cleanup: bool },
}

/// What happens to the space at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum LeadingSpace {
    Kept,
    /// One is dropped.
    OneDropped,
    /// All of the first token are dropped.
    Dropped,
}

impl TokenBytes {
    /// Reads the vocabulary, added tokens included.
    ///
    /// # Errors
    /// A tokenizer whose decoder is of none of the three kinds; an id of four times the number of tokens
    /// and 65,536 or more.
    pub fn from_tokenizer(tokenizer: &Tokenizer) -> Result<Self> {
        let spelling = Spelling::of(tokenizer)?;
        let added = tokenizer.get_added_tokens_decoder();
        let size = table_size(tokenizer)?;
        let (mut inside, mut leading) = (Ragged::default(), Ragged::default());
        for id in 0..size {
            let special = added.get(&id).is_some_and(|token| token.special);
            let token = tokenizer
                .id_to_token(id)
                .filter(|_| !special)
                .unwrap_or_default();
            inside.push_row(&spelling.bytes(&token, false));
            leading.push_row(&spelling.bytes(&token, true));
        }
        Ok(Self { inside, leading })
    }

    /// The number of token ids.
    pub fn len(&self) -> usize {
        self.inside.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.inside.is_empty()
    }

    /// The bytes that a token adds to the text before it; empty for special tokens.
    pub fn get(&self, id: u32) -> Option<&[u8]> {
        self.inside.row(id as usize)
    }

    /// The text of sampled tokens, with the bytes of it that each token holds.
    ///
    /// # Errors
    /// An id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<LossyText> {
        let (mut bytes, mut lengths) = (Vec::new(), Vec::with_capacity(ids.len()));
        let mut first = true;
        for (position, &id) in ids.iter().enumerate() {
            let unknown = Error::UnknownToken {
                id,
                position,
                vocabulary: self.len(),
            };
            let inside = self.inside.row(id as usize).ok_or(unknown)?;
            let held = if first {
                self.leading.row(id as usize).unwrap_or(inside)
            } else {
                inside
            };
            first &= inside.is_empty();
            bytes.extend_from_slice(held);
            lengths.push(held.len() as u32);
        }
        lossy_text(&bytes, &lengths)
    }
}

/// One more than the largest id.
fn table_size(tokenizer: &Tokenizer) -> Result<u32> {
    let vocabulary = tokenizer.get_vocab(true);
    let Some(last) = vocabulary.values().copied().max() else {
        return Ok(0);
    };
    let tokens = vocabulary.len();
    let allowed = tokens.saturating_mul(4).saturating_add(1 << 16);
    let sparse = Error::SparseVocabulary {
        tokens,
        allowed,
        id: last,
    };
    let size = last.checked_add(1).filter(|_| (last as usize) < allowed);
    size.ok_or(sparse)
}

impl Spelling {
    fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let decoder = tokenizer
            .get_decoder()
            .and_then(|decoder| serde_json::to_value(decoder).ok());
        let parts = decoder.as_ref().map(parts).unwrap_or_default();
        let find = |kind: &str| parts.iter().copied().find(|part| part["type"] == kind);
        if find("ByteLevel").is_some() {
            return Ok(Self::ByteLevel);
        }
        if let Some(part) = find("WordPiece") {
            let prefix = part["prefix"].as_str().unwrap_or("##").to_owned();
            return Ok(Self::WordPiece {
                prefix,
                cleanup: part["cleanup"] == true,
            });
        }
        let byte_fallback = find("ByteFallback").is_some();
        if let Some(part) = find("Metaspace") {
            let mark = part["replacement"].as_str().unwrap_or("▁").to_owned();
            let never = part["prepend_scheme"] == "never" || part["add_prefix_space"] == false;
            let leading = if never {
                LeadingSpace::Kept
            } else {
                LeadingSpace::Dropped
            };
            return Ok(Self::Metaspace {
                mark,
                byte_fallback,
                leading,
            });
        }
        let replaced = find("Replace").filter(|part| part["content"] == " ");
        if let Some(mark) = replaced.and_then(|part| part["pattern"]["String"].as_str()) {
            let strips =
                find("Strip").is_some_and(|part| part["content"] == " " && part["start"] == 1);
            let leading = if strips {
                LeadingSpace::OneDropped
            } else {
                LeadingSpace::Kept
            };
            return Ok(Self::Metaspace {
                mark: mark.to_owned(),
                byte_fallback,
                leading,
            });
        }
        let kinds = parts
            .iter()
            .filter_map(|part| part["type"].as_str())
            .collect::<Vec<_>>();
        Err(Error::UnknownDecoder {
            decoder: kinds.join(", "),
        })
    }

    /// The bytes that a token adds, as the first of a text or after others.
    fn bytes(&self, token: &str, first: bool) -> Vec<u8> {
        match self {
            // Added tokens need not be spelled in the byte alphabet.
            Self::ByteLevel => {
                let bytes: Option<Vec<u8>> = token.chars().map(byte_of).collect();
                bytes.unwrap_or_else(|| token.into())
            }
            Self::Metaspace {
                mark,
                byte_fallback,
                leading,
            } => {
                if let Some(byte) = fallback_byte(token).filter(|_| *byte_fallback) {
                    return vec![byte];
                }
                match (first, leading) {
                    (true, LeadingSpace::Dropped) => token.replace(mark, "").into(),
                    (true, LeadingSpace::OneDropped) => {
                        let text = token.replace(mark, " ");
                        text.strip_prefix(' ').unwrap_or(&text).into()
                    }
                    _ => token.replace(mark, " ").into(),
                }
            }
            Self::WordPiece { .. } if token.is_empty() => Vec::new(),
            Self::WordPiece {
                prefix,
                cleanup: clean,
            } => {
                let text = match (first, token.strip_prefix(prefix)) {
                    (true, _) => token.to_owned(),
                    (false, Some(rest)) => rest.to_owned(),
                    (false, None) => format!(" {token}"),
                };
                if *clean {
                    cleanup(&text).into()
                } else {
                    text.into()
                }
            }
        }
    }
}

/// A decoder, or the decoders it is made of.
fn parts(decoder: &Value) -> Vec<&Value> {
    match decoder["decoders"].as_array() {
        Some(parts) => parts.iter().flat_map(self::parts).collect(),
        None => vec![decoder],
    }
}

/// The byte that a character of the byte-level alphabet stands for: printable ones stand for
/// themselves, the others follow from U+0100 on.
fn byte_of(c: char) -> Option<u8> {
    let stands_for_itself = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    match u32::from(c) {
        code @ 0..=0xFF => u8::try_from(code).ok().filter(stands_for_itself),
        code => {
            let mut others = (0..=0xFF_u8).filter(|byte| !stands_for_itself(byte));
            others.nth(usize::try_from(code - 0x100).ok()?)
        }
    }
}

/// The byte that a token such as `<0x0A>` stands for.
fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 {
        u8::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A tokenizer of these tokens, then `<eos>`, which is special, and `<tool>`, which is not.
    fn tokenizer(tokens: &[&str], decoder: Value) -> Tokenizer {
        let added = |id: usize, content: &str, special: bool| {
            json!({"id": id, "content": content, "special": special, "single_word": false,
                   "lstrip": false, "rstrip": false, "normalized": false})
        };
        let vocab: serde_json::Map<_, _> = tokens
            .iter()
            .enumerate()
            .map(|(id, token)| ((*token).to_owned(), json!(id)))
            .collect();
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
            "added_tokens": [added(tokens.len(), "<eos>", true), added(tokens.len() + 1, "<tool>", false)],
            "pre_tokenizer": null, "post_processor": null, "decoder": decoder,
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": tokens[0]},
        });
        json.to_string().parse().unwrap()
    }

    /// Our text must be the tokenizer's own wherever no character is cut.
    fn agrees(tokens: &[&str], decoder: Value, sequences: &[&[u32]]) {
        let tokenizer = tokenizer(tokens, decoder);
        let bytes = TokenBytes::from_tokenizer(&tokenizer).unwrap();
        for ids in sequences {
            let decoded = bytes.decode(ids).unwrap();
            assert_eq!(
                decoded.text,
                tokenizer.decode(ids, true).unwrap(),
                "{ids:?}"
            );
            let sum: u32 = decoded.token_byte_lens.iter().sum();
            assert_eq!(sum as usize, decoded.text.len());
        }
    }

    #[test]
    fn every_byte_has_its_character() {
        let mut bytes: Vec<u8> = (0..0x144)
            .filter_map(char::from_u32)
            .filter_map(byte_of)
            .collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=0xFF).collect::<Vec<u8>>());
        assert_eq!(
            (byte_of('Ġ'), byte_of('Ċ'), byte_of('ń')),
            (Some(b' '), Some(b'\n'), None)
        );
    }

    #[test]
    fn byte_level() {
        let decoder = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
        let tokens = ["Ġcaf", "Ã", "©", "Ċ", "ðŁİ", "¬"];
        agrees(
            &tokens,
            decoder.clone(),
            &[&[0, 1, 2], &[6, 0, 3, 6, 7, 1, 2], &[4, 5, 6], &[]],
        );
        let bytes = TokenBytes::from_tokenizer(&tokenizer(&tokens, decoder)).unwrap();
        assert_eq!(bytes.decode(&[0, 1]).unwrap().text, " caf\u{FFFD}");
        let error = bytes.decode(&[0, 99]).unwrap_err();
        assert_eq!(error.to_string(), "token 1 must be an id below 8, got 99");
    }

    #[test]
    fn sentence_piece() {
        let tokens = ["▁Hello", "▁", "world", "<0xE2>", "<0x82>", "<0xAC>", "▁▁a"];
        let sequences: [&[u32]; 4] = [&[0, 1, 2, 7], &[7, 1, 0], &[2, 0, 3, 4, 5], &[6, 6, 8]];
        let fallback = json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]});
        agrees(&tokens, fallback, &sequences);
        let metaspace = |scheme| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true});
        let without_bytes: [&[u32]; 3] = [&[0, 1, 2, 7], &[7, 1, 0], &[6, 6, 8]];
        agrees(&tokens, metaspace("always"), &without_bytes);
        agrees(&tokens, metaspace("never"), &without_bytes);
    }

    #[test]
    fn word_piece() {
        let tokens = ["play", "##ing", ".", "film", "n't"];
        let sequences: [&[u32]; 3] = [&[0, 1, 3, 2], &[5, 3, 4, 2, 5], &[1, 0]];
        for cleanup in [true, false] {
            agrees(
                &tokens,
                json!({"type": "WordPiece", "prefix": "##", "cleanup": cleanup}),
                &sequences,
            );
        }
    }

    #[test]
    fn ids_far_above_the_number_of_tokens_are_refused() {
        let with_last = |id: u32| {
            let json = json!({
                "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "added_tokens": [],
                "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "ByteLevel",
                    "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
                "model": {"type": "WordLevel", "vocab": {"a": 0, "b": id}, "unk_token": "a"},
            });
            TokenBytes::from_tokenizer(&json.to_string().parse().unwrap())
        };
        assert_eq!(with_last(70).unwrap().len(), 71);
        for id in [u32::MAX, 4_000_000_000, 65_544] {
            let error = with_last(id).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("the ids of 2 tokens must be below 65544, got {id}")
            );
        }
    }

    #[test]
    fn other_decoders_are_refused() {
        let tokenizer = tokenizer(
            &["a"],
            json!({"type": "CTC", "pad_token": "a", "word_delimiter_token": "|", "cleanup": true}),
        );
        let error = TokenBytes::from_tokenizer(&tokenizer).unwrap_err();
        let message = "the tokenizer's decoder must be byte-level, SentencePiece-style or WordPiece-style, got CTC";
        assert_eq!(error.to_string(), message);
    }
}
