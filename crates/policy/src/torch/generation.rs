//! Batched sampling with a KV cache.

use std::ops::ControlFlow;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Tensor, no_grad};

use super::{
    batch::Layout,
    decoder::{Decoder, KvCache},
    tokenizer::Tokenizer,
};
use crate::{
    Error, Finish, Progress, PromptGroup, Result, Rollout, Sampling, random::random_stream,
};

/// Rows are moved together once this share of them has finished.
const COMPACT_AT: f64 = 0.2;

/// Samples all groups, `max_rows` responses at a time.
pub(super) fn generate(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    groups: &[PromptGroup<'_>],
    sampling: &Sampling,
    max_rows: usize,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Rollout>> {
    let total = groups.iter().map(|g| g.samples).sum();
    let mut rollouts = Vec::with_capacity(total);
    for part in split(groups, max_rows) {
        let done = rollouts.len();
        let mut report = |finished: usize| {
            progress(Progress {
                done: done + finished,
                total,
            })
        };
        let batch = Batch::new(decoder, tokenizer, part, sampling)?;
        rollouts.extend(no_grad(|| batch.run(&mut report))?);
    }
    Ok(rollouts)
}

/// Cuts the groups into runs of at most `max_rows` responses; a larger group stays whole.
fn split<'g, 'a>(groups: &'g [PromptGroup<'a>], max_rows: usize) -> Vec<&'g [PromptGroup<'a>]> {
    let (mut parts, mut start, mut rows) = (Vec::new(), 0, 0);
    for (i, group) in groups.iter().enumerate() {
        if i > start && rows + group.samples > max_rows {
            parts.push(&groups[start..i]);
            (start, rows) = (i, 0);
        }
        rows += group.samples;
    }
    if start < groups.len() {
        parts.push(&groups[start..]);
    }
    parts
}

/// Responses sampled side by side.
struct Batch<'a> {
    decoder: &'a Decoder,
    tokenizer: &'a Tokenizer,
    sampling: &'a Sampling,
    prompts: Vec<Vec<u32>>,
    responses: Vec<Response>,
}

struct Response {
    query: String,
    sample: usize,
    prompt: usize,
    random: ChaCha8Rng,
    ids: Vec<u32>,
    log_probs: Vec<f32>,
    finish: Option<Finish>,
}

