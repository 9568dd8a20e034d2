//! Every way of computing and training agrees with every other: precision, checkpointing, adapters.
#![cfg(feature = "torch")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::{fs, path::Path};

use rerec_policy::{
    DecoderPolicy, DecoderPolicyConfig, Error, Learner, LoraConfig, ModelConfig, Objective,
    ObjectiveConfig, Precision, Projection, Prompt, QueryId, Response, RolloutGroup, SampleRequest,
    Sampler, Sampling, SupervisedExample, Tokenizer, TokenizerConfig, UpdateStats,
};

const TEXTS: [&str; 3] = ["red apple", "green pear and a plum", "say: blue"];

fn model() -> ModelConfig {
    serde_json::from_value(serde_json::json!({
        "model_type": "qwen2", "vocab_size": 280, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 64, "initializer_range": 0.1
    }))
    .unwrap()
}

fn policy(config: DecoderPolicyConfig) -> DecoderPolicy {
    let tokenizer = Tokenizer::train(&TokenizerConfig::new(280), TEXTS.into_iter()).unwrap();
    DecoderPolicy::from_scratch(&model(), tokenizer, config, 3).unwrap()
}

fn with_lora(dropout: f64, targets: &[Projection]) -> DecoderPolicyConfig {
    DecoderPolicyConfig {
        lora: Some(LoraConfig {
            rank: 4,
            alpha: 8.0,
            dropout,
            targets: targets.to_vec(),
            seed: 9,
        }),
        ..Default::default()
    }
}

/// What a user may choose between, with names for messages.
fn variants() -> Vec<(&'static str, DecoderPolicyConfig)> {
    let plain = DecoderPolicyConfig::default;
    let lora = with_lora(0.0, &Projection::ALL);
    vec![
        ("f32", plain()),
        (
            "bf16",
            DecoderPolicyConfig {
                precision: Precision::Bf16,
                ..plain()
            },
        ),
        ("lora", lora.clone()),
        (
            "lora with dropout",
            with_lora(
                0.3,
                &[Projection::QProj, Projection::VProj, Projection::DownProj],
            ),
        ),
        (
            "lora in bf16",
            DecoderPolicyConfig {
                precision: Precision::Bf16,
                ..lora
            },
        ),
    ]
}

fn sample_as(policy: &mut DecoderPolicy, sampling: &Sampling) -> Vec<RolloutGroup> {
    let queries = TEXTS.map(QueryId::from);
    let request = |query| SampleRequest {
        query,
        prompt: query.as_str().into(),
        samples: 3,
    };
    policy
        .generate(&queries.each_ref().map(request), sampling)
        .unwrap()
}

fn sample(policy: &mut DecoderPolicy) -> Vec<RolloutGroup> {
    let sampling = Sampling {
        max_new_tokens: 12,
        seed: 5,
        ..Default::default()
    };
    sample_as(policy, &sampling)
}

fn responses(groups: &[RolloutGroup]) -> impl Iterator<Item = &Response> {
    groups.iter().flat_map(|group| &group.responses)
}

/// One update towards advantages of either sign.
fn update(policy: &mut DecoderPolicy, groups: &[RolloutGroup], kl: f64, rate: f64) -> UpdateStats {
    let advantages: Vec<Vec<f64>> = responses(groups)
        .enumerate()
        .map(|(i, r)| {
            (0..r.token_ids.len())
                .map(|t| ((i * 7 + t * 3) % 5) as f64 - 2.0)
                .collect()
        })
        .collect();
    let mut rows = advantages.iter().map(Vec::as_slice);
    let batch = groups.iter().map(|group| group.with_advantages(&mut rows));
    let batch: Vec<_> = batch.collect();
    let config = ObjectiveConfig {
        kl_coefficient: kl,
        ..Default::default()
    };
    policy
        .update(&batch, &Objective::new(config).unwrap(), rate)
        .unwrap()
}

const LESSON: [SupervisedExample<'static>; 1] = [SupervisedExample {
    prompt: Prompt::User(TEXTS[0]),
    response: TEXTS[1],
    learned: None,
}];

