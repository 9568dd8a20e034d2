//! The kernels within a layer.

use tch::Tensor;

use super::{
    compiler::Source,
    device::{Device, Launch, build, ceil, pack},
    expect, operand, rows_of,
};
use crate::Result;

/// Threads of a block.
const THREADS: i64 = 256;
/// Rows up to this width are left to a warp each.
const WARP_ROW: i64 = 1024;

/// See [`ops::rms_norm`](crate::torch::ops::rms_norm).
pub(in crate::torch) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let device = Device::of("x", x)?;
    let x = x.f_contiguous()?;
    let (rows, n) = rows_of(&x);
    let weight = operand("weight", weight, &[n], &x)?;
    let y = x.f_empty_like()?;
    let block = if n <= WARP_ROW {
        (32, THREADS / 32)
    } else {
        (THREADS, 1)
    };
    let launch = Launch {
        build: build(Source::RmsNorm, &x),
        entry: "rms_norm",
        grid: (ceil(rows, block.1), 1),
        block,
    };
    let arguments = [
        (&x).into(),
        (&weight).into(),
        (&y).into(),
        rows.into(),
        n.into(),
        eps.into(),
    ];
    // SAFETY: x and y hold `rows` rows of n, the weight n, all of one kind.
    unsafe { device.launch(launch, &arguments)? };
    Ok(y)
}

/// See [`ops::rotate`](crate::torch::ops::rotate).
pub(in crate::torch) fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let device = Device::of("x", x)?;
    let (tokens, heads, head) = x.size3()?;
    let cos = operand("cos", cos, &[tokens, 1, head], x)?;
    let sin = operand("sin", sin, &[tokens, 1, head], x)?;
    // The heads of a token are mostly a part of a wider row: no need to copy them first.
    let stride = x.stride();
    let x = if stride[1..] == [head, 1] {
        x.shallow_clone()
    } else {
        x.f_contiguous()?
    };
    let y = Tensor::f_empty([tokens, heads, head], (x.kind(), x.device()))?;
    let pairs = heads * ceil(head / 2, pack(&x));
    let launch = Launch {
        build: build(Source::Rotate, &x),
        entry: "rotate",
        grid: (tokens, 1),
        block: ((ceil(pairs, 32) * 32).clamp(32, THREADS), 1),
    };
    let stride = x.stride()[0];
    let arguments = [
        (&x).into(),
        (&cos).into(),
        (&sin).into(),
        (&y).into(),
        heads.into(),
        head.into(),
        stride.into(),
    ];
    // SAFETY: x holds `heads` dense heads at each stride, y all of them, the tables one head per token; all of one kind.
    unsafe { device.launch(launch, &arguments)? };
    Ok(y)
}

/// See [`ops::swiglu`](crate::torch::ops::swiglu).
pub(in crate::torch) fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let device = Device::of("gate_up", gate_up)?;
    let (rows, both) = gate_up.size2()?;
    let wide = both / 2;
    expect(
        "gate_up",
        gate_up,
        &[rows, 2 * wide],
        gate_up.kind(),
        gate_up.device(),
    )?;
    let gate_up = gate_up.f_contiguous()?;
    let y = Tensor::f_empty([rows, wide], (gate_up.kind(), gate_up.device()))?;
    let launch = Launch {
        build: build(Source::Swiglu, &gate_up),
        entry: "swiglu",
        // Rows along x, since CUDA takes no more than 65,535 blocks along y.
        grid: (rows, ceil(wide, pack(&gate_up) * THREADS)),
        block: (THREADS, 1),
    };
    // SAFETY: gate_up holds `rows` rows of 2 wide, y of wide, of one kind.
    unsafe { device.launch(launch, &[(&gate_up).into(), (&y).into(), wide.into()])? };
    Ok(y)
}