impl<'a> Batch<'a> {
    fn new(
        decoder: &'a Decoder,
        tokenizer: &'a Tokenizer,
        groups: &[PromptGroup<'_>],
        sampling: &'a Sampling,
    ) -> Result<Self> {
        let limit = decoder.config().max_position_embeddings;
        let mut prompts = Vec::with_capacity(groups.len());
        let mut responses = Vec::new();
        for (prompt, group) in groups.iter().enumerate() {
            let ids = tokenizer.encode_prompt(group.prompt)?;
            check_length(
                prompt,
                group.query,
                ids.len(),
                sampling.max_new_tokens,
                limit,
            )?;
            prompts.push(ids);
            responses.extend((0..group.samples).map(|sample| Response {
                query: group.query.to_owned(),
                sample,
                prompt,
                random: random_stream(sampling.seed, &sampling.purpose, group.query, sample as u64),
                ids: Vec::new(),
                log_probs: Vec::new(),
                finish: None,
            }));
        }
        Ok(Self {
            decoder,
            tokenizer,
            sampling,
            prompts,
            responses,
        })
    }

    fn run(mut self, report: &mut dyn FnMut(usize) -> ControlFlow<()>) -> Result<Vec<Rollout>> {
        let (logits, prefix) = self.prefill()?;
        // Each prompt was read once; its cache row is copied for every response.
        let mut alive: Vec<usize> = (0..self.responses.len()).collect();
        let rows: Vec<i64> = self.responses.iter().map(|r| r.prompt as i64).collect();
        let mut cache = prefix.select(&rows)?;
        let mut logits = logits.f_index_select(0, &Tensor::f_from_slice(&rows)?)?;
        loop {
            self.sample(&logits, &alive)?;
            let open: Vec<usize> = (0..alive.len())
                .filter(|&row| self.responses[alive[row]].finish.is_none())
                .collect();
            if report(self.responses.len() - open.len()).is_break() {
                return Err(Error::Cancelled);
            }
            if open.is_empty() {
                return Ok(self.finish());
            }
            if open.len() as f64 <= alive.len() as f64 * (1.0 - COMPACT_AT) {
                cache = cache.select(&open.iter().map(|&row| row as i64).collect::<Vec<_>>())?;
                alive = open.iter().map(|&row| alive[row]).collect();
            }
            logits = self.advance(&alive, &mut cache)?;
        }
    }

    /// Next-token logits `[prompts, vocab]` and the cache of the prompts.
    fn prefill(&self) -> Result<(Tensor, KvCache)> {
        let lens: Vec<usize> = self.prompts.iter().map(Vec::len).collect();
        let width = lens.iter().copied().max().unwrap_or(0);
        let ids: Vec<i64> = self
            .prompts
            .iter()
            .flatten()
            .map(|&id| i64::from(id))
            .collect();
        let slots = width + self.sampling.max_new_tokens;
        let mut cache = KvCache::new(self.decoder.config(), &lens, width, slots)?;
        let (ids, layout) = (Tensor::f_from_slice(&ids)?, Layout::of_sequences(&lens)?);
        let hidden = self
            .decoder
            .prefill(&ids, &layout, width as i64, &mut cache)?;
        let ends = lens.iter().scan(0, |end, &len| {
            *end += len as i64;
            Some(*end - 1)
        });
        let last = Tensor::f_from_slice(&ends.collect::<Vec<_>>())?;
        Ok((
            self.decoder.logits(&hidden.f_index_select(0, &last)?)?,
            cache,
        ))
    }

    /// Draws one token for every row that is still open.
    fn sample(&mut self, logits: &Tensor, alive: &[usize]) -> Result<()> {
        let log_probs = if self.sampling.temperature > 0.0 {
            logits
                .f_div_scalar(self.sampling.temperature)?
                .f_log_softmax(-1, None)?
        } else {
            logits.f_log_softmax(-1, None)?
        };
        let chosen = if self.sampling.temperature > 0.0 {
            self.draw(&log_probs, alive)?
        } else {
            log_probs.f_argmax(-1, true)?
        };
        let ids = Vec::<i64>::try_from(&chosen.f_view([-1])?)?;
        let log_probs =
            Vec::<f32>::try_from(&log_probs.f_gather(-1, &chosen, false)?.f_view([-1])?)?;
        let (eos, limit) = (self.tokenizer.eos(), self.sampling.max_new_tokens);
        for ((&row, id), log_prob) in alive.iter().zip(ids).zip(log_probs) {
            self.responses[row].push(id as u32, log_prob, eos, limit);
        }
        Ok(())
    }

    /// Inverse-transform sampling, one uniform number from each row's own stream. `[rows, 1]`.
    fn draw(&mut self, log_probs: &Tensor, alive: &[usize]) -> Result<Tensor> {
        let uniform: Vec<f32> = alive
            .iter()
            .map(|&row| self.responses[row].random.random())
            .collect();
        let uniform = Tensor::f_from_slice(&uniform)?.f_unsqueeze(1)?;
        let cumulative = log_probs.f_exp()?.f_cumsum(-1, None)?;
        let last = cumulative.size2()?.1 - 1;
        // Scaled by the true sum, which rounding leaves a little off 1.
        let level = uniform.f_mul(&cumulative.f_narrow(1, last, 1)?)?;
        let below = cumulative.f_le_tensor(&level)?.f_sum_dim_intlist(
            [-1i64].as_slice(),
            true,
            tch::Kind::Int64,
        )?;
        Ok(below.f_clamp_max(last)?)
    }

    fn advance(&self, alive: &[usize], cache: &mut KvCache) -> Result<Tensor> {
        let newest = |&row: &usize| {
            let response = &self.responses[row];
            i64::from(response.ids.last().copied().unwrap_or_default())
        };
        let position = |&row: &usize| {
            let response = &self.responses[row];
            // A finished row keeps its place until it is compacted away; what it computes is not read.
            (self.prompts[response.prompt].len() + response.ids.len()) as i64 - 1
        };
        let ids = Tensor::f_from_slice(&alive.iter().map(newest).collect::<Vec<_>>())?;
        let positions = Tensor::f_from_slice(&alive.iter().map(position).collect::<Vec<_>>())?;
        self.decoder
            .logits(&self.decoder.decode(&ids, &positions, cache)?)
    }

    fn finish(self) -> Vec<Rollout> {
        let temperature = if self.sampling.temperature > 0.0 {
            self.sampling.temperature
        } else {
            1.0
        };
        self.responses
            .into_iter()
            .map(|r| {
                let (text, token_byte_lens) = self.tokenizer.decode_with_lengths(&r.ids);
                Rollout {
                    query: r.query,
                    sample: r.sample,
                    prompt_ids: self.prompts[r.prompt].clone(),
                    token_ids: r.ids,
                    token_byte_lens,
                    log_probs: r.log_probs,
                    temperature,
                    text,
                    finish: r.finish.unwrap_or(Finish::Length),
                }
            })
            .collect()
    }
}

impl Response {
    fn push(&mut self, id: u32, log_prob: f32, eos: u32, limit: usize) {
        if self.finish.is_some() {
            return;
        }
        self.ids.push(id);
        self.log_probs.push(log_prob);
        if id == eos {
            self.finish = Some(Finish::Stop);
        } else if self.ids.len() == limit {
            self.finish = Some(Finish::Length);
        }
    }
}

fn check_length(index: usize, query: &str, prompt: usize, new: usize, limit: usize) -> Result<()> {
    if prompt + new <= limit {
        return Ok(());
    }
    Err(Error::InvalidSequence {
        index,
        what: format!(
            "the prompt of query {query} has {prompt} tokens; with {new} new ones it exceeds max_position_embeddings {limit}"
        ),
    })
}
