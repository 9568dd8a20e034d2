//! The parts of a tokenizer.json that tell the bytes of its tokens.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::Token;
use crate::error::{Error, Result};

#[derive(Deserialize)]
pub(super) struct TokenizerFile {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pub(super) decoder: Option<Value>,
    model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    special: bool,
}

#[derive(Deserialize)]
struct Model {
    vocab: Vocabulary,
}

/// BPE, WordPiece and WordLevel number their tokens; those of Unigram have the numbers of their places, and scores.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a map of tokens to ids, or a list of tokens with scores"
)]
enum Vocabulary {
    Numbered(HashMap<String, u32>),
    Scored(Vec<(String, f64)>),
}

impl TokenizerFile {
    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::NotTokenizer {
            cause: error.to_string(),
        })
    }

    /// Every token by its id; one that was added stands before one of the model.
    pub(super) fn tokens(&self) -> HashMap<u32, Token> {
        let spelt = |(token, id): (&String, u32)| (id, Token::Spelt(token.clone()));
        let mut tokens: HashMap<u32, Token> = match &self.model.vocab {
            Vocabulary::Numbered(ids) => ids
                .iter()
                .map(|(token, &id)| (token, id))
                .map(spelt)
                .collect(),
            Vocabulary::Scored(tokens) => {
                let placed = tokens.iter().zip(0..);
                placed
                    .map(|((token, _), id)| (token, id))
                    .map(spelt)
                    .collect()
            }
        };
        tokens.extend(self.added_tokens.iter().map(|added| {
            let token = match added.special {
                true => Token::Special,
                false => Token::Added(added.content.clone()),
            };
            (added.id, token)
        }));
        tokens
    }
}

#[cfg(test)]
mod tests {
    use crate::TokenBytes;

    #[test]
    fn a_unigram_vocabulary_numbers_its_tokens_by_their_places() {
        let json = r#"{"decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"},
            "model": {"type": "Unigram", "vocab": [["<unk>", 0.0], ["▁a", -1.5], ["bc", -2.0]]}}"#;
        let tokens = TokenBytes::from_json(json).unwrap();
        assert_eq!(tokens.len(), 3);
        assert_eq!(tokens.decode(&[1, 2]).unwrap().token_byte_lens, [2, 2]);
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        let refused = |text: &str| TokenBytes::from_json(text).unwrap_err().to_string();
        let missing = refused("{}");
        assert!(
            missing.starts_with("this is no tokenizer.json: missing field `model`"),
            "{missing}"
        );
        let odd = refused(r#"{"model": {"vocab": 3}}"#);
        assert!(
            odd.contains("a map of tokens to ids, or a list of tokens with scores"),
            "{odd}"
        );
    }
}
