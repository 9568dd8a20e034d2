//! Operations between the matrix products: by the project's kernels on a GPU (feature `cuda`), by libtorch elsewhere.
//!
//! A kernel takes the place of libtorch's operations where the first tensor is f32 or bf16 on a CUDA device and no gradient is
//! asked for. What libtorch computes is the reference: kernels round their results once and sum in another order.

use tch::{Kind, Tensor};

#[cfg(feature = "cuda")]
use super::cuda;
use crate::Result;

/// Whether a GPU, its driver and NVRTC are present, so that the project's kernels are used. Asks libtorch for CUDA.
pub fn has_kernels() -> bool {
    #[cfg(feature = "cuda")]
    let has_kernels = cuda::is_available();
    #[cfg(not(feature = "cuda"))]
    let has_kernels = false;
    has_kernels
}

/// Bytes of a GPU's memory that are taken, by this process and all others; none without kernels, and on a CPU.
///
/// # Errors
/// What the driver reports.
pub fn bytes_taken(device: tch::Device) -> Result<Option<u64>> {
    #[cfg(feature = "cuda")]
    if let tch::Device::Cuda(ordinal) = device
        && cuda::is_available()
    {
        return cuda::bytes_taken(ordinal).map(Some);
    }
    let _ = device;
    Ok(None)
}

/// `x / rms(x) * weight` over the last dimension of `x` `[..., n]`, `weight` `[n]` (arXiv 1910.07467).
///
/// # Errors
/// Shapes, kinds or devices that do not fit.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if cuda::takes(&[x, weight]) {
        return cuda::rms_norm(x, weight, eps);
    }
    Ok(x.f_rms_norm(weight.size(), Some(weight), eps)?)
}

/// Turns `x` `[tokens, heads, head]` by the angles of `cos` and `sin` `[tokens, 1, head]`; the first half of `sin` is negated.
///
/// # Errors
/// Shapes, kinds or devices that do not fit.
pub fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if cuda::takes(&[x, cos, sin]) {
        return cuda::rotate(x, cos, sin);
    }
    // Rolled by half a head, x is Hugging Face's rotate_half but for the sign of its first half, which is in the table.
    let half = cos.size().last().copied().unwrap_or(0) / 2;
    Ok(x.f_mul(cos)?.f_addcmul(&x.f_roll([half], [-1])?, sin)?)
}

/// `silu(gate) * up` of `gate_up` `[rows, 2 * wide]`, the gate first: `[rows, wide]` (arXiv 2002.05202).
///
/// # Errors
/// A tensor that is not `[rows, 2 * wide]`.
pub fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if cuda::takes(&[gate_up]) {
        return cuda::swiglu(gate_up);
    }
    let wide = gate_up.size2()?.1 / 2;
    let (gate, up) = (
        gate_up.f_narrow(1, 0, wide)?,
        gate_up.f_narrow(1, wide, wide)?,
    );
    Ok(gate.f_silu()?.f_mul(&up)?)
}

/// What training takes from rows of logits, each `[rows]` f32.
#[derive(Debug)]
pub struct Selected {
    /// Log-probability of each row's target.
    pub log_probs: Tensor,
    /// ln of the sum of exponentials.
    pub normalisers: Tensor,
}

/// Log-probabilities under softmax(`logits` / `temperatures`): logits `[rows, vocab]`, temperatures f32 and targets i64 `[rows]`.
///
/// # Errors
/// Shapes, kinds or devices that do not fit; a target outside the vocabulary, which on a GPU has the log-probability NaN.
pub fn select(logits: &Tensor, targets: &Tensor, temperatures: &Tensor) -> Result<Selected> {
    #[cfg(feature = "cuda")]
    if cuda::takes(&[logits]) {
        let all = cuda::select(logits, targets, temperatures)?;
        return Ok(Selected {
            log_probs: all.log_probs,
            normalisers: all.normalisers,
        });
    }
    selected(&scaled(logits, temperatures)?, targets)
}

