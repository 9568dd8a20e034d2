//! AdamW with global norm clipping.

use std::collections::BTreeMap;

use tch::{Tensor, no_grad};

use super::{
    decoder::Gradients,
    shim::{self, AdamWSlot, AdamWStep},
};
use crate::{
    OptimizerConfig,
    error::{Error, Result},
};

/// Moments of every trained tensor, f32.
#[derive(Debug)]
pub(super) struct AdamW {
    config: OptimizerConfig,
    moments: BTreeMap<String, (Tensor, Tensor)>,
    steps: i32,
}

/// Trained tensors by name.
pub(super) type Parameters<'a> = BTreeMap<&'a str, &'a Tensor>;

impl AdamW {
    pub(super) fn new(config: OptimizerConfig, parameters: &Parameters<'_>) -> Result<Self> {
        let zero = |t: &Tensor| -> Result<Tensor> { Ok(no_grad(|| t.f_zeros_like())?) };
        let moments = parameters
            .iter()
            .map(|(&name, t)| Ok((name.to_owned(), (zero(t)?, zero(t)?))))
            .collect::<Result<_>>()?;
        Ok(Self {
            config,
            moments,
            steps: 0,
        })
    }

    pub(super) fn steps(&self) -> i32 {
        self.steps
    }

    /// One step along the gradients. Returns their norm before clipping.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a gradient is not; the parameters then stay as they were.
    pub(super) fn step(
        &mut self,
        parameters: &Parameters<'_>,
        gradients: &Gradients,
        learning_rate: f64,
    ) -> Result<f64> {
        let norm = shim::norm(gradients.iter())?;
        if !norm.is_finite() {
            return Err(Error::NotFinite {
                what: "the gradient norm",
                value: norm,
            });
        }
        self.steps += 1;
        let c = &self.config;
        let mut step = AdamWStep {
            number: f64::from(self.steps),
            learning_rate,
            betas: (c.beta1, c.beta2),
            weight_decay: 0.0,
            epsilon: c.epsilon,
            gradient_divisor: ((norm + 1e-6) / c.max_grad_norm).max(1.0),
        };
        let (mut vectors, mut matrices) = (Vec::new(), Vec::new());
        for (&name, &parameter) in parameters {
            if let (Some((first, second)), Some(gradient)) =
                (self.moments.get(name), gradients.get(name))
            {
                let slots = if parameter.dim() >= 2 {
                    &mut matrices
                } else {
                    &mut vectors
                };
                slots.push(AdamWSlot {
                    parameter,
                    gradient,
                    first,
                    second,
                });
            }
        }
        shim::adamw(&vectors, &step)?;
        step.weight_decay = c.weight_decay;
        shim::adamw(&matrices, &step)?;
        Ok(norm)
    }

    /// Moments by name (`m.<parameter>`, `v.<parameter>`), for a checkpoint.
    pub(super) fn moments(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.moments
            .iter()
            .flat_map(|(name, (m, v))| [(format!("m.{name}"), m), (format!("v.{name}"), v)])
    }

    /// Takes back what [`AdamW::moments`] gave after so many steps.
    pub(super) fn restore(&mut self, steps: i32, moments: &BTreeMap<String, Tensor>) -> Result<()> {
        self.steps = steps;
        for (name, own) in self.moments() {
            if let Some(moment) = moments.get(&name) {
                own.shallow_clone().f_copy_(moment)?;
            }
        }
        Ok(())
    }
}
