//! The tokenizer of a GGUF file.

use serde_json::{Map, Value, json};
use tokenizers::Tokenizer as HfTokenizer;

use super::meta::Meta;
use crate::{
    GgufFile, GgufValue,
    error::{Error, Result},
    tokenizer::{Tokenizer, tokenizer_class},
};

/// The file's tokenizer with its chat template.
pub(in crate::torch) fn tokenizer(file: &GgufFile) -> Result<Tokenizer> {
    let meta = Meta(file);
    let model = meta.text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(meta.fault(
            "tokenizer.ggml.model",
            &format!("gpt2, a byte-level BPE, got {model:?}"),
        ));
    }
    let tokens = meta.texts("tokenizer.ggml.tokens")?;
    let json = tokenizer_json(&meta, &tokens)?;
    let inner: HfTokenizer = json.to_string().parse().map_err(Error::Tokenizer)?;
    let token = |key: &str| -> Result<Option<&str>> {
        let id = meta.optional(key)?;
        let text = |id: usize| {
            let text = tokens.get(id).copied();
            text.ok_or_else(|| meta.fault(key, &format!("below {}, got {id}", tokens.len())))
        };
        id.map(text).transpose()
    };
    let eos = token("tokenizer.ggml.eos_token_id")?
        .ok_or_else(|| meta.fault("tokenizer.ggml.eos_token_id", "given"))?;
    let end_of_message = meta.optional("tokenizer.ggml.eom_token_id")?;
    // A turn of a conversation may end otherwise than a text.
    let end_of_turn = token("tokenizer.ggml.eot_token_id")?.unwrap_or(eos);
    let template = meta.optional_text("tokenizer.chat_template")?;
    let bos = token("tokenizer.ggml.bos_token_id")?;
    let unknown = token("tokenizer.ggml.unknown_token_id")?;
    let mut side_car = tokenizer_class(token("tokenizer.ggml.padding_token_id")?.unwrap_or(eos));
    side_car.insert("chat_template".to_owned(), template.into());
    side_car.insert("eos_token".to_owned(), end_of_turn.into());
    side_car.insert("bos_token".to_owned(), bos.into());
    side_car.insert("unk_token".to_owned(), unknown.into());
    let further = inner.token_to_id(eos).into_iter();
    let further: Vec<u32> = further.chain(end_of_message.map(|id| id as u32)).collect();
    Tokenizer::from_parts(inner, side_car, &further, file.path())
}

/// What `tokenizer.json` says of these tokens.
fn tokenizer_json(meta: &Meta<'_>, tokens: &[&str]) -> Result<Value> {
    let pre = meta.optional_text("tokenizer.ggml.pre")?.ok_or_else(|| {
        let allowed = "given: without it the file does not say how text is cut before the merges; supported are";
        meta.fault("tokenizer.ggml.pre", &format!("{allowed} {PRE}"))
    })?;
    let mut vocabulary = Map::new();
    for (id, (token, kind)) in tokens.iter().zip(kinds(meta, tokens)?).enumerate() {
        // Rows that no token belongs to stay without one: their names are made up.
        if kind != UNUSED && vocabulary.insert((*token).to_owned(), id.into()).is_some() {
            return Err(meta.fault(
                "tokenizer.ggml.tokens",
                &format!("different, got {token:?} twice"),
            ));
        }
    }
    let merges: Vec<&str> = meta.texts("tokenizer.ggml.merges")?;
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(meta, tokens)?,
        "normalizer": (pre == "qwen2").then(|| json!({ "type": "NFC" })),
        "pre_tokenizer": pre_tokenizer(meta, pre)?,
        // The chat template writes every special token; a post-processor would add another at the beginning.
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": merges,
            // Llama 3 takes a word that is a token as it is, whatever the merges would make of it.
            "ignore_merges": matches!(pre, "llama-bpe" | "llama3" | "llama-v3")
        }
    }))
}

/// Types of tokens: normal, in no text (`<unk>`), control, added by a user, no token at all.
pub(crate) const NORMAL: u64 = 1;
const UNKNOWN: u64 = 2;
pub(crate) const CONTROL: u64 = 3;
pub(crate) const ADDED: u64 = 4;
pub(crate) const UNUSED: u64 = 5;

