//! Optimiser steps.

use std::ops::Range;

use rand::RngExt;
use tch::{Tensor, no_grad};

use super::{DecoderPolicy, trained_tensors};
use crate::{
    Objective, SupervisedExample, SupervisedStats, TrainingGroup, TrainingResponse, UpdateStats,
    error::{Error, Result},
    learner::check_learning_rate,
    random::random_stream,
    torch::{
        batch::{PackedBatch, SharedPrompt, micro_batches},
        decoder::{Decoder, Dropout, Gradients, Tape},
        head::Head,
    },
};

/// What an update learns from: the responses with an advantage that is not zero.
struct Active<'a> {
    groups: Vec<SharedPrompt<'a>>,
    /// The responses of all groups, in their order.
    responses: Vec<&'a TrainingResponse<'a>>,
    /// Weight of each token of a response in the loss.
    weights: Vec<f64>,
    /// Response tokens.
    tokens: usize,
}

impl<'a> Active<'a> {
    fn of(batch: &'a [TrainingGroup<'a>], objective: &Objective) -> Self {
        let all = batch.iter().flat_map(|group| &group.responses);
        let lens: Vec<usize> = all.map(|r| r.token_ids.len()).collect();
        // Denominators count every response of the batch, before the ones that teach nothing are left out and before any
        // micro-batch: neither may change what the others weigh.
        let mut weights = objective.weights(&lens).into_iter();
        let mut active = Self {
            groups: Vec::new(),
            responses: Vec::new(),
            weights: Vec::new(),
            tokens: 0,
        };
        for group in batch {
            // The responses lead the zip, so that the weights of the next group are left to it.
            let weighted = group.responses.iter().zip(&mut weights);
            let teaching: Vec<_> = weighted.filter(|(r, _)| r.teaches()).collect();
            if teaching.is_empty() {
                continue;
            }
            active.groups.push(SharedPrompt {
                prompt: group.prompt_ids,
                temperature: group.temperature,
                responses: teaching.iter().map(|(r, _)| r.token_ids).collect(),
            });
            for (response, weight) in teaching {
                active.tokens += response.token_ids.len();
                active.responses.push(response);
                active.weights.push(weight);
            }
        }
        active
    }
}

/// One response token of a batch with its log-probability now, and under the reference.
struct Token {
    /// Position of its response in the batch.
    response: usize,
    index: usize,
    log_prob: f64,
    reference: Option<f64>,
}

/// A supervised example in tokens.
struct Lesson {
    prompt: Vec<u32>,
    response: Vec<u32>,
    /// Which response tokens are learned.
    learned: Vec<bool>,
}

/// d(loss)/d(log-probability) of a range of tokens, given their log-probabilities.
type Slopes<'a> = dyn FnMut(Range<usize>, &[f32]) -> Vec<f32> + 'a;