fn selected(scaled: &Tensor, targets: &Tensor) -> Result<Selected> {
    let normalisers = scaled.f_logsumexp([-1i64].as_slice(), false)?;
    let chosen = scaled
        .f_gather(1, &targets.f_unsqueeze(1)?, false)?
        .f_squeeze_dim(1)?;
    Ok(Selected {
        log_probs: chosen.f_sub(&normalisers)?,
        normalisers,
    })
}

/// What scoring gives for rows of logits, each `[rows]` f32, in nats.
#[derive(Debug)]
pub struct Scores {
    /// Log-probability of each row's target.
    pub log_probs: Tensor,
    /// Entropy of each row's distribution.
    pub entropies: Tensor,
}

/// As [`select`], with the entropies of softmax(`logits` / `temperatures`).
///
/// ```no_run
/// use rerec_policy::ops;
/// use tch::Tensor;
///
/// // Probabilities 1/2, 1/4 and 1/4: an entropy of 1.5 ln 2.
/// let logits = Tensor::from_slice(&[2f32, 1.0, 1.0]).log().view([1, 3]);
/// let scores = ops::score(&logits, &Tensor::from_slice(&[0i64]), &Tensor::from_slice(&[1f32]))?;
/// assert!((scores.log_probs.double_value(&[0]) - 0.5f64.ln()).abs() < 1e-6);
/// assert!((scores.entropies.double_value(&[0]) - 1.5 * 2f64.ln()).abs() < 1e-6);
/// # Ok::<(), rerec_policy::Error>(())
/// ```
///
/// # Errors
/// As [`select`].
pub fn score(logits: &Tensor, targets: &Tensor, temperatures: &Tensor) -> Result<Scores> {
    #[cfg(feature = "cuda")]
    if cuda::takes(&[logits]) {
        let all = cuda::select(logits, targets, temperatures)?;
        return Ok(Scores {
            log_probs: all.log_probs,
            entropies: all.entropies,
        });
    }
    let scaled = scaled(logits, temperatures)?;
    let chosen = selected(&scaled, targets)?;
    let log_probs = scaled.f_sub(&chosen.normalisers.f_unsqueeze(1)?)?;
    // A token of no probability adds nothing, whatever its logarithm.
    let terms = log_probs
        .f_exp()?
        .f_mul(&log_probs.f_clamp_min(f64::from(f32::MIN))?)?;
    Ok(Scores {
        log_probs: chosen.log_probs,
        entropies: terms
            .f_sum_dim_intlist([-1i64].as_slice(), false, Kind::Float)?
            .f_neg()?,
    })
}

/// Writes `slope / temperature * (onehot(target) - softmax(logits / temperature))` over the logits `[rows, vocab]`, which have
/// to be contiguous on a GPU: the gradient of a loss whose derivative by the target's log-probability is `slopes` `[rows]`.
///
/// # Errors
/// Shapes, kinds or devices that do not fit.
pub fn logits_gradient(
    logits: Tensor,
    normalisers: &Tensor,
    targets: &Tensor,
    slopes: &Tensor,
    temperatures: &Tensor,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if cuda::takes(&[&logits]) {
        return cuda::logits_gradient(logits, normalisers, targets, slopes, temperatures);
    }
    let kind = logits.kind();
    // d(log p_target) / d(logit_v) = (1[v = target] - p_v) / temperature; the 1 is scattered in last.
    let slopes = slopes.f_div(temperatures)?.f_unsqueeze(1)?;
    // softmax is exp(logit / temperature - normaliser), so no maximum has to be found again; every step is in place, since these
    // logits are the largest tensor of training.
    let mut gradient = match kind {
        Kind::BFloat16 => logits.f_to_kind(Kind::Float)?,
        _ => logits,
    };
    let _ = gradient.f_div_(&temperatures.f_unsqueeze(1)?)?;
    let _ = gradient.f_sub_(&normalisers.f_unsqueeze(1)?)?;
    let _ = gradient.f_exp_()?.f_mul_(&slopes.f_neg()?)?;
    let _ = gradient.f_scatter_add_(1, &targets.f_unsqueeze(1)?, &slopes)?;
    Ok(gradient.f_to_kind(kind)?)
}

