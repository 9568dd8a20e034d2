//! Grouped-query attention.

use tch::Tensor;

use super::{KvCache, PromptCache, Rotary, Weights, cache::Sharing, rms_norm};
use crate::{Error, ModelConfig, Result, torch::batch::Layout};

#[derive(Debug)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    /// Norms of each head's query and key, with their epsilon.
    norms: Option<(Tensor, Tensor, f64)>,
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
        let norm = |name: &str| {
            weights.get(&format!(
                "model.layers.{layer}.self_attn.{name}_norm.weight"
            ))
        };
        let norms = config
            .has_query_key_norm()
            .then(|| Ok::<_, Error>((norm("q")?, norm("k")?, config.rms_norm_eps)))
            .transpose()?;
        Ok(Self {
            q: linear("q", bias)?,
            k: linear("k", bias)?,
            v: linear("v", bias)?,
            o: linear("o", false)?,
            norms,
            heads: config.num_attention_heads as i64,
            kv_heads: config.num_key_value_heads as i64,
            head: config.head_width() as i64,
        })
    }

    /// Self-attention over `x` `[tokens, hidden]`, each token over its own sequence up to itself.
    pub(super) fn forward(&self, x: &Tensor, rotary: &Rotary, layout: &Layout) -> Result<Tensor> {
        let (q, k, v) = self.project(x, rotary)?;
        self.attend(&q, &k, &v, layout)
    }

    /// As [`Attention::forward`], and stores each sequence's keys and values as a prompt.
    pub(super) fn prefill(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        layout: &Layout,
        cache: &mut PromptCache,
        layer: usize,
    ) -> Result<Tensor> {
        let (q, k, v) = self.project(x, rotary)?;
        cache.fill(layer, layout, &k, &v)?;
        self.attend(&q, &k, &v, layout)
    }

    /// Attention of one new token a row, `x` `[rows, hidden]`, over its prompt and its response.
    pub(super) fn decode(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        mask: &Tensor,
        cache: &mut KvCache,
        layer: usize,
    ) -> Result<Tensor> {
        let (q, k, v) = self.project(x, rotary)?;
        let past = cache.extend(layer, &k, &v)?;
        let rows = x.size2()?.0;
        // The query heads that share a key head stand together: no key is repeated.
        let q = q.f_mul_scalar((self.head as f64).powf(-0.5))?.f_view([
            rows,
            self.kv_heads,
            self.heads / self.kv_heads,
            self.head,
        ])?;
        let (prompt_keys, prompt_values, prompt_mask) = past.prompt;
        let (keys, values) = past.own;
        let over_prompt = self
            .by_prompt(&q, past.sharing)?
            .f_matmul(&prompt_keys.f_transpose(2, 3)?)?
            .f_add(prompt_mask)?;
        let over_prompt = self.by_row(&over_prompt, past.sharing)?;
        let over_own = q.f_matmul(&keys.f_transpose(2, 3)?)?.f_add(mask)?;
        let (slots, tokens) = (prompt_keys.size4()?.2, keys.size4()?.2);
        let weights = Tensor::f_cat(&[&over_prompt, &over_own], -1)?.f_softmax(-1, None)?;
        let prompt_weights = self.by_prompt(&weights.f_narrow(-1, 0, slots)?, past.sharing)?;
        let from_prompt = self.by_row(&prompt_weights.f_matmul(prompt_values)?, past.sharing)?;
        let from_own = weights.f_narrow(-1, slots, tokens)?.f_matmul(&values)?;
        let y = from_prompt.f_add(&from_own)?;
        self.o
            .forward(&y.f_reshape([rows, self.heads * self.head])?)
    }

    /// `[rows, kv heads, queries, n]` gathered by prompt: `[prompts, kv heads, width * queries, n]`.
    fn by_prompt(&self, x: &Tensor, sharing: &Sharing) -> Result<Tensor> {
        let (_, heads, queries, n) = x.size4()?;
        let (prompts, width) = (sharing.prompts, sharing.width);
        Ok(x.f_index_select(0, &sharing.members)?
            .f_view([prompts, width, heads, queries, n])?
            .f_transpose(1, 2)?
            .f_reshape([prompts, heads, width * queries, n])?)
    }

    /// The way back from [`Attention::by_prompt`].
    fn by_row(&self, x: &Tensor, sharing: &Sharing) -> Result<Tensor> {
        let (prompts, heads, together, n) = x.size4()?;
        let queries = self.heads / self.kv_heads;
        Ok(x.f_view([prompts, heads, together / queries, queries, n])?
            .f_transpose(1, 2)?
            .f_reshape([-1, heads, queries, n])?
            .f_index_select(0, &sharing.places)?)
    }

    /// Queries, keys and values, `[tokens, heads, head]`.
    fn project(&self, x: &Tensor, rotary: &Rotary) -> Result<(Tensor, Tensor, Tensor)> {
        let tokens = x.size2()?.0;
        let split = |y: Tensor, heads: i64| y.f_view([tokens, heads, self.head]);
        let mut q = split(self.q.forward(x)?, self.heads)?;
        let mut k = split(self.k.forward(x)?, self.kv_heads)?;
        let v = split(self.v.forward(x)?, self.kv_heads)?;
        if let Some((q_norm, k_norm, eps)) = &self.norms {
            q = rms_norm(&q, q_norm, *eps)?;
            k = rms_norm(&k, k_norm, *eps)?;
        }
        Ok((rotary.turn(&q)?, rotary.turn(&k)?, v))
    }

    /// Attention within each trunk, and of each branch over its trunk and itself; `[tokens, hidden]`.
    fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, layout: &Layout) -> Result<Tensor> {
        let sizes = layout.sizes()?;
        let repeat = self.heads / self.kv_heads;
        // Split as a whole: the gradients of all pieces are put together by one copy.
        let pieces = |t: &Tensor| -> Result<Vec<Tensor>> {
            let by_head = t.f_transpose(0, 1)?.f_unsqueeze(0)?;
            Ok(by_head.f_split_with_sizes(sizes.as_slice(), 2)?)
        };
        let expand = |t: &Tensor| t.f_repeat_interleave_self_int(repeat, 1, None);
        let (q, k, v) = (pieces(q)?, pieces(&expand(k)?)?, pieces(&expand(v)?)?);
        let mut outputs = Vec::with_capacity(sizes.len());
        let mut next = 0;
        for block in &layout.blocks {
            let trunk = next;
            outputs.push(dot_product(&q[trunk], &k[trunk], &v[trunk], None)?);
            for mask in &block.branches {
                next += 1;
                let k = Tensor::f_cat(&[&k[trunk], &k[next]], 2)?;
                let v = Tensor::f_cat(&[&v[trunk], &v[next]], 2)?;
                outputs.push(dot_product(&q[next], &k, &v, Some(mask))?);
            }
            next += 1;
        }
        let y = Tensor::f_cat(&outputs, 2)?.f_squeeze_dim(0)?;
        let tokens = sizes.iter().sum::<i64>();
        self.o.forward(
            &y.f_transpose(0, 1)?
                .f_reshape([tokens, self.heads * self.head])?,
        )
    }
}

/// Scaled dot-product attention `[1, heads, tokens, head]`; causal where there is no mask.
fn dot_product(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let causal = mask.is_none();
    Ok(Tensor::f_scaled_dot_product_attention(
        q, k, v, mask, 0.0, causal, None, false,
    )?)
}