impl DecoderPolicy {
    pub(super) fn take_supervised_step(
        &mut self,
        batch: &[SupervisedExample<'_>],
        learning_rate: f64,
    ) -> Result<SupervisedStats> {
        check_learning_rate(learning_rate)?;
        if batch.is_empty() {
            return Ok(SupervisedStats {
                loss: 0.0,
                grad_norm: 0.0,
                tokens: 0,
            });
        }
        let lessons: Vec<Lesson> = (batch.iter().enumerate())
            .map(|(index, example)| self.lesson(index, example))
            .collect::<Result<_>>()?;
        let learned = lessons.iter().flat_map(|lesson| &lesson.learned);
        let tokens = learned.filter(|&&learned| learned).count();
        let examples = lessons
            .iter()
            .map(|lesson| SharedPrompt::alone(&lesson.prompt, &lesson.response));
        let examples: Vec<SharedPrompt<'_>> = examples.collect();
        let mut loss = 0.0;
        let gradients = self.gather(&examples, None, &mut |token| {
            if !lessons[token.response].learned[token.index] {
                return 0.0;
            }
            loss -= token.log_prob;
            -1.0 / tokens as f64
        })?;
        let grad_norm = self.step(&gradients, learning_rate)?;
        Ok(SupervisedStats {
            loss: loss / tokens as f64,
            grad_norm,
            tokens,
        })
    }

    /// The tokens of example `index`.
    fn lesson(&self, index: usize, example: &SupervisedExample<'_>) -> Result<Lesson> {
        let fault = |what| Error::InvalidExample { index, what };
        let text = example.response;
        let prompt = self.tokenizer.encode_prompt(example.prompt)?;
        let (response, learned) = match example.learned {
            Some(ranges) => self.tokenizer.encode_response_within(text, ranges)?,
            None => {
                let response = self.tokenizer.encode_response(text)?;
                let learned = vec![true; response.len()];
                (response, learned)
            }
        };
        if let Some(ranges) = example.learned.filter(|_| !learned.contains(&true)) {
            let len = text.len();
            return Err(fault(format!(
                "no token is learned of a response of {len} bytes by the ranges {ranges:?}"
            )));
        }
        self.decoder
            .check_sequence(&prompt, &response)
            .map_err(fault)?;
        Ok(Lesson {
            prompt,
            response,
            learned,
        })
    }

    pub(super) fn take_policy_step(
        &mut self,
        batch: &[TrainingGroup<'_>],
        objective: &Objective,
        learning_rate: f64,
    ) -> Result<UpdateStats> {
        check_learning_rate(learning_rate)?;
        for group in batch {
            group.check()?;
            let responses = group.responses.iter().map(|r| (r.sample, r.token_ids));
            self.check_group(group.query, group.prompt_ids, group.temperature, responses)?;
        }
        let reference = self.reference_for(objective)?;
        let active = Active::of(batch, objective);
        let mut stats = UpdateStats::of(batch);
        if active.groups.is_empty() {
            return Ok(stats);
        }
        // GSPO weighs every token by its whole response, whose tokens may lie in a later chunk of the head: a pass of its own
        // finds the log-ratios first.
        let sequence_log_ratios = objective
            .is_sequence_level()
            .then(|| self.mean_log_ratios(&active))
            .transpose()?;
        let forks = objective
            .weighs_entropies()
            .then(|| self.forks(&active, objective))
            .transpose()?;
        let is_fork = |token: &Token| {
            let forks = forks.as_ref();
            forks.is_none_or(|forks| forks[token.response][token.index])
        };
        let gradients = self.gather(&active.groups, reference, &mut |token| {
            let response = active.responses[token.response];
            let own = token.log_prob - f64::from(response.old_log_probs[token.index]);
            let log_ratio = sequence_log_ratios
                .as_ref()
                .map_or(own, |all| all[token.response]);
            let advantage = match is_fork(&token) {
                true => response.advantages[token.index],
                false => 0.0,
            };
            let term = objective.token(token.log_prob, log_ratio, token.reference, advantage);
            let weight = active.weights[token.response];
            stats.loss += term.loss * weight;
            stats.kl += term.kl / active.tokens as f64;
            stats.clip_fraction += f64::from(u8::from(term.clipped)) / active.tokens as f64;
            stats.max_log_ratio = stats.max_log_ratio.max(own.abs());
            term.gradient * weight
        })?;
        stats.grad_norm = self.step(&gradients, learning_rate)?;
        Ok(stats)
    }

    /// Runs forward and backward over the groups in micro-batches; `slope` gives d(loss)/d(log-probability)
    /// of each response token.
    fn gather(
        &self,
        groups: &[SharedPrompt<'_>],
        reference: Option<&Decoder>,
        slope: &mut dyn FnMut(Token) -> f64,
    ) -> Result<Gradients> {
        let mut gradients = Gradients::default();
        let mut first = 0;
        let parts = micro_batches(groups, self.config.micro_batch_tokens);
        for (number, part) in parts.iter().enumerate() {
            let batch = PackedBatch::new(part, self.decoder.placement())?;
            // Over the same packed tokens, so that place i is the same token under both policies.
            let anchors = reference
                .map(|d| response_log_probs(d, &batch))
                .transpose()?;
            let lens: Vec<usize> = part
                .iter()
                .flat_map(|group| group.responses.iter().map(|r| r.len()))
                .collect();
            let numbered = (first..).zip(&lens);
            let places: Vec<(usize, usize)> = numbered
                .flat_map(|(response, &len)| (0..len).map(move |index| (response, index)))
                .collect();
            first += lens.len();
            let mut slopes = |range: Range<usize>, log_probs: &[f32]| {
                let token = |(at, &log_prob): (usize, &f32)| {
                    let (response, index) = places[at];
                    let reference = anchors.as_ref().map(|a| f64::from(a[at]));
                    slope(Token {
                        response,
                        index,
                        log_prob: f64::from(log_prob),
                        reference,
                    }) as f32
                };
                range.zip(log_probs).map(token).collect()
            };
            self.back_over(&batch, self.dropout(number), &mut slopes, &mut gradients)?;
        }
        Ok(gradients)
    }

    /// One forward and backward pass.
    fn back_over(
        &self,
        batch: &PackedBatch,
        dropout: Option<Dropout>,
        slopes: &mut Slopes<'_>,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let decoder = &self.decoder;
        let checkpointing = self.config.gradient_checkpointing;
        let tape = Tape::record(decoder, &batch.ids, &batch.layout, dropout, checkpointing)?;
        let of_head = match decoder.head_leaf() {
            Some(leaf) => gradients.sum(leaf)?,
            None => None,
        };
        let predicting = batch.predicting(tape.hidden())?;
        let predicting = Head::new(decoder, batch).backward(&predicting, of_head, slopes)?;
        let mut hidden = no_grad(|| tape.hidden().f_zeros_like())?;
        // Added, not copied: a shared prompt's last token predicts the first of each response, so its row occurs several times.
        let _ = hidden.f_index_add_(0, &batch.predictors, &predicting)?;
        tape.backward(hidden, gradients)
    }

    /// The masks of one micro-batch of the next step.
    fn dropout(&self, micro_batch: usize) -> Option<Dropout> {
        let lora = self
            .config
            .lora
            .as_ref()
            .filter(|lora| lora.dropout > 0.0)?;
        // Named by the step, so that a restored policy draws the masks that the first one would have drawn.
        let mut stream = random_stream(lora.seed, "dropout", "", self.optimizer.steps() as u64);
        let step = Dropout {
            rate: lora.dropout,
            seed: stream.random(),
        };
        Some(step.part(micro_batch as u64))
    }

    fn reference_for(&self, objective: &Objective) -> Result<Option<&Decoder>> {
        let coefficient = objective.kl_coefficient();
        match &self.reference {
            // Without a KL term the forward pass of the reference is saved.
            _ if coefficient == 0.0 => Ok(None),
            Some(reference) => Ok(Some(&reference.decoder)),
            None => Err(Error::NoReference),
        }
    }

    /// Mean log-ratio of each response to the policy that sampled it, by a forward pass of its own.
    fn mean_log_ratios(&self, active: &Active<'_>) -> Result<Vec<f64>> {
        let mut log_probs = Vec::new();
        for part in micro_batches(&active.groups, self.config.micro_batch_tokens) {
            let batch = PackedBatch::new(&part, self.decoder.placement())?;
            log_probs.extend(response_log_probs(&self.decoder, &batch)?);
        }
        let mut log_probs = log_probs.into_iter();
        let mean = |response: &&TrainingResponse<'_>| {
            let old = response.old_log_probs;
            // `old` leads the zip: at its end no log-probability of the next response is taken.
            let gaps = old.iter().zip(&mut log_probs);
            gaps.map(|(&old, now)| f64::from(now) - f64::from(old))
                .sum::<f64>()
                / old.len() as f64
        };
        Ok(active.responses.iter().map(mean).collect())
    }

    /// Which tokens of each response have a distribution of high entropy, by a forward pass of its own: the bound is that of the whole
    /// batch, and so known before the first gradient.
    fn forks(&self, active: &Active<'_>, objective: &Objective) -> Result<Vec<Vec<bool>>> {
        let mut entropies = Vec::new();
        for part in micro_batches(&active.groups, self.config.micro_batch_tokens) {
            let batch = PackedBatch::new(&part, self.decoder.placement())?;
            let hidden = predicting(&self.decoder, &batch)?;
            entropies.extend(Head::new(&self.decoder, &batch).scores(&hidden)?.1);
        }
        let mut forks = objective.forks(&entropies).into_iter().flatten();
        let lens = active.responses.iter().map(|one| one.token_ids.len());
        Ok(lens.map(|len| forks.by_ref().take(len).collect()).collect())
    }

    /// Steps along the gradients.
    fn step(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<f64> {
        let trained = trained_tensors(&self.weights, &self.adapters);
        let norm = self.optimizer.step(&trained, gradients, learning_rate)?;
        self.decoder.refresh(&trained)?;
        Ok(norm)
    }
}

fn response_log_probs(decoder: &Decoder, batch: &PackedBatch) -> Result<Vec<f32>> {
    Head::new(decoder, batch).log_probs(&predicting(decoder, batch)?)
}

/// The hidden states that predict the response tokens, without a graph.
fn predicting(decoder: &Decoder, batch: &PackedBatch) -> Result<Tensor> {
    no_grad(|| batch.predicting(&decoder.hidden(&batch.ids, &batch.layout)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecoderPolicyConfig, ModelConfig, Tokenizer, TokenizerConfig};

    fn gradients(micro_batch_tokens: usize, gradient_checkpointing: bool) -> Gradients {
        let model: ModelConfig = serde_json::from_value(serde_json::json!({
            "model_type": "qwen2", "vocab_size": 260, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "max_position_embeddings": 32,
            "initializer_range": 0.3
        }))
        .unwrap();
        let tokenizer = Tokenizer::train(&TokenizerConfig::new(260), std::iter::empty());
        let config = DecoderPolicyConfig {
            micro_batch_tokens,
            gradient_checkpointing,
            ..Default::default()
        };
        let policy = DecoderPolicy::from_scratch(&model, tokenizer.unwrap(), config, 1).unwrap();
        let groups = [
            SharedPrompt {
                responses: vec![&[4, 5, 6, 7], &[8], &[9, 10]],
                ..SharedPrompt::alone(&[1, 2, 3], &[])
            },
            SharedPrompt::alone(&[11], &[12, 13, 14]),
            SharedPrompt::alone(&[15, 16], &[17, 18]),
        ];
        let slope = &mut |t: Token| ((t.response * 7 + t.index * 3) % 5) as f64 - 1.5;
        policy.gather(&groups, None, slope).unwrap()
    }

    /// From one micro-batch, in which a prompt is shared, to a micro-batch for every response.
    #[test]
    fn micro_batches_change_no_gradient() {
        let whole = gradients(1000, false);
        for (tokens, checkpointing) in [(1, false), (9, false), (1, true)] {
            let parts = gradients(tokens, checkpointing);
            for (name, expected) in whole.named() {
                let gap = (parts.get(name).unwrap() - expected).norm();
                let gap = gap.double_value(&[]) / expected.norm().double_value(&[]).max(1e-3);
                assert!(gap < 1e-5, "{name} differs by {gap} at {tokens} tokens");
            }
        }
    }
}
