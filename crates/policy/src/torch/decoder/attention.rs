//! Grouped-query attention.

use tch::Tensor;

use super::{KvCache, Rotary, Weights};
use crate::{ModelConfig, Result};

#[derive(Debug)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    heads: i64,
    kv_heads: i64,
    head: i64,
}

#[derive(Debug)]
struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    fn new(weights: &Weights, name: &str, bias: bool) -> Result<Self> {
        let weight = weights.get(&format!("{name}.weight"))?;
        let bias = bias
            .then(|| weights.get(&format!("{name}.bias")))
            .transpose()?;
        Ok(Self { weight, bias })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, self.bias.as_ref())?)
    }
}

impl Attention {
    pub(super) fn new(config: &ModelConfig, weights: &Weights, layer: usize) -> Result<Self> {
        let linear = |name: &str, bias: bool| {
            Linear::new(
                weights,
                &format!("model.layers.{layer}.self_attn.{name}_proj"),
                bias,
            )
        };
        let bias = config.attention_bias();
        Ok(Self {
            q: linear("q", bias)?,
            k: linear("k", bias)?,
            v: linear("v", bias)?,
            o: linear("o", false)?,
            heads: config.num_attention_heads as i64,
            kv_heads: config.num_key_value_heads as i64,
            head: config.head_width() as i64,
        })
    }

    /// Causal self-attention over `x` `[batch, tokens, hidden]`.
    pub(super) fn forward(&self, x: &Tensor, rotary: &Rotary) -> Result<Tensor> {
        let (q, k, v) = self.project(x, rotary)?;
        self.causal(x, &q, &k, &v)
    }

    /// As [`Attention::forward`], and stores keys and values.
    pub(super) fn prefill(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        cache: &mut KvCache,
        layer: usize,
    ) -> Result<Tensor> {
        let (q, k, v) = self.project(x, rotary)?;
        let _ = cache.extend(layer, &k, &v)?;
        self.causal(x, &q, &k, &v)
    }

    /// Attention of one new token a row, `x` `[batch, hidden]`, over the cache.
    pub(super) fn decode(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        mask: &Tensor,
        cache: &mut KvCache,
        layer: usize,
    ) -> Result<Tensor> {
        let rows = x.size2()?.0;
        let split = |y: Tensor, heads: i64| y.f_view([rows, heads, self.head]);
        let q = rotary.turn(&split(self.q.forward(x)?, self.heads)?)?;
        let k = rotary.turn(&split(self.k.forward(x)?, self.kv_heads)?)?;
        let v = split(self.v.forward(x)?, self.kv_heads)?;
        let (k, v) = cache.extend(layer, &k.f_unsqueeze(2)?, &v.f_unsqueeze(2)?)?;
        // The query heads that share a key head stand in for its query tokens: nothing is repeated.
        let q = q.f_view([rows, self.kv_heads, self.heads / self.kv_heads, self.head])?;
        let y = Tensor::f_scaled_dot_product_attention(
            &q,
            &k,
            &v,
            Some(mask),
            0.0,
            false,
            None,
            false,
        )?;
        self.o
            .forward(&y.f_reshape([rows, self.heads * self.head])?)
    }

    /// Queries, keys and values, `[batch, heads, tokens, head]`.
    fn project(&self, x: &Tensor, rotary: &Rotary) -> Result<(Tensor, Tensor, Tensor)> {
        let (batch, tokens, _) = x.size3()?;
        let split = |y: Tensor, heads: i64| y.f_view([batch, tokens, heads, self.head]);
        let q = rotary.turn(&split(self.q.forward(x)?, self.heads)?)?;
        let k = rotary.turn(&split(self.k.forward(x)?, self.kv_heads)?)?;
        let v = split(self.v.forward(x)?, self.kv_heads)?;
        Ok((
            q.f_transpose(1, 2)?,
            k.f_transpose(1, 2)?,
            v.f_transpose(1, 2)?,
        ))
    }

    fn causal(&self, x: &Tensor, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (batch, tokens, _) = x.size3()?;
        let repeat = self.heads / self.kv_heads;
        let expand = |t: &Tensor| t.f_repeat_interleave_self_int(repeat, 1, None);
        let (k, v) = (expand(k)?, expand(v)?);
        let y = Tensor::f_scaled_dot_product_attention(
            q,
            &k,
            &v,
            None::<&Tensor>,
            0.0,
            true,
            None,
            false,
        )?;
        let y = y
            .f_transpose(1, 2)?
            .f_reshape([batch, tokens, self.heads * self.head])?;
        self.o.forward(&y)
    }
}
