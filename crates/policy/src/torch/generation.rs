//! Batched sampling with a KV cache.

use std::{collections::BTreeSet, ops::ControlFlow};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Tensor, no_grad};

use super::{
    batch::Layout,
    decoder::{Decoder, KvCache, PromptCache},
    sampler::draw,
    tokenizer::Tokenizer,
};
use crate::{
    Error, Finish, Progress, PromptGroup, Result, Rollout, Sampling, random::random_stream,
};

/// With nothing waiting, rows are moved together once this share of them has finished.
const COMPACT_AT: f64 = 0.2;

/// Samples all groups, at most `max_rows` responses side by side; as soon as one has finished, the next one takes its place.
pub(super) fn generate(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    groups: &[PromptGroup<'_>],
    sampling: &Sampling,
    max_rows: usize,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Rollout>> {
    let generator = Generator::new(decoder, tokenizer, groups, sampling)?;
    no_grad(|| generator.run(max_rows, progress))
}

/// Responses of which some are finished, some being sampled, and the rest waiting.
struct Generator<'a> {
    decoder: &'a Decoder,
    tokenizer: &'a Tokenizer,
    sampling: &'a Sampling,
    prompts: Vec<Vec<u32>>,
    responses: Vec<Response>,
    /// The first response that has not begun.
    next: usize,
}

/// What is being sampled.
struct Active {
    cache: KvCache,
    /// Response of each row.
    rows: Vec<usize>,
    /// Prompt at each place of the cache.
    prompts: Vec<usize>,
    /// Next-token logits behind each prompt, `[prompts, vocab]`.
    prompt_logits: Tensor,
    /// Next-token logits of each row, `[rows, vocab]`.
    logits: Tensor,
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

impl<'a> Generator<'a> {
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
            let new = sampling.max_new_tokens;
            check_length(prompt, group.query, ids.len(), new, limit)?;
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
            next: 0,
        })
    }

    fn run(
        mut self,
        max_rows: usize,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<Rollout>> {
        let total = self.responses.len();
        if total == 0 {
            return Ok(Vec::new());
        }
        let mut active = self.begin(max_rows)?;
        loop {
            self.sample(&active)?;
            let is_open = |&row: &usize| self.responses[active.rows[row]].finish.is_none();
            let (open, ended): (Vec<usize>, Vec<usize>) = (0..active.rows.len()).partition(is_open);
            let done = self.next - open.len();
            if progress(Progress { done, total }).is_break() {
                return Err(Error::Cancelled);
            }
            if done == total {
                return Ok(self.finish());
            }
            let is_last_round = self.next == total;
            if is_last_round && open.len() as f64 <= active.rows.len() as f64 * (1.0 - COMPACT_AT) {
                self.compact(&mut active, &open)?;
            }
            self.advance(&mut active)?;
            if !is_last_round && !ended.is_empty() {
                self.refill(&mut active, &ended)?;
            }
        }
    }

    /// Begins the first responses.
    fn begin(&mut self, max_rows: usize) -> Result<Active> {
        self.next = self.responses.len().min(max_rows);
        let rows: Vec<usize> = (0..self.next).collect();
        let prompts = self.prompts_of(&rows);
        let (prompt_logits, cache) = self.prefill(&prompts)?;
        let places = self.places(&rows, &prompts);
        Ok(Active {
            logits: prompt_logits.f_index_select(0, &self.index(&places)?)?,
            cache: KvCache::new(self.decoder.config(), cache, &places)?,
            rows,
            prompts,
            prompt_logits,
        })
    }

    /// Gives the rows at `ended` to waiting responses. Prompts that are not in the cache are read; those that nobody needs any
    /// more leave it.
    fn refill(&mut self, active: &mut Active, ended: &[usize]) -> Result<()> {
        let waiting = self.next..self.responses.len();
        let taken: Vec<usize> = ended.iter().copied().take(waiting.len()).collect();
        for (&row, response) in taken.iter().zip(waiting) {
            active.rows[row] = response;
        }
        self.next += taken.len();
        let needed = self.prompts_of(&active.rows);
        let kept: Vec<usize> = (0..active.prompts.len())
            .filter(|&place| needed.contains(&active.prompts[place]))
            .collect();
        let fresh: Vec<usize> = needed
            .into_iter()
            .filter(|prompt| !active.prompts.contains(prompt))
            .collect();
        active.prompt_logits = active
            .prompt_logits
            .f_index_select(0, &self.index(&kept)?)?;
        active.prompts = kept.iter().map(|&place| active.prompts[place]).collect();
        let mut cache = None;
        if !fresh.is_empty() {
            let (logits, new) = self.prefill(&fresh)?;
            active.prompt_logits = Tensor::f_cat(&[&active.prompt_logits, &logits], 0)?;
            active.prompts.extend(fresh);
            cache = Some(new);
        }
        let places = self.places(&active.rows, &active.prompts);
        let begin: Vec<usize> = taken.iter().map(|&row| places[row]).collect();
        let begin = active
            .prompt_logits
            .f_index_select(0, &self.index(&begin)?)?;
        active.logits = active
            .logits
            .f_index_copy(0, &self.index(&taken)?, &begin)?;
        active.cache.restart(&taken, &kept, cache, &places)
    }

    /// Moves the rows at `open` together, with the prompts that they need.
    fn compact(&self, active: &mut Active, open: &[usize]) -> Result<()> {
        active.rows = open.iter().map(|&row| active.rows[row]).collect();
        let needed = self.prompts_of(&active.rows);
        let kept: Vec<usize> = (0..active.prompts.len())
            .filter(|&place| needed.contains(&active.prompts[place]))
            .collect();
        active.prompts = kept.iter().map(|&place| active.prompts[place]).collect();
        let places = self.places(&active.rows, &active.prompts);
        active.cache.compact(open, &kept, &places)
    }

    /// The prompts of the given responses, each once.
    fn prompts_of(&self, rows: &[usize]) -> Vec<usize> {
        let prompts = rows.iter().map(|&row| self.responses[row].prompt);
        prompts.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Where among `prompts` each response's prompt is.
    fn places(&self, rows: &[usize], prompts: &[usize]) -> Vec<usize> {
        let place = |&row: &usize| {
            let own = self.responses[row].prompt;
            prompts.iter().position(|&p| p == own).unwrap_or(0)
        };
        rows.iter().map(place).collect()
    }

    /// Next-token logits `[prompts, vocab]` behind the given prompts, and their keys and values.
    fn prefill(&self, prompts: &[usize]) -> Result<(Tensor, PromptCache)> {
        let prompts = || prompts.iter().map(|&prompt| &self.prompts[prompt]);
        let lens: Vec<usize> = prompts().map(Vec::len).collect();
        let ids: Vec<i64> = prompts().flatten().map(|&id| i64::from(id)).collect();
        let place = self.decoder.place();
        let mut cache = PromptCache::new(self.decoder.config(), place, &lens)?;
        let (ids, layout) = (self.numbers(&ids)?, Layout::of_sequences(&lens, place)?);
        let hidden = self.decoder.prefill(&ids, &layout, &mut cache)?;
        let ends = lens.iter().scan(0, |end, &len| {
            *end += len as i64;
            Some(*end - 1)
        });
        let last = self.numbers(&ends.collect::<Vec<_>>())?;
        let logits = self.decoder.logits(&hidden.f_index_select(0, &last)?)?;
        Ok((logits, cache))
    }

    /// Draws one token for every row that is still open.
    fn sample(&mut self, active: &Active) -> Result<()> {
        let alive = &active.rows;
        let logits = self.without_early_ends(&active.logits, alive)?;
        let log_probs = self.sampling.distribution(&logits, |row| {
            let response = &self.responses[alive[row]];
            let prompt = self.prompts[response.prompt].iter();
            prompt
                .chain(&response.ids)
                .map(|&id| i64::from(id))
                .collect()
        })?;
        let chosen = if self.sampling.temperature > 0.0 {
            let uniform = |&row: &usize| self.responses[row].random.random();
            draw(&log_probs, &alive.iter().map(uniform).collect::<Vec<_>>())?
        } else {
            log_probs.f_argmax(-1, true)?
        };
        let ids = Vec::<i64>::try_from(&chosen.f_view([-1])?)?;
        let log_probs =
            Vec::<f32>::try_from(&log_probs.f_gather(-1, &chosen, false)?.f_view([-1])?)?;
        for ((&row, id), log_prob) in alive.iter().zip(ids).zip(log_probs) {
            let response = &mut self.responses[row];
            if response.finish.is_none() {
                response.ids.push(id as u32);
                response.log_probs.push(log_prob);
                self.responses[row].finish = self.ending(&self.responses[row]);
            }
        }
        Ok(())
    }

    /// Logits that leave no chance to an end token where a response is too short for it.
    fn without_early_ends(&self, logits: &Tensor, rows: &[usize]) -> Result<Tensor> {
        // A token more is about to be drawn.
        let is_short =
            |row: &usize| self.responses[rows[*row]].ids.len() + 1 < self.sampling.min_new_tokens;
        let short: Vec<usize> = (0..rows.len()).filter(is_short).collect();
        if short.is_empty() {
            return Ok(logits.shallow_clone());
        }
        let (short, logits) = (self.index(&short)?, logits.f_detach_copy()?);
        for &stop in self.tokenizer.stops() {
            let mut column = logits.f_select(1, i64::from(stop))?;
            let _ = column.f_index_fill_(0, &short, f64::NEG_INFINITY)?;
        }
        Ok(logits)
    }

    /// Whether a response ends with its newest token.
    fn ending(&self, response: &Response) -> Option<Finish> {
        let newest = response.ids.last().copied()?;
        if response.ids.len() < self.sampling.min_new_tokens {
            None
        } else if self.tokenizer.stops().contains(&newest) || self.ends_in_stop_text(&response.ids)
        {
            Some(Finish::Stop)
        } else if response.ids.len() == self.sampling.max_new_tokens {
            Some(Finish::Length)
        } else {
            None
        }
    }

    /// Whether the newest token completed a stop text.
    fn ends_in_stop_text(&self, ids: &[u32]) -> bool {
        let longest = self.sampling.stop.iter().map(String::len).max();
        let (Some(longest), Some((newest, before))) = (longest, ids.split_last()) else {
            return false;
        };
        let newest = self.tokenizer.token_bytes(*newest);
        let mut tail = newest.to_vec();
        for &id in before.iter().rev() {
            // A stop text that the newest token completes begins no further back.
            if tail.len() >= longest + newest.len() {
                break;
            }
            tail.splice(0..0, self.tokenizer.token_bytes(id).iter().copied());
        }
        let stops = self.sampling.stop.iter().map(String::as_bytes);
        let mut found = stops.map(|stop| tail.windows(stop.len()).any(|window| window == stop));
        found.any(|found| found)
    }

    fn index(&self, positions: &[usize]) -> Result<Tensor> {
        self.numbers(&positions.iter().map(|&p| p as i64).collect::<Vec<_>>())
    }

    fn numbers(&self, numbers: &[i64]) -> Result<Tensor> {
        let device = self.decoder.place().1;
        Ok(Tensor::f_from_slice(numbers)?.f_to_device(device)?)
    }

    /// Reads each row's newest token.
    fn advance(&self, active: &mut Active) -> Result<()> {
        let newest = |&row: &usize| {
            let response = &self.responses[row];
            i64::from(response.ids.last().copied().unwrap_or_default())
        };
        let position = |&row: &usize| {
            let response = &self.responses[row];
            // A finished row keeps its place until it is retired; what it computes is not read.
            (self.prompts[response.prompt].len() + response.ids.len()) as i64 - 1
        };
        let ids = self.numbers(&active.rows.iter().map(newest).collect::<Vec<_>>())?;
        let positions = self.numbers(&active.rows.iter().map(position).collect::<Vec<_>>())?;
        let hidden = self.decoder.decode(&ids, &positions, &mut active.cache)?;
        active.logits = self.decoder.logits(&hidden)?;
        Ok(())
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
