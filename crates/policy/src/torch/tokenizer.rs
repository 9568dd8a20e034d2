//! Text to ids and back, with the bytes of every id known.

use std::{collections::HashMap, fs, path::Path};

use serde::{Deserialize, Serialize};
use tokenizers::{
    AddedToken, Tokenizer as HfTokenizer,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::byte_level::ByteLevel,
};

use crate::{
    TokenizerConfig,
    error::{Error, Result, check},
};

/// Ends a turn; the only id generation stops at.
const END: &str = "<|end|>";
const PAD: &str = "<|pad|>";
const ROLES: [&str; 2] = ["<|user|>", "<|assistant|>"];
const CHAT_TEMPLATE: &str = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}\
{% if message.role == 'assistant' %}<|end|>{% endif %}{% endfor %}\
{% if add_generation_prompt %}<|assistant|>{% endif %}";

/// `tokenizer_config.json`, as far as it is used here.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SideCar {
    chat_template: String,
    eos_token: String,
    pad_token: String,
}

/// A byte-level BPE tokenizer with a chat template.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: HfTokenizer,
    side_car: SideCar,
    eos: u32,
    /// The bytes of every id; empty for special tokens.
    bytes: Vec<Vec<u8>>,
}

impl Tokenizer {
    /// Trains a byte-level BPE on `corpus`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a vocabulary below 260.
    pub fn train<'a>(
        config: &TokenizerConfig,
        corpus: impl Iterator<Item = &'a str> + Send,
    ) -> Result<Self> {
        check(
            config.vocab_size >= 260,
            "vocab_size",
            config.vocab_size,
            "at least 260",
        )?;
        let mut inner = HfTokenizer::new(BPE::default());
        let byte_level = || ByteLevel::default().add_prefix_space(false);
        inner.with_pre_tokenizer(Some(byte_level()));
        inner.with_decoder(Some(byte_level()));
        let special = [PAD, END, ROLES[0], ROLES[1]].map(|t| AddedToken::from(t, true));
        // Sorted: the alphabet is a hash set, and ids must not depend on its order.
        let mut trainer: TrainerWrapper = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(config.vocab_size)
            .special_tokens(special.to_vec())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build()
            .into();
        inner
            .train(&mut trainer, corpus)
            .map_err(Error::Tokenizer)?;
        let side_car = SideCar {
            chat_template: CHAT_TEMPLATE.to_owned(),
            eos_token: END.to_owned(),
            pad_token: PAD.to_owned(),
        };
        Self::assemble(inner, side_car, Path::new("tokenizer.json"))
    }

    /// Reads `tokenizer.json` and `tokenizer_config.json` of a model folder.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::InvalidFile`] or [`Error::Tokenizer`].
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer_config.json");
        let text = fs::read_to_string(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let side_car = serde_json::from_str(&text).map_err(|e| Error::InvalidFile {
            path,
            what: e.to_string(),
        })?;
        let path = folder.join("tokenizer.json");
        let inner = HfTokenizer::from_file(&path).map_err(Error::Tokenizer)?;
        Self::assemble(inner, side_car, &path)
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json`.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        self.inner
            .save(folder.join("tokenizer.json"), false)
            .map_err(Error::Tokenizer)?;
        let path = folder.join("tokenizer_config.json");
        let text =
            serde_json::to_string_pretty(&self.side_car).map_err(|e| Error::InvalidFile {
                path: path.clone(),
                what: e.to_string(),
            })?;
        fs::write(&path, text).map_err(|source| Error::Io { path, source })
    }

    fn assemble(inner: HfTokenizer, side_car: SideCar, path: &Path) -> Result<Self> {
        let id = |token: &str| {
            inner.token_to_id(token).ok_or_else(|| Error::InvalidFile {
                path: path.to_owned(),
                what: format!("token {token:?} is missing"),
            })
        };
        let eos = id(&side_car.eos_token)?;
        id(&side_car.pad_token)?;
        let bytes = token_bytes(&inner);
        Ok(Self {
            inner,
            side_car,
            eos,
            bytes,
        })
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        self.bytes.len()
    }

    /// The id that ends a response.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// Ids of a user's message with the chat template around it, up to where the answer begins.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] or [`Error::Tokenizer`].
    pub fn encode_prompt(&self, prompt: &str) -> Result<Vec<u32>> {
        let mut templates = minijinja::Environment::new();
        templates.add_template("chat", &self.side_car.chat_template)?;
        let text = templates
            .get_template("chat")?
            .render(minijinja::context! {
                messages => [minijinja::context! { role => "user", content => prompt }],
                add_generation_prompt => true,
            })?;
        self.encode(&text)
    }

    /// Ids of an assistant's answer, the end token included.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn encode_response(&self, response: &str) -> Result<Vec<u32>> {
        let mut ids = self.encode(response)?;
        ids.push(self.eos);
        Ok(ids)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(Error::Tokenizer)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of sampled ids and how many of its bytes each id stands for.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, counted for the id that holds the first of them, so the
    /// lengths add up to the text's length whatever was sampled.
    pub fn decode_with_lengths(&self, ids: &[u32]) -> (String, Vec<u32>) {
        let empty = Vec::new();
        let tokens = ids
            .iter()
            .map(|&id| self.bytes.get(id as usize).unwrap_or(&empty));
        let bytes: Vec<u8> = tokens.clone().flatten().copied().collect();
        let (text, widths) = decode_lossily(&bytes);
        let mut at = 0;
        let lengths = tokens.map(|token| {
            let width = widths[at..at + token.len()].iter().sum();
            at += token.len();
            width
        });
        let lengths = lengths.collect();
        (text, lengths)
    }
}

/// The text and, for each input byte, the bytes of text it gave.
fn decode_lossily(bytes: &[u8]) -> (String, Vec<u32>) {
    let (mut text, mut widths) = (
        String::with_capacity(bytes.len()),
        Vec::with_capacity(bytes.len()),
    );
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        widths.resize(widths.len() + chunk.valid().len(), 1);
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            widths.push(char::REPLACEMENT_CHARACTER.len_utf8() as u32);
            widths.resize(widths.len() + chunk.invalid().len() - 1, 0);
        }
    }
    (text, widths)
}

fn token_bytes(inner: &HfTokenizer) -> Vec<Vec<u8>> {
    let alphabet = byte_level_alphabet();
    let special = inner.get_added_tokens_decoder();
    (0..inner.get_vocab_size(true) as u32)
        .map(|id| match inner.id_to_token(id) {
            Some(token) if !special.contains_key(&id) => token
                .chars()
                .filter_map(|c| alphabet.get(&c).copied())
                .collect(),
            _ => Vec::new(),
        })
        .collect()
}

/// Byte-level BPE writes each byte as a printable character: itself where it is one, else the next free
/// code point from U+0100 on (the alphabet of GPT-2).
fn byte_level_alphabet() -> HashMap<char, u8> {
    let mut next = 0x100;
    (0..=255u8)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => (char::from(byte), byte),
            _ => {
                let stand_in = char::from_u32(next).unwrap_or(char::REPLACEMENT_CHARACTER);
                next += 1;
                (stand_in, byte)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> Tokenizer {
        let corpus = [
            "Velmora Nights (1987)",
            "Amélie — 千と千尋",
            "Velmora Nights",
        ];
        Tokenizer::train(&TokenizerConfig { vocab_size: 300 }, corpus.into_iter()).unwrap()
    }

    #[test]
    fn text_and_lengths_survive_the_round_trip() {
        let tokenizer = tokenizer();
        for text in ["Velmora Nights (1987)", "Amélie — 千", "\r\n\u{2028}", "🎬"] {
            let ids = tokenizer.encode_response(text).unwrap();
            let (decoded, lengths) = tokenizer.decode_with_lengths(&ids);
            assert_eq!(decoded, text);
            assert_eq!(lengths.len(), ids.len());
            assert_eq!(lengths.iter().sum::<u32>() as usize, text.len());
            assert_eq!(lengths.last(), Some(&0), "the end token holds no byte");
        }
    }

    #[test]
    fn broken_utf8_is_counted_once() {
        // "é" is C3 A9; a lone C3, then a letter.
        let (text, widths) = decode_lossily(&[b'a', 0xC3, b'b', 0xF0, 0x9F, 0x8E]);
        assert_eq!(text, "a\u{FFFD}b\u{FFFD}");
        assert_eq!(widths, [1, 3, 1, 3, 0, 0]);
    }

    #[test]
    fn a_prompt_ends_where_the_answer_begins() {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode_prompt("hello").unwrap();
        assert_eq!(
            ids.first(),
            tokenizer.inner.token_to_id("<|user|>").as_ref()
        );
        assert_eq!(
            ids.last(),
            tokenizer.inner.token_to_id("<|assistant|>").as_ref()
        );
    }

    #[test]
    fn training_twice_gives_the_same_ids() {
        let (a, b) = (tokenizer(), tokenizer());
        assert_eq!(
            a.inner.to_string(false).unwrap(),
            b.inner.to_string(false).unwrap()
        );
    }
}
