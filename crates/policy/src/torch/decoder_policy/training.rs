//! Optimiser steps.

use std::ops::Range;

use rand::RngExt;
use tch::no_grad;

use super::{DecoderPolicy, head, trained_tensors};
use crate::{
    Objective, SupervisedExample, SupervisedStats, TrainingSequence, UpdateStats,
    error::{Error, Result},
    random::random_stream,
    torch::{
        batch::{PackedBatch, Row, micro_batches},
        decoder::{Decoder, Dropout, Gradients, Tape},
    },
};

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
            loss: loss / tokens.max(1) as f64,
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
        check_sequences(batch)?;
        let active: Vec<&TrainingSequence<'_>> = batch.iter().filter(|s| is_active(s)).collect();
        let rows: Vec<Row<'_>> = active
            .iter()
            .map(|s| Row {
                prompt: s.prompt_ids,
                response: s.token_ids,
                temperature: s.temperature,
            })
            .collect();
        self.check_rows(&rows)?;
        let reference = self.reference_for(objective)?;
        // Denominators count every response, trained on or skipped, before any micro-batch.
        let lens: Vec<usize> = batch.iter().map(|s| s.token_ids.len()).collect();
        let tokens: usize = lens.iter().sum();
        let weights: Vec<f64> = objective
            .weights(&lens)
            .into_iter()
            .zip(batch)
            .filter(|(_, s)| is_active(s))
            .map(|(weight, _)| weight)
            .collect();
        let mut stats = UpdateStats {
            loss: 0.0,
            kl: 0.0,
            clip_fraction: 0.0,
            max_log_ratio: 0.0,
            grad_norm: 0.0,
            tokens,
            skipped: batch.len() - active.len(),
        };
        if active.is_empty() {
            return Ok(stats);
        }
        let sequence_log_ratios = objective
            .is_sequence_level()
            .then(|| self.mean_log_ratios(&active, &rows))
            .transpose()?;
        let gradients = self.gather(&rows, reference, &mut |token| {
            let sequence = active[token.row];
            let own = token.log_prob - f64::from(sequence.old_log_probs[token.index]);
            let log_ratio = sequence_log_ratios
                .as_ref()
                .map_or(own, |all| all[token.row]);
            let advantage = sequence.advantages[token.index];
            let term = objective.token(token.log_prob, log_ratio, token.reference, advantage);
            stats.loss += term.loss * weights[token.row];
            stats.kl += term.kl / tokens as f64;
            stats.clip_fraction += f64::from(u8::from(term.clipped)) / tokens as f64;
            stats.max_log_ratio = stats.max_log_ratio.max(own.abs());
            term.gradient * weights[token.row]
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
        let predicting = head(decoder, batch).backward(&predicting, of_head, slopes)?;
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
            None => Err(Error::NoReference { coefficient }),
        }
    }

    /// Mean log-ratio of each row to the policy that sampled it, by a forward pass of its own.
    fn mean_log_ratios(
        &self,
        sequences: &[&TrainingSequence<'_>],
        rows: &[Row<'_>],
    ) -> Result<Vec<f64>> {
        let mut log_probs = Vec::new();
        for picked in micro_batches(rows, self.config.micro_batch_tokens) {
            let batch = PackedBatch::new(&rows[picked], self.decoder.place())?;
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
        Ok(sequences.iter().map(mean).collect())
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
    head(decoder, batch).log_probs(&hidden)
}

fn is_active(sequence: &TrainingSequence<'_>) -> bool {
    sequence.advantages.iter().any(|&a| a != 0.0)
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
    }
    Ok(())
}
