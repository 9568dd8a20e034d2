//! A Llama-, Qwen2- or Qwen3-shaped decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

mod attention;
mod cache;
mod rotary;
mod weights;

use tch::{Device, Kind, Tensor};

use self::attention::Attention;
pub(crate) use self::{
    cache::{KvCache, PromptCache},
    rotary::Rotary,
    weights::Weights,
};
use super::batch::Layout;
use crate::{ModelConfig, Result};

/// Weights and the sums over them. All tensors are f32 on the CPU.
#[derive(Debug)]
pub(crate) struct Decoder {
    config: ModelConfig,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    /// The output head, `[vocab, hidden]`; the embedding itself when tied.
    head: Tensor,
    rotary: Rotary,
    eps: f64,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Tensor,
    attention: Attention,
    feed_forward_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

impl Decoder {
    /// Builds the decoder over `weights`, which stay shared with it.
    pub(crate) fn new(config: &ModelConfig, weights: &Weights) -> Result<Self> {
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::new(config, weights, i))
            .collect::<Result<_>>()?;
        let embedding = weights.get("model.embed_tokens.weight")?;
        let head = if config.tie_word_embeddings {
            embedding.shallow_clone()
        } else {
            weights.get("lm_head.weight")?
        };
        Ok(Self {
            config: config.clone(),
            embedding,
            layers,
            norm: weights.get("model.norm.weight")?,
            head,
            rotary: Rotary::new(config)?,
            eps: config.rms_norm_eps,
        })
    }

    pub(crate) fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The output head, `[vocab, hidden]`.
    pub(crate) fn head(&self) -> &Tensor {
        &self.head
    }

    /// Hidden states after the last norm, `[tokens, hidden]`, of `ids` `[tokens]`.
    pub(crate) fn hidden(&self, ids: &Tensor, layout: &Layout) -> Result<Tensor> {
        let rotary = self.rotary.at(&layout.positions()?)?;
        let mut x = self.embed(ids)?;
        for layer in &self.layers {
            x = layer.forward(&x, self.eps, |a, x| a.forward(x, &rotary, layout))?;
        }
        self.final_norm(&x)
    }

    /// As [`Decoder::hidden`], for whole prompts, whose keys and values the cache takes.
    pub(crate) fn prefill(
        &self,
        ids: &Tensor,
        layout: &Layout,
        cache: &mut PromptCache,
    ) -> Result<Tensor> {
        let rotary = self.rotary.at(&layout.positions()?)?;
        let mut x = self.embed(ids)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, self.eps, |a, x| a.prefill(x, &rotary, layout, cache, i))?;
        }
        self.final_norm(&x)
    }

    /// Hidden states `[batch, hidden]` of one further token a row, `ids` and `positions` `[batch]`.
    pub(crate) fn decode(
        &self,
        ids: &Tensor,
        positions: &Tensor,
        cache: &mut KvCache,
    ) -> Result<Tensor> {
        let rotary = self.rotary.at(positions)?;
        let mask = cache.make_room()?;
        let mut x = self.embed(ids)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, self.eps, |a, x| a.decode(x, &rotary, &mask, cache, i))?;
        }
        cache.advance();
        self.final_norm(&x)
    }

    /// Logits `[rows, vocab]` of hidden states `[rows, hidden]`.
    pub(crate) fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(hidden.f_linear(&self.head, None::<&Tensor>)?)
    }

    fn embed(&self, ids: &Tensor) -> Result<Tensor> {
        Ok(Tensor::f_embedding(&self.embedding, ids, -1, false, false)?)
    }

    fn final_norm(&self, x: &Tensor) -> Result<Tensor> {
        rms_norm(x, &self.norm, self.eps)
    }
}

impl Layer {
    fn new(config: &ModelConfig, weights: &Weights, index: usize) -> Result<Self> {
        let get = |name: &str| weights.get(&format!("model.layers.{index}.{name}.weight"));
        Ok(Self {
            attention_norm: get("input_layernorm")?,
            attention: Attention::new(config, weights, index)?,
            feed_forward_norm: get("post_attention_layernorm")?,
            gate: get("mlp.gate_proj")?,
            up: get("mlp.up_proj")?,
            down: get("mlp.down_proj")?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        eps: f64,
        attend: impl FnOnce(&Attention, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let x = x.f_add(&attend(
            &self.attention,
            &rms_norm(x, &self.attention_norm, eps)?,
        )?)?;
        let y = self.feed_forward(&rms_norm(&x, &self.feed_forward_norm, eps)?)?;
        Ok(x.f_add(&y)?)
    }

    fn feed_forward(&self, x: &Tensor) -> Result<Tensor> {
        let none = None::<&Tensor>;
        let gate = x.f_linear(&self.gate, none)?.f_silu()?;
        Ok(gate
            .f_mul(&x.f_linear(&self.up, none)?)?
            .f_linear(&self.down, none)?)
    }
}

fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    Ok(x.f_rms_norm(weight.size(), Some(weight), eps)?)
}

/// Where and how tensors of the model are made.
pub(crate) const F32: (Kind, Device) = (Kind::Float, Device::Cpu);
