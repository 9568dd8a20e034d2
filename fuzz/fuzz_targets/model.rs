//! What lies beside a model's weights; the first byte chooses the file. Whatever loads also encodes, decodes and renders, in bounded
//! time and memory.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use rerec_policy::{LoraConfig, Message, ModelConfig, Prompt, Tokenizer};

/// The files of a tokenizer, in the order in which the input holds them, a zero byte between.
const TOKENIZER_FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "config.json",
];
const TOKENIZER: &str = include_str!("../../crates/policy/tests/data/checkpoints/llama-tied/tokenizer.json");

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).expect("a few bytes");
    };
    match kind % 4 {
        0 => {
            write("config.json", bytes);
            let _ = ModelConfig::from_folder(folder.path());
        }
        1 => {
            write("adapter_config.json", bytes);
            let _ = LoraConfig::from_peft(folder.path());
        }
        2 => {
            for (name, bytes) in TOKENIZER_FILES.iter().zip(bytes.split(|byte| *byte == 0)) {
                if !bytes.is_empty() {
                    write(name, bytes);
                }
            }
            if let Ok(tokenizer) = Tokenizer::from_folder(folder.path()) {
                let ids = tokenizer.encode_prompt(Prompt::Text("a é\n\u{1f3ac} <s>"));
                let ids = ids.unwrap_or_default();
                let (text, lengths) = tokenizer.decode_with_lengths(&ids);
                assert_eq!(lengths.iter().sum::<u32>() as usize, text.len());
            }
        }
        _ => {
            write("tokenizer.json", TOKENIZER.as_bytes());
            write("tokenizer_config.json", br#"{"eos_token": "<|end|>"}"#);
            write("chat_template.jinja", bytes);
            if let Ok(tokenizer) = Tokenizer::from_folder(folder.path()) {
                let talk = [Message::user(" a\r\n"), Message::assistant("{{ b }}")];
                let _ = tokenizer.render_chat(&talk, true);
                let _ = tokenizer.encode_conversation(&talk);
            }
        }
    }
});