/// `logits / temperatures`, in f32 at least.
fn scaled(logits: &Tensor, temperatures: &Tensor) -> Result<Tensor> {
    // A tensor of f32 promotes bf16 logits; a scalar would leave them bf16.
    Ok(logits.f_div(&temperatures.f_unsqueeze(1)?)?)
}

/// One token per row from softmax(`logits` / `temperature`), by inverse transform in the order of the vocabulary of `uniform`
/// `[rows]` f32 in [0, 1): ids i64 and their log-probabilities f32, each `[rows]`. Temperature 0 takes the greatest logit, the first of
/// equals, with its log-probability at temperature 1. What has no probability is never drawn.
///
/// # Errors
/// Shapes, kinds or devices that do not fit.
pub fn draw(logits: &Tensor, uniform: &Tensor, temperature: f64) -> Result<(Tensor, Tensor)> {
    #[cfg(feature = "cuda")]
    if cuda::takes(&[logits]) {
        return cuda::draw(logits, uniform, temperature);
    }
    // Before the cumulative sum: in bf16, with its 8 significant bits, it would swallow small probabilities once it is near 1.
    let logits = logits.f_to_kind(Kind::Float)?;
    if temperature == 0.0 {
        let ids = logits.f_argmax(-1, false)?;
        let chosen = select(&logits, &ids, &uniform.f_ones_like()?)?;
        return Ok((ids, chosen.log_probs));
    }
    let logits = match temperature {
        1.0 => logits,
        _ => logits.f_div_scalar(temperature)?,
    };
    let probabilities = logits.f_softmax(-1, None)?;
    let ids = inverse_transform(&probabilities, &uniform.f_unsqueeze(1)?)?;
    let chosen = probabilities.f_gather(1, &ids, false)?.f_log()?;
    Ok((ids.f_squeeze_dim(1)?, chosen.f_squeeze_dim(1)?))
}

/// The first id `[rows, 1]` whose cumulative probability exceeds `uniform` `[rows, 1]`.
fn inverse_transform(probabilities: &Tensor, uniform: &Tensor) -> Result<Tensor> {
    // Inverse transform uses exactly one number of the row's stream per token, whatever the probabilities are; libtorch's
    // multinomial draws from a generator that all rows share.
    let cumulative = probabilities.f_cumsum(-1, None)?;
    let last = cumulative.size2()?.1 - 1;
    // Scaled by the true sum, which rounding leaves a little off 1, and kept below it.
    let sum = cumulative.f_narrow(1, last, 1)?;
    let level = uniform.f_mul(&sum)?;
    let level = level.f_minimum(&sum.f_nextafter(&sum.f_zeros_like()?)?)?;
    // "right" finds the first sum above the level, so a token whose probability is 0 is passed over even at level 0.
    let ids = level.f_searchsorted(&cumulative, false, true, "right", None::<Tensor>)?;
    // Beyond the last one only where a probability is no number; its logarithm then says so.
    Ok(ids.f_clamp_max(last)?)
}

/// Keys and values that were stored.
#[derive(Debug, Clone, Copy)]
pub struct Cached<'a> {
    /// `[lists, kv_heads, slots, head]`.
    pub keys: &'a Tensor,
    /// As the keys.
    pub values: &'a Tensor,
    /// Slots of each list that are filled, `[lists]` i64.
    pub lens: &'a Tensor,
}

