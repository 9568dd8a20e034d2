//! A tiny decoder: sampling, training and checkpoints agree with each other.
#![cfg(feature = "torch")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::ops::{ControlFlow, Range};

use rerec_policy::{
    Aggregation, Architecture, DecoderPolicy, DecoderPolicyConfig, Error, Finish, Learner,
    ModelConfig, Objective, ObjectiveConfig, Prompt, QueryId, Response, RolloutGroup,
    SampleRequest, Sampler, Sampling, SupervisedExample, Surrogate, Tokenizer, TokenizerConfig,
    TrainingGroup,
};

const TEXTS: [&str; 3] = ["red apple", "green pear and a plum", "say: blue"];

const LESSON: [SupervisedExample<'static>; 1] = [SupervisedExample {
    prompt: Prompt::User(TEXTS[0]),
    response: TEXTS[1],
    learned: None,
}];

fn model(model_type: Architecture, tied: bool) -> ModelConfig {
    ModelConfig {
        model_type,
        vocab_size: 280,
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: None,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_scaling: None,
        attention_bias: false,
        mlp_bias: false,
        no_rope_layers: None,
        multipliers: Default::default(),
        tie_word_embeddings: tied,
        max_position_embeddings: 64,
        initializer_range: 0.2,
        rest: Default::default(),
    }
}

fn policy_with(config: DecoderPolicyConfig) -> DecoderPolicy {
    let tokenizer = Tokenizer::train(&TokenizerConfig::new(280), TEXTS.into_iter()).unwrap();
    DecoderPolicy::from_scratch(&model(Architecture::Qwen2, false), tokenizer, config, 3).unwrap()
}

fn policy() -> DecoderPolicy {
    policy_with(DecoderPolicyConfig::default())
}

fn sampling(temperature: f64) -> Sampling {
    Sampling {
        temperature,
        max_new_tokens: 12,
        seed: 5,
        purpose: "test".to_owned(),
        ..Default::default()
    }
}

fn sample(policy: &mut DecoderPolicy, temperature: f64) -> Vec<RolloutGroup> {
    let queries = TEXTS.map(QueryId::from);
    let request = |query| SampleRequest {
        query,
        prompt: query.as_str().into(),
        samples: 3,
    };
    policy
        .generate(&queries.each_ref().map(request), &sampling(temperature))
        .unwrap()
}

/// Responses to one query.
fn ask(
    policy: &mut DecoderPolicy,
    query: &str,
    samples: usize,
    sampling: &Sampling,
) -> rerec_policy::Result<Vec<Response>> {
    let id = QueryId::from(query);
    let request = SampleRequest {
        query: &id,
        prompt: query.into(),
        samples,
    };
    Ok(policy.generate(&[request], sampling)?.remove(0).responses)
}

fn responses(groups: &[RolloutGroup]) -> impl Iterator<Item = &Response> {
    groups.iter().flat_map(|group| &group.responses)
}

fn training<'a>(groups: &'a [RolloutGroup], advantages: &'a [Vec<f64>]) -> Vec<TrainingGroup<'a>> {
    let mut rows = advantages.iter().map(Vec::as_slice);
    let groups = groups.iter().map(|group| group.with_advantages(&mut rows));
    groups.collect()
}

/// Advantages of either sign that differ from token to token.
fn some_advantages(groups: &[RolloutGroup]) -> Vec<Vec<f64>> {
    let one = |(i, r): (usize, &Response)| {
        (0..r.token_ids.len())
            .map(|t| ((i * 7 + t * 3) % 5) as f64 - 2.0)
            .collect()
    };
    responses(groups).enumerate().map(one).collect()
}

fn free_of_kl() -> Objective {
    Objective::new(ObjectiveConfig {
        kl_coefficient: 0.0,
        ..Default::default()
    })
    .unwrap()
}

fn lesson(learned: Option<&[Range<usize>]>) -> SupervisedExample<'_> {
    SupervisedExample {
        learned,
        ..LESSON[0]
    }
}

