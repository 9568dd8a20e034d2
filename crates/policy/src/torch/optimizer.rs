//! AdamW with global norm clipping.

use std::collections::BTreeMap;

use tch::{Kind, Tensor, no_grad};

use super::decoder::Weights;
use crate::{
    OptimizerConfig,
    error::{Error, Result},
};

/// Moments of every parameter.
#[derive(Debug)]
pub(super) struct AdamW {
    config: OptimizerConfig,
    moments: BTreeMap<String, (Tensor, Tensor)>,
    steps: i32,
}

impl AdamW {
    pub(super) fn new(config: OptimizerConfig, weights: &Weights) -> Result<Self> {
        config.validate()?;
        let zero = |t: &Tensor| -> Result<Tensor> { Ok(no_grad(|| t.f_zeros_like())?) };
        let moments = weights
            .iter()
            .map(|(name, t)| Ok((name.to_owned(), (zero(t)?, zero(t)?))))
            .collect::<Result<_>>()?;
        Ok(Self {
            config,
            moments,
            steps: 0,
        })
    }

    /// One step along the gathered gradients, which are cleared. Returns their norm before clipping.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a gradient is not; the weights then stay as they were.
    pub(super) fn step(&mut self, weights: &Weights, learning_rate: f64) -> Result<f64> {
        let norm = grad_norm(weights)?;
        if !norm.is_finite() {
            clear_gradients(weights);
            return Err(Error::NotFinite {
                what: "the gradient norm",
                value: norm,
            });
        }
        self.steps += 1;
        let scale = (self.config.max_grad_norm / (norm + 1e-6)).min(1.0);
        no_grad(|| -> Result<()> {
            for (name, weight) in weights.iter() {
                let Some((m, v)) = self.moments.get(name) else {
                    continue;
                };
                let gradient = weight.grad();
                if gradient.defined() {
                    let gradient = gradient.f_mul_scalar(scale)?;
                    self.step_one(weight.shallow_clone(), m, v, &gradient, learning_rate)?;
                }
            }
            Ok(())
        })?;
        clear_gradients(weights);
        Ok(norm)
    }

    fn step_one(
        &self,
        mut weight: Tensor,
        m: &Tensor,
        v: &Tensor,
        gradient: &Tensor,
        learning_rate: f64,
    ) -> Result<()> {
        let c = &self.config;
        let (mut m, mut v) = (m.shallow_clone(), v.shallow_clone());
        let _ = m.f_lerp_(gradient, 1.0 - c.beta1)?;
        let _ = v.f_lerp_(&gradient.f_square()?, 1.0 - c.beta2)?;
        if c.weight_decay > 0.0 && weight.dim() >= 2 {
            let _ = weight.f_mul_scalar_(1.0 - learning_rate * c.weight_decay)?;
        }
        let correction1 = 1.0 - c.beta1.powi(self.steps);
        let correction2 = 1.0 - c.beta2.powi(self.steps);
        let mut root = v.f_sqrt()?.f_div_scalar(correction2.sqrt())?;
        let step = m
            .f_mul_scalar(learning_rate / correction1)?
            .f_div(&root.f_add_scalar_(c.epsilon)?)?;
        let _ = weight.f_sub_(&step)?;
        Ok(())
    }

    /// Steps taken and moments by name (`m.<parameter>`, `v.<parameter>`), for a checkpoint.
    pub(super) fn state(&self) -> (i32, Vec<(String, &Tensor)>) {
        let tensors = self
            .moments
            .iter()
            .flat_map(|(name, (m, v))| [(format!("m.{name}"), m), (format!("v.{name}"), v)]);
        (self.steps, tensors.collect())
    }

    /// Takes back what [`AdamW::state`] gave.
    pub(super) fn restore(
        &mut self,
        steps: i32,
        find: impl Fn(&str) -> Result<Tensor>,
    ) -> Result<()> {
        self.steps = steps;
        for (name, (m, v)) in &mut self.moments {
            m.f_copy_(&find(&format!("m.{name}"))?)?;
            v.f_copy_(&find(&format!("v.{name}"))?)?;
        }
        Ok(())
    }
}

fn grad_norm(weights: &Weights) -> Result<f64> {
    let mut sum = 0.0;
    for (_, weight) in weights.iter() {
        let gradient = weight.grad();
        if gradient.defined() {
            sum += gradient
                .f_square()?
                .f_sum(Kind::Double)?
                .f_double_value(&[])?;
        }
    }
    Ok(sum.sqrt())
}

/// Zeroes the gradients of all weights.
pub(super) fn clear_gradients(weights: &Weights) {
    for (_, weight) in weights.iter() {
        weight.shallow_clone().zero_grad();
    }
}
