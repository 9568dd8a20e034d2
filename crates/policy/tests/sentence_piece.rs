//! Tokenizers of SentencePiece's type give the ids and the texts of transformers (`make_sentence_piece.py` made the numbers).
#![cfg(feature = "tokenizer")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::{fs, path::Path};

use rerec_policy::{Prompt, Tokenizer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    encoded: Vec<Pair>,
    decoded: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    for kind in ["llama", "mistral", "gemma", "unigram"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sentence_piece");
        let folder = folder.join(kind);
        let text = fs::read_to_string(folder.join("expected.json")).unwrap();
        let expected: Expected = serde_json::from_str(&text).unwrap();
        let tokenizer = Tokenizer::from_folder(&folder).unwrap();
        for Pair { text, ids } in &expected.encoded {
            let got = tokenizer.encode_prompt(Prompt::Text(text)).unwrap();
            assert_eq!(got, *ids, "{kind}: {text:?}");
        }
        for Pair { text, ids } in &expected.decoded {
            let (got, lengths) = tokenizer.decode_with_lengths(ids);
            // Where bytes are cut, transformers marks every byte of the run as missing, and here the whole characters stay.
            if !text.contains('\u{fffd}') {
                assert_eq!(got, *text, "{kind}: {ids:?}");
            }
            assert_eq!(lengths.len(), ids.len());
            assert_eq!(lengths.iter().sum::<u32>() as usize, got.len());
        }
    }
}

#[test]
fn lengths_are_those_of_each_token() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sentence_piece/llama");
    let tokenizer = Tokenizer::from_folder(&folder).unwrap();
    // " a" at the start loses its space, <s> holds nothing, and the three bytes of a character are counted one by one.
    let (text, lengths) = tokenizer.decode_with_lengths(&[1, 283, 283, 232, 144, 134, 2]);
    assert_eq!(text, "a a\u{5343}");
    assert_eq!(lengths, [0, 1, 2, 1, 1, 1, 0]);
}