/// The end token lies in no range, so that the loss is the mean over the tokens of "pear" and of "plum" alone.
#[test]
fn what_is_not_learned_counts_neither_in_loss_nor_in_gradient() {
    let text = TEXTS[1];
    let range = |word: &str| text.find(word).unwrap()..text.find(word).unwrap() + word.len();
    let ranges = [range("pear"), range("plum")];
    let mut policy = policy();
    let tokens = policy.tokenizer().encode_response(text).unwrap();
    let of_text = policy.tokenizer().decode_with_lengths(&tokens).1;
    let ends = of_text.iter().scan(0, |end, &len| {
        *end += len as usize;
        Some((*end - len as usize)..*end)
    });
    let overlaps = |token: Range<usize>| {
        let mut ranges = ranges.iter();
        !token.is_empty() && ranges.any(|r| token.start < r.end && r.start < token.end)
    };
    let counted: Vec<bool> = ends.map(overlaps).collect();
    let count = counted.iter().filter(|&&counted| counted).count();
    assert!(count >= 2 && count + 3 < tokens.len(), "{counted:?}");

    // Each token's own share of the loss, from examples that learn it alone.
    let whole = policy.supervise(&[lesson(None)], 0.0).unwrap();
    assert_eq!(whole.tokens, tokens.len());
    let part = policy.supervise(&[lesson(Some(&ranges))], 0.0).unwrap();
    assert_eq!(part.tokens, count);
    let alone = ranges.clone().map(|range| {
        let range = [range];
        let one = policy.supervise(&[lesson(Some(&range))], 0.0).unwrap();
        one.loss * one.tokens as f64
    });
    let mean = alone.iter().sum::<f64>() / count as f64;
    approx::assert_abs_diff_eq!(part.loss, mean, epsilon = 1e-6);
    assert!((part.loss - whole.loss).abs() > 1e-4);

    // A step on these tokens alone makes them likelier.
    for _ in 0..30 {
        policy.supervise(&[lesson(Some(&ranges))], 1e-2).unwrap();
    }
    let after = policy.supervise(&[lesson(Some(&ranges))], 0.0).unwrap();
    assert!(after.loss < 0.1 && after.loss < part.loss, "{after:?}");
}

#[test]
fn an_example_of_which_nothing_is_learned_is_named() {
    let ranges = [21..22, 200..210];
    let lessons = [LESSON[0], lesson(Some(&ranges))];
    let error = policy().supervise(&lessons, 1e-2).unwrap_err();
    assert_eq!(
        error.to_string(),
        "example 1: no token is learned of a response of 21 bytes by the ranges [21..22, 200..210]"
    );
}

#[test]
fn rollouts_come_in_order_with_their_bytes() {
    let rollouts = sample(&mut policy(), 1.0);
    assert_eq!(rollouts.len(), 3);
    for (group, text) in rollouts.iter().zip(TEXTS) {
        assert_eq!(group.query, text);
    }
    assert_eq!(responses(&rollouts).count(), 9);
    for (i, r) in responses(&rollouts).enumerate() {
        assert_eq!(r.sample, i % 3);
        assert_eq!(r.token_ids.len(), r.log_probs.len());
        assert_eq!(r.token_byte_lens.iter().sum::<u32>() as usize, r.text.len());
        assert_eq!(
            r.finish == Finish::Length,
            r.token_ids.len() == 12 && r.token_byte_lens[11] > 0
        );
    }
}

/// The cached, batched, compacted decoding and the packed training pass are the same distribution.
#[test]
fn sampling_and_training_see_the_same_log_probs() {
    for temperature in [1.0, 0.7, 0.0] {
        let mut policy = policy();
        let rollouts = sample(&mut policy, temperature);
        let advantages = some_advantages(&rollouts);
        let stats = policy
            .update(&training(&rollouts, &advantages), &free_of_kl(), 0.0)
            .unwrap();
        assert!(
            stats.max_log_ratio < 2e-5,
            "T {temperature}: {}",
            stats.max_log_ratio
        );
        assert_eq!(stats.clip_fraction, 0.0);
    }
}

