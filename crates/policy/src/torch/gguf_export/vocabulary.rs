//! The tokenizer in a GGUF file's metadata.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refused;
use crate::{
    GgufValue, Tokenizer,
    error::Result,
    torch::gguf_model::{ADDED, CONTROL, NORMAL, UNUSED, pre_tokenizer_names},
};

/// Tokens, merges, ends and the chat template. Rows of the embedding that no token belongs to get names of their own.
pub(super) fn metadata(tokenizer: &Tokenizer, rows: usize) -> Result<Vec<(String, GgufValue)>> {
    let json = tokenizer.json()?;
    let (tokens, kinds) = tokens(&json, rows)?;
    let texts =
        |texts: Vec<String>| GgufValue::Array(texts.into_iter().map(GgufValue::Text).collect());
    // llama.cpp wants them signed.
    let kinds = kinds
        .into_iter()
        .map(|kind| GgufValue::Signed(kind as i64))
        .collect();
    let text = |text: &str| GgufValue::Text(text.to_owned());
    let id = |id: u32| GgufValue::Unsigned(id.into());
    let mut metadata = vec![
        ("model", text("gpt2")),
        ("pre", text(pre_tokenizer(&json)?)),
        ("tokens", texts(tokens)),
        ("token_type", GgufValue::Array(kinds)),
        ("merges", texts(merges(&json)?)),
        // The chat template writes it where it is wanted.
        ("add_bos_token", GgufValue::Bool(false)),
    ];
    // What ends a turn is what ends the text, for a program that knows only one end.
    metadata.extend(
        tokenizer
            .stops()
            .first()
            .map(|&end| ("eos_token_id", id(end))),
    );
    metadata.extend(
        tokenizer
            .special_id("bos_token")
            .map(|begin| ("bos_token_id", id(begin))),
    );
    metadata.extend(
        tokenizer
            .special_id("pad_token")
            .map(|pad| ("padding_token_id", id(pad))),
    );
    let metadata = metadata
        .into_iter()
        .map(|(key, value)| (format!("tokenizer.ggml.{key}"), value));
    let template = tokenizer.chat_template();
    let template = template.map(|template| ("tokenizer.chat_template".to_owned(), text(template)));
    Ok(metadata.chain(template).collect())
}

/// Text and type of each id.
fn tokens(json: &Value, rows: usize) -> Result<(Vec<String>, Vec<u64>)> {
    let mut named: BTreeMap<usize, (String, u64)> = BTreeMap::new();
    let vocabulary = json["model"]["vocab"].as_object().into_iter().flatten();
    for (token, id) in vocabulary {
        if let Some(id) = id.as_u64() {
            named.insert(id as usize, (token.clone(), NORMAL));
        }
    }
    // Added tokens go before: the model may list them too.
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        if let (Some(id), Some(content)) = (added["id"].as_u64(), added["content"].as_str()) {
            let kind = if added["special"] == true {
                CONTROL
            } else {
                ADDED
            };
            named.insert(id as usize, (content.to_owned(), kind));
        }
    }
    if named.is_empty() || json["model"]["type"] != "BPE" || json["decoder"]["type"] != "ByteLevel"
    {
        return Err(refused(
            "only byte-level BPE tokenizers are written".to_owned(),
        ));
    }
    let row = |id| {
        named
            .remove(&id)
            .unwrap_or_else(|| (format!("[PAD{id}]"), UNUSED))
    };
    Ok((0..rows).map(row).unzip())
}

/// Each as two tokens with a space between; files have pairs or such texts.
fn merges(json: &Value) -> Result<Vec<String>> {
    let merge = |merge: &Value| match merge {
        Value::String(text) => Ok(text.clone()),
        Value::Array(pair) if pair.len() == 2 => {
            let sides: Vec<&str> = pair.iter().filter_map(Value::as_str).collect();
            Ok(sides.join(" "))
        }
        other => Err(refused(format!("the merge {other} is no pair of tokens"))),
    };
    json["model"]["merges"]
        .as_array()
        .into_iter()
        .flatten()
        .map(merge)
        .collect()
}

/// llama.cpp's name for how text becomes words, where everything else about the tokenizer is what that name implies.
fn pre_tokenizer(json: &Value) -> Result<&'static str> {
    let own = without_offsets(&json["pre_tokenizer"]);
    let model = &json["model"];
    let is_off =
        |key: &str| matches!(&model[key], Value::Null | Value::Bool(false)) || model[key] == "";
    let others = [
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "byte_fallback",
    ];
    let normalizer = json["normalizer"]["type"].as_str();
    let matches = |(name, cut): &(&'static str, Value)| {
        without_offsets(cut) == own
            // The name stands for the normal form and for what becomes of words that are tokens, too.
            && normalizer == (*name == "qwen2").then_some("NFC")
            && (model["ignore_merges"] == true) == (*name == "llama-bpe")
            && others.iter().all(|key| is_off(key))
    };
    let known = pre_tokenizer_names().into_iter().find(matches);
    known.map(|(name, _)| name).ok_or_else(|| {
        refused("llama.cpp has no name that is known here for the way its tokenizer makes words of text".to_owned())
    })
}

/// A pre-tokenizer without what says nothing of where text is cut.
fn without_offsets(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| *key != "trim_offsets");
            kept.map(|(key, value)| (key.clone(), without_offsets(value)))
                .collect()
        }
        Value::Array(list) => list.iter().map(without_offsets).collect(),
        other => other.clone(),
    }
}
