//! Every kernel beside libtorch on the CPU: what the tests assert and `cargo xtask gpu-check` reports.

use rerec_policy::{
    Result,
    ops::{self, Cached},
};
use tch::{Device, Kind, Tensor};

const KINDS: [Kind; 2] = [Kind::Float, Kind::BFloat16];

/// How far apart two results are.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// What was compared: kind and shape.
    pub(crate) case: String,
    /// |got - expected| / (1 + |expected|) at worst; of ids, how many differ.
    pub(crate) gap: f64,
    pub(crate) allowed: f64,
}

impl Comparison {
    /// A gap that is no number does not hold.
    pub(crate) fn holds(&self) -> bool {
        self.gap <= self.allowed
    }
}

/// The comparisons on a device.
#[derive(Debug)]
pub(crate) struct Parity {
    device: Device,
    /// Few and small tensors.
    tiny: bool,
    done: Vec<Comparison>,
}

/// A kernel by its name.
pub(crate) type Kernel = (&'static str, fn(&mut Parity) -> Result<()>);

pub(crate) const KERNELS: [Kernel; 7] = [
    ("rms_norm", Parity::rms_norm),
    ("rotate", Parity::rotate),
    ("swiglu", Parity::swiglu),
    ("select", Parity::select),
    ("logits_gradient", Parity::logits_gradient),
    ("draw", Parity::draw),
    ("decode_attention", Parity::decode_attention),
];

/// Compares one kernel, on the same random numbers each time.
///
/// # Errors
/// Those of the operation.
pub(crate) fn compare(kernel: Kernel, device: Device, tiny: bool) -> Result<Vec<Comparison>> {
    tch::manual_seed(1);
    let mut parity = Parity {
        device,
        tiny,
        done: Vec::new(),
    };
    kernel.1(&mut parity)?;
    Ok(parity.done)
}

/// The greatest |got - expected| / (1 + |expected|); no number where there is one among them.
pub(crate) fn gap(got: &Tensor, expected: &Tensor) -> f64 {
    let (got, expected) = (f32s(got), f32s(expected));
    if got.size() != expected.size() {
        return f64::INFINITY;
    }
    let gap = (&got - &expected).abs() / (expected.abs() + 1.0);
    gap.max().double_value(&[])
}

fn f32s(x: &Tensor) -> Tensor {
    x.to_device(Device::Cpu).to_kind(Kind::Float)
}

/// Normally distributed numbers on the CPU, already rounded to the kind that kernels get.
fn random(size: &[i64], scale: f64, kind: Kind) -> Tensor {
    let x = Tensor::randn(size, (Kind::Float, Device::Cpu)) * scale;
    x.to_kind(kind)
}

fn below(most: i64, count: i64) -> Tensor {
    Tensor::randint(most, [count], (Kind::Int64, Device::Cpu))
}

/// Rounding to the element type, and some for another order of sums.
fn tolerance(kind: Kind) -> f64 {
    if kind == Kind::BFloat16 { 1e-2 } else { 5e-6 }
}

/// Logits with some at minus infinity, and what goes with each row, on the CPU.
struct Batch {
    logits: Tensor,
    targets: Tensor,
    slopes: Tensor,
    temperatures: Tensor,
}

impl Batch {
    fn new(rows: i64, vocab: i64, kind: Kind) -> Self {
        let logits = random(&[rows, vocab], 5.0, kind);
        let targets = below(vocab, rows);
        let masked = logits.gt(8.0).scatter_value(1, &targets.unsqueeze(1), 0);
        Self {
            logits: logits.masked_fill(&masked, f64::NEG_INFINITY),
            targets,
            slopes: random(&[rows], 1.0, Kind::Float),
            temperatures: Tensor::rand([rows], (Kind::Float, Device::Cpu)) + 0.5,
        }
    }
}

impl Parity {
    fn add(&mut self, case: String, gap: f64, allowed: f64) {
        self.done.push(Comparison { case, gap, allowed });
    }

    fn here(&self, x: &Tensor) -> Tensor {
        x.to_device(self.device)
    }

    /// A tensor with room in front, so that kernels meet rows at every offset.
    fn shifted(&self, x: &Tensor, by: i64) -> Tensor {
        let count = x.numel() as i64;
        let wide = Tensor::zeros([count + by], (x.kind(), self.device));
        let mut view = wide.narrow(0, by, count).view(x.size().as_slice());
        view.copy_(x);
        view
    }

    /// Of SmolLM2, of Qwen2.5, and two whose rows do not lie on 16 bytes.
    fn vocabularies(&self) -> &'static [i64] {
        match self.tiny {
            true => &[257, 3],
            false => &[49_152, 151_936, 50_257, 3],
        }
    }

    fn rms_norm(&mut self) -> Result<()> {
        for kind in KINDS {
            for (rows, n) in [(3, 576), (17, 64), (5, 2048), (2, 4095), (1, 1)] {
                let (x, weight) = (random(&[rows, n], 3.0, kind), random(&[n], 1.0, kind));
                let expected = ops::rms_norm(&f32s(&x), &f32s(&weight), 1e-6)?;
                for by in [0, 1] {
                    let got =
                        ops::rms_norm(&self.shifted(&x, by), &self.shifted(&weight, by), 1e-6)?;
                    let case = format!("{kind:?} [{rows}, {n}] at {by}");
                    self.add(case, gap(&got, &expected), tolerance(kind));
                }
            }
        }
        Ok(())
    }

    /// Also on some heads of a row.
    fn rotate(&mut self) -> Result<()> {
        for kind in KINDS {
            for (heads, head) in [(9, 64), (32, 128), (1, 80), (3, 6)] {
                let all = random(&[7, heads + 2, head], 1.0, kind);
                let table = || random(&[7, 1, head], 0.7, kind);
                let (cos, sin) = (table(), table());
                let expected = ops::rotate(&f32s(&all), &f32s(&cos), &f32s(&sin))?;
                let [all, cos, sin] = [all, cos, sin].map(|t| self.here(&t));
                for start in [0, 2] {
                    let got = ops::rotate(&all.narrow(1, start, heads), &cos, &sin)?;
                    let expected = expected.narrow(1, start, heads);
                    let case = format!("{kind:?} [7, {heads}, {head}] from head {start}");
                    self.add(case, gap(&got, &expected), tolerance(kind));
                }
            }
        }
        Ok(())
    }

    fn swiglu(&mut self) -> Result<()> {
        for kind in KINDS {
            for (rows, wide) in [(5, 1536), (64, 8192), (3, 1537), (1, 1)] {
                let x = random(&[rows, 2 * wide], 3.0, kind);
                let expected = ops::swiglu(&f32s(&x))?;
                for by in [0, 1] {
                    let got = ops::swiglu(&self.shifted(&x, by))?;
                    let case = format!("{kind:?} [{rows}, 2 x {wide}] at {by}");
                    self.add(case, gap(&got, &expected), tolerance(kind));
                }
            }
        }
        Ok(())
    }

    /// With the entropies of scoring, which the same kernel gives.
    fn select(&mut self) -> Result<()> {
        for kind in KINDS {
            for &vocab in self.vocabularies() {
                let b = Batch::new(9, vocab, kind);
                let expected = ops::select(&f32s(&b.logits), &b.targets, &b.temperatures)?;
                let scores = ops::score(&f32s(&b.logits), &b.targets, &b.temperatures)?;
                let logits = self.shifted(&b.logits, 1);
                let (targets, temperatures) = (self.here(&b.targets), self.here(&b.temperatures));
                let got = ops::select(&logits, &targets, &temperatures)?;
                let got_scores = ops::score(&logits, &targets, &temperatures)?;
                let mut add = |what, got: &Tensor, expected: &Tensor, allowed| {
                    let case = format!("{what}, {kind:?} [9, {vocab}]");
                    self.add(case, gap(got, expected), allowed);
                };
                add(
                    "log-probabilities",
                    &got.log_probs,
                    &expected.log_probs,
                    5e-6,
                );
                add("normalisers", &got.normalisers, &expected.normalisers, 5e-6);
                add("scores", &got_scores.log_probs, &scores.log_probs, 5e-6);
                add("entropies", &got_scores.entropies, &scores.entropies, 1e-5);
            }
        }
        Ok(())
    }

    fn logits_gradient(&mut self) -> Result<()> {
        for kind in KINDS {
            for &vocab in self.vocabularies() {
                let b = Batch::new(9, vocab, kind);
                let normalisers =
                    ops::select(&f32s(&b.logits), &b.targets, &b.temperatures)?.normalisers;
                let run = |logits, [normalisers, targets, slopes, temperatures]: [&Tensor; 4]| {
                    ops::logits_gradient(logits, normalisers, targets, slopes, temperatures)
                };
                let rest = [&normalisers, &b.targets, &b.slopes, &b.temperatures];
                let expected = run(f32s(&b.logits).copy(), rest)?;
                let here = rest.map(|t| self.here(t));
                let got = run(self.shifted(&b.logits, 1), here.each_ref())?;
                let case = format!("{kind:?} [9, {vocab}]");
                self.add(case, gap(&got, &expected), tolerance(kind));
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<()> {
        for kind in KINDS {
            for &vocab in self.vocabularies() {
                let logits = Batch::new(32, vocab, kind).logits;
                for temperature in [1.0, 0.6] {
                    self.draw_by_number(&logits, temperature)?;
                }
                self.draw_alone(&logits)?;
                self.draw_greatest(vocab, kind)?;
            }
        }
        Ok(())
    }

    /// The token is the one that its number falls into.
    fn draw_by_number(&mut self, logits: &Tensor, temperature: f64) -> Result<()> {
        let (rows, vocab) = logits.size2()?;
        let uniform = Tensor::rand([rows], (Kind::Float, Device::Cpu));
        let (ids, log_probs) =
            ops::draw(&self.shifted(logits, 1), &self.here(&uniform), temperature)?;
        let ids = ids.to_device(Device::Cpu).unsqueeze(1);
        let all = (f32s(logits).to_kind(Kind::Double) / temperature).log_softmax(-1, None);
        let chosen = all.gather(1, &ids, false);
        let case = |what| {
            format!(
                "{what}, {:?} [{rows}, {vocab}] at {temperature}",
                logits.kind()
            )
        };
        let expected = chosen.squeeze_dim(1);
        self.add(case("log-probabilities"), gap(&log_probs, &expected), 5e-6);
        let upper = all.exp().cumsum(-1, None).gather(1, &ids, false);
        let lower = &upper - chosen.exp();
        let uniform = uniform.unsqueeze(1).to_kind(Kind::Double);
        let outside = (&lower - &uniform).maximum(&(&uniform - &upper)).max();
        let outside = outside.double_value(&[]).max(0.0);
        self.add(case("numbers outside of their tokens"), outside, 2e-6);
        Ok(())
    }

    /// Neither batch nor place changes a draw.
    fn draw_alone(&mut self, logits: &Tensor) -> Result<()> {
        let (_, vocab) = logits.size2()?;
        let rows = 8;
        let uniform = self.here(&Tensor::rand([rows], (Kind::Float, Device::Cpu)));
        let logits = logits.narrow(0, 0, rows);
        let (ids, log_probs) = ops::draw(&self.here(&logits), &uniform, 1.0)?;
        let mut different = 0;
        for row in 0..rows {
            let one = self.shifted(&logits.narrow(0, row, 1), row);
            let (id, log_prob) = ops::draw(&one, &uniform.narrow(0, row, 1), 1.0)?;
            let is_same = id == ids.narrow(0, row, 1) && log_prob == log_probs.narrow(0, row, 1);
            different += i32::from(!is_same);
        }
        let case = format!(
            "rows that differ alone, {:?} [{rows}, {vocab}]",
            logits.kind()
        );
        self.add(case, different.into(), 0.0);
        Ok(())
    }

    /// Temperature 0 takes the first of the greatest.
    fn draw_greatest(&mut self, vocab: i64, kind: Kind) -> Result<()> {
        let logits = random(&[4, vocab], 1.0, kind).clamp_max(2.0);
        let uniform = Tensor::rand([4], (Kind::Float, Device::Cpu));
        let (expected, expected_log_probs) = ops::draw(&f32s(&logits), &uniform, 0.0)?;
        let (ids, log_probs) = ops::draw(&self.here(&logits), &self.here(&uniform), 0.0)?;
        let different = ids.to_device(Device::Cpu).ne_tensor(&expected);
        let different = different.sum(Kind::Double).double_value(&[]);
        let case = |what| format!("{what}, {kind:?} [4, {vocab}]");
        self.add(case("greatest ids that differ"), different, 0.0);
        let off = gap(&log_probs, &expected_log_probs);
        self.add(case("greatest log-probabilities"), off, 5e-6);
        Ok(())
    }

    /// Heads of SmolLM2-135M, of Qwen2.5-7B and Llama-3.2-1B, and more queries than a warp holds.
    fn decode_attention(&mut self) -> Result<()> {
        let caches: &[_] = match self.tiny {
            true => &[(1, 5, 37, 1), (3, 11, 21, 7)],
            false => &[(4, 32, 384, 128), (1, 5, 37, 1), (3, 11, 2100, 700)],
        };
        for heads in [(3, 3, 64), (4, 7, 128), (8, 4, 64), (1, 16, 80)] {
            for &cache in caches {
                for kind in KINDS {
                    self.attend(heads, cache, kind)?;
                }
            }
        }
        Ok(())
    }

    fn attend(
        &mut self,
        (kv_heads, queries, head): (i64, i64, i64),
        (prompts, rows, slots, capacity): (i64, i64, i64, i64),
        kind: Kind,
    ) -> Result<()> {
        let cache = |lists, slots| random(&[lists, kv_heads, slots, head], 1.0, kind);
        let q = random(&[rows, kv_heads, queries, head], 1.0, kind);
        let caches = [
            cache(prompts, slots),
            cache(prompts, slots),
            cache(rows, capacity),
            cache(rows, capacity),
        ];
        let indices = [
            below(slots + 1, prompts),
            below(prompts, rows),
            below(capacity, rows) + 1,
        ];
        let run = |q: &Tensor, [pk, pv, ok, ov]: [Tensor; 4], [lens, of, own]: [Tensor; 3]| {
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
            ops::decode_attention(q, prompts, &of, own)
        };
        let expected = run(
            &f32s(&q),
            caches.each_ref().map(f32s),
            indices.each_ref().map(Tensor::shallow_clone),
        )?;
        let got = run(
            &self.here(&q),
            caches.map(|t| self.here(&t)),
            indices.map(|t| self.here(&t)),
        )?;
        let case = format!(
            "{kind:?} [{rows}, {kv_heads}, {queries}, {head}] over {prompts} x {slots} and {capacity}"
        );
        self.add(case, gap(&got, &expected), tolerance(kind));
        Ok(())
    }
}
