//! The output head and its loss, a chunk of tokens at a time: `[tokens, vocab]` is never held.

use std::ops::Range;

use tch::{Kind, Tensor, no_grad};

use super::{batch::PackedBatch, decoder::Decoder, ops};
use crate::Result;

/// Logits held at once where the vocabulary is small: 4 MiB of f32 stay within reach of a CPU's caches.
const CHUNK_LOGITS: i64 = 1 << 20;

/// Tokens held at once at least: each chunk reads and writes the whole gradient of the head.
const CHUNK_TOKENS: i64 = 256;

/// The output head over the predicted tokens of a batch.
pub(super) struct Head<'a> {
    /// `[vocab, hidden]`.
    pub(super) weight: &'a Tensor,
    /// `[tokens]`.
    pub(super) targets: &'a Tensor,
    /// Logits are divided by them, `[tokens]` f32.
    pub(super) temperatures: &'a Tensor,
}

/// The part of a [`Head`] for some tokens.
struct Chunk {
    range: Range<usize>,
    hidden: Tensor,
    targets: Tensor,
    temperatures: Tensor,
}

impl<'a> Head<'a> {
    /// The head of a decoder over the predicted tokens of a batch.
    pub(super) fn new(decoder: &'a Decoder, batch: &'a PackedBatch) -> Self {
        Self {
            weight: decoder.head(),
            targets: &batch.targets,
            temperatures: &batch.temperatures,
        }
    }

