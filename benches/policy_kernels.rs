//! The policy's CUDA kernels, in bf16 at the sizes of a 3B model: how much of the GPU's memory bandwidth each reaches.
//!
//! Without a GPU it says so, and measures what stands in for the kernels on the CPU, on few rows.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::cell::Cell;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cudarc::driver::{CudaContext, sys::CUdevice_attribute};
use rerec_policy::ops::{self, Cached};
use tch::{Cuda, Device, Kind, Tensor};

/// Qwen2.5-3B: vocabulary, hidden size, width of the feed-forward layer, heads, key heads, width of a head.
const VOCAB: i64 = 151_936;
const HIDDEN: i64 = 2048;
const WIDE: i64 = 11_008;
const HEADS: i64 = 16;
const KV_HEADS: i64 = 2;
const HEAD: i64 = 128;
/// Of bf16.
const ELEMENT: i64 = 2;

struct Machine {
    device: Device,
    /// Bytes a second, where there is a GPU.
    peak: Option<f64>,
    tokens: i64,
    rows: i64,
}

impl Machine {
    fn new() -> Self {
        if !ops::has_kernels() {
            eprintln!("no GPU, or no NVRTC: these are times of the reference on the CPU");
            let (device, peak, tokens, rows) = (Device::Cpu, None, 64, 8);
            return Self {
                device,
                peak,
                tokens,
                rows,
            };
        }
        let peak = peak_bandwidth();
        eprintln!("peak memory bandwidth {:.0} GB/s", peak / 1e9);
        let (device, peak, tokens, rows) = (Device::Cuda(0), Some(peak), 8192, 1024);
        Self {
            device,
            peak,
            tokens,
            rows,
        }
    }

    fn random(&self, size: &[i64]) -> Tensor {
        Tensor::randn(size, (Kind::Float, self.device)).to_kind(Kind::BFloat16)
    }

    fn indices(&self, below: i64, count: i64) -> Tensor {
        Tensor::randint(below, [count], (Kind::Int64, self.device))
    }

    fn numbers(&self, count: i64) -> Tensor {
        Tensor::rand([count], (Kind::Float, self.device)) + 0.5
    }

    /// Measures `work`, which has to move `bytes`, and says what fraction of the peak its best sample is.
    fn bench(&self, c: &mut Criterion, name: &str, bytes: i64, mut work: impl FnMut()) {
        let best = Cell::new(f64::INFINITY);
        let mut group = c.benchmark_group("policy_kernels");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |b| {
            b.iter_custom(|count| {
                let time = self.time(count, &mut work);
                best.set(best.get().min(time.as_secs_f64() / count as f64));
                time
            });
        });
        group.finish();
        if let Some(peak) = self.peak {
            let reached = bytes as f64 / best.get();
            eprintln!(
                "{name}: {:.0} GB/s, {:.0} % of the peak",
                reached / 1e9,
                100.0 * reached / peak
            );
        }
    }

    fn time(&self, count: u64, work: &mut impl FnMut()) -> Duration {
        self.wait();
        let start = Instant::now();
        (0..count).for_each(|_| work());
        self.wait();
        start.elapsed()
    }

    fn wait(&self) {
        if let Device::Cuda(ordinal) = self.device {
            Cuda::synchronize(ordinal as i64);
        }
    }
}

/// Twice the memory clock, for two transfers a cycle, times the width of the bus.
fn peak_bandwidth() -> f64 {
    let context = CudaContext::new(0).unwrap();
    let attribute = |which| f64::from(context.attribute(which).unwrap());
    let kilohertz = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
    let bits = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
    2.0 * kilohertz * 1e3 * bits / 8.0
}

fn layer(c: &mut Criterion) {
    let m = Machine::new();
    let (x, weight) = (m.random(&[m.tokens, HIDDEN]), m.random(&[HIDDEN]));
    m.bench(c, "rms_norm", 2 * ELEMENT * m.tokens * HIDDEN, || {
        let _ = ops::rms_norm(&x, &weight, 1e-6).unwrap();
    });
    let heads = HEADS + KV_HEADS;
    let x = m.random(&[m.tokens, heads, HEAD]);
    let (cos, sin) = (
        m.random(&[m.tokens, 1, HEAD]),
        m.random(&[m.tokens, 1, HEAD]),
    );
    m.bench(
        c,
        "rotate",
        2 * ELEMENT * m.tokens * (heads + 1) * HEAD,
        || {
            let _ = ops::rotate(&x, &cos, &sin).unwrap();
        },
    );
    let gate_up = m.random(&[m.tokens, 2 * WIDE]);
    m.bench(c, "swiglu", 3 * ELEMENT * m.tokens * WIDE, || {
        let _ = ops::swiglu(&gate_up).unwrap();
    });
}

fn vocabulary(c: &mut Criterion) {
    let m = Machine::new();
    let mut logits = m.random(&[m.rows, VOCAB]);
    let (targets, temperatures) = (m.indices(VOCAB, m.rows), m.numbers(m.rows));
    let bytes = ELEMENT * m.rows * VOCAB;
    m.bench(c, "select", bytes, || {
        let _ = ops::select(&logits, &targets, &temperatures).unwrap();
    });
    let uniform = Tensor::rand([m.rows], (Kind::Float, m.device));
    m.bench(c, "draw", bytes, || {
        let _ = ops::draw(&logits, &uniform, 1.0).unwrap();
    });
    let normalisers = ops::select(&logits, &targets, &temperatures)
        .unwrap()
        .normalisers;
    m.bench(c, "logits_gradient", 2 * bytes, || {
        let taken = logits.shallow_clone();
        logits =
            ops::logits_gradient(taken, &normalisers, &targets, &uniform, &temperatures).unwrap();
    });
}

/// Groups of 8 behind prompts of 768 tokens, half way through responses of 768. The fraction of the peak is of the bytes
/// that have to be moved; the prompt's part is bound by arithmetic.
fn decode(c: &mut Criterion) {
    let m = Machine::new();
    let (slots, own) = (768, 384);
    let prompts = m.rows / 8;
    let cache = |lists: i64| m.random(&[lists, KV_HEADS, slots, HEAD]);
    let (keys, values, own_keys, own_values) =
        (cache(prompts), cache(prompts), cache(m.rows), cache(m.rows));
    let q = m.random(&[m.rows, KV_HEADS, HEADS / KV_HEADS, HEAD]);
    let filled = |lists: i64, len: i64| Tensor::full([lists], len, (Kind::Int64, m.device));
    let (prompt_lens, own_lens) = (filled(prompts, slots), filled(m.rows, own));
    let prompt_of = Tensor::arange(m.rows, (Kind::Int64, m.device)).divide_scalar_mode(8, "floor");
    let bytes = 2 * ELEMENT * KV_HEADS * HEAD * (prompts * slots + m.rows * own);
    m.bench(c, "decode_attention", bytes, || {
        let _ = ops::decode_attention(
            &q,
            Cached {
                keys: &keys,
                values: &values,
                lens: &prompt_lens,
            },
            &prompt_of,
            Cached {
                keys: &own_keys,
                values: &own_values,
                lens: &own_lens,
            },
        )
        .unwrap();
    });
}

criterion_group!(benches, layer, vocabulary, decode);
criterion_main!(benches);