/// Whether all responses run side by side or each takes the place of the one before.
#[test]
fn a_sample_does_not_depend_on_how_many_run_side_by_side() {
    let with_rows = |generation_rows: usize| {
        let mut policy = policy_with(DecoderPolicyConfig {
            generation_rows,
            ..Default::default()
        });
        // Until it has learned to end some responses.
        let lessons = TEXTS.map(|text| SupervisedExample {
            prompt: text.into(),
            response: text,
            learned: None,
        });
        for _ in 0..15 {
            policy.supervise(&lessons, 1e-2).unwrap();
        }
        sample(&mut policy, 1.0)
    };
    let all = with_rows(100);
    assert!(
        responses(&all).any(|r| r.finish == Finish::Stop)
            && responses(&all).any(|r| r.finish == Finish::Length),
        "responses of different lengths"
    );
    for rows in [1, 2, 4, 5] {
        for (a, b) in responses(&with_rows(rows)).zip(responses(&all)) {
            assert_eq!(a.token_ids, b.token_ids, "{rows} rows, {}", a.sample);
            for (x, y) in a.log_probs.iter().zip(&b.log_probs) {
                approx::assert_abs_diff_eq!(x, y, epsilon = 1e-5);
            }
        }
    }
}

#[test]
fn a_sample_depends_on_its_query_not_on_its_batch() {
    let mut policy = policy();
    let all = sample(&mut policy, 1.0);
    let alone = ask(&mut policy, TEXTS[1], 2, &sampling(1.0)).unwrap();
    for (a, b) in alone.iter().zip(&all[1].responses) {
        assert_eq!(a.token_ids, b.token_ids);
    }
    assert_ne!(alone[0].token_ids, alone[1].token_ids);
}

/// One micro-batch, where each prompt is shared by its group, against a micro-batch for every response.
#[test]
fn sharing_and_micro_batches_leave_the_gradient_unchanged() {
    let stats = |micro_batch_tokens: usize, config: &ObjectiveConfig| {
        let mut policy = policy_with(DecoderPolicyConfig {
            micro_batch_tokens,
            ..Default::default()
        });
        let rollouts = sample(&mut policy, 1.0);
        let advantages = some_advantages(&rollouts);
        policy.anchor().unwrap();
        // Away from the policy that sampled, so that ratios and KL count.
        policy.supervise(&LESSON, 1e-2).unwrap();
        let objective = Objective::new(config.clone()).unwrap();
        policy
            .update(&training(&rollouts, &advantages), &objective, 1e-3)
            .unwrap()
    };
    let surrogates = [
        Surrogate::Clipped,
        Surrogate::Gspo,
        Surrogate::Cispo,
        Surrogate::DppoTv,
    ];
    for surrogate in surrogates {
        for aggregation in [Aggregation::TokenMean, Aggregation::SequenceMeanTokenMean] {
            let config = ObjectiveConfig {
                surrogate,
                aggregation,
                ..Default::default()
            };
            let (apart, together) = (stats(1, &config), stats(10_000, &config));
            for (a, b) in [
                (apart.grad_norm, together.grad_norm),
                (apart.loss, together.loss),
                (apart.kl, together.kl),
            ] {
                approx::assert_relative_eq!(a, b, max_relative = 2e-5);
            }
        }
    }
}