/// Gradients are compared, never what follows a step: Adam's first one turns the rounding of a tiny gradient into a whole step,
/// and how a product is rounded depends on the CPU.
#[test]
fn checkpointing_and_micro_batches_change_no_gradient() {
    for (name, config) in variants() {
        // A step first, so that B is not 0 and adapters have a gradient in A.
        let folder = tempfile::tempdir().unwrap();
        let mut taught = policy(config.clone());
        let rollouts = sample(&mut taught);
        update(&mut taught, &rollouts, 0.0, 1e-2);
        taught.save(folder.path()).unwrap();
        let run = |gradient_checkpointing, micro_batch_tokens| {
            let mut policy = policy(DecoderPolicyConfig {
                gradient_checkpointing,
                micro_batch_tokens,
                ..config.clone()
            });
            policy.restore(folder.path()).unwrap();
            update(&mut policy, &rollouts, 0.0, 0.0).grad_norm
        };
        let plain = run(false, 10_000);
        assert_eq!(
            plain,
            run(true, 10_000),
            "{name}: computing anew gives the same numbers"
        );
        let apart = run(true, 1);
        if name.contains("dropout") {
            // Every pass draws masks of its own.
            continue;
        }
        // The gradients of each micro-batch are rounded to bf16.
        let tolerance = match config.precision {
            Precision::Bf16 => 2e-2,
            Precision::F32 | Precision::Auto => 2e-5,
        };
        approx::assert_relative_eq!(apart, plain, max_relative = tolerance);
    }
}

#[test]
fn bf16_stays_near_f32() {
    let bf16 = DecoderPolicyConfig {
        precision: Precision::Bf16,
        ..Default::default()
    };
    let (mut wide, mut narrow) = (policy(DecoderPolicyConfig::default()), policy(bf16));
    let rollouts = sample(&mut wide);
    let (a, b) = (
        wide.logits(&rollouts[0].prompt_ids).unwrap(),
        narrow.logits(&rollouts[0].prompt_ids).unwrap(),
    );
    let gap = a
        .iter()
        .zip(&b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max);
    let largest = a.iter().fold(0.0, |m: f32, x| m.max(x.abs()));
    assert!(gap > 0.0 && gap < 0.03 * largest, "{gap} of {largest}");
    let (a, b) = (
        update(&mut wide, &rollouts, 0.0, 0.0),
        update(&mut narrow, &rollouts, 0.0, 0.0),
    );
    approx::assert_relative_eq!(a.grad_norm, b.grad_norm, max_relative = 0.03);
    // What it samples it scores alike.
    let rollouts = sample(&mut narrow);
    let stats = update(&mut narrow, &rollouts, 0.0, 0.0);
    assert!(stats.max_log_ratio < 0.1, "{}", stats.max_log_ratio);
}

#[test]
fn f32_masters_gather_steps_that_bf16_would_round_away() {
    let mut policy = policy(DecoderPolicyConfig {
        precision: Precision::Bf16,
        ..Default::default()
    });
    let loss = |policy: &mut DecoderPolicy, rate| policy.supervise(&LESSON, rate).unwrap().loss;
    let before = loss(&mut policy, 0.0);
    // A step of 1e-5 beside weights of 0.1 is below half of bf16's spacing, 2e-4.
    for _ in 0..100 {
        loss(&mut policy, 1e-5);
    }
    assert!(loss(&mut policy, 0.0) < before - 0.01);
}

#[test]
fn what_was_saved_goes_on_bit_for_bit() {
    for (name, config) in variants() {
        let folder = tempfile::tempdir().unwrap();
        let go_on = |policy: &mut DecoderPolicy| {
            let rollouts = sample(policy);
            (update(policy, &rollouts, 0.01, 1e-2), sample(policy))
        };
        let mut first = policy(config.clone());
        first.supervise(&LESSON, 1e-2).unwrap();
        first.anchor().unwrap();
        go_on(&mut first);
        first.save(folder.path()).unwrap();
        let expected = go_on(&mut first);
        let mut second = policy(config);
        second.restore(folder.path()).unwrap();
        assert_eq!(go_on(&mut second), expected, "{name}");
    }
}

