//! The kernels over a vocabulary of logits.

use tch::{Kind, Tensor};

use super::{
    column,
    compiler::Source,
    contiguous,
    device::{Device, Launch, build, ceil, pack},
};
use crate::Result;

/// Threads of a block; the sources know the number.
const THREADS: i64 = 512;

/// What one pass over rows of logits gives, each `[rows]` f32.
#[derive(Debug)]
pub(in crate::torch) struct Selected {
    pub(in crate::torch) log_probs: Tensor,
    pub(in crate::torch) normalisers: Tensor,
    pub(in crate::torch) entropies: Tensor,
}

/// See [`ops::select`](crate::torch::ops::select) and [`ops::score`](crate::torch::ops::score). A target outside the
/// vocabulary has the log-probability NaN.
pub(in crate::torch) fn select(
    logits: &Tensor,
    targets: &Tensor,
    temperatures: &Tensor,
) -> Result<Selected> {
    let device = Device::of("logits", logits)?;
    let (rows, vocab) = logits.size2()?;
    let logits = logits.f_contiguous()?;
    let targets = column("targets", targets, rows, Kind::Int64, &logits)?;
    let temperatures = column("temperatures", temperatures, rows, Kind::Float, &logits)?;
    let result = || Tensor::f_empty([rows], (Kind::Float, logits.device()));
    let selected = Selected {
        log_probs: result()?,
        normalisers: result()?,
        entropies: result()?,
    };
    let launch = Launch {
        build: build(Source::Select, &logits),
        entry: "select",
        grid: (rows, 1),
        block: (THREADS, 1),
    };
    let arguments = [
        (&logits).into(),
        (&targets).into(),
        (&temperatures).into(),
        (&selected.log_probs).into(),
        (&selected.normalisers).into(),
        (&selected.entropies).into(),
        vocab.into(),
    ];
    // SAFETY: logits hold `rows` rows of `vocab`, all others one number per row, in the kinds that the kernel declares.
    unsafe { device.launch(launch, &arguments)? };
    Ok(selected)
}

/// See [`ops::logits_gradient`](crate::torch::ops::logits_gradient).
pub(in crate::torch) fn logits_gradient(
    logits: Tensor,
    normalisers: &Tensor,
    targets: &Tensor,
    slopes: &Tensor,
    temperatures: &Tensor,
) -> Result<Tensor> {
    let device = Device::of("logits", &logits)?;
    let (rows, vocab) = logits.size2()?;
    contiguous("logits", &logits)?;
    let targets = column("targets", targets, rows, Kind::Int64, &logits)?;
    let numbers = |name, tensor: &Tensor| column(name, tensor, rows, Kind::Float, &logits);
    let normalisers = numbers("normalisers", normalisers)?;
    let slopes = numbers("slopes", slopes)?;
    let temperatures = numbers("temperatures", temperatures)?;
    let launch = Launch {
        build: build(Source::Select, &logits),
        entry: "logits_gradient",
        grid: (rows, ceil(vocab, pack(&logits) * THREADS)),
        block: (THREADS, 1),
    };
    let arguments = [
        (&logits).into(),
        (&normalisers).into(),
        (&targets).into(),
        (&slopes).into(),
        (&temperatures).into(),
        vocab.into(),
    ];
    // SAFETY: as in `select`.
    unsafe { device.launch(launch, &arguments)? };
    Ok(logits)
}

/// See [`ops::draw`](crate::torch::ops::draw).
pub(in crate::torch) fn draw(
    logits: &Tensor,
    uniform: &Tensor,
    temperature: f64,
) -> Result<(Tensor, Tensor)> {
    let device = Device::of("logits", logits)?;
    let (rows, vocab) = logits.size2()?;
    let logits = logits.f_contiguous()?;
    let uniform = column("uniform", uniform, rows, Kind::Float, &logits)?;
    let ids = Tensor::f_empty([rows], (Kind::Int64, logits.device()))?;
    let log_probs = Tensor::f_empty([rows], (Kind::Float, logits.device()))?;
    let launch = Launch {
        build: build(Source::Draw, &logits),
        entry: "draw",
        grid: (rows, 1),
        block: (THREADS, 1),
    };
    let arguments = [
        (&logits).into(),
        (&uniform).into(),
        (&ids).into(),
        (&log_probs).into(),
        vocab.into(),
        temperature.into(),
    ];
    // SAFETY: as in `select`.
    unsafe { device.launch(launch, &arguments)? };
    Ok((ids, log_probs))
}
