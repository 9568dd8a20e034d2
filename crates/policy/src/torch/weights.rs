//! The model's tensors, as the decoder computes with them and by their Hugging Face names.

use std::collections::BTreeMap;

use rand::RngExt;
use tch::{Kind, Tensor, no_grad};

use super::placement::Placement;
use crate::{
    ModelConfig,
    error::{Error, Result},
    random::random_stream,
};

/// Every tensor of a model. Projections of the same input lie in one tensor, one below the other, so that one product serves
/// them all; by their Hugging Face names they are views of it.
#[derive(Debug)]
pub(crate) struct Weights {
    stacks: BTreeMap<String, Stack>,
}

/// Tensors of the checkpoint one below the other.
#[derive(Debug)]
struct Stack {
    tensor: Tensor,
    parts: Vec<Part>,
}

/// One tensor of the checkpoint: some rows of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its Hugging Face name.
    pub(crate) name: String,
    pub(crate) rows: i64,
}

/// Name and shape of every stack, with its parts.
#[derive(Debug, Default)]
struct Plan(BTreeMap<String, (Vec<Part>, Option<i64>)>);

impl Plan {
    fn of(config: &ModelConfig) -> Self {
        let (vocab, hidden) = (config.vocab_size as i64, config.hidden_size as i64);
        let mut plan = Self::default();
        plan.add(
            "model",
            "embed_tokens.weight",
            &[("embed_tokens", vocab)],
            Some(hidden),
        );
        plan.add("model", "norm.weight", &[("norm", hidden)], None);
        if !config.tie_word_embeddings {
            let part = Part {
                name: "lm_head.weight".to_owned(),
                rows: vocab,
            };
            plan.0.insert(part.name.clone(), (vec![part], Some(hidden)));
        }
        for layer in 0..config.num_hidden_layers {
            plan.add_layer(config, &format!("model.layers.{layer}"));
        }
        plan
    }

    fn add_layer(&mut self, config: &ModelConfig, layer: &str) {
        let (hidden, wide) = (config.hidden_size as i64, config.intermediate_size as i64);
        let head = config.head_width() as i64;
        let q = config.num_attention_heads as i64 * head;
        let kv = config.num_key_value_heads as i64 * head;
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            self.add(layer, &format!("{norm}.weight"), &[(norm, hidden)], None);
        }
        let attention = format!("{layer}.self_attn");
        if config.has_query_key_norm() {
            for norm in ["q_norm", "k_norm"] {
                self.add(&attention, &format!("{norm}.weight"), &[(norm, head)], None);
            }
        }
        let qkv = [("q_proj", q), ("k_proj", kv), ("v_proj", kv)];
        self.add(&attention, "qkv_proj.weight", &qkv, Some(hidden));
        if config.has_qkv_bias() {
            self.add(&attention, "qkv_proj.bias", &qkv, None);
        }
        self.add(&attention, "o_proj.weight", &[("o_proj", hidden)], Some(q));
        if config.has_output_bias() {
            self.add(&attention, "o_proj.bias", &[("o_proj", hidden)], None);
        }
        let mlp = format!("{layer}.mlp");
        let gate_up = [("gate_proj", wide), ("up_proj", wide)];
        self.add(&mlp, "gate_up_proj.weight", &gate_up, Some(hidden));
        let down = [("down_proj", hidden)];
        self.add(&mlp, "down_proj.weight", &down, Some(wide));
        if config.has_mlp_bias() {
            self.add(&mlp, "gate_up_proj.bias", &gate_up, None);
            self.add(&mlp, "down_proj.bias", &down, None);
        }
    }

    /// A stack `module.name` of parts `module.part.<weight or bias>`.
    fn add(&mut self, module: &str, name: &str, parts: &[(&str, i64)], columns: Option<i64>) {
        let suffix = name.rsplit('.').next().unwrap_or_default();
        let part = |&(part, rows): &(&str, i64)| Part {
            name: format!("{module}.{part}.{suffix}"),
            rows,
        };
        let parts = parts.iter().map(part).collect();
        self.0.insert(format!("{module}.{name}"), (parts, columns));
    }
}

fn shape(rows: i64, columns: Option<i64>) -> Vec<i64> {
    std::iter::once(rows).chain(columns).collect()
}

impl Weights {
    /// Hugging Face names and shapes of a model's tensors.
    pub(crate) fn shapes(config: &ModelConfig) -> BTreeMap<String, Vec<i64>> {
        let plan = Plan::of(config).0.into_values();
        plan.flat_map(|(parts, columns)| {
            let one = move |part: Part| (part.name, shape(part.rows, columns));
            parts.into_iter().map(one)
        })
        .collect()
    }

    /// Freshly drawn weights: norms 1, biases 0, the rest normal with the config's deviation. Each tensor
    /// has its own random stream, so that its values depend on nothing but seed and name.
    pub(crate) fn draw(config: &ModelConfig, seed: u64, placement: Placement) -> Result<Self> {
        Self::fill(config, placement, |name, shape| {
            let options = Placement::CPU_F32.options();
            if name.ends_with("norm.weight") {
                return Ok(Tensor::f_ones(shape, options)?);
            }
            if name.ends_with(".bias") {
                return Ok(Tensor::f_zeros(shape, options)?);
            }
            let mut random = random_stream(seed, "weights", name, 0);
            // Drawn here, not by libtorch, whose generator gives other numbers on other devices and with other threads.
            let values: Vec<f64> = (0..shape.iter().product())
                .map(|_| random.random_range(-1.0..1.0))
                .collect();
            // The quantile of u is sqrt(2) erfinv(2u - 1), and the values are 2u - 1. In f64, since the spacing of f32 below 1
            // would end the distribution at 5.4 deviations.
            let normal = Tensor::f_from_slice(&values)?.f_erfinv()?;
            let deviation = std::f64::consts::SQRT_2 * config.initializer_range;
            Ok(normal.f_mul_scalar(deviation)?.f_view(shape)?)
        })
    }