/// Against an update whose advantages are 0 wherever the entropy is below the bound.
#[test]
fn only_tokens_of_high_entropy_are_learned_from() {
    let mut policy = policy();
    let rollouts = sample(&mut policy, 1.0);
    let mut advantages = some_advantages(&rollouts);
    let scores = policy.score(&rollouts).unwrap();
    let entropies = || scores.iter().flatten().flat_map(|one| &one.entropies);
    let mut falling: Vec<f32> = entropies().copied().collect();
    falling.sort_unstable_by(|a, b| b.total_cmp(a));
    // The widest gap in the middle: no rounding moves a token across it.
    let tokens = falling.len();
    let gap = |&at: &usize| falling[at - 1] - falling[at];
    let kept = (tokens / 4..tokens / 2)
        .max_by(|a, b| gap(a).total_cmp(&gap(b)))
        .unwrap();
    let update = |policy: &mut DecoderPolicy, advantages: &[Vec<f64>], top_entropy: f64| {
        let config = ObjectiveConfig {
            kl_coefficient: 0.0,
            top_entropy,
            ..Default::default()
        };
        let objective = Objective::new(config).unwrap();
        let batch = training(&rollouts, advantages);
        policy.update(&batch, &objective, 0.0).unwrap()
    };
    // Its ceiling is `kept`, whichever way the product is rounded.
    let share = (kept as f64 - 0.5) / tokens as f64;
    let selective = update(&mut policy, &advantages, share);
    let whole = update(&mut policy, &advantages, 1.0);
    let all = advantages.iter_mut().flatten();
    for (advantage, &entropy) in all.zip(entropies()) {
        if entropy < falling[kept - 1] {
            *advantage = 0.0;
        }
    }
    let masked = update(&mut policy, &advantages, 1.0);
    approx::assert_relative_eq!(selective.grad_norm, masked.grad_norm, max_relative = 2e-5);
    approx::assert_relative_eq!(selective.loss, masked.loss, max_relative = 2e-5);
    assert!((selective.grad_norm / whole.grad_norm - 1.0).abs() > 1e-2);
}

#[test]
fn sequences_without_advantage_are_skipped_but_counted() {
    let mut policy = policy();
    let rollouts = sample(&mut policy, 1.0);
    let mut advantages = some_advantages(&rollouts);
    advantages[2].fill(0.0);
    let stats = policy
        .update(&training(&rollouts, &advantages), &free_of_kl(), 0.0)
        .unwrap();
    assert_eq!(stats.skipped, 1);
    assert_eq!(
        stats.tokens,
        responses(&rollouts)
            .map(|r| r.token_ids.len())
            .sum::<usize>()
    );
}

#[test]
fn an_update_raises_what_it_favours() {
    let mut policy = policy();
    let rollouts = sample(&mut policy, 1.0);
    let advantages: Vec<Vec<f64>> = responses(&rollouts)
        .enumerate()
        .map(|(i, r)| vec![if i == 0 { 1.0 } else { 0.0 }; r.token_ids.len()])
        .collect();
    let batch = training(&rollouts, &advantages);
    let loss = |p: &mut DecoderPolicy, lr| p.update(&batch, &free_of_kl(), lr).unwrap().loss;
    let before = loss(&mut policy, 1e-3);
    assert!(loss(&mut policy, 0.0) < before);
}

#[test]
fn the_kl_term_needs_an_anchor() {
    let mut policy = policy();
    let rollouts = sample(&mut policy, 1.0);
    let advantages = some_advantages(&rollouts);
    let objective = Objective::new(ObjectiveConfig::default()).unwrap();
    let batch = training(&rollouts, &advantages);
    let refused = policy.update(&batch, &objective, 1e-3);
    assert!(matches!(refused, Err(Error::NoReference)), "{refused:?}");
    policy.anchor().unwrap();
    // The policy is its own reference until the first step.
    assert!(policy.update(&batch, &objective, 1e-2).unwrap().kl.abs() < 1e-9);
    assert!(policy.update(&batch, &objective, 1e-2).unwrap().kl > 1e-6);
}

#[test]
fn a_demonstration_is_memorised() {
    let mut policy = policy();
    let mut loss = f64::INFINITY;
    for _ in 0..60 {
        loss = policy.supervise(&LESSON, 1e-2).unwrap().loss;
    }
    assert!(loss < 0.05, "{loss}");
    let mut sampling = sampling(0.0);
    sampling.max_new_tokens = 30;
    let answer = ask(&mut policy, TEXTS[0], 1, &sampling).unwrap();
    assert_eq!(answer[0].text, TEXTS[1]);
    assert_eq!(answer[0].finish, Finish::Stop);
}

