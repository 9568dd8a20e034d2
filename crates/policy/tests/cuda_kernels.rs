//! Every CUDA kernel against libtorch on the CPU. Without a GPU there is nothing to compare, and each test says so.
#![cfg(feature = "cuda")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where an unwrap does, and says what it skips"
)]

use rerec_policy::ops::{self, Cached};
use tch::{Device, Kind, Tensor, no_grad};

const GPU: Device = Device::Cuda(0);
const KINDS: [Kind; 2] = [Kind::Float, Kind::BFloat16];
/// Of SmolLM2, of Qwen2.5, and two whose rows do not lie on 16 bytes.
const VOCABULARIES: [i64; 4] = [49_152, 151_936, 50_257, 3];

/// What comes first in a test: the same random numbers each time, and whether there is nothing to compare.
fn skip() -> bool {
    tch::manual_seed(1);
    let skip = !ops::has_kernels();
    if skip {
        eprintln!("skipped, nothing was compared: no GPU, or no NVRTC");
    }
    skip
}

/// Normally distributed numbers on the CPU, already rounded to the kind that kernels get.
fn random(size: &[i64], scale: f64, kind: Kind) -> Tensor {
    let x = Tensor::randn(size, (Kind::Float, Device::Cpu)) * scale;
    x.to_kind(kind)
}

/// A column with room in front, so that kernels meet rows at every offset.
fn shifted(x: &Tensor, by: i64) -> Tensor {
    let wide = Tensor::zeros([x.numel() as i64 + by], (x.kind(), GPU));
    let view = wide
        .narrow(0, by, x.numel() as i64)
        .view(x.size().as_slice());
    view.shallow_clone().copy_(&x.to_device(GPU));
    view
}

fn f32s(x: &Tensor) -> Tensor {
    x.to_device(Device::Cpu).to_kind(Kind::Float)
}

/// |got - expected| <= tolerance * (1 + |expected|), and NaN nowhere.
#[track_caller]
fn assert_close(got: &Tensor, expected: &Tensor, tolerance: f64) {
    let (got, expected) = (f32s(got), f32s(expected));
    assert_eq!(got.size(), expected.size());
    let gap = (&got - &expected).abs() / (expected.abs() + 1.0);
    let worst = gap.max().double_value(&[]);
    assert!(worst <= tolerance, "off by {worst}, allowed {tolerance}");
}

/// Rounding to the element type, and some for another order of sums.
fn tolerance(kind: Kind) -> f64 {
    if kind == Kind::BFloat16 { 1e-2 } else { 5e-6 }
}

#[test]
fn rms_norm_is_libtorchs() {
    if skip() {
        return;
    }
    for kind in KINDS {
        for (rows, n) in [(3, 576), (17, 64), (5, 2048), (2, 4095), (1, 1)] {
            let (x, weight) = (random(&[rows, n], 3.0, kind), random(&[n], 1.0, kind));
            let expected = ops::rms_norm(&f32s(&x), &f32s(&weight), 1e-6).unwrap();
            for by in [0, 1] {
                let got = ops::rms_norm(&shifted(&x, by), &shifted(&weight, by), 1e-6).unwrap();
                assert_close(&got, &expected, tolerance(kind));
            }
        }
    }
}

#[test]
fn rotate_is_libtorchs_also_on_some_heads_of_a_row() {
    if skip() {
        return;
    }
    for kind in KINDS {
        for (heads, head) in [(9, 64), (32, 128), (1, 80), (3, 6)] {
            let all = random(&[7, heads + 2, head], 1.0, kind);
            let (cos, sin) = (
                random(&[7, 1, head], 0.7, kind),
                random(&[7, 1, head], 0.7, kind),
            );
            let expected = ops::rotate(&f32s(&all), &f32s(&cos), &f32s(&sin)).unwrap();
            let (all, cos, sin) = (all.to_device(GPU), cos.to_device(GPU), sin.to_device(GPU));
            for start in [0, 2] {
                let got = ops::rotate(&all.narrow(1, start, heads), &cos, &sin).unwrap();
                assert_close(&got, &expected.narrow(1, start, heads), tolerance(kind));
            }
        }
    }
}