#[test]
fn fresh_adapters_change_nothing_and_then_learn_alone() {
    let plain = policy(DecoderPolicyConfig::default());
    let mut adapted = policy(with_lora(0.0, &[Projection::QProj, Projection::UpProj]));
    let ids = [3, 1, 4, 1, 5];
    assert_eq!(plain.logits(&ids).unwrap(), adapted.logits(&ids).unwrap());
    // Two layers, A and B: q is 32 to 32, up 32 to 48.
    assert_eq!(
        adapted.trained_parameters(),
        2 * (4 * (32 + 32) + 4 * (32 + 48))
    );
    let loss = |policy: &mut DecoderPolicy| policy.supervise(&LESSON, 3e-2).unwrap().loss;
    let before = loss(&mut adapted);
    for _ in 0..40 {
        loss(&mut adapted);
    }
    assert!(loss(&mut adapted) < 0.7 * before);
}

#[test]
fn the_reference_is_the_model_without_adapters() {
    let mut policy = policy(with_lora(0.0, &Projection::ALL));
    let rollouts = sample(&mut policy);
    // No anchor is needed, and until the first step there is no distance.
    assert!(update(&mut policy, &rollouts, 0.1, 1e-2).kl.abs() < 1e-9);
    assert!(update(&mut policy, &rollouts, 0.1, 1e-2).kl > 1e-6);
    let before = policy.logits(&[1, 2, 3]).unwrap();
    policy.anchor().unwrap();
    assert_eq!(policy.logits(&[1, 2, 3]).unwrap(), before);
    let rollouts = sample(&mut policy);
    assert!(
        update(&mut policy, &rollouts, 0.1, 1e-2).kl.abs() < 1e-9,
        "the reference has learned it too"
    );
    // What comes after it leaves the reference where it is.
    let scores = policy.score_by_reference(&rollouts).unwrap();
    for (rollout, score) in responses(&rollouts).zip(scores.into_iter().flatten()) {
        for (a, b) in rollout.log_probs.iter().zip(score.log_probs) {
            approx::assert_abs_diff_eq!(*a, b, epsilon = 1e-5);
        }
    }
    assert!(update(&mut policy, &rollouts, 0.1, 0.0).kl > 1e-6);
}

#[test]
fn a_checkpoint_is_loaded_with_its_adapters_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_lora(0.0, &[Projection::QProj, Projection::DownProj]);
    let mut trained = policy(config.clone());
    trained.supervise(&LESSON, 3e-2).unwrap();
    trained.anchor().unwrap();
    trained.supervise(&LESSON, 3e-2).unwrap();
    trained.save(folder.path()).unwrap();
    let loaded = DecoderPolicy::from_folder(folder.path(), config).unwrap();
    let logits = |policy: &DecoderPolicy| policy.logits(&[1, 2, 3]).unwrap();
    assert_eq!(logits(&loaded), logits(&trained));
    let refused = DecoderPolicy::from_folder(folder.path(), DecoderPolicyConfig::default());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("adapter: holds adapters"), "{refused}");
    let refused = policy(DecoderPolicyConfig::default()).restore(folder.path());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("adapter: holds adapters"), "{refused}");
}

/// Base and checkpoints of one run, as they lie in its folder.
fn run_with_base(run: &Path) -> DecoderPolicy {
    let mut trained = policy(with_lora(0.0, &[Projection::QProj]));
    for name in ["base", "checkpoint"] {
        fs::create_dir(run.join(name)).unwrap();
    }
    trained.save_base(&run.join("base")).unwrap();
    trained.supervise(&LESSON, 3e-2).unwrap();
    trained.save(&run.join("checkpoint")).unwrap();
    trained
}

#[test]
fn a_checkpoint_of_adapters_points_to_the_model_beside_it() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    fs::create_dir(&run).unwrap();
    let trained = run_with_base(&run);
    assert!(!run.join("checkpoint/model.safetensors").exists());
    let logits = |policy: &DecoderPolicy| policy.logits(&[1, 2, 3]).unwrap();

    // A run that is moved takes its model along; another draw shows that the weights come from there.
    let moved = place.path().join("moved");
    fs::rename(&run, &moved).unwrap();
    let tokenizer = trained.tokenizer().clone();
    let config = with_lora(0.0, &[Projection::QProj]);
    let mut restored = DecoderPolicy::from_scratch(&model(), tokenizer, config.clone(), 4).unwrap();
    restored.restore(&moved.join("checkpoint")).unwrap();
    assert_eq!(logits(&restored), logits(&trained));
    let mut loaded = DecoderPolicy::from_folder(&moved.join("checkpoint"), config).unwrap();
    assert_eq!(logits(&loaded), logits(&trained));

    // What was loaded points to the same model again, and a policy beside that model reads nothing of it.
    let next = moved.join("next");
    fs::create_dir(&next).unwrap();
    loaded.save(&next).unwrap();
    fs::remove_file(moved.join("base/model.safetensors")).unwrap();
    loaded.restore(&next).unwrap();
    assert_eq!(logits(&loaded), logits(&trained));
}

