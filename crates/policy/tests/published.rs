//! Checkpoints, adapters and GGUF files as the world publishes them give the numbers that transformers, PEFT and llama.cpp's rules
//! give them, or are refused by name. `data/published` holds small variations of the checkpoints beside it, each after a public
//! report; its README says of which.
#![cfg(feature = "torch")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use rerec_policy::{
    DecoderPolicy, DecoderPolicyConfig, Learner, LoraConfig, ModelConfig, Projection, Prompt,
    Result, Tokenizer,
};
use serde_json::Value;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn copy_into(folder: &Path, source: &Path) {
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
}

/// The checkpoint llama-tied with the files of a case in place of its own.
fn folder(case: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_into(folder.path(), &data().join("checkpoints/llama-tied"));
    copy_into(folder.path(), &data().join("published/folders").join(case));
    folder
}

fn load(folder: &Path) -> Result<DecoderPolicy> {
    DecoderPolicy::from_folder(folder, DecoderPolicyConfig::default())
}

fn gguf(case: &str) -> Result<DecoderPolicy> {
    let path = data().join(format!("published/gguf/{case}.gguf"));
    DecoderPolicy::from_gguf(&path, DecoderPolicyConfig::default())
}

#[track_caller]
fn assert_said<T>(result: Result<T>, expected: &[&str]) {
    let error = result.err().unwrap();
    let said = error.to_string();
    for part in expected {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn other_architectures_are_named_with_those_that_are_supported() {
    for entry in fs::read_dir(data().join("published/configs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let name = name.strip_prefix("arch-").unwrap();
        if name == "granite" {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::copy(&path, folder.path().join("config.json")).unwrap();
        let supported = "model_type must be one of granite, llama, mistral, qwen2, qwen3, smollm3";
        let got = format!("got \"{name}\"");
        assert_said(ModelConfig::from_folder(folder.path()), &[supported, &got]);
    }
    for (case, expected) in [
        (
            "arch-gpt2",
            "general.architecture must be one of llama, qwen2, qwen3, got \"gpt2\"",
        ),
        ("arch-command-r", "got \"command-r\""),
        (
            "mixtral",
            "llama.expert_count must be 0: mixtures of experts are not read, got 4",
        ),
    ] {
        assert_said(gguf(case), &[expected]);
    }
}

#[test]
fn quantised_weights_are_named_by_their_method() {
    assert_said(
        load(folder("bitnet-online").path()),
        &["quantization_config", "\"bitnet\""],
    );
    assert_said(
        load(folder("quant-gptq").path()),
        &["quantization_config", "\"gptq\""],
    );
    let silent = folder("quant-gptq");
    let config = data().join("checkpoints/llama-tied/config.json");
    fs::copy(config, silent.path().join("config.json")).unwrap();
    assert_said(
        load(silent.path()),
        &["tensor model.layers.0.", "is not part of the model"],
    );
}

#[test]
fn contradicting_rope_types_are_refused() {
    let refused = load(folder("llama-rope-both-keys").path());
    assert_said(
        refused,
        &[
            "rope_scaling.type",
            "rope_type",
            "\"default\" and \"linear\"",
        ],
    );
}

#[test]
fn the_ends_of_a_response_are_those_of_the_config_where_no_file_of_its_own_says_them() {
    let folder = folder("eos-list-in-config-json-only");
    fs::remove_file(folder.path().join("generation_config.json")).unwrap();
    assert_eq!(load(folder.path()).unwrap().tokenizer().stops(), [1, 5]);
}

#[test]
fn tokens_and_flags_of_the_side_files_count() {
    for case in [
        "added-only-in-tokenizer-config",
        "special-false-in-tokenizer-json",
        "eos-missing-legacy-special-tokens-map",
    ] {
        let folder = folder(case);
        let policy = load(folder.path()).unwrap();
        let tokenizer = policy.tokenizer();
        let ids = tokenizer
            .encode_prompt(Prompt::Text("a <note> b <|end|>"))
            .unwrap();
        assert_eq!(ids, [68, 224, 286, 224, 69, 224, 1], "{case}");
        assert_eq!(
            tokenizer.decode_with_lengths(&[286, 1]).0,
            "<note>",
            "{case}"
        );
        assert_eq!(tokenizer.stops(), [1], "{case}");
        // Bos and end, as transformers has it.
        let chat = tokenizer.encode_prompt(" a western? ").unwrap();
        assert_eq!(chat, [0, 2, 68, 273, 34, 1, 202, 3], "{case}");
    }
}

#[test]
fn ids_behind_a_hole_decode_to_their_text() {
    let policy = load(folder("vocab-with-one-hole").path()).unwrap();
    let (text, lengths) = policy.tokenizer().decode_with_lengths(&[285, 200, 286]);
    assert_eq!((text.as_str(), lengths), ("\u{e9}lie", vec![5, 0, 0]));
}

#[test]
fn saving_keeps_what_it_does_not_understand() {
    let source = folder("gen-defaults");
    let mut config = json(&source.path().join("config.json"));
    config["unsloth_version"] = "2025.1".into();
    fs::write(source.path().join("config.json"), config.to_string()).unwrap();
    let policy = load(source.path()).unwrap();
    let saved = tempfile::tempdir().unwrap();
    policy.save(saved.path()).unwrap();
    let merged = tempfile::tempdir().unwrap();
    policy.save_merged(merged.path()).unwrap();
    for folder in [saved.path(), merged.path()] {
        let generation = json(&folder.join("generation_config.json"));
        assert_eq!(generation["temperature"], 0.7);
        assert_eq!(generation["top_k"], 20);
        assert_eq!(
            json(&folder.join("config.json"))["unsloth_version"],
            "2025.1"
        );
        for name in [
            "chat_template.jinja",
            "tokenizer_config.json",
            "special_tokens_map.json",
        ] {
            let before = fs::read(source.path().join(name)).unwrap();
            let after = fs::read(folder.join(name)).unwrap();
            match name.ends_with(".json") {
                true => assert_eq!(json(&source.path().join(name)), json(&folder.join(name))),
                false => assert_eq!(before, after),
            }
        }
        load(folder).unwrap();
    }
}

#[test]
fn adapters_that_mean_something_else_are_refused() {
    let lora = LoraConfig {
        rank: 4,
        alpha: 6.0,
        targets: vec![Projection::QProj, Projection::VProj, Projection::DownProj],
        ..Default::default()
    };
    let config = DecoderPolicyConfig {
        lora: Some(lora),
        ..Default::default()
    };
    let base = data().join("checkpoints/qwen2");
    let mut policy = DecoderPolicy::from_folder(&base, config.clone()).unwrap();
    for (case, expected) in [
        (
            "pissa",
            "init_lora_weights must be true or false or \"gaussian\"",
        ),
        ("alora", "alora_invocation_tokens must be null, got [200,4]"),
        (
            "layer-replication-2to2",
            "layer_replication must be null, got [[0,1],[0,1]]",
        ),
    ] {
        let folder = data().join("published/peft").join(case);
        assert_said(policy.load_adapter(&folder), &[expected]);
    }
    let beside = tempfile::tempdir().unwrap();
    copy_into(beside.path(), &base);
    copy_into(beside.path(), &data().join("adapter"));
    assert_said(
        load(beside.path()),
        &["holds adapters (adapter_config.json)"],
    );
    // With a place for them they are applied, as transformers does.
    let applied = DecoderPolicy::from_folder(beside.path(), config).unwrap();
    policy.load_adapter(&data().join("adapter")).unwrap();
    assert_eq!(
        applied.logits(&[1, 5, 9]).unwrap(),
        policy.logits(&[1, 5, 9]).unwrap()
    );

    let path = beside.path().join("adapter_config.json");
    let mut unknown = json(&path);
    unknown["use_new_trick"] = true.into();
    fs::write(&path, unknown.to_string()).unwrap();
    assert_said(
        policy.load_adapter(beside.path()),
        &["use_new_trick must be a key that is known here"],
    );
}

#[test]
fn gguf_files_give_the_logits_of_transformers() {
    for case in [
        "factor-without-type",
        "llama-attention-bias",
        "llama3-rope-32",
    ] {
        let expected = json(&data().join(format!("published/gguf/{case}.json")));
        let ids: Vec<u32> = serde_json::from_value(expected["ids"].clone()).unwrap();
        let last: Vec<f32> = serde_json::from_value(expected["last_logits"].clone()).unwrap();
        let logits = gguf(case).unwrap().logits(&ids).unwrap();
        let got = &logits[logits.len() - last.len()..];
        let gap = got.iter().zip(&last).map(|(a, b)| (a - b).abs());
        let gap = gap.fold(0.0, f32::max);
        assert!(gap < 1e-4, "{case}: logits differ by {gap}");
    }
}

#[test]
fn gguf_tokens_are_said_or_nothing() {
    assert_said(gguf("pre-missing"), &["tokenizer.ggml.pre must be given"]);
    let policy = gguf("padded-type5").unwrap();
    let (text, lengths) = policy.tokenizer().decode_with_lengths(&[287, 68]);
    assert_eq!((text.as_str(), lengths), ("a", vec![0, 1]));
}

#[test]
fn a_stored_head_of_a_tied_model_is_the_embedding_or_refused() {
    let folder = folder("gen-defaults");
    // Another checkpoint's weights: untied, with a head of its own.
    let untied = data().join("checkpoints/qwen2/model.safetensors");
    let mut config = json(&data().join("checkpoints/qwen2/config.json"));
    config["tie_word_embeddings"] = true.into();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    fs::copy(untied, folder.path().join("model.safetensors")).unwrap();
    assert_said(
        load(folder.path()),
        &["tensor lm_head.weight", "differs from the embedding"],
    );
}

#[test]
fn tensors_without_a_use_are_refused() {
    let folder = folder("gen-defaults");
    let mut config = json(&folder.path().join("config.json"));
    config["num_hidden_layers"] = 1.into();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    assert_said(
        load(folder.path()),
        &["tensor model.layers.1.", "is not part of the model"],
    );
}

/// Changes of the side files, and what transformers 4.57.6 makes of one text with them.
#[test]
fn side_files_are_read_as_transformers_reads_them() {
    const TEXT: &str = "a <note> b<|end|> c <x> d";
    const PLAIN: &[u32] = &[68, 224, 286, 224, 69, 1, 224, 70, 224, 31, 91, 33, 224, 71];
    const WITH_X: &[u32] = &[68, 224, 286, 224, 69, 1, 224, 70, 224, 287, 224, 71];
    const SPACED: &[u32] = &[268, 224, 286, 224, 69, 1, 224, 70, 224, 31, 91, 33, 224, 71];
    const STRIPPED: &[u32] = &[68, 224, 286, 69, 1, 224, 70, 224, 31, 91, 33, 224, 71];
    type Change = fn(&mut Value, &mut Value, &mut Value, &Path);
    let cases: [(&str, Change, &[u32], &str); 9] = [
        (
            "a described end in the map alone",
            |_, config, map, _| {
                config["eos_token"].take();
                config
                    .as_object_mut()
                    .unwrap()
                    .remove("added_tokens_decoder");
                map["eos_token"] = serde_json::json!({ "content": "<|end|>", "lstrip": true });
            },
            PLAIN,
            "a <note> b c <x> d",
        ),
        (
            "an additional special token in the map",
            |_, config, map, _| {
                config
                    .as_object_mut()
                    .unwrap()
                    .remove("added_tokens_decoder");
                map["additional_special_tokens"] = serde_json::json!(["<note>"]);
            },
            PLAIN,
            "a  b c <x> d",
        ),
        (
            "added_tokens.json",
            |_, config, _, folder| {
                config
                    .as_object_mut()
                    .unwrap()
                    .remove("added_tokens_decoder");
                fs::write(folder.join("added_tokens.json"), r#"{"<x>": 287}"#).unwrap();
            },
            WITH_X,
            "a <note> b c <x> d",
        ),
        (
            "a prefix space that the config does not ask for",
            |tokenizer, _, _, _| tokenizer["pre_tokenizer"]["add_prefix_space"] = true.into(),
            PLAIN,
            "a <note> b c <x> d",
        ),
        (
            "a prefix space that the config asks for",
            |_, config, _, _| config["add_prefix_space"] = true.into(),
            SPACED,
            " a <note> b c <x> d",
        ),
        (
            "flags that strip",
            |_, config, _, _| {
                config["added_tokens_decoder"]["1"]["lstrip"] = true.into();
                config["added_tokens_decoder"]["286"]["rstrip"] = true.into();
            },
            STRIPPED,
            "a <note>b c <x> d",
        ),
        (
            "a token in added_tokens_decoder alone",
            |_, config, _, _| {
                config["added_tokens_decoder"]["287"] =
                    serde_json::json!({ "content": "<x>", "special": true, "normalized": false });
            },
            WITH_X,
            "a <note> b c  d",
        ),
        (
            "a padding token of its own",
            |_, config, _, _| config["pad_token"] = "<x>".into(),
            WITH_X,
            "a <note> b c  d",
        ),
        (
            "a special token by a name of the model's own",
            |_, config, _, _| {
                config["extra_special_tokens"] = serde_json::json!({ "note_token": "<note>" });
            },
            PLAIN,
            "a  b c <x> d",
        ),
    ];
    for (what, change, ids, text) in cases {
        let folder = tempfile::tempdir().unwrap();
        copy_into(folder.path(), &data().join("checkpoints/llama-tied"));
        let names = [
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
        ];
        let paths = names.map(|name| folder.path().join(name));
        let [mut tokenizer, mut config, mut map] = paths.each_ref().map(|path| json(path));
        change(&mut tokenizer, &mut config, &mut map, folder.path());
        for (path, value) in paths.iter().zip([tokenizer, config, map]) {
            fs::write(path, value.to_string()).unwrap();
        }
        let loaded = Tokenizer::from_folder(folder.path()).unwrap();
        assert_eq!(
            loaded.encode_prompt(Prompt::Text(TEXT)).unwrap(),
            ids,
            "{what}"
        );
        assert_eq!(loaded.decode_with_lengths(ids).0, text, "{what}");
        assert_eq!(loaded.stops(), [1], "{what}");
    }
}
