//! Batched sampling with a KV cache.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{ControlFlow, Range},
};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Tensor, no_grad};

use super::{
    batch::Layout,
    decoder::{Decoder, KvCache, PromptCache},
    ops,
};
use crate::{
    Error, Finish, Progress, Response, Result, RolloutGroup, SampleRequest, Sampling, Tokenizer,
    random::random_stream,
};

/// Tokens of prompts that are read at once: what bounds their activations, whatever the number of rows.
const PREFILL_TOKENS: usize = 8192;

/// With nothing waiting, rows are moved together once this share of them has finished.
const COMPACT_AT: f64 = 0.2;

/// Samples all requests, at most `max_rows` responses side by side; as soon as one has finished, the next one takes its place.
pub(super) fn generate(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    requests: &[SampleRequest<'_>],
    sampling: &Sampling,
    max_rows: usize,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<RolloutGroup>> {
    let mut generator = Generator::new(decoder, tokenizer, requests, sampling)?;
    no_grad(|| generator.run(max_rows, &mut |_, done| progress(done)))?;
    Ok(generator.finish(requests))
}

/// Samples one response and shows its text while it grows, piece by piece.
pub(super) fn stream(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    request: SampleRequest<'_>,
    sampling: &Sampling,
    show: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> Result<RolloutGroup> {
    let requests = [SampleRequest {
        samples: 1,
        ..request
    }];
    let mut generator = Generator::new(decoder, tokenizer, &requests, sampling)?;
    let mut shown = 0;
    let mut watch = |responses: &[Draft], _| {
        let (text, _) = tokenizer.decode_with_lengths(&responses[0].ids);
        // A token may end within a character, which reads as U+FFFD until the next one completes it.
        let whole = match responses[0].finish {
            Some(_) => &*text,
            None => text.trim_end_matches(char::REPLACEMENT_CHARACTER),
        };
        let new = whole.get(shown..).unwrap_or_default();
        shown += new.len();
        match new.is_empty() {
            true => ControlFlow::Continue(()),
            false => show(new),
        }
    };
    no_grad(|| generator.run(1, &mut watch))?;
    generator.finish(&requests).pop().ok_or(Error::Cancelled)
}

/// Responses of which some are finished, some being sampled, and the rest waiting.
struct Generator<'a> {
    decoder: &'a Decoder,
    tokenizer: &'a Tokenizer,
    sampling: &'a Sampling,
    /// Of each request.
    prompts: Vec<Vec<u32>>,
    /// Of all requests, in their order.
    responses: Vec<Draft>,
    /// The first response that has not begun.
    next: usize,
}

/// The rows being sampled.
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

/// A response under way.
struct Draft {
    /// Position of its request.
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
        requests: &[SampleRequest<'_>],
        sampling: &'a Sampling,
    ) -> Result<Self> {
        let mut prompts = Vec::with_capacity(requests.len());
        let mut responses = Vec::new();
        for (prompt, request) in requests.iter().enumerate() {
            let query = request.query;
            let ids = tokenizer.encode_prompt(request.prompt)?;
            check_request(request.samples, &ids, sampling, decoder).map_err(|what| {
                Error::InvalidQuery {
                    query: query.clone(),
                    what,
                }
            })?;
            prompts.push(ids);
            responses.extend((0..request.samples as u64).map(|sample| Draft {
                prompt,
                // Named by query and sample, not by row: scheduling and batch size change no draw.
                random: random_stream(sampling.seed, &sampling.purpose, query.as_str(), sample),
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
        &mut self,
        max_rows: usize,
        watch: &mut dyn FnMut(&[Draft], Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let total = self.responses.len();
        if total == 0 {
            return Ok(());
        }
        let mut active = self.begin(max_rows)?;
        loop {
            self.sample(&active)?;
            let is_open = |&row: &usize| self.responses[active.rows[row]].finish.is_none();
            let (open, ended): (Vec<usize>, Vec<usize>) = (0..active.rows.len()).partition(is_open);
            let done = self.next - open.len();
            if watch(&self.responses, Progress { done, total }).is_break() {
                // Drafts are dropped: a group of cut-off responses would look like a sampled one.
                return Err(Error::Cancelled);
            }
            if done == total {
                return Ok(());
            }
            // While responses wait, finished rows are given away; copying the cache to close gaps pays only when none waits.
            let is_last_round = self.next == total;
            if is_last_round && open.len() as f64 <= active.rows.len() as f64 * (1.0 - COMPACT_AT) {
                self.compact(&mut active, &open)?;
            }
            // All rows go on before new ones begin, so that those begin with the logits of their prompt and read no token twice.
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
        let prompts = Vec::from_iter(self.prompts_of(&rows));
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

    /// Gives the rows at `ended` to waiting responses, and reads prompts that are not in the cache into the places of those that
    /// nobody needs any more.
    fn refill(&mut self, active: &mut Active, ended: &[usize]) -> Result<()> {
        let waiting = self.next..self.responses.len();
        let taken: Vec<usize> = ended.iter().copied().take(waiting.len()).collect();
        for (&row, response) in taken.iter().zip(waiting) {
            active.rows[row] = response;
        }
        self.next += taken.len();
        self.read_missing(active)?;
        let places = self.places(&active.rows, &active.prompts);
        let begin: Vec<usize> = taken.iter().map(|&row| places[row]).collect();
        let begin = active
            .prompt_logits
            .f_index_select(0, &self.index(&begin)?)?;
        active.logits = active
            .logits
            .f_index_copy(0, &self.index(&taken)?, &begin)?;
        active.cache.restart(&taken, &places)
    }

    /// Reads the prompts that rows need and the cache lacks.
    fn read_missing(&self, active: &mut Active) -> Result<()> {
        let needed = self.prompts_of(&active.rows);
        let missing = needed.iter().copied();
        let missing: Vec<usize> = missing.filter(|p| !active.prompts.contains(p)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let (logits, new) = self.prefill(&missing)?;
        // Places of prompts that no row needs, then new ones behind the last.
        let free = (0..active.prompts.len()).filter(|&p| !needed.contains(&active.prompts[p]));
        let places: Vec<usize> = free
            .chain(active.prompts.len()..)
            .take(missing.len())
            .collect();
        for (&place, prompt) in places.iter().zip(missing) {
            active
                .prompts
                .resize(active.prompts.len().max(place + 1), prompt);
            active.prompts[place] = prompt;
        }
        let beyond = active.prompts.len() as i64 - active.prompt_logits.size2()?.0;
        active.prompt_logits = active
            .prompt_logits
            .f_constant_pad_nd([0, 0, 0, beyond])?
            .f_index_copy(0, &self.index(&places)?, &logits)?;
        active.cache.put_prompts(&new, &places)
    }

    /// Moves the rows at `open` together, with the prompts that they need.
    fn compact(&self, active: &mut Active, open: &[usize]) -> Result<()> {
        active.rows = open.iter().map(|&row| active.rows[row]).collect();
        let needed = self.prompts_of(&active.rows);
        let is_needed = |place: &usize| needed.contains(&active.prompts[*place]);
        let kept: Vec<usize> = (0..active.prompts.len()).filter(is_needed).collect();
        active.prompts = kept.iter().map(|&place| active.prompts[place]).collect();
        let places = self.places(&active.rows, &active.prompts);
        active.cache.compact(open, &kept, &places)
    }

    /// The prompts of the given responses, each once.
    fn prompts_of(&self, responses: &[usize]) -> BTreeSet<usize> {
        let prompts = responses.iter().map(|&r| self.responses[r].prompt);
        prompts.collect()
    }

    /// Where among `prompts` each response's prompt is.
    fn places(&self, responses: &[usize], prompts: &[usize]) -> Vec<usize> {
        let places: BTreeMap<usize, usize> = prompts.iter().copied().zip(0..).collect();
        let prompts = responses.iter().map(|&r| self.responses[r].prompt);
        // Callers keep the prompt of every row in the cache, so the look-up finds it.
        prompts.map(|prompt| places[&prompt]).collect()
    }

    /// Next-token logits `[prompts, vocab]` behind the given prompts, and their keys and values.
    fn prefill(&self, prompts: &[usize]) -> Result<(Tensor, PromptCache)> {
        let prompts: Vec<&[u32]> = prompts.iter().map(|&p| &*self.prompts[p]).collect();
        let lens: Vec<usize> = prompts.iter().map(|prompt| prompt.len()).collect();
        let mut cache = PromptCache::new(self.decoder.config(), self.decoder.placement(), &lens)?;
        let logits: Vec<Tensor> = runs(&lens, PREFILL_TOKENS)
            .into_iter()
            .map(|run| self.read(&prompts[run], &mut cache))
            .collect::<Result<_>>()?;
        Ok((Tensor::f_cat(&logits, 0)?, cache))
    }

    /// Next-token logits `[prompts, vocab]` behind the prompts that are the next ones in the cache.
    fn read(&self, prompts: &[&[u32]], cache: &mut PromptCache) -> Result<Tensor> {
        let lens: Vec<usize> = prompts.iter().map(|prompt| prompt.len()).collect();
        let ids = prompts.iter().copied().flatten();
        let ids: Vec<i64> = ids.map(|&id| i64::from(id)).collect();
        let layout = Layout::of_sequences(&lens, self.decoder.placement())?;
        let hidden = self.decoder.prefill(&self.numbers(&ids)?, &layout, cache)?;
        // Only the last token of a prompt is followed by a sampled one: `[prompts, vocab]` logits instead of `[tokens, vocab]`.
        let ends = lens.iter().scan(0, |end, &len| {
            *end += len as i64;
            Some(*end - 1)
        });
        let last = self.numbers(&ends.collect::<Vec<_>>())?;
        self.decoder.logits(&hidden.f_index_select(0, &last)?)
    }

    /// Draws one token for every row; a response that has ended takes none.
    fn sample(&mut self, active: &Active) -> Result<()> {
        let rows = &active.rows;
        let logits = self.without_early_ends(&active.logits, rows)?;
        let seen = |row: usize| {
            let response = &self.responses[rows[row]];
            let prompt = self.prompts[response.prompt].iter();
            let all = prompt.chain(&response.ids);
            all.map(|&id| i64::from(id)).collect()
        };
        let logits = self.sampling.shaped(&logits, seen)?;
        // One number from the response's own stream for each of its tokens: who shares the batch changes nothing.
        let uniform = |&response: &usize| self.responses[response].random.random();
        let uniform: Vec<f32> = match self.sampling.temperature {
            0.0 => vec![0.0; rows.len()],
            _ => rows.iter().map(uniform).collect(),
        };
        let uniform = Tensor::f_from_slice(&uniform)?.f_to_device(logits.device())?;
        let temperature = self.sampling.remaining_temperature();
        let (ids, log_probs) = ops::draw(&logits, &uniform, temperature)?;
        let ids = Vec::<i64>::try_from(&ids)?;
        let log_probs = Vec::<f32>::try_from(&log_probs)?;
        for ((&index, id), log_prob) in rows.iter().zip(ids).zip(log_probs) {
            let response = &mut self.responses[index];
            // A finished row that waits for its successor draws on from its own stream, which nobody reads again.
            if response.finish.is_none() {
                check_number(log_prob)?;
                response.ids.push(id as u32);
                response.log_probs.push(log_prob);
                self.responses[index].finish = self.ending(&self.responses[index]);
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
    fn ending(&self, response: &Draft) -> Option<Finish> {
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
        // Bytes and not text, since a token may end within a character.
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
        let device = self.decoder.placement().device;
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

    /// The responses of each request.
    fn finish(self, requests: &[SampleRequest<'_>]) -> Vec<RolloutGroup> {
        let temperature = self.sampling.group_temperature();
        let mut drafts = self.responses.into_iter();
        let groups = requests.iter().zip(self.prompts);
        let group = |(request, prompt_ids): (&SampleRequest<'_>, _)| RolloutGroup {
            query: request.query.clone(),
            prompt_ids,
            temperature,
            responses: (0..request.samples)
                .zip(&mut drafts)
                .map(|(sample, draft)| draft.finish(sample, self.tokenizer))
                .collect(),
        };
        groups.map(group).collect()
    }
}

impl Draft {
    fn finish(self, sample: usize, tokenizer: &Tokenizer) -> Response {
        let (text, token_byte_lens) = tokenizer.decode_with_lengths(&self.ids);
        Response {
            sample,
            token_ids: self.ids,
            token_byte_lens,
            log_probs: self.log_probs,
            text,
            finish: self.finish.unwrap_or(Finish::Length),
        }
    }
}

/// Rejects what a diverged model gives.
fn check_number(log_prob: f32) -> Result<()> {
    if log_prob.is_finite() {
        return Ok(());
    }
    Err(Error::NotFinite {
        what: "the log-probability of a sampled token",
        value: log_prob.into(),
    })
}

/// Responses to one query at most; each takes memory before the first is drawn.
const MAX_SAMPLES: usize = 1 << 20;

/// What makes a request impossible to sample.
fn check_request(
    samples: usize,
    prompt: &[u32],
    sampling: &Sampling,
    decoder: &Decoder,
) -> Result<(), String> {
    let (tokens, new) = (prompt.len(), sampling.max_new_tokens);
    let limit = decoder.config().max_position_embeddings;
    if !(1..=MAX_SAMPLES).contains(&samples) {
        return Err(format!(
            "samples must be in [1, {MAX_SAMPLES}], got {samples}"
        ));
    }
    if tokens == 0 {
        return Err("the prompt has no tokens".to_owned());
    }
    if tokens.saturating_add(new) > limit {
        return Err(format!(
            "the prompt has {tokens} tokens; with {new} new ones it exceeds max_position_embeddings {limit}"
        ));
    }
    decoder.check_ids(prompt)
}

/// Cuts lengths into runs that add up to at most `budget`; what is longer is a run of its own.
fn runs(lens: &[usize], budget: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (i, &len) in lens.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if tokens + len <= budget => {
                run.end = i + 1;
                tokens += len;
            }
            _ => {
                runs.push(i..i + 1);
                tokens = len;
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stay_within_the_budget() {
        assert_eq!(runs(&[3, 4, 4, 9, 1], 8), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(runs(&[3, 4], 100), vec![0..2]);
        assert!(runs(&[], 8).is_empty());
    }
}
