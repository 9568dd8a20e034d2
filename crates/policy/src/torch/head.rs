//! The output head and its loss, a chunk of tokens at a time: `[tokens, vocab]` is never held.

use std::ops::Range;

use tch::{Kind, Tensor, no_grad};

use crate::Result;

/// Logits held at once: 4 MiB of f32 stay within reach of the CPU's caches.
const CHUNK_LOGITS: i64 = 1 << 20;

/// Log-probabilities of `targets` `[tokens]` given `hidden` `[tokens, hidden]` and the head's weight
/// `[vocab, hidden]`; logits are divided by `temperatures` `[tokens, 1]`.
pub(super) fn log_probs(
    hidden: &Tensor,
    head: &Tensor,
    targets: &Tensor,
    temperatures: &Tensor,
) -> Result<Vec<f32>> {
    no_grad(|| {
        let mut all = Vec::with_capacity(hidden.size2()?.0 as usize);
        for (start, len) in chunks(hidden, head)? {
            let logits = scaled_logits(hidden, head, temperatures, start, len)?;
            let target = targets.f_narrow(0, start, len)?.f_unsqueeze(1)?;
            all.extend(to_f32(&target_log_probs(&logits, &target)?.0)?);
        }
        Ok(all)
    })
}

/// Adds to the gradients of everything below `hidden`, and of `head`, what a loss over the targets'
/// log-probabilities gives. `slope` is called with each range of tokens and their log-probabilities and
/// returns d(loss)/d(log-probability).
pub(super) fn backward(
    hidden: &Tensor,
    head: &Tensor,
    targets: &Tensor,
    temperatures: &Tensor,
    mut slope: impl FnMut(Range<usize>, &[f32]) -> Vec<f32>,
) -> Result<()> {
    let (hidden_gradient, head_gradient) = no_grad(|| -> Result<_> {
        let hidden_gradient = hidden.f_empty_like()?;
        let mut head_gradient = head.f_zeros_like()?;
        for (start, len) in chunks(hidden, head)? {
            let logits = scaled_logits(hidden, head, temperatures, start, len)?;
            let target = targets.f_narrow(0, start, len)?.f_unsqueeze(1)?;
            let (log_probs, normaliser) = target_log_probs(&logits, &target)?;
            let range = start as usize..(start + len) as usize;
            let slopes = Tensor::f_from_slice(&slope(range, &to_f32(&log_probs)?))?;
            let slopes = slopes.f_to_kind(logits.kind())?.f_unsqueeze(1)?;
            let gradient = logits_gradient(logits, &normaliser, &target, &slopes)?;
            let gradient = gradient.f_div(&temperatures.f_narrow(0, start, len)?)?;
            hidden_gradient
                .f_narrow(0, start, len)?
                .f_copy_(&gradient.f_mm(head)?)?;
            let _ = head_gradient.f_addmm_(&gradient.f_tr()?, &hidden.f_narrow(0, start, len)?)?;
        }
        Ok((hidden_gradient, head_gradient))
    })?;
    // The derivative of <x, g> by x is g: this hands both gradients to autograd in one sweep.
    let surrogate = hidden
        .f_mul(&hidden_gradient)?
        .f_sum(None)?
        .f_add(&head.f_mul(&head_gradient)?.f_sum(None)?)?;
    Ok(surrogate.f_backward()?)
}

fn to_f32(values: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::try_from(&values.f_to_kind(Kind::Float)?)?)
}

fn chunks(hidden: &Tensor, head: &Tensor) -> Result<impl Iterator<Item = (i64, i64)> + use<>> {
    let (tokens, vocab) = (hidden.size2()?.0, head.size2()?.0);
    let step = (CHUNK_LOGITS / vocab).max(1);
    Ok((0..tokens)
        .step_by(step as usize)
        .map(move |start| (start, step.min(tokens - start))))
}

fn scaled_logits(
    hidden: &Tensor,
    head: &Tensor,
    temperatures: &Tensor,
    start: i64,
    len: i64,
) -> Result<Tensor> {
    let mut logits = hidden
        .f_narrow(0, start, len)?
        .f_linear(head, None::<&Tensor>)?;
    Ok(logits.f_div_(&temperatures.f_narrow(0, start, len)?)?)
}

/// Log-probabilities `[tokens]` and the log-normaliser `[tokens, 1]`.
fn target_log_probs(logits: &Tensor, target: &Tensor) -> Result<(Tensor, Tensor)> {
    let normaliser = logits.f_logsumexp([-1i64].as_slice(), true)?;
    let chosen = logits.f_gather(-1, target, false)?;
    Ok((
        chosen.f_sub(&normaliser)?.f_squeeze()?.f_view([-1])?,
        normaliser,
    ))
}

/// slope * (onehot(target) - softmax(logits)), written over the logits.
fn logits_gradient(
    mut logits: Tensor,
    normaliser: &Tensor,
    target: &Tensor,
    slopes: &Tensor,
) -> Result<Tensor> {
    let mut gradient = logits
        .f_sub_(normaliser)?
        .f_exp_()?
        .f_mul_(&slopes.f_neg()?)?;
    Ok(gradient.f_scatter_add_(-1, target, slopes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Against autograd through the whole `[tokens, vocab]` log-softmax, over several chunks.
    #[test]
    fn gradients_equal_autograds() {
        let f64s = (Kind::Double, Device::Cpu);
        let vocab = CHUNK_LOGITS / 3;
        let values = |n: i64, k: f64| (Tensor::arange(n, f64s) * k).sin();
        let targets = Tensor::from_slice(&[1i64, 5, vocab - 1, 0, 2, 2, 7]);
        let temperatures = Tensor::from_slice(&[1f64, 1., 0.5, 2., 1., 1., 1.]).unsqueeze(1);
        let slopes = [0.3f32, -1.0, 0.5, 0.0, 2.0, -0.25, 1.0];
        let leaf = || {
            let hidden = values(7 * 4, 0.7).view([7, 4]).set_requires_grad(true);
            let head = values(vocab * 4, 1.3)
                .view([vocab, 4])
                .set_requires_grad(true);
            (hidden, head)
        };

        let (hidden, head) = leaf();
        let wide = (hidden.linear(&head, None::<&Tensor>) / &temperatures).log_softmax(-1, None);
        let expected = wide.gather(-1, &targets.unsqueeze(1), false).squeeze();
        let weights = Tensor::from_slice(&slopes).to_kind(Kind::Double);
        (&expected * weights).sum(None).backward();

        let (h, w) = leaf();
        let mut seen = Vec::new();
        backward(&h, &w, &targets, &temperatures, |range, log_probs| {
            seen.extend_from_slice(log_probs);
            slopes[range].to_vec()
        })
        .unwrap();
        for (a, b) in seen.iter().zip(Vec::<f64>::try_from(&expected).unwrap()) {
            approx::assert_relative_eq!(f64::from(*a), b, max_relative = 1e-6);
        }
        let close = |a: &Tensor, b: &Tensor| {
            let gap = (a.grad() - b.grad()).abs().max().double_value(&[]);
            assert!(gap < 1e-12, "gradients differ by {gap}");
        };
        close(&h, &hidden);
        close(&w, &head);
    }
}
