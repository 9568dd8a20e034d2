//! Rotary position embedding in the half-split layout of Hugging Face checkpoints.

use tch::{Device, Kind, Tensor};

use crate::{ModelConfig, Result, RopeScaling, torch::ops};

/// Angles per position, in radians: `[head / 2]` f32.
#[derive(Debug)]
pub(super) struct Rotary {
    frequencies: Tensor,
    kind: Kind,
}

/// Cosines and sines of some positions, `[tokens, 1, head]`; the first half of the sines is negated.
#[derive(Debug)]
pub(super) struct Turns {
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    pub(super) fn new(config: &ModelConfig, kind: Kind, device: Device) -> Result<Self> {
        let options = (Kind::Float, Device::Cpu);
        let head = config.head_width() as i64;
        let exponents = Tensor::f_arange_start_step(0, head, 2, options)?.f_div_scalar(head)?;
        // 1 / theta^x in f32: exp(-x ln theta) is off by enough to move logits by 6e-5.
        let frequencies = Tensor::f_scalar_tensor(config.rope_theta, options)?
            .f_pow(&exponents)?
            .f_reciprocal()?;
        let frequencies = stretch(&frequencies, config.rope_scaling.as_ref())?;
        Ok(Self {
            frequencies: frequencies.f_to_device(device)?,
            kind,
        })
    }

    /// Those of the given positions `[tokens]`.
    pub(super) fn at(&self, positions: &Tensor) -> Result<Turns> {
        let angles = positions
            .f_to_kind(Kind::Float)?
            .f_outer(&self.frequencies)?;
        // Angles in f32 even for bf16, whose spacing at position 1000 is 4 radians.
        let (cos, sin) = (angles.f_cos()?, angles.f_sin()?);
        let ready = |low: &Tensor, high: &Tensor| -> Result<Tensor> {
            Ok(Tensor::f_cat(&[low, high], -1)?
                .f_to_kind(self.kind)?
                .f_unsqueeze(1)?)
        };
        Ok(Turns {
            // Dimension i turns with i + head / 2, so both halves have the same angles.
            cos: ready(&cos, &cos)?,
            sin: ready(&sin.f_neg()?, &sin)?,
        })
    }
}

impl Turns {
    /// Turns the last dimension of `x` `[tokens, heads, head]`.
    pub(super) fn turn(&self, x: &Tensor) -> Result<Tensor> {
        ops::rotate(x, &self.cos, &self.sin)
    }
}

/// Frequencies for contexts longer than those first trained on.
fn stretch(frequencies: &Tensor, scaling: Option<&RopeScaling>) -> Result<Tensor> {
    match scaling {
        None | Some(RopeScaling::Default {}) => Ok(frequencies.shallow_clone()),
        Some(RopeScaling::Linear { factor }) => Ok(frequencies.f_div_scalar(*factor)?),
        Some(&RopeScaling::Llama3 {
            factor,
            low_freq_factor: low,
            high_freq_factor: high,
            original_max_position_embeddings: context,
        }) => {
            let stretched = frequencies.f_div_scalar(factor)?;
            // Turns of each frequency within the original context decide: few are stretched, many are kept.
            let wavelengths = frequencies
                .f_reciprocal()?
                .f_mul_scalar(2.0 * std::f64::consts::PI)?;
            let turns = wavelengths.f_reciprocal()?.f_mul_scalar(context)?;
            // 0 for `low` turns or fewer, which are stretched; 1 for `high` or more, which are kept; a line in between.
            let share = turns.f_sub_scalar(low)?.f_div_scalar(high - low)?;
            let share = share.f_clamp(0.0, 1.0)?;
            let kept = frequencies.f_mul(&share)?;
            let rest = share.f_neg()?.f_add_scalar(1.0)?;
            Ok(stretched.f_mul(&rest)?.f_add(&kept)?)
        }
    }
}
