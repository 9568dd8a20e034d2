//! Operations between the matrix products.

use tch::{Kind, Tensor};

use crate::Result;

/// `x / rms(x) * weight` over the last dimension of `x` `[..., n]`, `weight` `[n]` (arXiv 1910.07467).
pub(super) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    Ok(x.f_rms_norm(weight.size(), Some(weight), eps)?)
}

/// Turns `x` `[tokens, heads, head]` by the angles of `cos` and `sin` `[tokens, 1, head]`; the first half of `sin` is negated.
pub(super) fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = cos.size().last().copied().unwrap_or(0) / 2;
    Ok(x.f_mul(cos)?.f_addcmul(&x.f_roll([half], [-1])?, sin)?)
}

/// `silu(gate) * up` of `gate_up` `[rows, 2 * wide]`, the gate first: `[rows, wide]` (arXiv 2002.05202).
pub(super) fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let wide = gate_up.size2()?.1 / 2;
    let (gate, up) = (
        gate_up.f_narrow(1, 0, wide)?,
        gate_up.f_narrow(1, wide, wide)?,
    );
    Ok(gate.f_silu()?.f_mul(&up)?)
}

/// What a head makes of rows of logits, each `[rows]` f32.
#[derive(Debug)]
pub(super) struct Selected {
    /// Log-probability of each row's target.
    pub(super) log_probs: Tensor,
    /// ln of the sum of exponentials.
    pub(super) normalisers: Tensor,
}

/// Log-probabilities under softmax(`logits` / `temperatures`): logits `[rows, vocab]`, temperatures f32 and targets `[rows]`.
pub(super) fn select(logits: &Tensor, targets: &Tensor, temperatures: &Tensor) -> Result<Selected> {
    let scaled = scaled(logits, temperatures)?;
    let normalisers = scaled.f_logsumexp([-1i64].as_slice(), false)?;
    let chosen = scaled
        .f_gather(1, &targets.f_unsqueeze(1)?, false)?
        .f_squeeze_dim(1)?;
    Ok(Selected {
        log_probs: chosen.f_sub(&normalisers)?,
        normalisers,
    })
}

/// Entropy of softmax(`logits` / `temperatures`) in nats, `[rows]` f32.
pub(super) fn entropy(
    logits: &Tensor,
    normalisers: &Tensor,
    temperatures: &Tensor,
) -> Result<Tensor> {
    let log_probs = scaled(logits, temperatures)?.f_sub(&normalisers.f_unsqueeze(1)?)?;
    // A token of no probability adds nothing, whatever its logarithm.
    let terms = log_probs
        .f_exp()?
        .f_mul(&log_probs.f_clamp_min(f64::from(f32::MIN))?)?;
    Ok(terms
        .f_sum_dim_intlist([-1i64].as_slice(), false, Kind::Float)?
        .f_neg()?)
}

/// Writes `slope / temperature * (onehot(target) - softmax(logits / temperature))` over the logits `[rows, vocab]`: the gradient
/// of a loss whose derivative by the target's log-probability is `slopes` `[rows]`.
pub(super) fn logits_gradient(
    logits: Tensor,
    normalisers: &Tensor,
    targets: &Tensor,
    slopes: &Tensor,
    temperatures: &Tensor,
) -> Result<Tensor> {
    let kind = logits.kind();
    let slopes = slopes.f_div(temperatures)?.f_unsqueeze(1)?;
    let mut gradient = scaled(&logits, temperatures)?;
    let _ = gradient.f_sub_(&normalisers.f_unsqueeze(1)?)?;
    let _ = gradient.f_exp_()?.f_mul_(&slopes.f_neg()?)?;
    let _ = gradient.f_scatter_add_(1, &targets.f_unsqueeze(1)?, &slopes)?;
    Ok(gradient.f_to_kind(kind)?)
}

/// At least f32.
fn scaled(logits: &Tensor, temperatures: &Tensor) -> Result<Tensor> {
    Ok(logits.f_div(&temperatures.f_unsqueeze(1)?)?)
}