#[test]
fn a_restored_policy_goes_on_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let objective = Objective::new(ObjectiveConfig::default()).unwrap();
    let go_on = |policy: &mut DecoderPolicy| {
        let rollouts = sample(policy, 1.0);
        let advantages = some_advantages(&rollouts);
        let stats = policy
            .update(&training(&rollouts, &advantages), &objective, 1e-2)
            .unwrap();
        (stats, sample(policy, 1.0))
    };
    let mut first = policy();
    first.supervise(&LESSON, 1e-2).unwrap();
    first.anchor().unwrap();
    go_on(&mut first);
    first.save(folder.path()).unwrap();
    let expected = go_on(&mut first);

    let mut second = policy();
    second.restore(folder.path()).unwrap();
    assert_eq!(go_on(&mut second), expected);
}

#[test]
fn a_saved_folder_loads_as_a_model() {
    for tied in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::train(&TokenizerConfig::new(280), TEXTS.into_iter()).unwrap();
        let config = DecoderPolicyConfig::default();
        let mut policy = DecoderPolicy::from_scratch(
            &model(Architecture::Llama, tied),
            tokenizer,
            config.clone(),
            3,
        )
        .unwrap();
        policy.save(folder.path()).unwrap();
        let mut loaded = DecoderPolicy::from_folder(folder.path(), config).unwrap();
        assert_eq!(sample(&mut loaded, 1.0), sample(&mut policy, 1.0));
    }
}

#[test]
fn a_checkpoint_of_another_shape_is_named() {
    let folder = tempfile::tempdir().unwrap();
    policy().save(folder.path()).unwrap();
    let model = ModelConfig {
        intermediate_size: 40,
        ..model(Architecture::Qwen2, false)
    };
    let tokenizer = policy().tokenizer().clone();
    let config = DecoderPolicyConfig::default();
    let mut other = DecoderPolicy::from_scratch(&model, tokenizer, config, 1).unwrap();
    let refused = other.restore(folder.path()).unwrap_err().to_string();
    assert!(
        refused.contains("model.layers.0.mlp.down_proj.weight is F32"),
        "{refused}"
    );
}

#[test]
fn what_cannot_be_learned_from_is_named_and_changes_nothing() {
    let mut policy = policy();
    let before = sample(&mut policy, 0.0);
    let rollouts = sample(&mut policy, 1.0);
    let mut advantages = some_advantages(&rollouts);
    advantages[0].fill(0.0);
    let refuse = |policy: &mut DecoderPolicy, batch: &[TrainingGroup<'_>], rate| {
        let refused = policy.update(batch, &free_of_kl(), rate);
        refused.unwrap_err().to_string()
    };
    let mut batch = training(&rollouts, &advantages);
    let unknown = vec![999; batch[0].responses[1].token_ids.len()];
    batch[0].responses[1].token_ids = &unknown;
    assert_eq!(
        refuse(&mut policy, &batch, 1e-3),
        "query red apple, sample 1: token id 999 must be below vocab_size 280"
    );
    let mut batch = training(&rollouts, &advantages);
    let nothing = vec![f32::NAN; batch[1].responses[2].token_ids.len()];
    batch[1].responses[2].old_log_probs = &nothing;
    assert_eq!(
        refuse(&mut policy, &batch, 1e-3),
        "query green pear and a plum, sample 2: the old log-probability of token 0 is NaN"
    );
    let batch = training(&rollouts, &advantages);
    for rate in [f64::NAN, -1e-3, f64::INFINITY] {
        let refused = refuse(&mut policy, &batch, rate);
        assert!(
            refused.starts_with("learning_rate must be in [0, inf)"),
            "{refused}"
        );
    }
    assert_eq!(policy.supervise(&[], 1e-3).unwrap().tokens, 0);
    assert_eq!(sample(&mut policy, 0.0), before);
}

