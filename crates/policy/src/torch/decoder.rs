//! A Llama-shaped decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

mod attention;
mod cache;
mod leaves;
mod linear;
mod rotary;
mod tape;

use std::collections::BTreeMap;

use tch::{Kind, Tensor, no_grad};

use self::{
    attention::Attention,
    leaves::Source,
    linear::Linear,
    rotary::{Rotary, Turns},
};
pub(crate) use self::{
    cache::{KvCache, PromptCache},
    leaves::{Gradients, Leaf, Trained},
    linear::Dropout,
    tape::Tape,
};
use super::{
    batch::{Layout, tokens_read},
    ops,
    placement::Placement,
    weights::Weights,
};
use crate::{ModelConfig, Result};

/// The tensors of a model in the kind that it computes with, and the sums over them.
#[derive(Debug)]
pub(crate) struct Decoder {
    config: ModelConfig,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    /// The output head, `[vocab, hidden]`; the embedding itself when tied.
    head: Tensor,
    rotary: Rotary,
    leaves: Leaves,
}

/// The leaves of each part of the decoder.
#[derive(Debug)]
struct Leaves {
    embedding: Option<Leaf>,
    layers: Vec<Vec<Leaf>>,
    norm: Vec<Leaf>,
    /// None when tied.
    head: Option<Leaf>,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Tensor,
    attention: Attention,
    feed_forward_norm: Tensor,
    gate_up: Linear,
    down: Linear,
    eps: f64,
    /// What each part's result is multiplied by before it is added.
    residual: f64,
}

/// What the layers of one training pass share.
#[derive(Debug)]
struct Pass<'a> {
    layout: &'a Layout,
    rotary: Turns,
    dropout: Option<Dropout>,
}

impl Decoder {
    /// Builds the decoder over `weights`, which it shares where they are of `kind` already.
    pub(crate) fn new(
        config: &ModelConfig,
        weights: &Weights,
        kind: Kind,
        trained: Trained<'_>,
    ) -> Result<Self> {
        let mut source = Source {
            weights,
            kind,
            trained,
            leaves: Vec::new(),
        };
        let embedding = source.stack("model.embed_tokens.weight")?;
        let embedding_leaf = source.take_leaves().pop();
        let (mut layers, mut layer_leaves) = (Vec::new(), Vec::new());
        for index in 0..config.num_hidden_layers {
            layers.push(Layer::new(config, &mut source, index)?);
            layer_leaves.push(source.take_leaves());
        }
        let norm = source.stack("model.norm.weight")?;
        let norm_leaf = source.take_leaves();
        let head = match config.tie_word_embeddings {
            true => embedding.shallow_clone(),
            false => source.stack("lm_head.weight")?,
        };
        Ok(Self {
            config: config.clone(),
            rotary: Rotary::new(config, kind, embedding.device())?,
            embedding,
            layers,
            norm,
            head,
            leaves: Leaves {
                embedding: embedding_leaf,
                layers: layer_leaves,
                norm: norm_leaf,
                head: source.take_leaves().pop(),
            },
        })
    }

    pub(crate) fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Kind and device of its tensors.
    pub(crate) fn placement(&self) -> Placement {
        Placement {
            kind: self.embedding.kind(),
            device: self.embedding.device(),
        }
    }

    /// The output head, `[vocab, hidden]`.
    pub(crate) fn head(&self) -> &Tensor {
        &self.head
    }

    /// The leaf that the head's gradient belongs to, where it is trained.
    pub(crate) fn head_leaf(&self) -> Option<&Leaf> {
        // A tied head is the embedding: its gradient is added to the sum that the rows of ids go to.
        self.leaves.head.as_ref().or(self.leaves.embedding.as_ref())
    }

    /// What is wrong with ids outside the vocabulary.
    pub(crate) fn check_ids(&self, ids: &[u32]) -> Result<(), String> {
        let vocab = self.config.vocab_size;
        match ids.iter().find(|&&id| id as usize >= vocab) {
            Some(id) => Err(format!("token id {id} must be below vocab_size {vocab}")),
            None => Ok(()),
        }
    }

    /// What makes a prompt or one of its responses impossible to read.
    pub(crate) fn check_sequence(&self, prompt: &[u32], response: &[u32]) -> Result<(), String> {
        if prompt.is_empty() || response.is_empty() {
            return Err("prompt and response must have at least one token each".to_owned());
        }
        let (tokens, limit) = (
            prompt.len() + tokens_read(response),
            self.config.max_position_embeddings,
        );
        if tokens > limit {
            return Err(format!(
                "{tokens} tokens exceed max_position_embeddings {limit}"
            ));
        }
        self.check_ids(prompt)?;
        self.check_ids(response)
    }

