//! Optimiser steps.

use std::{collections::HashMap, ops::Range};

use rand::RngExt;
use tch::no_grad;

use super::{DecoderPolicy, trained_tensors};
use crate::{
    Objective, SupervisedExample, SupervisedStats, TrainingSequence, UpdateStats,
    error::{Error, Result, check},
    random::random_stream,
    torch::{
        batch::{PackedBatch, Row, micro_batches},
        decoder::{Decoder, Dropout, Gradients, Tape},
        head::Head,
    },
};

/// The sequences that an update learns from, those with an advantage that is not zero; equal prompts stand together.
struct Active<'a> {
    sequences: Vec<&'a TrainingSequence<'a>>,
    rows: Vec<Row<'a>>,
    /// Weight of each token of a sequence in the loss. Denominators count every response of the batch, before any micro-batch.
    weights: Vec<f64>,
    /// Response tokens.
    tokens: usize,
}

impl<'a> Active<'a> {
    fn of(batch: &'a [TrainingSequence<'a>], objective: &Objective) -> Self {
        let lens: Vec<usize> = batch.iter().map(|s| s.token_ids.len()).collect();
        let weighted = batch.iter().zip(objective.weights(&lens));
        let mut active: Vec<(&TrainingSequence<'_>, f64)> = weighted
            .filter(|(s, _)| s.advantages.iter().any(|&a| a != 0.0))
            .collect();
        // Only neighbours share a prompt, and a batch may come shuffled.
        let mut first = HashMap::new();
        for (place, (sequence, _)) in active.iter().enumerate() {
            first.entry(sequence.prompt_ids).or_insert(place);
        }
        active.sort_by_key(|(sequence, _)| first[sequence.prompt_ids]);
        let (sequences, weights): (Vec<&TrainingSequence<'_>>, Vec<f64>) =
            active.into_iter().unzip();
        Self {
            rows: sequences.iter().copied().map(Row::from).collect(),
            tokens: sequences.iter().map(|s| s.token_ids.len()).sum(),
            sequences,
            weights,
        }
    }
}

/// One response token of a batch with its log-probability now, and under the reference.
struct Token {
    row: usize,
    index: usize,
    log_prob: f64,
    reference: Option<f64>,
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
        let encode = |d: &SupervisedExample<'_>| {
            Ok((
                self.tokenizer.encode_prompt(d.prompt)?,
                self.tokenizer.encode_response(d.response)?,
            ))
        };
        let ids: Vec<(Vec<u32>, Vec<u32>)> = batch.iter().map(encode).collect::<Result<_>>()?;
        let tokens: usize = ids.iter().map(|(_, response)| response.len()).sum();
        let rows: Vec<Row<'_>> = ids
            .iter()
            .map(|(prompt, response)| Row {
                prompt,
                response,
                temperature: 1.0,
            })
            .collect();
        self.check_rows(&rows)?;
        let mut loss = 0.0;
        let gradients = self.gather(&rows, None, &mut |token| {
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

    pub(super) fn take_policy_step(
        &mut self,
        batch: &[TrainingSequence<'_>],
        objective: &Objective,
        learning_rate: f64,
    ) -> Result<UpdateStats> {
        check_learning_rate(learning_rate)?;
        check_sequences(batch)?;
        let rows: Vec<Row<'_>> = batch.iter().map(Row::from).collect();
        self.check_rows(&rows)?;
        let reference = self.reference_for(objective)?;
        let active = Active::of(batch, objective);
        let mut stats = UpdateStats {
            loss: 0.0,
            kl: 0.0,
            clip_fraction: 0.0,
            max_log_ratio: 0.0,
            grad_norm: 0.0,
            tokens: batch.iter().map(|s| s.token_ids.len()).sum(),
            skipped: batch.len() - active.rows.len(),
        };
        if active.rows.is_empty() {
            return Ok(stats);
        }
        let sequence_log_ratios = objective
            .is_sequence_level()
            .then(|| self.mean_log_ratios(&active))
            .transpose()?;
        let gradients = self.gather(&active.rows, reference, &mut |token| {
            let sequence = active.sequences[token.row];
            let own = token.log_prob - f64::from(sequence.old_log_probs[token.index]);
            let log_ratio = sequence_log_ratios
                .as_ref()
                .map_or(own, |all| all[token.row]);
            let advantage = sequence.advantages[token.index];
            let term = objective.token(token.log_prob, log_ratio, token.reference, advantage);
            let weight = active.weights[token.row];
            stats.loss += term.loss * weight;
            stats.kl += term.kl / active.tokens as f64;
            stats.clip_fraction += f64::from(u8::from(term.clipped)) / active.tokens as f64;
            stats.max_log_ratio = stats.max_log_ratio.max(own.abs());
            term.gradient * weight
        })?;
        stats.grad_norm = self.step(&gradients, learning_rate)?;
        Ok(stats)
    }

    /// Runs forward and backward over the rows in micro-batches; `slope` gives d(loss)/d(log-probability)
    /// of each response token.
    fn gather(
        &self,
        rows: &[Row<'_>],
        reference: Option<&Decoder>,
        slope: &mut dyn FnMut(Token) -> f64,
    ) -> Result<Gradients> {
        let mut gradients = Gradients::default();
        let parts = micro_batches(rows, self.config.micro_batch_tokens);
        for (number, picked) in parts.into_iter().enumerate() {
            let batch = PackedBatch::new(&rows[picked.clone()], self.decoder.place())?;
            let anchors = reference
                .map(|d| response_log_probs(d, &batch))
                .transpose()?;
            let places: Vec<(usize, usize)> = picked
                .flat_map(|i| (0..rows[i].response.len()).map(move |t| (i, t)))
                .collect();
            let mut slopes = |range: Range<usize>, log_probs: &[f32]| {
                let token = |(at, &log_prob): (usize, &f32)| {
                    let (row, index) = places[at];
                    let reference = anchors.as_ref().map(|a| f64::from(a[at]));
                    slope(Token {
                        row,
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
        // A shared prompt's last token predicts the first of each response.
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
            _ if coefficient == 0.0 => Ok(None),
            Some(reference) => Ok(Some(&reference.decoder)),
            None => Err(Error::NoReference),
        }
    }

    /// Mean log-ratio of each row to the policy that sampled it, by a forward pass of its own.
    fn mean_log_ratios(&self, active: &Active<'_>) -> Result<Vec<f64>> {
        let mut log_probs = Vec::new();
        for picked in micro_batches(&active.rows, self.config.micro_batch_tokens) {
            let batch = PackedBatch::new(&active.rows[picked], self.decoder.place())?;
            log_probs.extend(response_log_probs(&self.decoder, &batch)?);
        }
        let mut log_probs = log_probs.into_iter();
        let mean = |sequence: &&TrainingSequence<'_>| {
            let old = sequence.old_log_probs;
            let gaps = old.iter().zip(&mut log_probs);
            gaps.map(|(&old, now)| f64::from(now) - f64::from(old))
                .sum::<f64>()
                / old.len() as f64
        };
        Ok(active.sequences.iter().map(mean).collect())
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
    let hidden = no_grad(|| batch.predicting(&decoder.hidden(&batch.ids, &batch.layout)?))?;
    Head::new(decoder, batch).log_probs(&hidden)
}

fn check_learning_rate(rate: f64) -> Result<()> {
    let is_rate = rate >= 0.0 && rate.is_finite();
    check(is_rate, "learning_rate", rate, "in [0, inf)")
}

fn check_sequences(batch: &[TrainingSequence<'_>]) -> Result<()> {
    for (index, s) in batch.iter().enumerate() {
        let tokens = s.token_ids.len();
        for (name, len) in [
            ("old_log_probs", s.old_log_probs.len()),
            ("advantages", s.advantages.len()),
        ] {
            if len != tokens {
                let what =
                    format!("{name} has {len} entries, expected one for each of {tokens} tokens");
                return Err(Error::InvalidSequence { index, what });
            }
        }
        if let Some(at) = s.advantages.iter().position(|a| !a.is_finite()) {
            let what = format!("the advantage of token {at} is {}", s.advantages[at]);
            return Err(Error::InvalidSequence { index, what });
        }
        if let Some(at) = s.old_log_probs.iter().position(|p| !p.is_finite()) {
            let what = format!(
                "the old log-probability of token {at} is {}",
                s.old_log_probs[at]
            );
            return Err(Error::InvalidSequence { index, what });
        }
    }
    Ok(())
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
        let tokenizer = Tokenizer::train(&TokenizerConfig { vocab_size: 260 }, std::iter::empty());
        let config = DecoderPolicyConfig {
            micro_batch_tokens,
            gradient_checkpointing,
            ..Default::default()
        };
        let policy = DecoderPolicy::from_scratch(&model, tokenizer.unwrap(), config, 1).unwrap();
        let row = |prompt, response| Row {
            prompt,
            response,
            temperature: 1.0,
        };
        let rows = [
            row(&[1, 2, 3][..], &[4, 5, 6, 7][..]),
            row(&[1, 2, 3], &[8]),
            row(&[1, 2, 3], &[9, 10]),
            row(&[11], &[12, 13, 14]),
            row(&[15, 16], &[17, 18]),
        ];
        let slope = &mut |t: Token| ((t.row * 7 + t.index * 3) % 5) as f64 - 1.5;
        policy.gather(&rows, None, slope).unwrap()
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