/// The order of groups and that of the responses within them.
#[test]
fn the_order_of_a_batch_does_not_matter() {
    let stats = |is_reversed: bool| {
        let mut policy = policy();
        let rollouts = sample(&mut policy, 1.0);
        let advantages = some_advantages(&rollouts);
        let mut batch = training(&rollouts, &advantages);
        if is_reversed {
            batch.reverse();
            batch.iter_mut().for_each(|group| group.responses.reverse());
        }
        policy.update(&batch, &free_of_kl(), 0.0).unwrap()
    };
    let (grouped, shuffled) = (stats(false), stats(true));
    approx::assert_relative_eq!(grouped.loss, shuffled.loss, max_relative = 1e-5);
    approx::assert_relative_eq!(grouped.grad_norm, shuffled.grad_norm, max_relative = 1e-5);
}

#[test]
fn groups_that_cannot_be_sampled_are_named() {
    let refuse = |prompt: Prompt<'_>, samples, max_new_tokens| {
        let ids = ["q", "r"].map(QueryId::from);
        let request = |(query, prompt)| SampleRequest {
            query,
            prompt,
            samples,
        };
        let requests = [(&ids[0], TEXTS[0].into()), (&ids[1], prompt)].map(request);
        let sampling = Sampling {
            max_new_tokens,
            ..sampling(1.0)
        };
        policy()
            .generate(&requests, &sampling)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refuse(Prompt::Ids(&[]), 1, 8),
        "query r: the prompt has no tokens"
    );
    assert_eq!(
        refuse(Prompt::Ids(&[7, 280]), 1, 8),
        "query r: token id 280 must be below vocab_size 280"
    );
    assert_eq!(
        refuse(Prompt::Ids(&[7]), 0, 8),
        "query q: samples must be in [1, 1048576], got 0"
    );
    let long = refuse(Prompt::Ids(&[7]), 1, usize::MAX);
    assert!(
        long.contains("it exceeds max_position_embeddings 64"),
        "{long}"
    );
}

#[test]
fn a_damaged_checkpoint_is_named_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    policy().save(folder.path()).unwrap();
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let mut policy = policy();
    let before = sample(&mut policy, 0.0);
    let refused = policy.restore(folder.path());
    assert!(
        matches!(&refused, Err(Error::File(rerec_files::Error::Checksum { path: p, .. })) if *p == path),
        "{refused:?}"
    );
    std::fs::remove_file(folder.path().join("checksums.json")).unwrap();
    let refused = policy.restore(folder.path());
    assert!(
        matches!(&refused, Err(Error::InvalidFile { path: p, .. }) if *p == path),
        "{refused:?}"
    );
    std::fs::write(
        &path,
        safetensors::serialize(
            Vec::<(String, safetensors::tensor::TensorView<'_>)>::new(),
            None,
        )
        .unwrap(),
    )
    .unwrap();
    let refused = policy.restore(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("lm_head.weight is missing"), "{refused}");
    assert_eq!(
        sample(&mut policy, 0.0),
        before,
        "a failed restore changes nothing"
    );
}

