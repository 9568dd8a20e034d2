//! Checkpoints that transformers wrote give the logits and the text that transformers gives (`make_checkpoints.py` made them).
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
    DecoderPolicy, DecoderPolicyConfig, Error, GgmlType, Learner, SampleRequest, Sampler, Sampling,
    SupervisedExample,
};
use serde::Deserialize;

const NAMES: [&str; 9] = [
    "granite",
    "llama-tied",
    "llama3-sharded",
    "qwen2",
    "qwen3",
    "mistral",
    "smollm3",
    "qwen2-yarn",
    "llama-yarn-bias",
];

#[derive(Deserialize)]
struct Expected {
    ids: Vec<u32>,
    logits: Vec<Vec<f32>>,
    chat: String,
    chat_ids: Vec<u32>,
    greedy_text: String,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/checkpoints")
        .join(name)
}

fn load(folder: &Path) -> DecoderPolicy {
    DecoderPolicy::from_folder(folder, DecoderPolicyConfig::default()).unwrap()
}

fn expected(name: &str) -> Expected {
    let text = fs::read_to_string(folder(name).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn assert_logits(policy: &DecoderPolicy, expected: &Expected, what: &str) {
    let logits = policy.logits(&expected.ids).unwrap();
    let gaps = logits
        .iter()
        .zip(expected.logits.iter().flatten())
        .map(|(a, b)| (a - b).abs());
    assert_eq!(
        logits.len(),
        expected.logits.len() * expected.logits[0].len()
    );
    let gap = gaps.fold(0.0, f32::max);
    assert!(gap < 1e-4, "{what}: logits differ by {gap}");
}

#[test]
fn logits_are_those_of_transformers() {
    for name in NAMES {
        assert_logits(&load(&folder(name)), &expected(name), name);
    }
}

#[test]
fn chat_and_greedy_text_are_those_of_transformers() {
    for name in NAMES {
        let (mut policy, expected) = (load(&folder(name)), expected(name));
        let ids = policy.tokenizer().encode_prompt(&expected.chat).unwrap();
        assert_eq!(ids, expected.chat_ids, "{name}");
        let request = SampleRequest {
            query: &"q".into(),
            prompt: (&expected.chat).into(),
            samples: 1,
        };
        let groups = policy.generate(&[request], &Sampling::greedy(12)).unwrap();
        let answer = &groups[0].responses[0];
        assert_eq!(answer.text, expected.greedy_text, "{name}");
    }
}

#[test]
fn what_is_saved_again_gives_the_same_logits() {
    for name in NAMES {
        let copy = tempfile::tempdir().unwrap();
        load(&folder(name)).save(copy.path()).unwrap();
        assert_logits(&load(copy.path()), &expected(name), name);
    }
}

#[test]
fn what_is_saved_beside_older_shards_is_what_is_loaded() {
    let copy = copy("llama3-sharded");
    let mut policy = load(copy.path());
    let lesson = [SupervisedExample {
        prompt: "a".into(),
        response: "b",
        learned: None,
    }];
    policy.supervise(&lesson, 1e-1).unwrap();
    policy.save(copy.path()).unwrap();
    let loaded = load(copy.path());
    assert_eq!(
        loaded.logits(&[1, 2]).unwrap(),
        policy.logits(&[1, 2]).unwrap()
    );
}

fn copy(name: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// What is said of a copy of a checkpoint in which one file was changed.
fn damaged(name: &str, file: &str, damage: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let copy = copy(name);
    let path = copy.path().join(file);
    fs::write(&path, damage(fs::read(&path).unwrap())).unwrap();
    let refused = DecoderPolicy::from_folder(copy.path(), DecoderPolicyConfig::default());
    let error = refused.unwrap_err();
    assert!(
        matches!(
            error,
            Error::File(_)
                | Error::InvalidFile { .. }
                | Error::InvalidTensor { .. }
                | Error::Tokenizer(_)
        ),
        "{error:?}"
    );
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn replaced(from: &'static str, to: &'static str) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    move |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "nothing to replace");
        text.replace(from, to).into_bytes()
    }
}

#[test]
fn damaged_files_are_named_with_what_is_wrong() {
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let cut = damaged("llama-tied", "model.safetensors", half);
    assert!(cut.contains("but its header describes"), "{cut}");
    let lying = damaged("llama-tied", "model.safetensors", |mut bytes| {
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        bytes
    });
    assert!(lying.contains("claims a header of"), "{lying}");
    let index = "model.safetensors.index.json";
    let away = damaged(
        "llama3-sharded",
        index,
        replaced("model-00001-of-00002", "../model-00001-of-00002"),
    );
    assert!(away.contains("outside the folder"), "{away}");
    let gone = damaged(
        "llama3-sharded",
        index,
        replaced("model.norm.weight", "model.norm.wait"),
    );
    assert!(
        gone.contains("tensor model.norm.wait is not part of the model"),
        "{gone}"
    );
    let narrow = damaged(
        "qwen2",
        "config.json",
        replaced("\"intermediate_size\": 40", "\"intermediate_size\": 48"),
    );
    assert!(
        narrow.contains("model.layers.0.mlp.down_proj.weight is F32 [24, 40]"),
        "{narrow}"
    );
    let vast = damaged(
        "qwen2",
        "config.json",
        replaced(
            "\"intermediate_size\": 40",
            "\"intermediate_size\": 2000000000",
        ),
    );
    assert!(
        vast.contains(
            "mlp.down_proj.weight is F32 [24, 40], expected F32, F16 or BF16 [24, 2000000000]"
        ),
        "{vast}"
    );
    damaged("qwen2", "config.json", half);
    damaged("qwen3", "tokenizer.json", half);
    damaged("qwen3", "tokenizer_config.json", half);
}

#[test]
fn a_model_as_gguf_computes_what_it_computed() {
    for name in ["llama-tied", "llama3-sharded", "mistral", "qwen2", "qwen3"] {
        let (policy, expected) = (load(&folder(name)), expected(name));
        let file = tempfile::tempdir().unwrap();
        // Of 24 columns no row is a whole number of blocks of 32: matrices of either kind are F16.
        for kind in [GgmlType::F16, GgmlType::Q8_0] {
            let write = |policy: &DecoderPolicy, name: &str| {
                let path = file.path().join(name);
                policy.save_gguf(&path, kind).unwrap();
                DecoderPolicy::from_gguf(&path, DecoderPolicyConfig::default()).unwrap()
            };
            let logits = |policy: &DecoderPolicy| policy.logits(&expected.ids).unwrap();
            let read = write(&policy, "once.gguf");
            let (ours, theirs) = (logits(&policy), logits(&read));
            let gaps = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
            let gap = gaps.fold(0.0, f32::max);
            let largest = ours.iter().fold(0f32, |largest, x| largest.max(x.abs()));
            // Weights drawn wide make much of the fourth digit; rows in another order would give other logits altogether.
            assert!(gap < 0.05 * largest, "{name}: {gap} of {largest}");
            // What is F16 already stays as it is.
            assert_eq!(logits(&write(&read, "twice.gguf")), theirs, "{name}");
            let ids = |policy: &DecoderPolicy| {
                let tokenizer = policy.tokenizer();
                (
                    tokenizer.encode_prompt(&expected.chat).unwrap(),
                    tokenizer.stops()[0],
                )
            };
            assert_eq!(ids(&read), ids(&policy), "{name}");
        }
    }
}

#[test]
fn what_a_gguf_file_cannot_say_is_refused() {
    for (name, what) in [
        ("granite", "Granite"),
        ("smollm3", "SmolLm3"),
        ("qwen2-yarn", "YaRN"),
        ("llama-yarn-bias", "biases"),
    ] {
        let file = tempfile::tempdir().unwrap();
        let path = file.path().join("model.gguf");
        let refused = load(&folder(name))
            .save_gguf(&path, GgmlType::F16)
            .unwrap_err();
        assert!(refused.to_string().contains(what), "{name}: {refused}");
        assert!(!path.exists(), "{name}");
    }
    let other = load(&folder("qwen2")).save_gguf("x.gguf".as_ref(), GgmlType::Q4K);
    assert!(matches!(
        other,
        Err(Error::InvalidSetting {
            setting: "type",
            ..
        })
    ));
}