/// The type of each token.
fn kinds(meta: &Meta<'_>, tokens: &[&str]) -> Result<Vec<u64>> {
    const KEY: &str = "tokenizer.ggml.token_type";
    let kind = |value: &GgufValue| match *value {
        GgufValue::Signed(kind @ 1..=5) => Ok(kind as u64),
        GgufValue::Unsigned(kind @ 1..=5) => Ok(kind),
        ref other => Err(meta.fault(KEY, &format!("in 1..=5, got {other:?}"))),
    };
    let kinds = meta.array(KEY)?;
    match kinds.len() == tokens.len() {
        true => kinds.iter().map(kind).collect(),
        false => Err(meta.fault(
            KEY,
            &format!("one type for each of {} tokens", tokens.len()),
        )),
    }
}

/// Control tokens, which no text stands for, and tokens a user added.
fn added_tokens(meta: &Meta<'_>, tokens: &[&str]) -> Result<Vec<Value>> {
    let added = tokens.iter().zip(kinds(meta, tokens)?).enumerate();
    let added = added.filter_map(|(id, (token, kind))| {
        let special = matches!(kind, CONTROL | UNKNOWN);
        (special || kind == ADDED).then(|| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                "special": special
            })
        })
    });
    Ok(added.collect())
}

/// The names of [`pre_tokenizer`].
const PRE: &str = "llama-bpe, qwen2, smollm and gpt-2";

/// How text is cut before the merges, by the name llama.cpp gives it.
fn pre_tokenizer(meta: &Meta<'_>, name: &str) -> Result<Value> {
    let name = match name {
        "llama3" | "llama-v3" => "llama-bpe",
        other => other,
    };
    let known = pre_tokenizer_names()
        .into_iter()
        .find(|(known, _)| *known == name);
    known.map(|(_, cut)| cut).ok_or_else(|| {
        let allowed = format!("one of {PRE}, got {name:?}");
        meta.fault("tokenizer.ggml.pre", &allowed)
    })
}

/// The names of llama.cpp that are known here, each with the pre-tokenizer that it stands for.
pub(crate) fn pre_tokenizer_names() -> [(&'static str, Value); 4] {
    let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
    let split = |digits: &str| {
        // Llama 3 and Qwen2 share the pattern but for how many digits stand together.
        let pattern = format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        );
        let split = json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
        json!({ "type": "Sequence", "pretokenizers": [split, byte_level(false)] })
    };
    let digits = json!({ "type": "Digits", "individual_digits": true });
    [
        ("llama-bpe", split(r"\p{N}{1,3}")),
        ("qwen2", split(r"\p{N}")),
        (
            "smollm",
            json!({ "type": "Sequence", "pretokenizers": [digits, byte_level(true)] }),
        ),
        ("gpt-2", byte_level(true)),
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::tests::file, *};

    fn vocabulary(pre: &str) -> Value {
        json!({
            "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre,
            "tokenizer.ggml.tokens": ["a", "b", "c", "ab", "abc", "\u{00c3}", "\u{00a9}", "e", "<end>", "<turn>"],
            "tokenizer.ggml.token_type": [1, 1, 1, 1, 1, 1, 1, 1, 3, 3],
            "tokenizer.ggml.merges": ["a b"],
            "tokenizer.ggml.eos_token_id": 8, "tokenizer.ggml.eot_token_id": 9
        })
    }

    #[test]
    fn a_turn_ends_a_response_and_so_does_the_text() {
        let mut metadata = vocabulary("gpt-2");
        let tokenizer = |metadata: &Value| tokenizer(&file(metadata)).unwrap();
        assert_eq!(tokenizer(&metadata).stops(), [9, 8]);
        assert_eq!(
            tokenizer(&metadata).encode_response("abc").unwrap(),
            [3, 2, 9]
        );
        metadata
            .as_object_mut()
            .unwrap()
            .remove("tokenizer.ggml.eot_token_id");
        assert_eq!(tokenizer(&metadata).stops(), [8]);
    }

    #[test]
    fn families_differ_in_merges_and_normal_forms() {
        let ids = |pre: &str, text: &str| {
            let tokenizer = tokenizer(&file(&vocabulary(pre))).unwrap();
            tokenizer.encode_prompt(crate::Prompt::Text(text)).unwrap()
        };
        // No merge leads to "abc".
        assert_eq!(ids("qwen2", "abc"), [3, 2]);
        assert_eq!(ids("llama-bpe", "abc"), [4]);
        // An e with an accent of its own: the bytes of the composed letter are 5 and 6.
        assert_eq!(ids("qwen2", "e\u{301}"), [5, 6]);
        assert_eq!(ids("llama-bpe", "e\u{301}")[0], 7);
    }
}
