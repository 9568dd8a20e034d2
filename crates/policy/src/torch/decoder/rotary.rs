//! Rotary position embedding in the half-split layout of Hugging Face checkpoints.

use tch::{Device, Kind, Tensor};

use crate::{ModelConfig, Result, RopeScaling, Yarn, torch::ops};

/// Angles per position, in radians: `[head / 2]` f32.
#[derive(Debug)]
pub(super) struct Rotary {
    frequencies: Tensor,
    /// What cosines and sines are multiplied by.
    scale: f64,
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
        let frequencies = stretch(&frequencies, config)?;
        let scale = match &config.rope_scaling {
            Some(RopeScaling::Yarn(yarn)) => yarn.attention_factor(),
            _ => 1.0,
        };
        Ok(Self {
            scale,
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
            let mut both = Tensor::f_cat(&[low, high], -1)?;
            if self.scale != 1.0 {
                both = both.f_mul_scalar(self.scale)?;
            }
            Ok(both.f_to_kind(self.kind)?.f_unsqueeze(1)?)
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
fn stretch(frequencies: &Tensor, config: &ModelConfig) -> Result<Tensor> {
    match config.rope_scaling.as_ref() {
        None | Some(RopeScaling::Default {} | RopeScaling::Dynamic { .. }) => {
            Ok(frequencies.shallow_clone())
        }
        Some(RopeScaling::Yarn(yarn)) => interpolate(frequencies, yarn, config),
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

/// YaRN: frequency `i` is divided by the factor as far as `i` lies beyond the range of those that turn often.
fn interpolate(frequencies: &Tensor, yarn: &Yarn, config: &ModelConfig) -> Result<Tensor> {
    let (head, pairs) = (config.head_width() as f64, frequencies.numel() as i64);
    let (low, high) = yarn_range(yarn, config);
    let ramp = Tensor::f_arange(pairs, (Kind::Float, Device::Cpu))?
        .f_sub_scalar(low.max(0.0))?
        .f_div_scalar(match high.min(head - 1.0) - low.max(0.0) {
            // As in transformers, a range of no width has a thousandth.
            0.0 => 0.001,
            width => width,
        })?;
    let divided = ramp.f_clamp(0.0, 1.0)?;
    let kept = divided.f_neg()?.f_add_scalar(1.0)?;
    let divided = frequencies.f_div_scalar(yarn.factor)?.f_mul(&divided)?;
    Ok(frequencies.f_mul(&kept)?.f_add(&divided)?)
}

/// Between which pairs of dimensions YaRN interpolates: those that turn `beta_fast` and `beta_slow` times within the first context.
fn yarn_range(yarn: &Yarn, config: &ModelConfig) -> (f64, f64) {
    let context = yarn.original_max_position_embeddings;
    let context = context.unwrap_or(config.max_position_embeddings as f64);
    let pair = |turns: f64| {
        let periods = context / (turns * 2.0 * std::f64::consts::PI);
        config.head_width() as f64 * periods.ln() / (2.0 * config.rope_theta.ln())
    };
    let (low, high) = (
        pair(yarn.beta_fast.unwrap_or(32.0)),
        pair(yarn.beta_slow.unwrap_or(1.0)),
    );
    match yarn.truncate.unwrap_or(true) {
        true => (low.floor(), high.ceil()),
        false => (low, high),
    }
}
