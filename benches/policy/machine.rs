//! What the machine can do.

use std::{fs, time::Instant};

use tch::{Device, Kind, Tensor, no_grad};

use crate::{Result, case::Precision};

/// Tries of which the fastest counts.
const TRIES: usize = 5;

/// Floating-point operations a second of `[m, k] x [k, n]` matrix products.
pub(crate) fn matmul_flops([m, k, n]: [i64; 3], precision: Precision) -> Result<f64> {
    let kind = match precision {
        Precision::F32 => Kind::Float,
        Precision::Bf16 => Kind::BFloat16,
    };
    let random =
        |shape: [i64; 2]| Tensor::f_rand(shape, (Kind::Float, Device::Cpu))?.f_to_kind(kind);
    let (a, b) = (random([m, k])?, random([k, n])?);
    let mut least = f64::INFINITY;
    for _ in 0..TRIES {
        let begun = Instant::now();
        let _ = no_grad(|| a.f_mm(&b))?;
        least = least.min(begun.elapsed().as_secs_f64());
    }
    Ok(2.0 * (m * k * n) as f64 / least)
}

/// The processor's name, as the kernel gives it.
pub(crate) fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or("an unnamed processor", |rest| {
        rest.trim_start_matches(['\t', ' ', ':'])
    });
    name.to_owned()
}
