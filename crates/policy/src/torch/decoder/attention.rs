//! Grouped-query attention.

use tch::{Device, Tensor};

use super::{
    Dropout, KvCache, PromptCache,
    cache::{Past, Sharing, Step},
    leaves::Source,
    linear::Linear,
    rotary::Turns,
    times,
};
use crate::{
    ModelConfig, Result,
    torch::{
        batch::Layout,
        ops::{self, Cached},
    },
};

#[derive(Debug)]
pub(super) struct Attention {
    qkv: Linear,
    o: Linear,
    /// Norms of each head's query and key, with their epsilon.
    norms: Option<(Tensor, Tensor, f64)>,
    /// Whether queries and keys turn by their positions.
    rotates: bool,
    /// What queries are multiplied by, so that their products with keys are scaled otherwise than by 1 / sqrt(head).
    scale: f64,
    heads: i64,
    kv_heads: i64,
    head: i64,
}

impl Attention {
    pub(super) fn new(config: &ModelConfig, source: &mut Source<'_>, layer: usize) -> Result<Self> {
        let module = format!("model.layers.{layer}.self_attn");
        let norms = match config.has_query_key_norm() {
            true => {
                let mut norm = |name: &str| source.stack(&format!("{module}.{name}_norm.weight"));
                Some((norm("q")?, norm("k")?, config.rms_norm_eps))
            }
            false => None,
        };
        Ok(Self {
            qkv: source.linear(&format!("{module}.qkv_proj"), config.has_qkv_bias())?,
            o: source.linear(&format!("{module}.o_proj"), config.has_output_bias())?,
            norms,
            rotates: config.knows_positions(layer),
            scale: config
                .multipliers
                .attention_multiplier
                .map_or(1.0, |scale| scale * (config.head_width() as f64).sqrt()),
            heads: config.num_attention_heads as i64,
            kv_heads: config.num_key_value_heads as i64,
            head: config.head_width() as i64,
        })
    }

    /// Self-attention over `x` `[tokens, hidden]`, each token over its own sequence up to itself.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        rotary: &Turns,
        layout: &Layout,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let (q, k, v) = self.project(x, rotary, dropout.map(|d| d.part(0)))?;
        let y = self.attend(&q, &k, &v, layout)?;
        self.o.forward(&y, dropout.map(|d| d.part(1)))
    }

    /// As [`Attention::forward`], and stores each sequence's keys and values as a prompt.
    pub(super) fn prefill(
        &self,
        x: &Tensor,
        rotary: &Turns,
        layout: &Layout,
        cache: &mut PromptCache,
        layer: usize,
    ) -> Result<Tensor> {
        let (q, k, v) = self.project(x, rotary, None)?;
        cache.fill(layer, layout, &k, &v)?;
        self.o.forward(&self.attend(&q, &k, &v, layout)?, None)
    }

    /// Attention of one new token per row, `x` `[rows, hidden]`, over its prompt and its response.
    pub(super) fn decode(
        &self,
        x: &Tensor,
        rotary: &Turns,
        step: &Step,
        cache: &mut KvCache,
        layer: usize,
    ) -> Result<Tensor> {
        let (q, k, v) = self.project(x, rotary, None)?;
        let past = cache.extend(layer, step, &k, &v)?;
        let rows = x.size2()?.0;
        // The query heads that share a key head stand together: no key is repeated.
        let shared = self.heads / self.kv_heads;
        let q = q.f_reshape([rows, self.kv_heads, shared, self.head])?;
        let y = attend_past(&q, &past, step)?;
        self.o
            .forward(&y.f_reshape([rows, self.heads * self.head])?, None)
    }

    /// Queries, keys and values, `[tokens, heads, head]`.
    fn project(
        &self,
        x: &Tensor,
        rotary: &Turns,
        dropout: Option<Dropout>,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let (heads, kv_heads) = (self.heads, self.kv_heads);
        // One product for all three: `[tokens, (heads + 2 * kv_heads) * head]`.
        let all = self.qkv.forward(x, dropout)?;
        let all = all.f_view([x.size2()?.0, heads + 2 * kv_heads, self.head])?;
        // Queries and keys lie side by side and turn by the same angles: one operation turns both.
        let mut turning = all.f_narrow(1, 0, heads + kv_heads)?;
        if let Some((q_norm, k_norm, eps)) = &self.norms {
            // Over each head and before the rotation, as in transformers.
            let q = ops::rms_norm(&turning.f_narrow(1, 0, heads)?, q_norm, *eps)?;
            let k = ops::rms_norm(&turning.f_narrow(1, heads, kv_heads)?, k_norm, *eps)?;
            turning = Tensor::f_cat(&[q, k], 1)?;
        }
        let turned = match self.rotates {
            true => rotary.turn(&turning)?,
            false => turning,
        };
        Ok((
            times(turned.f_narrow(1, 0, heads)?, self.scale)?,
            turned.f_narrow(1, heads, kv_heads)?,
            all.f_narrow(1, heads + kv_heads, kv_heads)?,
        ))
    }

    /// Attention within each trunk, and of each branch over its trunk and itself; `[tokens, heads * head]`.
    fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, layout: &Layout) -> Result<Tensor> {
        let sizes = layout.sizes()?;
        let repeat = self.heads / self.kv_heads;
        // Split as a whole: the gradients of all pieces are put together by one copy.
        let pieces = |t: &Tensor| -> Result<Vec<Tensor>> {
            // `[1, heads, tokens, head]`, cut along the tokens.
            let by_head = t.f_transpose(0, 1)?.f_unsqueeze(0)?;
            Ok(by_head.f_split_with_sizes(sizes.as_slice(), 2)?)
        };
        let expand = |t: &Tensor| t.f_repeat_interleave_self_int(repeat, 1, None);
        let (q, k, v) = (pieces(q)?, pieces(&expand(k)?)?, pieces(&expand(v)?)?);
        let mut outputs = Vec::with_capacity(sizes.len());
        // The pieces are a trunk, then its branches, then the next trunk.
        let mut next = 0;
        for block in &layout.blocks {
            let trunk = next;
            outputs.push(dot_product(&q[trunk], &k[trunk], &v[trunk], None)?);
            for mask in &block.branches {
                next += 1;
                // Autograd adds up what every branch asks of the trunk, as if each had a copy of the prompt: the gradient is that
                // of whole sequences, while the prompt's own layers ran once.
                let k = Tensor::f_cat(&[&k[trunk], &k[next]], 2)?;
                let v = Tensor::f_cat(&[&v[trunk], &v[next]], 2)?;
                outputs.push(dot_product(&q[next], &k, &v, Some(mask))?);
            }
            next += 1;
        }
        let y = Tensor::f_cat(&outputs, 2)?.f_squeeze_dim(0)?;
        let tokens = sizes.iter().sum::<i64>();
        Ok(y.f_transpose(0, 1)?
            .f_reshape([tokens, self.heads * self.head])?)
    }
}