    /// Takes over the present values of what is trained.
    pub(crate) fn refresh(&self, trained: &BTreeMap<&str, &Tensor>) -> Result<()> {
        let leaves = &self.leaves;
        let all = leaves.layers.iter().flatten().chain(&leaves.norm);
        let mut all = all.chain(&leaves.embedding).chain(&leaves.head);
        no_grad(|| all.try_for_each(|leaf| leaf.refresh(trained)))
    }

    /// Hidden states after the last norm, `[tokens, hidden]`, of `ids` `[tokens]`.
    pub(crate) fn hidden(&self, ids: &Tensor, layout: &Layout) -> Result<Tensor> {
        let pass = self.pass(layout, None)?;
        let mut x = self.embed(ids)?;
        for index in 0..self.layers.len() {
            x = self.layer(index, &x, &pass)?;
        }
        self.final_norm(&x)
    }

    /// As [`Decoder::hidden`], for whole prompts, the next of those that the cache has room for; it takes their keys and values.
    pub(crate) fn prefill(
        &self,
        ids: &Tensor,
        layout: &Layout,
        cache: &mut PromptCache,
    ) -> Result<Tensor> {
        let rotary = self.rotary.at(&layout.positions()?)?;
        let mut x = self.embed(ids)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, None, |a, x| a.prefill(x, &rotary, layout, cache, i))?;
        }
        cache.advance(layout);
        self.final_norm(&x)
    }

    /// Hidden states `[batch, hidden]` of one further token per row, `ids` and `positions` `[batch]`.
    pub(crate) fn decode(
        &self,
        ids: &Tensor,
        positions: &Tensor,
        cache: &mut KvCache,
    ) -> Result<Tensor> {
        let rotary = self.rotary.at(positions)?;
        let step = cache.make_room()?;
        let mut x = self.embed(ids)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, None, |a, x| a.decode(x, &rotary, &step, cache, i))?;
        }
        // Only now: every layer stored the new token in the same slot.
        cache.advance();
        self.final_norm(&x)
    }

    /// Logits `[rows, vocab]` of hidden states `[rows, hidden]`.
    pub(crate) fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(hidden.f_linear(&self.head, None::<&Tensor>)?)
    }

    fn pass<'a>(&self, layout: &'a Layout, dropout: Option<Dropout>) -> Result<Pass<'a>> {
        let rotary = self.rotary.at(&layout.positions()?)?;
        Ok(Pass {
            layout,
            rotary,
            dropout,
        })
    }

    fn layer(&self, index: usize, x: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        // Named by the layer, so that a layer that is computed anew for its gradients draws the same masks.
        let dropout = pass.dropout.map(|d| d.part(index as u64));
        self.layers[index].forward(x, dropout, |a, x| {
            a.forward(x, &pass.rotary, pass.layout, dropout)
        })
    }

    fn embed(&self, ids: &Tensor) -> Result<Tensor> {
        let x = Tensor::f_embedding(&self.embedding, ids, -1, false, false)?;
        times(x, self.config.multipliers.embedding_multiplier)
    }

    fn final_norm(&self, x: &Tensor) -> Result<Tensor> {
        let x = ops::rms_norm(x, &self.norm, self.config.rms_norm_eps)?;
        // The head is a product: whether its input or its result is divided is the same.
        times(x, 1.0 / self.config.multipliers.logits_scaling)
    }
}

impl Layer {
    fn new(config: &ModelConfig, source: &mut Source<'_>, index: usize) -> Result<Self> {
        let layer = format!("model.layers.{index}");
        Ok(Self {
            attention_norm: source.stack(&format!("{layer}.input_layernorm.weight"))?,
            attention: Attention::new(config, source, index)?,
            feed_forward_norm: source.stack(&format!("{layer}.post_attention_layernorm.weight"))?,
            gate_up: source.linear(&format!("{layer}.mlp.gate_up_proj"), config.has_mlp_bias())?,
            down: source.linear(&format!("{layer}.mlp.down_proj"), config.has_mlp_bias())?,
            eps: config.rms_norm_eps,
            residual: config.multipliers.residual_multiplier,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        dropout: Option<Dropout>,
        attend: impl FnOnce(&Attention, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let y = attend(
            &self.attention,
            &ops::rms_norm(x, &self.attention_norm, self.eps)?,
        )?;
        let x = x.f_add(&times(y, self.residual)?)?;
        let y = ops::rms_norm(&x, &self.feed_forward_norm, self.eps)?;
        // `[tokens, 2 * intermediate]`, the gate first. Parts 0 and 1 of the dropout are those of attention.
        let y = self.gate_up.forward(&y, dropout.map(|d| d.part(2)))?;
        let y = self
            .down
            .forward(&ops::swiglu(&y)?, dropout.map(|d| d.part(3)))?;
        Ok(x.f_add(&times(y, self.residual)?)?)
    }
}

/// No operation where there is nothing to multiply by.
fn times(x: Tensor, factor: f64) -> Result<Tensor> {
    match factor {
        1.0 => Ok(x),
        factor => Ok(x.f_mul_scalar(factor)?),
    }
}