/// Attention of one new token per row over its prompt and its own response, in one softmax: `q` and the result
/// `[rows, kv_heads, queries, head]`. `prompts` has a list for each prompt and `own` one for each row; `prompt_of` `[rows]` i64 is
/// the place of each row's prompt. Every row has at least one key.
///
/// # Errors
/// Shapes, kinds or devices that do not fit; on a GPU also a cache that is not contiguous.
pub fn decode_attention(
    q: &Tensor,
    prompts: Cached<'_>,
    prompt_of: &Tensor,
    own: Cached<'_>,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if cuda::takes(&[q, prompts.keys, prompts.values, own.keys, own.values]) {
        return cuda::decode_attention(q, prompts, prompt_of, own);
    }
    // Copies the prompt for every row. Sampling comes here only on a GPU without kernels; see `attend_past` for the CPU.
    let joined = |prompt: &Tensor, own: &Tensor| -> Result<Tensor> {
        Ok(Tensor::f_cat(
            &[&prompt.f_index_select(0, prompt_of)?, own],
            2,
        )?)
    };
    let filled = |lens: &Tensor, cache: &Tensor| -> Result<Tensor> {
        let places = Tensor::f_arange(cache.size4()?.2, (Kind::Int64, lens.device()))?;
        Ok(places.f_lt_tensor(&lens.f_unsqueeze(1)?)?)
    };
    let seen = [
        filled(&prompts.lens.f_index_select(0, prompt_of)?, prompts.keys)?,
        filled(own.lens, own.keys)?,
    ];
    let mask = Tensor::f_cat(&seen, 1)?.f_unsqueeze(1)?.f_unsqueeze(1)?;
    Ok(Tensor::f_scaled_dot_product_attention(
        q,
        &joined(prompts.keys, own.keys)?,
        &joined(prompts.values, own.values)?,
        Some(&mask),
        0.0,
        false,
        None,
        false,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        Vec::try_from(&tensor.to_kind(Kind::Double).flatten(0, -1)).unwrap()
    }

    #[test]
    fn a_draw_is_the_first_token_beyond_the_uniform_number() {
        let logits = Tensor::from_slice(&[0.2f32, 0.0, 0.5, 0.3])
            .log()
            .view([1, 4]);
        let drawn = |uniform: f32, temperature| {
            let (id, log_prob) =
                draw(&logits, &Tensor::from_slice(&[uniform]), temperature).unwrap();
            (id.int64_value(&[0]), log_prob.double_value(&[0]).exp())
        };
        let check = |(id, probability): (i64, f64), expected: (i64, f64)| {
            assert_eq!(id, expected.0);
            approx::assert_abs_diff_eq!(probability, expected.1, epsilon = 1e-6);
        };
        check(drawn(0.0, 1.0), (0, 0.2));
        check(drawn(0.19, 1.0), (0, 0.2));
        check(drawn(0.21, 1.0), (2, 0.5));
        check(drawn(0.71, 1.0), (3, 0.3));
        check(drawn(1.0 - f32::EPSILON / 2.0, 1.0), (3, 0.3));
        // Squares over their sum of 0.38.
        check(drawn(0.2, 0.5), (2, 0.25 / 0.38));
        check(drawn(0.9, 0.0), (2, 0.5));
    }

    #[test]
    fn attention_takes_prompt_and_response_as_one_sequence() {
        let options = (Kind::Double, tch::Device::Cpu);
        let wave = |size: [i64; 4], k: f64| {
            (Tensor::arange(size.iter().product::<i64>(), options) * k)
                .sin()
                .view(size)
        };
        let (q, keys, values) = (
            wave([2, 1, 3, 4], 0.7),
            wave([2, 1, 5, 4], 0.3),
            wave([2, 1, 5, 4], 0.9),
        );
        let (own_keys, own_values) = (wave([2, 1, 6, 4], 1.1), wave([2, 1, 6, 4], 1.3));
        let y = decode_attention(
            &q,
            Cached {
                keys: &keys,
                values: &values,
                lens: &Tensor::from_slice(&[5i64, 2]),
            },
            &Tensor::from_slice(&[1i64, 1]),
            Cached {
                keys: &own_keys,
                values: &own_values,
                lens: &Tensor::from_slice(&[1i64, 4]),
            },
        )
        .unwrap();
        for (row, len) in [(0, 1), (1, 4)] {
            let joined = |prompt: &Tensor, own: &Tensor| {
                Tensor::cat(
                    &[
                        prompt.get(1).narrow(1, 0, 2),
                        own.get(row).narrow(1, 0, len),
                    ],
                    1,
                )
            };
            let scores = q.get(row).matmul(&joined(&keys, &own_keys).transpose(1, 2)) / 2.0;
            let expected = scores
                .softmax(-1, None)
                .matmul(&joined(&values, &own_values));
            for (a, b) in numbers(&y.get(row)).iter().zip(numbers(&expected)) {
                approx::assert_abs_diff_eq!(*a, b, epsilon = 1e-12);
            }
        }
    }
}
