//! Chat templates render as transformers renders them (`make_templates.py` made the numbers).
#![cfg(feature = "torch")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use rerec_policy::{Message, Result, TemplateConfig, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Corpus {
    date: String,
    templates: Vec<String>,
    conversations: Vec<Conversation>,
    hashes: Vec<Vec<Option<String>>>,
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<Message>,
    add_generation_prompt: bool,
    variables: Map<String, Value>,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The tokenizer of a checkpoint with another chat template.
fn tokenizer(template: &str) -> Result<Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let source = data().join("checkpoints/llama-tied");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    Tokenizer::from_folder(folder.path())
}

fn with(tokenizer: &Tokenizer, date: &str, variables: &Map<String, Value>) -> Tokenizer {
    let template = TemplateConfig {
        date: Some(date.to_owned()),
        variables: variables.clone(),
    };
    tokenizer.clone().with_template(template).unwrap()
}

fn hash(text: &str) -> String {
    let mut out = String::new();
    for byte in &Sha256::digest(text)[..8] {
        write!(out, "{byte:02x}").unwrap();
    }
    out
}

#[test]
fn renderings_are_those_of_transformers() {
    let text = fs::read_to_string(data().join("templates.json")).unwrap();
    let corpus: Corpus = serde_json::from_str(&text).unwrap();
    assert!(corpus.templates.len() >= 60 && corpus.conversations.len() == 20);
    let mut wrong = String::new();
    for (index, template) in corpus.templates.iter().enumerate() {
        let loaded = tokenizer(template).unwrap_or_else(|e| panic!("{index}: {template}: {e}"));
        for (place, talk) in corpus.conversations.iter().enumerate() {
            let loaded = with(&loaded, &corpus.date, &talk.variables);
            let rendered = loaded.render_chat(&talk.messages, talk.add_generation_prompt);
            let expected = corpus.hashes[index][place].as_ref();
            let same = match &rendered {
                Ok(text) => expected == Some(&hash(text)),
                Err(_) => expected.is_none(),
            };
            if !same {
                let rendered = rendered.map_err(|e| format!("{e:?}"));
                writeln!(wrong, "template {index}, conversation {place}: {rendered:?}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
