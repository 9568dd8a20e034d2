//! The model's tensors by their Hugging Face names.

use std::collections::BTreeMap;

use rand::RngExt;
use tch::{Tensor, no_grad};

use crate::{
    ModelConfig,
    error::{Error, Result},
    random::random_stream,
};

/// Every tensor of a model by name, in a fixed order.
#[derive(Debug)]
pub(crate) struct Weights(BTreeMap<String, Tensor>);

impl Weights {
    /// Names and shapes of a model's tensors.
    pub(crate) fn shapes(config: &ModelConfig) -> BTreeMap<String, Vec<i64>> {
        let (hidden, wide) = (config.hidden_size as i64, config.intermediate_size as i64);
        let vocab = config.vocab_size as i64;
        let q = (config.num_attention_heads * config.head_width()) as i64;
        let kv = (config.num_key_value_heads * config.head_width()) as i64;
        let mut shapes = BTreeMap::new();
        let mut add = |name: String, shape: &[i64]| {
            shapes.insert(name, shape.to_vec());
        };
        add("model.embed_tokens.weight".into(), &[vocab, hidden]);
        add("model.norm.weight".into(), &[hidden]);
        if !config.tie_word_embeddings {
            add("lm_head.weight".into(), &[vocab, hidden]);
        }
        for layer in 0..config.num_hidden_layers {
            let mut add =
                |name: &str, shape: &[i64]| add(format!("model.layers.{layer}.{name}"), shape);
            add("input_layernorm.weight", &[hidden]);
            add("post_attention_layernorm.weight", &[hidden]);
            add("mlp.gate_proj.weight", &[wide, hidden]);
            add("mlp.up_proj.weight", &[wide, hidden]);
            add("mlp.down_proj.weight", &[hidden, wide]);
            add("self_attn.o_proj.weight", &[hidden, q]);
            if config.has_query_key_norm() {
                let head = config.head_width() as i64;
                add("self_attn.q_norm.weight", &[head]);
                add("self_attn.k_norm.weight", &[head]);
            }
            for (name, rows) in [("q", q), ("k", kv), ("v", kv)] {
                add(&format!("self_attn.{name}_proj.weight"), &[rows, hidden]);
                if config.attention_bias() {
                    add(&format!("self_attn.{name}_proj.bias"), &[rows]);
                }
            }
        }
        shapes
    }

    /// Freshly drawn weights: norms 1, biases 0, the rest normal with the config's deviation. Each tensor
    /// has its own random stream, so that its values depend on nothing but seed and name.
    pub(crate) fn draw(config: &ModelConfig, seed: u64) -> Result<Self> {
        let draw = |name: &str, shape: &[i64]| -> Result<Tensor> {
            if name.ends_with("norm.weight") {
                return Ok(Tensor::f_ones(shape, super::F32)?);
            }
            if name.ends_with(".bias") {
                return Ok(Tensor::f_zeros(shape, super::F32)?);
            }
            let mut random = random_stream(seed, "weights", name, 0);
            let values: Vec<f64> = (0..shape.iter().product())
                .map(|_| random.random_range(-1.0..1.0))
                .collect();
            // The inverse of the normal distribution turns uniform numbers into normal ones.
            let normal = Tensor::f_from_slice(&values)?.f_erfinv()?;
            let deviation = std::f64::consts::SQRT_2 * config.initializer_range;
            let scaled = normal
                .f_mul_scalar(deviation)?
                .f_to_kind(tch::Kind::Float)?;
            Ok(scaled.f_view(shape)?)
        };
        let tensors = Self::shapes(config)
            .into_iter()
            .map(|(name, shape)| draw(&name, &shape).map(|t| (name, t)))
            .collect::<Result<_>>()?;
        Ok(Self(tensors))
    }

    /// Takes tensors whose names and shapes were checked.
    pub(crate) fn from_map(tensors: BTreeMap<String, Tensor>) -> Self {
        Self(tensors)
    }

    /// The tensor of that name, sharing its memory.
    pub(crate) fn get(&self, name: &str) -> Result<Tensor> {
        self.0
            .get(name)
            .map(Tensor::shallow_clone)
            .ok_or_else(|| Error::InvalidTensor {
                path: "model.safetensors".into(),
                name: name.to_owned(),
                what: "is missing".to_owned(),
            })
    }

    /// All tensors in order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Makes every tensor a leaf that gathers gradients.
    pub(crate) fn trainable(self) -> Result<Self> {
        for tensor in self.0.values() {
            let _ = tensor.f_set_requires_grad(true)?;
        }
        Ok(self)
    }

    /// A copy that shares nothing and gathers no gradients.
    pub(crate) fn frozen_copy(&self) -> Result<Self> {
        let copy = |t: &Tensor| -> Result<Tensor> {
            let mut copy = t.f_detach()?.f_empty_like()?;
            copy.f_copy_(t)?;
            Ok(copy)
        };
        let tensors = no_grad(|| {
            self.0
                .iter()
                .map(|(n, t)| Ok((n.clone(), copy(t)?)))
                .collect::<Result<_>>()
        })?;
        Ok(Self(tensors))
    }

    /// Overwrites every tensor with the values of `other`, which has the same names and shapes.
    pub(crate) fn copy_from(&self, other: &Weights) -> Result<()> {
        no_grad(|| {
            for (name, tensor) in &self.0 {
                tensor.shallow_clone().f_copy_(&other.get(name)?)?;
            }
            Ok(())
        })
    }
}
