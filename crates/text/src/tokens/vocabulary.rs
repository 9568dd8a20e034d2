//! The bytes of every token of a vocabulary.

mod file;

use std::collections::HashMap;

#[cfg(feature = "tokenizers")]
use tokenizers::Tokenizer;

use super::lossy::LossyText;
use super::spelling::Spelling;
use crate::error::{Error, Result};
use file::TokenizerFile;

/// The bytes that each token of a vocabulary adds to a text; special tokens add none.
///
/// Knows byte-level BPE (GPT-2, Llama 3, Qwen), SentencePiece-style (`▁` for a space, with or
/// without byte fallback: Llama 2, Mistral, Gemma) and WordPiece-style vocabularies (BERT), told
/// apart by the tokenizer's decoder. Never calls the decoder: that loses half characters.
///
/// ```
/// use rerec_text::TokenBytes;
///
/// // "Ġcaf" is " caf"; "Ã" and "©" are the two bytes of "é"; <eos> is special.
/// let vocabulary = TokenBytes::from_json(r#"{
///     "added_tokens": [{"id": 3, "content": "<eos>", "special": true}],
///     "decoder": {"type": "ByteLevel"},
///     "model": {"type": "WordLevel", "vocab": {"Ġcaf": 0, "Ã": 1, "©": 2}}}"#)?;
/// let decoded = vocabulary.decode(&[0, 1, 2, 3])?;
/// assert_eq!(decoded.text, " café");
/// assert_eq!(decoded.token_byte_lens, [4, 1, 1, 0]);
/// # Ok::<(), rerec_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TokenBytes {
    /// What each token adds after others.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// What it adds as the first of a text, where that is something else.
    leading: HashMap<u32, Vec<u8>>,
    /// How many spaces a text loses at its start.
    stripped: usize,
    is_byte_level: bool,
    /// Ids below this number that no token has hold no bytes.
    len: usize,
}

impl TokenBytes {
    /// Reads the vocabulary of a tokenizer, added tokens included.
    ///
    /// # Errors
    /// A tokenizer whose decoder is of none of the three kinds, or has parts or settings that are not known here; a token of a
    /// byte-level vocabulary that is not written in bytes; an id of 4 * tokens + 65,536 or more.
    #[cfg(feature = "tokenizers")]
    pub fn from_tokenizer(tokenizer: &Tokenizer) -> Result<Self> {
        let decoder = tokenizer
            .get_decoder()
            .and_then(|decoder| serde_json::to_value(decoder).ok());
        let vocabulary = tokenizer.get_vocab(true);
        let size = table_size(vocabulary.len(), vocabulary.values().copied().max())?;
        let added = tokenizer.get_added_tokens_decoder();
        Self::build(Spelling::of(decoder.as_ref())?, size, |id| {
            match (added.get(&id), tokenizer.id_to_token(id)) {
                (Some(token), _) if token.special => Token::Special,
                (Some(token), _) => Token::Added(token.content.clone()),
                (None, Some(token)) => Token::Spelt(token),
                (None, None) => Token::Special,
            }
        })
    }

    /// Reads the vocabulary in the text of a tokenizer.json, as every `tokenizers` tokenizer writes it.
    ///
    /// # Errors
    /// As [`from_tokenizer`](Self::from_tokenizer); a text that is no such file.
    pub fn from_json(tokenizer: &str) -> Result<Self> {
        let file = TokenizerFile::parse(tokenizer)?;
        let tokens = file.tokens();
        let size = table_size(tokens.len(), tokens.keys().copied().max())?;
        Self::build(Spelling::of(file.decoder.as_ref())?, size, |id| {
            tokens.get(&id).cloned().unwrap_or(Token::Special)
        })
    }