    /// Log-probabilities of the targets given `hidden` `[tokens, hidden]`, in nats.
    pub(super) fn log_probs(&self, hidden: &Tensor) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        self.each_chunk(hidden, |chunk| {
            let logits = self.logits(&chunk)?;
            let selected = ops::select(&logits, &chunk.targets, &chunk.temperatures)?;
            all.extend(to_f32(&selected.log_probs)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Log-probabilities of the targets, and the entropies of the distributions that they are drawn from, in nats.
    pub(super) fn scores(&self, hidden: &Tensor) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mut log_probs, mut entropies) = (Vec::new(), Vec::new());
        self.each_chunk(hidden, |chunk| {
            let logits = self.logits(&chunk)?;
            let scores = ops::score(&logits, &chunk.targets, &chunk.temperatures)?;
            log_probs.extend(to_f32(&scores.log_probs)?);
            entropies.extend(to_f32(&scores.entropies)?);
            Ok(())
        })?;
        Ok((log_probs, entropies))
    }

    /// The gradient of `hidden` that a loss over the targets' log-probabilities gives; that of the weight is added to
    /// `weight_gradient`. `slope` is called with each range of tokens and their log-probabilities and returns
    /// d(loss)/d(log-probability).
    pub(super) fn backward(
        &self,
        hidden: &Tensor,
        mut weight_gradient: Option<Tensor>,
        mut slope: impl FnMut(Range<usize>, &[f32]) -> Vec<f32>,
    ) -> Result<Tensor> {
        // The gradient of the logits is (softmax - one-hot) * slope / temperature, so it can be made from the logits of a chunk
        // at once, in their own memory: logits are never kept from the forward pass for the backward one.
        // Not set to 0: the chunks cover all rows.
        let hidden_gradient = no_grad(|| hidden.f_empty_like())?;
        self.each_chunk(hidden, |chunk| {
            let logits = self.logits(&chunk)?;
            let selected = ops::select(&logits, &chunk.targets, &chunk.temperatures)?;
            // The objective is plain f64 arithmetic on the host: one number per token goes there, and one comes back.
            let slopes = slope(chunk.range.clone(), &to_f32(&selected.log_probs)?);
            let slopes = Tensor::f_from_slice(&slopes)?.f_to_device(hidden.device())?;
            let gradient = ops::logits_gradient(
                logits,
                &selected.normalisers,
                &chunk.targets,
                &slopes,
                &chunk.temperatures,
            )?;
            // Logits are H W^T, so with G their gradient that of H is G W and that of W is G^T H.
            let (start, len) = (chunk.range.start as i64, chunk.range.len() as i64);
            hidden_gradient
                .f_narrow(0, start, len)?
                .f_copy_(&gradient.f_mm(self.weight)?)?;
            if let Some(sum) = &mut weight_gradient {
                add_product(sum, &gradient.f_tr()?, &chunk.hidden)?;
            }
            Ok(())
        })?;
        Ok(hidden_gradient)
    }

    fn logits(&self, chunk: &Chunk) -> Result<Tensor> {
        Ok(chunk.hidden.f_linear(self.weight, None::<&Tensor>)?)
    }

    fn each_chunk(&self, hidden: &Tensor, mut work: impl FnMut(Chunk) -> Result<()>) -> Result<()> {
        let (tokens, vocab) = (hidden.size2()?.0, self.weight.size2()?.0);
        // With 49,152 ids that is 256 tokens, 50 MB of f32, however many tokens there are.
        let step = (CHUNK_LOGITS / vocab).max(CHUNK_TOKENS);
        no_grad(|| {
            (0..tokens).step_by(step as usize).try_for_each(|start| {
                let len = step.min(tokens - start);
                work(Chunk {
                    range: start as usize..(start + len) as usize,
                    hidden: hidden.f_narrow(0, start, len)?,
                    targets: self.targets.f_narrow(0, start, len)?,
                    temperatures: self.temperatures.f_narrow(0, start, len)?,
                })
            })
        })
    }
}

/// Adds `a b` to an f32 `sum`.
fn add_product(sum: &mut Tensor, a: &Tensor, b: &Tensor) -> Result<()> {
    // A bf16 product is rounded once and added up in f32; bf16 sums over chunks would lose small gradients.
    let _ = if sum.kind() == a.kind() {
        sum.f_addmm_(a, b)?
    } else {
        sum.f_add_(&a.f_mm(b)?)?
    };
    Ok(())
}

fn to_f32(values: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::try_from(&values.f_to_kind(Kind::Float)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Against autograd through the whole `[tokens, vocab]` log-softmax, over several chunks.
    #[test]
    fn gradients_equal_autograds() {
        let f64s = (Kind::Double, Device::Cpu);
        let (tokens, vocab) = (2 * CHUNK_TOKENS + 7, CHUNK_LOGITS / CHUNK_TOKENS + 3);
        let values = |n: i64, k: f64| (Tensor::arange(n, f64s) * k).sin();
        let targets = (Tensor::arange(tokens, (Kind::Int64, Device::Cpu)) * 31).fmod(vocab as f64);
        let targets = targets.to_kind(Kind::Int64);
        let temperatures = values(tokens, 0.3).abs() + 0.5;
        let slopes = Vec::<f32>::try_from(&values(tokens, 0.9).to_kind(Kind::Float)).unwrap();
        let leaf = |rows: i64, k: f64| values(rows * 4, k).view([rows, 4]).set_requires_grad(true);
        let (hidden, weight) = (leaf(tokens, 0.7), leaf(vocab, 1.3));
        let wide = hidden.linear(&weight, None::<&Tensor>) / temperatures.unsqueeze(1);
        let wide = wide.log_softmax(-1, None);
        let expected = wide.gather(-1, &targets.unsqueeze(1), false).squeeze();
        let weights = Tensor::from_slice(&slopes).to_kind(Kind::Double);
        (&expected * weights).sum(None).backward();

        let head = Head {
            weight: &weight,
            targets: &targets,
            temperatures: &temperatures,
        };
        let weight_gradient = no_grad(|| weight.zeros_like());
        let mut seen = Vec::new();
        let hidden_gradient = head
            .backward(
                &hidden,
                Some(weight_gradient.shallow_clone()),
                |range, log_probs| {
                    seen.extend_from_slice(log_probs);
                    slopes[range].to_vec()
                },
            )
            .unwrap();
        for (a, b) in seen.iter().zip(Vec::<f64>::try_from(&expected).unwrap()) {
            approx::assert_relative_eq!(f64::from(*a), b, max_relative = 1e-6);
        }
        let close = |a: &Tensor, b: &Tensor| {
            let gap = (a - b.grad()).abs().max().double_value(&[]);
            assert!(gap < 1e-12, "gradients differ by {gap}");
        };
        close(&hidden_gradient, &hidden);
        close(&weight_gradient, &weight);

        let (log_probs, entropies) = head.scores(&hidden).unwrap();
        assert_eq!(log_probs, seen);
        let expected = -(wide.exp() * &wide).sum_dim_intlist([-1i64].as_slice(), false, None);
        for (a, b) in entropies
            .iter()
            .zip(Vec::<f64>::try_from(&expected).unwrap())
        {
            approx::assert_relative_eq!(f64::from(*a), b, max_relative = 1e-5);
        }
    }
}