#[test]
fn swiglu_is_libtorchs() {
    if skip() {
        return;
    }
    for kind in KINDS {
        for (rows, wide) in [(5, 1536), (64, 8192), (3, 1537), (1, 1)] {
            let x = random(&[rows, 2 * wide], 3.0, kind);
            let expected = ops::swiglu(&f32s(&x)).unwrap();
            for by in [0, 1] {
                assert_close(
                    &ops::swiglu(&shifted(&x, by)).unwrap(),
                    &expected,
                    tolerance(kind),
                );
            }
        }
    }
}

/// Logits with some at minus infinity, targets, slopes and temperatures, on the CPU.
fn batch(rows: i64, vocab: i64, kind: Kind) -> (Tensor, Tensor, Tensor, Tensor) {
    let logits = random(&[rows, vocab], 5.0, kind);
    let targets = Tensor::randint(vocab, [rows], (Kind::Int64, Device::Cpu));
    let masked = logits.gt(8.0).scatter_value(1, &targets.unsqueeze(1), 0);
    let logits = logits.masked_fill(&masked, f64::NEG_INFINITY);
    let temperatures = Tensor::rand([rows], (Kind::Float, Device::Cpu)) + 0.5;
    (
        logits,
        targets,
        random(&[rows], 1.0, Kind::Float),
        temperatures,
    )
}

#[test]
fn select_and_its_gradient_are_libtorchs() {
    if skip() {
        return;
    }
    for kind in KINDS {
        for vocab in VOCABULARIES {
            let (logits, targets, slopes, temperatures) = batch(9, vocab, kind);
            let wide = f32s(&logits);
            let expected = ops::select(&wide, &targets, &temperatures).unwrap();
            let scores = ops::score(&wide, &targets, &temperatures).unwrap();
            let gradient = ops::logits_gradient(
                wide.copy(),
                &expected.normalisers,
                &targets,
                &slopes,
                &temperatures,
            )
            .unwrap();

            let [targets, slopes, temperatures] =
                [targets, slopes, temperatures].map(|t| t.to_device(GPU));
            let logits = shifted(&logits, 1);
            let got = ops::select(&logits, &targets, &temperatures).unwrap();
            assert_close(&got.log_probs, &expected.log_probs, 5e-6);
            assert_close(&got.normalisers, &expected.normalisers, 5e-6);
            let got_scores = ops::score(&logits, &targets, &temperatures).unwrap();
            assert_close(&got_scores.log_probs, &scores.log_probs, 5e-6);
            assert_close(&got_scores.entropies, &scores.entropies, 1e-5);
            let got =
                ops::logits_gradient(logits, &got.normalisers, &targets, &slopes, &temperatures)
                    .unwrap();
            assert_close(&got, &gradient, tolerance(kind));
        }
    }
}

#[test]
fn draw_takes_the_token_that_its_number_falls_into() {
    if skip() {
        return;
    }
    for kind in KINDS {
        for vocab in VOCABULARIES {
            let (logits, _, _, _) = batch(32, vocab, kind);
            let uniform = Tensor::rand([32], (Kind::Float, Device::Cpu));
            for temperature in [1.0, 0.6] {
                let (ids, log_probs) =
                    ops::draw(&shifted(&logits, 1), &uniform.to_device(GPU), temperature).unwrap();
                let ids = ids.to_device(Device::Cpu).unsqueeze(1);
                let all = (f32s(&logits).to_kind(Kind::Double) / temperature).log_softmax(-1, None);
                let chosen = all.gather(1, &ids, false);
                assert_close(&log_probs, &chosen.squeeze_dim(1), 5e-6);
                let upper = all.exp().cumsum(-1, None).gather(1, &ids, false);
                let lower = &upper - chosen.exp();
                let uniform = uniform.unsqueeze(1).to_kind(Kind::Double);
                assert!((&lower - 2e-6).le_tensor(&uniform).all().int64_value(&[]) == 1);
                assert!((&upper + 2e-6).ge_tensor(&uniform).all().int64_value(&[]) == 1);
            }
        }
    }
}