/// Attention of `q` `[rows, kv heads, queries, head]` over each row's prompt and its response, in one softmax.
fn attend_past(q: &Tensor, past: &Past<'_>, step: &Step) -> Result<Tensor> {
    // On a CPU decoding is bound by memory, so a prompt is read once for all of its rows.
    if q.device() == Device::Cpu {
        return attend_past_on_cpu(q, past, step);
    }
    let cached = |(keys, values), lens| Cached { keys, values, lens };
    ops::decode_attention(
        q,
        cached(past.prompts, &past.sharing.lens),
        &past.sharing.prompt_of,
        cached(past.own, &step.lens),
    )
}

/// Attention over the prompts, each read once for all of its rows, and over the responses, put together by their shares of the
/// softmax.
fn attend_past_on_cpu(q: &Tensor, past: &Past<'_>, step: &Step) -> Result<Tensor> {
    let queries = q.size4()?.2;
    // `[prompts, kv heads, width * queries, head]`: all rows of a prompt are queries on one copy of its keys.
    let grouped = by_prompt(q, past.sharing)?;
    let (over_prompt, prompt_norm) = attend_all(&grouped, past.prompts, &past.sharing.mask)?;
    let over_prompt = by_row(&over_prompt, past.sharing, queries)?;
    let prompt_norm = by_row(&prompt_norm.f_unsqueeze(3)?, past.sharing, queries)?;
    let used = |t: &Tensor| t.f_narrow(2, 0, step.used);
    let own = (&used(past.own.0)?, &used(past.own.1)?);
    let (over_own, own_norm) = attend_all(q, own, &step.mask)?;
    // Two softmaxes over parts of the keys become one: each part counts by its share of the sum of both denominators, and
    // exp(a) / (exp(a) + exp(b)) is sigmoid(a - b), which cannot overflow.
    // A prompt has a token and the newest one was just stored, so no softmax is over nothing and both logarithms are finite.
    let share = prompt_norm.f_sub(&own_norm.f_unsqueeze(3)?)?.f_sigmoid()?;
    // lerp takes one kind, and the logarithms are f32 where the values are bf16.
    Ok(over_own.f_lerp_tensor(&over_prompt, &share.f_to_kind(q.kind())?)?)
}

/// Scaled dot-product attention `[n, heads, queries, head]`, and the logarithm of each softmax's denominator
/// `[n, heads, queries]`.
fn attend_all(q: &Tensor, (k, v): (&Tensor, &Tensor), mask: &Tensor) -> Result<(Tensor, Tensor)> {
    // The public operation does not return the denominators.
    Ok(
        Tensor::f_internal_scaled_dot_product_flash_attention_for_cpu(
            q,
            k,
            v,
            0.0,
            false,
            Some(mask),
            None,
        )?,
    )
}

/// `[rows, kv heads, queries, n]` gathered by prompt: `[prompts, kv heads, width * queries, n]`.
fn by_prompt(x: &Tensor, sharing: &Sharing) -> Result<Tensor> {
    let (_, heads, queries, n) = x.size4()?;
    let (prompts, width) = (sharing.prompts, sharing.width);
    Ok(x.f_index_select(0, &sharing.members)?
        .f_view([prompts, width, heads, queries, n])?
        .f_transpose(1, 2)?
        .f_reshape([prompts, heads, width * queries, n])?)
}

/// The way back from [`by_prompt`].
fn by_row(x: &Tensor, sharing: &Sharing, queries: i64) -> Result<Tensor> {
    let (prompts, heads, together, n) = x.size4()?;
    Ok(
        x.f_reshape([prompts, heads, together / queries, queries, n])?
            .f_transpose(1, 2)?
            .f_reshape([-1, heads, queries, n])?
            .f_index_select(0, &sharing.places)?,
    )
}

/// Scaled dot-product attention `[1, heads, tokens, head]`; causal where there is no mask.
fn dot_product(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let causal = mask.is_none();
    Ok(Tensor::f_scaled_dot_product_attention(
        q, k, v, mask, 0.0, causal, None, false,
    )?)
}