#[test]
fn a_diverged_model_gives_no_responses() {
    let mut policy = policy();
    policy.supervise(&LESSON, 1e38).unwrap();
    for temperature in [0.0, 1.0] {
        let refused = ask(&mut policy, TEXTS[0], 2, &sampling(temperature));
        assert!(
            matches!(refused, Err(Error::NotFinite { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn breaking_off_is_an_error_of_its_own() {
    let query = QueryId::from("q");
    let request = SampleRequest {
        query: &query,
        prompt: "x".into(),
        samples: 2,
    };
    let stop = &mut |_| ControlFlow::Break(());
    let refused = policy().generate_with(&[request], &sampling(1.0), stop);
    assert!(matches!(refused, Err(Error::Cancelled)));
}

#[test]
fn a_stop_text_ends_a_response_and_stays_in_it() {
    let mut policy = policy();
    let unstopped = sample(&mut policy, 1.0);
    let groups = unstopped.iter();
    let all = groups.flat_map(|g| g.responses.iter().map(move |r| (g.query.as_str(), r)));
    let (query, longest) = all.max_by_key(|(_, r)| r.text.len()).unwrap();
    let middle = longest.text.len() / 2;
    let (begin, end) = (
        longest.text.floor_char_boundary(middle - 2),
        longest.text.ceil_char_boundary(middle),
    );
    let stop = longest.text[begin..end].to_owned();
    let sampling = Sampling {
        stop: vec![stop.clone()],
        ..sampling(1.0)
    };
    let stopped = ask(&mut policy, query, longest.sample + 1, &sampling).unwrap();
    let stopped = &stopped[longest.sample];
    assert_eq!(stopped.finish, Finish::Stop);
    assert!(stopped.token_ids.len() < longest.token_ids.len());
    assert_eq!(
        stopped.token_ids,
        longest.token_ids[..stopped.token_ids.len()]
    );
    assert!(
        stopped.text.contains(&stop),
        "{:?} in {:?}",
        stop,
        stopped.text
    );
}

#[test]
fn impossible_sampling_is_named() {
    let refuse = |change: fn(&mut Sampling)| {
        let mut sampling = sampling(1.0);
        change(&mut sampling);
        policy().generate(&[], &sampling).unwrap_err().to_string()
    };
    assert_eq!(
        refuse(|s| s.temperature = -1.0),
        "temperature must be 0 or in [1e-4, 1e4], got -1"
    );
    assert_eq!(
        refuse(|s| s.top_k = Some(0)),
        "top_k must be in [1, 2^31), got 0"
    );
    assert_eq!(
        refuse(|s| s.top_p = Some(1.5)),
        "top_p must be in (0, 1], got 1.5"
    );
    assert_eq!(
        refuse(|s| s.min_p = Some(0.0)),
        "min_p must be in (0, 1], got 0"
    );
    assert_eq!(
        refuse(|s| (s.min_new_tokens, s.max_new_tokens) = (5, 4)),
        "min_new_tokens must be at most max_new_tokens, got 5"
    );
    assert!(refuse(|s| s.repetition_penalty = 0.0).contains("repetition_penalty"));
    // Numbers that a float or an index of libtorch cannot hold.
    for temperature in [1e-39, 1e300, f64::NAN] {
        let refused = Sampling {
            temperature,
            ..sampling(1.0)
        };
        assert!(refused.validate().is_err(), "{temperature}");
    }
    assert!(refuse(|s| s.repetition_penalty = 1e300).contains("in [1e-3, 1e3]"));
    assert!(refuse(|s| s.top_k = Some(1 << 63)).contains("in [1, 2^31)"));
    assert!(refuse(|s| s.stop = vec!["a".into(), String::new()]).contains("stop"));
}

#[test]
fn a_streamed_response_is_the_sampled_one_in_pieces() {
    let mut policy = policy();
    let sampling = sampling(1.0);
    let query: QueryId = "q".into();
    let request = SampleRequest {
        query: &query,
        prompt: TEXTS[0].into(),
        samples: 1,
    };
    let whole = policy.generate(&[request], &sampling).unwrap();
    let mut shown = Vec::new();
    let mut show = |piece: &str| {
        shown.push(piece.to_owned());
        ControlFlow::Continue(())
    };
    let streamed = policy.stream(request, &sampling, &mut show).unwrap();
    assert_eq!([streamed], *whole);
    assert!(shown.len() > 1, "{shown:?}");
    assert_eq!(shown.concat(), whole[0].responses[0].text);
    let cancelled = policy.stream(request, &sampling, &mut |_| ControlFlow::Break(()));
    assert!(matches!(cancelled, Err(Error::Cancelled)));
}
