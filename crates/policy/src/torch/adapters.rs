//! Low-rank adapters: the trained tensors.

use std::collections::BTreeMap;

use rand::RngExt;
use tch::{Device, Kind, Tensor, no_grad};

use super::weights::Weights;
use crate::{LoraConfig, ModelConfig, error::Result, random::random_stream};

/// A `[rank, in]` and B `[out, rank]` of every adapted projection, f32, by the projection's module and `lora_A.weight` or
/// `lora_B.weight`.
#[derive(Debug)]
pub(crate) struct Adapters {
    config: LoraConfig,
    tensors: BTreeMap<String, Tensor>,
}

impl Adapters {
    /// Names and shapes.
    pub(crate) fn shapes(config: &LoraConfig, model: &ModelConfig) -> BTreeMap<String, Vec<i64>> {
        let rank = config.rank as i64;
        let adapted = Weights::shapes(model)
            .into_iter()
            .filter_map(|(name, shape)| {
                let [a, b] = names(config, &name)?;
                Some([(a, vec![rank, shape[1]]), (b, vec![shape[0], rank])])
            });
        adapted.flatten().collect()
    }

    /// Fresh adapters, which change nothing yet: B is 0, and A uniform within 1/sqrt(in), as PEFT draws it.
    pub(crate) fn draw(config: &LoraConfig, model: &ModelConfig, device: Device) -> Result<Self> {
        let draw = |(name, shape): (String, Vec<i64>)| -> Result<(String, Tensor)> {
            // kaiming_uniform with a = sqrt(5), as in PEFT: sqrt(6 / ((1 + a^2) in)) = 1 / sqrt(in).
            let bound = if name.ends_with("lora_A.weight") {
                (shape[1] as f32).powf(-0.5)
            } else {
                0.0
            };
            // A stream for each tensor: which projections are adapted changes no value of another.
            let mut random = random_stream(config.seed, "adapters", &name, 0);
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| bound * random.random_range(-1.0..1.0))
                .collect();
            let tensor = Tensor::f_from_slice(&values)?.f_view(shape.as_slice())?;
            Ok((name, tensor.f_to_device(device)?))
        };
        let tensors = Self::shapes(config, model)
            .into_iter()
            .map(draw)
            .collect::<Result<_>>()?;
        Ok(Self {
            config: config.clone(),
            tensors,
        })
    }

    pub(crate) fn config(&self) -> &LoraConfig {
        &self.config
    }

    pub(crate) fn rank(&self) -> i64 {
        self.config.rank as i64
    }

    /// alpha / rank.
    pub(crate) fn scale(&self) -> f64 {
        self.config.alpha / self.config.rank as f64
    }

    /// Names of A and B beside the weight of that name, where it is adapted.
    pub(crate) fn names(&self, weight: &str) -> Option<[String; 2]> {
        names(&self.config, weight)
    }

    pub(crate) fn by_name(&self) -> BTreeMap<&str, &Tensor> {
        self.tensors.iter().map(|(n, t)| (n.as_str(), t)).collect()
    }

    /// A copy that shares nothing.
    pub(crate) fn frozen_copy(&self) -> Result<Self> {
        let copy = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.f_detach_copy()?));
        Ok(Self {
            config: self.config.clone(),
            tensors: no_grad(|| self.tensors.iter().map(copy).collect::<Result<_>>())?,
        })
    }

    /// Takes the values of tensors with the same names and shapes.
    pub(crate) fn copy_from(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        no_grad(|| {
            for (name, tensor) in &self.tensors {
                if let Some(other) = tensors.get(name) {
                    tensor.shallow_clone().f_copy_(other)?;
                }
            }
            Ok(())
        })
    }

    /// Adds `scale B A` to every adapted weight, summed in f32.
    pub(crate) fn merge_into(&self, weights: &Weights) -> Result<()> {
        no_grad(|| {
            for (name, mut weight) in weights.named()? {
                let pair = self
                    .names(&name)
                    .map(|[a, b]| (self.tensors.get(&a), self.tensors.get(&b)));
                if let Some((Some(a), Some(b))) = pair {
                    // Summed in f32 and rounded once, so that a merged bf16 model is as near as bf16 allows.
                    let change = b.f_mm(a)?.f_mul_scalar(self.scale())?;
                    weight.f_copy_(&weight.f_to_kind(Kind::Float)?.f_add(&change)?)?;
                }
            }
            Ok(())
        })
    }
}

fn names(config: &LoraConfig, weight: &str) -> Option<[String; 2]> {
    let module = weight.strip_suffix(".weight")?;
    let (_, projection) = module.rsplit_once('.')?;
    let adapted = config.targets.iter().any(|t| t.name() == projection);
    adapted.then(|| ["A", "B"].map(|which| format!("{module}.lora_{which}.weight")))
}