#[test]
fn a_draw_does_not_depend_on_batch_or_place() {
    if skip() {
        return;
    }
    let (logits, _, _, _) = batch(8, 50_257, Kind::BFloat16);
    let uniform = Tensor::rand([8], (Kind::Float, GPU));
    let (ids, log_probs) = ops::draw(&logits.to_device(GPU), &uniform, 1.0).unwrap();
    for row in 0..8 {
        let one = shifted(&logits.narrow(0, row, 1), row);
        let (id, log_prob) = ops::draw(&one, &uniform.narrow(0, row, 1), 1.0).unwrap();
        assert_eq!(id, ids.narrow(0, row, 1));
        assert_eq!(log_prob, log_probs.narrow(0, row, 1));
    }
}

#[test]
fn temperature_zero_takes_the_first_of_the_greatest() {
    if skip() {
        return;
    }
    for vocab in VOCABULARIES {
        let logits = random(&[4, vocab], 1.0, Kind::BFloat16).clamp_max(2.0);
        let uniform = Tensor::rand([4], (Kind::Float, Device::Cpu));
        let (expected, expected_log_probs) = ops::draw(&f32s(&logits), &uniform, 0.0).unwrap();
        let (ids, log_probs) =
            ops::draw(&logits.to_device(GPU), &uniform.to_device(GPU), 0.0).unwrap();
        assert_eq!(ids.to_device(Device::Cpu), expected);
        assert_close(&log_probs, &expected_log_probs, 5e-6);
    }
}

#[test]
fn decode_attention_is_libtorchs() {
    if skip() {
        return;
    }
    // Heads of SmolLM2-135M, of Qwen2.5-7B and Llama-3.2-1B, and more queries than a warp holds.
    for (kv_heads, queries, head) in [(3, 3, 64), (4, 7, 128), (8, 4, 64), (1, 16, 80)] {
        for (prompts, rows, slots, capacity) in
            [(4, 32, 384, 128), (1, 5, 37, 1), (3, 11, 2100, 700)]
        {
            for kind in KINDS {
                let cache =
                    |lists: i64, slots: i64| random(&[lists, kv_heads, slots, head], 1.0, kind);
                let q = random(&[rows, kv_heads, queries, head], 1.0, kind);
                let caches = [
                    cache(prompts, slots),
                    cache(prompts, slots),
                    cache(rows, capacity),
                    cache(rows, capacity),
                ];
                let below = |most: i64, count: i64| {
                    Tensor::randint(most, [count], (Kind::Int64, Device::Cpu))
                };
                let indices = [
                    below(slots + 1, prompts),
                    below(prompts, rows),
                    below(capacity, rows) + 1,
                ];
                let run =
                    |q: &Tensor, [pk, pv, ok, ov]: [Tensor; 4], [lens, of, own]: [Tensor; 3]| {
                        let prompts = Cached {
                            keys: &pk,
                            values: &pv,
                            lens: &lens,
                        };
                        let own = Cached {
                            keys: &ok,
                            values: &ov,
                            lens: &own,
                        };
                        ops::decode_attention(q, prompts, &of, own).unwrap()
                    };
                let expected = run(
                    &f32s(&q),
                    caches.each_ref().map(f32s),
                    indices.each_ref().map(Tensor::shallow_clone),
                );
                let got = run(
                    &q.to_device(GPU),
                    caches.map(|t| t.to_device(GPU)),
                    indices.map(|t| t.to_device(GPU)),
                );
                assert_close(&got, &expected, tolerance(kind));
            }
        }
    }
}

#[test]
fn kernels_leave_recorded_operations_to_libtorch() {
    if skip() {
        return;
    }
    let x = random(&[4, 64], 1.0, Kind::Float).to_device(GPU);
    let weight = Tensor::ones([64], (Kind::Float, GPU)).set_requires_grad(true);
    let y = ops::rms_norm(&x, &weight, 1e-6).unwrap();
    assert!(y.requires_grad());
    assert_close(
        &no_grad(|| ops::rms_norm(&x, &weight, 1e-6)).unwrap(),
        &y,
        5e-6,
    );
}
