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

/// Moments of every trained tensor, f32; there are none before the first step.
#[derive(Debug)]
pub(super) struct AdamW {
    config: OptimizerConfig,
    moments: BTreeMap<String, (Tensor, Tensor)>,
    steps: u32,
}

/// Trained tensors by name.
pub(super) type Parameters<'a> = BTreeMap<&'a str, &'a Tensor>;

impl AdamW {
    pub(super) fn new(config: OptimizerConfig) -> Self {
        Self {
            config,
            moments: BTreeMap::new(),
            steps: 0,
        }
    }

    pub(super) fn steps(&self) -> u32 {
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
        // Only now, so that a step that is refused leaves no trace.
        self.make_moments(parameters)?;
        self.steps += 1;
        let c = &self.config;
        let mut step = AdamWStep {
            number: f64::from(self.steps),
            learning_rate,
            betas: (c.beta1, c.beta2),
            weight_decay: 0.0,
            epsilon: c.epsilon,
            // As torch's clip_grad_norm_, which adds 1e-6 to the norm.
            gradient_divisor: ((norm + 1e-6) / c.max_grad_norm).max(1.0),
        };
        // Norms and biases are not decayed: it would pull their natural value of 1, or of 0, somewhere else.
        let (matrices, vectors): (Vec<_>, Vec<_>) = self
            .slots(parameters, gradients)
            .partition(|slot| slot.parameter.dim() >= 2);
        shim::adamw(&vectors, &step)?;
        step.weight_decay = c.weight_decay;
        shim::adamw(&matrices, &step)?;
        Ok(norm)
    }

    fn make_moments(&mut self, parameters: &Parameters<'_>) -> Result<()> {
        for (&name, parameter) in parameters {
            if !self.moments.contains_key(name) {
                // Made at the first step: a policy that only samples holds no moments.
                let zero = || no_grad(|| parameter.f_zeros_like());
                self.moments.insert(name.to_owned(), (zero()?, zero()?));
            }
        }
        Ok(())
    }

    /// Everything that a step touches, parameter by parameter.
    fn slots<'a>(
        &'a self,
        parameters: &'a Parameters<'_>,
        gradients: &'a Gradients,
    ) -> impl Iterator<Item = AdamWSlot<'a>> {
        parameters.iter().filter_map(|(&name, &parameter)| {
            let (first, second) = self.moments.get(name)?;
            let gradient = gradients.get(name)?;
            Some(AdamWSlot {
                parameter,
                gradient,
                first,
                second,
            })
        })
    }

    /// Moments by name (`m.<parameter>`, `v.<parameter>`), for a checkpoint.
    pub(super) fn moments(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.moments
            .iter()
            .flat_map(|(name, (m, v))| [(format!("m.{name}"), m), (format!("v.{name}"), v)])
    }

    /// Takes back what [`AdamW::moments`] gave after so many steps.
    pub(super) fn restore(&mut self, steps: u32, mut moments: BTreeMap<String, Tensor>) {
        self.steps = steps;
        let names: Vec<String> = moments
            .keys()
            .filter_map(|n| n.strip_prefix("m."))
            .map(str::to_owned)
            .collect();
        let mut take = |kind: &str, name: &str| moments.remove(&format!("{kind}.{name}"));
        self.moments = names
            .into_iter()
            .filter_map(|name| {
                Some((take("m", &name)?, take("v", &name)?)).map(|pair| (name, pair))
            })
            .collect();
    }
}