    fn build(spelling: Spelling, size: u32, token: impl Fn(u32) -> Token) -> Result<Self> {
        let mut table = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            leading: HashMap::new(),
            stripped: spelling.stripped(),
            is_byte_level: matches!(spelling, Spelling::ByteLevel),
            len: size as usize,
        };
        for id in 0..size {
            let (inside, leading) = match token(id) {
                Token::Special => Default::default(),
                // Written as it is read, unlike the tokens of the alphabet.
                Token::Added(token) if table.is_byte_level => {
                    (token.clone().into_bytes(), token.into_bytes())
                }
                Token::Added(token) | Token::Spelt(token) => (
                    spelling.bytes(&token, false)?,
                    spelling.bytes(&token, true)?,
                ),
            };
            table.bytes.extend_from_slice(&inside);
            table.ends.push(table.bytes.len());
            if leading != inside {
                table.leading.insert(id, leading);
            }
        }
        Ok(table)
    }

    /// The same for a model that has more ids than its tokenizer has tokens, as Qwen2.5 does: those up to `vocab_size`, the rows of
    /// the model's embedding, hold no bytes. A number that is no larger than [`len`](Self::len) changes nothing.
    ///
    /// ```
    /// use rerec_text::TokenBytes;
    ///
    /// let json = r#"{"decoder": {"type": "ByteLevel"}, "model": {"vocab": {"a": 0, "b": 1}}}"#;
    /// let padded = TokenBytes::from_json(json)?.padded(4);
    /// assert_eq!(padded.decode(&[0, 3, 1])?.token_byte_lens, [1, 0, 1]);
    /// assert!(padded.decode(&[4]).is_err());
    /// # Ok::<(), rerec_text::Error>(())
    /// ```
    #[must_use]
    pub fn padded(mut self, vocab_size: usize) -> Self {
        self.len = self.len.max(vocab_size);
        self
    }

    /// The number of token ids.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether each token adds the same bytes wherever it stands, as in byte-level BPE.
    pub fn is_byte_level(&self) -> bool {
        self.is_byte_level
    }

    /// The bytes that a token adds to the text before it; empty for special tokens.
    pub fn get(&self, id: u32) -> Option<&[u8]> {
        let Some(&end) = self.ends.get(id as usize) else {
            return ((id as usize) < self.len).then_some(&[]);
        };
        let start = id
            .checked_sub(1)
            .map_or(0, |before| self.ends[before as usize]);
        Some(&self.bytes[start..end])
    }

    /// The text of sampled tokens, with the bytes of it that each token holds.
    ///
    /// # Errors
    /// An id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<LossyText> {
        let (mut first, mut spaces) = (true, self.stripped);
        let held = ids.iter().enumerate().map(|(position, &id)| {
            let mut held = self.get(id).ok_or(Error::UnknownToken {
                id,
                position,
                vocabulary: self.len(),
            })?;
            let is_empty = held.is_empty();
            if let Some(leading) = self.leading.get(&id).filter(|_| first) {
                held = leading;
            }
            // Special tokens hold no text: the token after them is still the first.
            first &= is_empty;
            // The decoder strips the fused text, so the leading spaces may come from several
            // tokens.
            while spaces > 0
                && let Some((next, rest)) = held.split_first()
            {
                spaces = if *next == b' ' { spaces - 1 } else { 0 };
                held = if *next == b' ' { rest } else { break };
            }
            Ok(held)
        });
        Ok(LossyText::of_tokens(held.collect::<Result<Vec<_>>>()?))
    }
}

/// A token of a vocabulary.
#[derive(Clone)]
enum Token {
    /// One that adds nothing: special, or an id without a token.
    Special,
    /// One that was added to the vocabulary, as it is read.
    Added(String),
    /// One in the spelling of the vocabulary.
    Spelt(String),
}

/// One more than the largest id.
fn table_size(tokens: usize, last: Option<u32>) -> Result<u32> {
    let Some(last) = last else {
        return Ok(0);
    };
    // Ids may have gaps, which cost memory; a single huge id must not allocate gigabytes.
    let allowed = tokens.saturating_mul(4).saturating_add(1 << 16);
    let sparse = Error::SparseVocabulary {
        tokens,
        allowed,
        id: last,
    };
    let size = last.checked_add(1).filter(|_| (last as usize) < allowed);
    size.ok_or(sparse)
}

#[cfg(test)]
#[cfg(feature = "tokenizers")]
mod tests {
    use serde_json::{Value, json};

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
        let written = tokenizer.to_string(false).unwrap();
        let from_json = TokenBytes::from_json(&written).unwrap();
        assert_eq!(from_json.len(), bytes.len());
        for ids in sequences {
            let decoded = bytes.decode(ids).unwrap();
            assert_eq!(from_json.decode(ids).unwrap(), decoded, "{ids:?}");
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
    fn a_text_loses_the_spaces_at_its_start_that_its_decoder_strips() {
        let decoder = |start: usize| {
            json!({"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": start, "stop": 0}]})
        };
        let tokens = ["▁a", "<0x20>", "▁", "b", "▁▁▁c"];
        let sequences: [&[u32]; 7] = [
            &[0],
            &[1, 0],
            &[2, 1, 2, 3],
            &[4, 4],
            &[3, 0],
            &[5, 1, 4],
            &[1],
        ];
        for start in 0..4 {
            agrees(&tokens, decoder(start), &sequences);
        }
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
        let replace = json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "});
        let regex = json!({"type": "Replace", "pattern": {"Regex": "\\A (?! )"}, "content": ""});
        let (fallback, fuse) = (json!({"type": "ByteFallback"}), json!({"type": "Fuse"}));
        let strip = |start: u32, stop: u32| json!({"type": "Strip", "content": " ", "start": start, "stop": stop});
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
        let ctc =
            json!({"type": "CTC", "pad_token": "a", "word_delimiter_token": "|", "cleanup": true});
        for (parts, named) in [
            (vec![ctc], "got CTC"),
            (
                vec![
                    replace.clone(),
                    fallback.clone(),
                    fuse.clone(),
                    regex.clone(),
                ],
                "\\\\A (?! )",
            ),
            (
                vec![replace.clone(), fallback.clone(), fuse.clone(), strip(0, 1)],
                "\"stop\":1",
            ),
            (
                vec![replace.clone(), strip(1, 0), fuse.clone()],
                "\"start\":1",
            ),
            (vec![byte_level, strip(1, 0)], "got ByteLevel, {"),
            (vec![regex], "\\\\A (?! )"),
            (vec![fallback, replace.clone(), fuse], "got ByteFallback, {"),
            (vec![replace.clone(), replace], "{"),
        ] {
            let tokenizer = tokenizer(&["a"], json!({"type": "Sequence", "decoders": parts}));
            let error = TokenBytes::from_tokenizer(&tokenizer)
                .unwrap_err()
                .to_string();
            let said = error.starts_with("the tokenizer's decoder must be byte-level, SentencePiece-style or WordPiece-style, got");
            assert!(said && error.contains(named), "{error}");
        }
    }
}
