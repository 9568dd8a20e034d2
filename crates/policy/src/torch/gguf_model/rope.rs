//! Stretched rotary frequencies in a GGUF file, by llama.cpp's rules.

use std::f64::consts::PI;

use super::meta::Meta;
use crate::{RopeScaling, Yarn, error::Result, rope_scaling::llama3_divisor};

/// A divisor for each rotary frequency.
pub(crate) const DIVISORS: &str = "rope_freqs.weight";

/// What the file says under `<architecture>.rope`, for heads of `head` numbers and the base `theta`.
pub(super) fn scaling(
    meta: &Meta<'_>,
    architecture: &str,
    head: usize,
    theta: f64,
) -> Result<Option<RopeScaling>> {
    let own = |key: &str| format!("{architecture}.rope.{key}");
    let kind = own("scaling.type");
    let factor = match meta.optional_float(&own("scaling.factor"))? {
        // The key of older files.
        None => meta.optional_float(&own("scale_linear"))?,
        given => given,
    };
    // A factor of 0 means none.
    let factor = factor.filter(|factor| *factor != 0.0);
    let stretched = match (meta.optional_text(&kind)?, factor) {
        (Some("none"), _) | (None | Some("linear" | "yarn"), None) => None,
        (None | Some("linear"), Some(factor)) => {
            (factor != 1.0).then_some(RopeScaling::Linear { factor })
        }
        (Some("yarn"), Some(factor)) => Some(RopeScaling::Yarn(Yarn {
            factor,
            original_max_position_embeddings: meta
                .optional_float_or_number(&own("scaling.original_context_length"))?,
            attention_factor: None,
            beta_fast: meta.optional_float(&own("scaling.yarn_beta_fast"))?,
            beta_slow: meta.optional_float(&own("scaling.yarn_beta_slow"))?,
            mscale: None,
            mscale_all_dim: None,
            truncate: None,
        })),
        (Some(other), _) => {
            return Err(meta.fault(&kind, &format!("none, linear or yarn, got {other:?}")));
        }
    };
    match (meta.0.tensors().contains_key(DIVISORS), stretched) {
        (false, stretched) => Ok(stretched),
        (true, None) => divided(meta, head, theta),
        (true, Some(_)) => Err(meta
            .0
            .fault(DIVISORS, format!("stands beside {kind}, and both stretch"))),
    }
}

/// Turns within the first context that bound Llama 3's stretching in all models of that family.
const LOW: f64 = 1.0;
const HIGH: f64 = 4.0;

/// Llama 3's stretching is stored as its divisors alone. Factor and first context are worked out from them, with 1 and 4 turns
/// as the bounds that all models of that family have, and have to give the same divisors again.
fn divided(meta: &Meta<'_>, head: usize, theta: f64) -> Result<Option<RopeScaling>> {
    let divisors = meta.0.read(DIVISORS)?;
    let divisors: Vec<f64> = divisors.into_iter().map(f64::from).collect();
    let fault = |what: String| Err(meta.0.fault(DIVISORS, what));
    if divisors.len() != head / 2 {
        let (got, expected) = (divisors.len(), head / 2);
        return fault(format!("has {got} divisors, expected {expected}"));
    }
    let factor = divisors.iter().copied().fold(1.0, f64::max);
    if divisors.iter().all(|divisor| *divisor == 1.0) {
        return Ok(None);
    }
    let turns = |pair: usize| theta.powf(-2.0 * pair as f64 / head as f64) / (2.0 * PI);
    let fits = |context: f64| {
        let mut pairs = divisors.iter().enumerate();
        pairs.all(|(pair, divisor)| {
            let expected = llama3_divisor(turns(pair) * context, factor, LOW, HIGH);
            (divisor / expected - 1.0).abs() < 1e-4
        })
    };
    // A frequency between the bounds tells the context; without one, a power of two in the gap does.
    let told = divisors
        .iter()
        .enumerate()
        .filter(|(_, divisor)| **divisor > 1.0 && **divisor < factor);
    let told = told.map(|(pair, divisor)| {
        let share = (1.0 / divisor - 1.0 / factor) / (1.0 - 1.0 / factor);
        (((HIGH - LOW) * share + LOW) / turns(pair)).round()
    });
    let mut contexts = told.chain((3..24).map(|power| f64::from(1 << power)));
    match contexts.find(|context| fits(*context)) {
        Some(context) => Ok(Some(RopeScaling::Llama3 {
            factor,
            low_freq_factor: LOW,
            high_freq_factor: HIGH,
            original_max_position_embeddings: context,
        })),
        None => fault(format!(
            "holds {divisors:?}, which are not Llama 3's for any first context"
        )),
    }
}