#[test]
fn a_model_that_has_moved_or_changed_is_named() {
    let run = tempfile::tempdir().unwrap();
    run_with_base(run.path());
    let checkpoint = run.path().join("checkpoint");
    let refuse = || {
        let config = with_lora(0.0, &[Projection::QProj]);
        policy(config).restore(&checkpoint).unwrap_err()
    };
    let weights = run.path().join("base/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let changed = refuse();
    assert!(
        matches!(&changed, Error::BaseChanged { file, .. } if file.ends_with("base/model.safetensors")),
        "{changed}"
    );
    fs::remove_file(&weights).unwrap();
    let missing = refuse();
    assert!(
        matches!(&missing, Error::BaseMissing { file, .. } if file.ends_with("base/model.safetensors")),
        "{missing}"
    );
}

#[test]
fn adapters_travel_and_merge() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_lora(
        0.0,
        &[Projection::KProj, Projection::OProj, Projection::GateProj],
    );
    let mut policy_a = policy(config.clone());
    for _ in 0..5 {
        policy_a.supervise(&LESSON, 1e-2).unwrap();
        // A new reference takes nothing away from what the adapters hold.
        policy_a.anchor().unwrap();
    }
    let expected = policy_a.logits(&[1, 2, 3]).unwrap();
    policy_a.save_adapter(folder.path()).unwrap();
    let mut policy_b = policy(config);
    assert_ne!(policy_b.logits(&[1, 2, 3]).unwrap(), expected);
    policy_b.load_adapter(folder.path()).unwrap();
    assert_eq!(policy_b.logits(&[1, 2, 3]).unwrap(), expected);

    let refused = policy_a.save_merged(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("would be applied once more"), "{refused}");
    let folder = tempfile::tempdir().unwrap();
    policy_a.save_merged(folder.path()).unwrap();
    let merged = DecoderPolicy::from_folder(folder.path(), DecoderPolicyConfig::default()).unwrap();
    for (a, b) in merged.logits(&[1, 2, 3]).unwrap().iter().zip(&expected) {
        approx::assert_abs_diff_eq!(a, b, epsilon = 1e-5);
    }
}

#[test]
fn adapters_of_another_kind_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let saved = policy(with_lora(0.0, &[Projection::QProj]));
    saved.save_adapter(folder.path()).unwrap();
    let refused = |config| {
        policy(config)
            .load_adapter(folder.path())
            .unwrap_err()
            .to_string()
    };
    let other = refused(with_lora(0.0, &[Projection::KProj]));
    assert!(
        other.contains("target_modules must be [\"k_proj\"], got [\"q_proj\"]"),
        "{other}"
    );
    let none = policy(DecoderPolicyConfig::default()).load_adapter(folder.path());
    assert!(matches!(none, Err(Error::NoAdapter)), "{none:?}");

    let path = folder.path().join("adapter_config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("\"use_dora\": false", "\"use_dora\": true"),
    )
    .unwrap();
    let changed = refused(with_lora(0.0, &[Projection::QProj]));
    assert!(changed.contains("but checksums.json says"), "{changed}");
    fs::remove_file(folder.path().join("checksums.json")).unwrap();
    let dora = refused(with_lora(0.0, &[Projection::QProj]));
    assert!(dora.contains("use_dora must be false, got true"), "{dora}");
}