    /// Weights of which `find` gives each tensor by its Hugging Face name and shape, one at a time: beside the weights, only
    /// one is held.
    pub(crate) fn fill(
        config: &ModelConfig,
        placement: Placement,
        mut find: impl FnMut(&str, &[i64]) -> Result<Tensor>,
    ) -> Result<Self> {
        let mut stack = |(parts, columns): (Vec<Part>, Option<i64>)| -> Result<Stack> {
            let rows = parts.iter().map(|part| part.rows).sum();
            let tensor = Tensor::f_empty(shape(rows, columns), placement.options())?;
            let mut start = 0;
            for part in &parts {
                let found = find(&part.name, &shape(part.rows, columns))?;
                // Converts to the kind that weights are kept in and moves to their device in one copy.
                tensor.f_narrow(0, start, part.rows)?.f_copy_(&found)?;
                start += part.rows;
            }
            Ok(Stack { tensor, parts })
        };
        let plan = Plan::of(config).0.into_iter();
        let stacks = no_grad(|| {
            plan.map(|(name, parts)| Ok((name, stack(parts)?)))
                .collect::<Result<_>>()
        })?;
        Ok(Self { stacks })
    }

    /// The stack of that name, sharing its memory.
    pub(crate) fn get(&self, name: &str) -> Result<Tensor> {
        let stack = self.stacks.get(name).ok_or_else(|| missing(name))?;
        Ok(stack.tensor.shallow_clone())
    }

    /// The kind of all tensors.
    pub(crate) fn kind(&self) -> Kind {
        let first = self.stacks.values().next();
        first.map_or(Kind::Float, |stack| stack.tensor.kind())
    }

    /// The tensors that lie in the stack of that name, in order.
    pub(crate) fn parts(&self, name: &str) -> &[Part] {
        self.stacks.get(name).map_or(&[], |stack| &stack.parts)
    }

    /// All stacks in order of their names.
    pub(crate) fn stacks(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        let stacks = self.stacks.iter();
        stacks.map(|(name, stack)| (name.as_str(), &stack.tensor))
    }

    /// All tensors with their Hugging Face names, sharing the stacks' memory.
    pub(crate) fn named(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut named = BTreeMap::new();
        for stack in self.stacks.values() {
            let mut start = 0;
            for part in &stack.parts {
                // Some rows of a contiguous stack are contiguous too, so a view can be written to a file as it lies.
                let rows = stack.tensor.f_detach()?.f_narrow(0, start, part.rows)?;
                named.insert(part.name.clone(), rows);
                start += part.rows;
            }
        }
        Ok(named)
    }

    /// A copy of that kind that shares nothing and gathers no gradients.
    pub(crate) fn frozen_copy(&self, kind: Kind) -> Result<Self> {
        let copy = |stack: &Stack| -> Result<Stack> {
            let tensor = &stack.tensor;
            let mut copy = Tensor::f_empty(tensor.size(), (kind, tensor.device()))?;
            copy.f_copy_(tensor)?;
            let parts = stack.parts.clone();
            Ok(Stack {
                tensor: copy,
                parts,
            })
        };
        let stacks = no_grad(|| {
            self.stacks
                .iter()
                .map(|(name, stack)| Ok((name.clone(), copy(stack)?)))
                .collect::<Result<_>>()
        })?;
        Ok(Self { stacks })
    }

    /// Overwrites every tensor with the values of `other`, which has the same names and shapes.
    pub(crate) fn copy_from(&self, other: &Weights) -> Result<()> {
        no_grad(|| {
            for (name, tensor) in self.stacks() {
                tensor.shallow_clone().f_copy_(&other.get(name)?)?;
            }
            Ok(())
        })
    }
}

fn missing(name: &str) -> Error {
    Error::InvalidTensor {
        path: "model.safetensors".into(),
        name: name.to_owned(),
        what: "is missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_views_of_their_stack() {
        let config: ModelConfig = serde_json::from_value(serde_json::json!({
            "model_type": "qwen2", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 6, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-6, "max_position_embeddings": 8
        }))
        .unwrap();
        let weights = Weights::draw(&config, 1, Placement::CPU_F32).unwrap();
        let named = weights.named().unwrap();
        let shapes: BTreeMap<_, _> = named.iter().map(|(n, t)| (n.clone(), t.size())).collect();
        assert_eq!(shapes, Weights::shapes(&config));
        let qkv = weights
            .get("model.layers.0.self_attn.qkv_proj.weight")
            .unwrap();
        assert_eq!(qkv.size(), [8, 4]);
        let v = &named["model.layers.0.self_attn.v_proj.weight"];
        assert_eq!(qkv.narrow(0, 6, 2), *v);
        assert_eq!(v.data_ptr(), qkv.narrow(0, 6, 2).data_ptr());
    }
}
