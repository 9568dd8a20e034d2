//! Matrix products, with low-rank adapters beside some of them.

use tch::Tensor;

use crate::{Result, torch::shim};

/// `x Wᵀ + b`, and `scale (x Aᵀ) Bᵀ` where it is adapted.
#[derive(Debug)]
pub(super) struct Linear {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
    pub(super) adapter: Option<Adapter>,
}

/// The adapters of the projections that lie in one product: A below A, and their B on a diagonal of blocks.
#[derive(Debug)]
pub(super) struct Adapter {
    /// `[adapted projections * rank, in]`.
    pub(super) a: Tensor,
    /// `[out, adapted projections * rank]`, zero outside the blocks.
    pub(super) b: Tensor,
    /// alpha / rank.
    pub(super) scale: f64,
}

impl Linear {
    /// `[rows, out]` of `x` `[rows, in]`.
    pub(super) fn forward(&self, x: &Tensor, dropout: Option<Dropout>) -> Result<Tensor> {
        let y = x.f_linear(&self.weight, self.bias.as_ref())?;
        let Some(adapter) = &self.adapter else {
            return Ok(y);
        };
        // One mask for all projections of the product; PEFT, which keeps them apart, draws one for each.
        let seen = match dropout {
            Some(dropout) => x.f_mul(&dropout.mask(x)?)?,
            None => x.shallow_clone(),
        };
        // Scaled here, where it is `[rows, adapted projections * rank]` and smaller than the result.
        let low = seen.f_mm(&adapter.a.f_tr()?)?.f_mul_scalar(adapter.scale)?;
        Ok(y.f_addmm(&low, &adapter.b.f_tr()?)?)
    }
}

/// Which inputs adapters do not see. Names a place in the computation, so that computing it anew draws the same mask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    pub(crate) rate: f64,
    pub(crate) seed: u64,
}

impl Dropout {
    /// That of the part numbered `index` of what this one is for.
    pub(crate) fn part(self, index: u64) -> Self {
        // SplitMix64: neighbouring seeds give unrelated ones.
        let mut z = self
            .seed
            .wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self {
            seed: z ^ (z >> 31),
            ..self
        }
    }

    fn mask(self, like: &Tensor) -> Result<Tensor> {
        shim::dropout_mask(like, 1.0 - self.rate, self.seed)
    }
}