#[test]
fn impossible_adapters_are_named() {
    let tokenizer = Tokenizer::train(&TokenizerConfig::new(280), TEXTS.into_iter()).unwrap();
    let refuse = |change: fn(&mut LoraConfig)| {
        let mut lora = LoraConfig::default();
        change(&mut lora);
        let config = DecoderPolicyConfig {
            lora: Some(lora),
            ..Default::default()
        };
        let refused = DecoderPolicy::from_scratch(&model(), tokenizer.clone(), config, 3);
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        refuse(|l| l.rank = 0),
        "lora.rank must be in [1, 8192], got 0"
    );
    for rank in [1 << 40, 1 << 62] {
        let lora = LoraConfig {
            rank,
            ..Default::default()
        };
        let config = DecoderPolicyConfig {
            lora: Some(lora),
            ..Default::default()
        };
        let refused = DecoderPolicy::from_scratch(&model(), tokenizer.clone(), config, 3);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("in [1, 8192]"), "{refused}");
    }
    assert_eq!(
        refuse(|l| l.alpha = 0.0),
        "lora.alpha must be in (0, 1e6], got 0"
    );
    assert_eq!(
        refuse(|l| l.dropout = 1.0),
        "lora.dropout must be in [0, 1), got 1"
    );
    assert!(refuse(|l| l.targets.clear()).ends_with("got none"));
}

/// `tests/make_adapter.py` made adapter and expectation with PEFT.
#[test]
fn an_adapter_of_peft_gives_the_logits_of_peft() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let text = fs::read_to_string(data.join("adapter/expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_f64().unwrap())
            .collect()
    };
    let ids: Vec<u32> = numbers(&expected["ids"])
        .iter()
        .map(|&id| id as u32)
        .collect();
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
    let mut policy = DecoderPolicy::from_folder(&data.join("checkpoints/qwen2"), config).unwrap();
    policy.load_adapter(&data.join("adapter")).unwrap();
    let logits = policy.logits(&ids).unwrap();
    let expected: Vec<f64> = expected["logits"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(numbers)
        .collect();
    assert_eq!(logits.len(), expected.len());
    for (a, b) in logits.iter().zip(&expected) {
        approx::assert_abs_diff_eq!(f64::from(*a), *b, epsilon = 1e-4);
    }
}

#[test]
fn scores_are_those_of_sampling_and_of_the_whole_distribution() {
    for (name, config) in variants() {
        let is_exact = config.precision == Precision::F32;
        let mut policy = policy(config);
        let rollouts = sample(&mut policy);
        let scores: Vec<_> = policy.score(&rollouts).unwrap().concat();
        let log_probs = policy.log_probs(&rollouts).unwrap().concat();
        let tolerance = if is_exact { 2e-5 } else { 0.1 };
        for ((score, rollout), alone) in scores.iter().zip(responses(&rollouts)).zip(log_probs) {
            assert_eq!(score.log_probs, alone, "{name}");
            assert_eq!(score.entropies.len(), rollout.token_ids.len());
            for (a, b) in score.log_probs.iter().zip(&rollout.log_probs) {
                assert!((a - b).abs() < tolerance, "{name}: {a} and {b}");
            }
        }
        let logits = policy.logits(&rollouts[0].prompt_ids).unwrap();
        let last: Vec<f64> = logits[logits.len() - 280..]
            .iter()
            .map(|&x| x.into())
            .collect();
        let sum: f64 = last.iter().map(|x| x.exp()).sum();
        let entropy: f64 = last.iter().map(|x| (x.exp() / sum) * (sum.ln() - x)).sum();
        approx::assert_relative_eq!(
            f64::from(scores[0].entropies[0]),
            entropy,
            max_relative = 1e-3
        );
    }
}

#[test]
fn a_response_is_no_shorter_than_asked() {
    let mut policy = policy(DecoderPolicyConfig::default());
    let lessons = TEXTS.map(|text| SupervisedExample {
        prompt: text.into(),
        response: "ok",
        learned: None,
    });
    for _ in 0..40 {
        policy.supervise(&lessons, 1e-2).unwrap();
    }
    let lens = |policy: &mut DecoderPolicy, min_new_tokens| -> Vec<usize> {
        let sampling = Sampling {
            max_new_tokens: 9,
            min_new_tokens,
            ..Default::default()
        };
        let groups = sample_as(policy, &sampling);
        responses(&groups).map(|r| r.token_ids.len()).collect()
    };
    assert!(lens(&mut policy, 0).iter().any(|&len| len < 7));
    assert!(lens(&mut policy, 7).iter().all(|&len| len >= 7));
}
