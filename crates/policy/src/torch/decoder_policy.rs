//! The policy: a decoder with its tokenizer, optimiser and reference.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use serde::{Deserialize, Serialize};
use tch::{Tensor, no_grad};

use super::{
    batch::{Layout, PackedBatch, Row, micro_batches},
    checkpoint,
    decoder::{Decoder, Weights},
    files::{FolderWriter, read_json, verify},
    generation, gguf_model, head,
    optimizer::{AdamW, clear_gradients},
    tokenizer::Tokenizer,
};
use crate::{
    DecoderPolicyConfig, GgufFile, ModelConfig, Objective, Policy, Progress, PromptGroup, Rollout,
    Sampling, SupervisedExample, SupervisedStats, TrainingSequence, UpdateStats,
    error::{Error, Result, check},
};

/// A Llama-, Qwen2- or Qwen3-shaped decoder on libtorch, in f32 on the CPU.
///
/// ```no_run
/// use rerec_policy::{DecoderPolicy, DecoderPolicyConfig, Policy, PromptGroup, Sampling};
///
/// let mut policy = DecoderPolicy::from_folder("model".as_ref(), DecoderPolicyConfig::default())?;
/// let group = PromptGroup { query: "q1", prompt: "A western from the 1980s?", samples: 4 };
/// let sampling = Sampling { max_new_tokens: 128, seed: 7, ..Default::default() };
/// let go_on = &mut |_| std::ops::ControlFlow::Continue(());
/// for rollout in policy.generate(&[group], &sampling, go_on)? {
///     println!("{}", rollout.text);
/// }
/// # Ok::<(), rerec_policy::Error>(())
/// ```
#[derive(Debug)]
pub struct DecoderPolicy {
    config: DecoderPolicyConfig,
    tokenizer: Tokenizer,
    weights: Weights,
    decoder: Decoder,
    /// The frozen policy that the KL term is measured against.
    reference: Option<(Weights, Decoder)>,
    optimizer: AdamW,
}

/// What `training.json` of a checkpoint says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingState {
    optimizer_steps: i32,
    has_reference: bool,
}

/// Files of a checkpoint that a model is not read from.
const TRAINING_FILES: [&str; 3] = [
    "reference.safetensors",
    "optimizer.safetensors",
    "training.json",
];

/// One response token of a batch with its log-probability now, and under the reference.
struct Token {
    row: usize,
    index: usize,
    log_prob: f64,
    reference: Option<f64>,
}

fn response_log_probs(decoder: &Decoder, batch: &PackedBatch) -> Result<Vec<f32>> {
    let hidden = batch.predicting(&decoder.hidden(&batch.ids, &batch.layout)?)?;
    head::log_probs(&hidden, decoder.head(), &batch.targets, &batch.temperatures)
}

impl DecoderPolicy {
    /// A model with freshly drawn weights.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a setting out of range.
    pub fn from_scratch(
        model: &ModelConfig,
        tokenizer: Tokenizer,
        config: DecoderPolicyConfig,
        seed: u64,
    ) -> Result<Self> {
        model.validate()?;
        check(
            tokenizer.vocab_size() <= model.vocab_size,
            "vocab_size",
            model.vocab_size,
            "at least the tokenizer's",
        )?;
        Self::assemble(model, Weights::draw(model, seed)?, tokenizer, config)
    }

    /// Loads a Hugging Face folder: `config.json`, `model.safetensors` or its shards, `tokenizer.json`, `tokenizer_config.json`.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn from_folder(folder: &Path, config: DecoderPolicyConfig) -> Result<Self> {
        verify(folder, |name| !TRAINING_FILES.contains(&name))?;
        let model = ModelConfig::from_folder(folder)?;
        let tokenizer = Tokenizer::from_folder(folder)?;
        let shapes = Weights::shapes(&model);
        let tensors = checkpoint::read_model(folder, &shapes)?;
        Self::assemble(&model, Weights::from_map(tensors), tokenizer, config)
    }

    /// Loads a GGUF file, its weights dequantised to f32; Llama, Qwen2 or Qwen3 with a byte-level BPE.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn from_gguf(path: &Path, config: DecoderPolicyConfig) -> Result<Self> {
        let file = GgufFile::open(path)?;
        let model = gguf_model::config(&file)?;
        let tokenizer = gguf_model::tokenizer(&file)?;
        let weights = gguf_model::weights(&file, &model)?;
        Self::assemble(&model, weights, tokenizer, config)
    }

    fn assemble(
        model: &ModelConfig,
        weights: Weights,
        tokenizer: Tokenizer,
        config: DecoderPolicyConfig,
    ) -> Result<Self> {
        check(
            config.micro_batch_tokens >= 1,
            "micro_batch_tokens",
            config.micro_batch_tokens,
            "at least 1",
        )?;
        check(
            config.generation_rows >= 1,
            "generation_rows",
            config.generation_rows,
            "at least 1",
        )?;
        let weights = weights.trainable()?;
        let decoder = Decoder::new(model, &weights)?;
        let optimizer = AdamW::new(config.optimizer.clone(), &weights)?;
        Ok(Self {
            config,
            tokenizer,
            weights,
            decoder,
            reference: None,
            optimizer,
        })
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.weights.iter().map(|(_, t)| t.numel()).sum()
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Next-token logits behind each of `ids`, `[tokens, vocab]` row by row: to look at, or to compare with another
    /// implementation. Training and sampling never hold so many.
    ///
    /// # Errors
    /// [`Error::InvalidSequence`] for no ids, too many, or one outside the vocabulary.
    pub fn logits(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let row = Row {
            prompt: ids,
            response: &[0],
            temperature: 1.0,
        };
        self.check_rows(&[row])?;
        let numbers: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let layout = Layout::of_sequences(&[ids.len()])?;
        no_grad(|| {
            let hidden = self
                .decoder
                .hidden(&Tensor::f_from_slice(&numbers)?, &layout)?;
            Ok(Vec::try_from(self.decoder.logits(&hidden)?.f_view([-1])?)?)
        })
    }

    /// Runs forward and backward over the rows in micro-batches; `slope` gives d(loss)/d(log-probability)
    /// of each response token.
    fn accumulate(
        &self,
        rows: &[Row<'_>],
        reference: Option<&Decoder>,
        slope: &mut dyn FnMut(Token) -> f64,
    ) -> Result<()> {
        for picked in micro_batches(rows, self.config.micro_batch_tokens) {
            let batch = PackedBatch::new(&rows[picked.clone()])?;
            let anchors = reference
                .map(|d| no_grad(|| response_log_probs(d, &batch)))
                .transpose()?;
            let places: Vec<(usize, usize)> = picked
                .flat_map(|i| (0..rows[i].response.len()).map(move |t| (i, t)))
                .collect();
            let hidden = batch.predicting(&self.decoder.hidden(&batch.ids, &batch.layout)?)?;
            let (head, targets) = (self.decoder.head(), &batch.targets);
            head::backward(
                &hidden,
                head,
                targets,
                &batch.temperatures,
                |range, log_probs| {
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
                },
            )?;
        }
        Ok(())
    }

    fn check_rows(&self, rows: &[Row<'_>]) -> Result<()> {
        let (limit, vocab) = (
            self.decoder.config().max_position_embeddings,
            self.decoder.config().vocab_size,
        );
        for (index, row) in rows.iter().enumerate() {
            let fault = |what: String| Err(Error::InvalidSequence { index, what });
            if row.prompt.is_empty() || row.response.is_empty() {
                return fault("prompt and response must have at least one token each".to_owned());
            }
            if row.input_len() > limit {
                return fault(format!(
                    "{} tokens exceed max_position_embeddings {limit}",
                    row.input_len()
                ));
            }
            if let Some(id) = row
                .prompt
                .iter()
                .chain(row.response)
                .find(|&&id| id as usize >= vocab)
            {
                return fault(format!("token id {id} must be below vocab_size {vocab}"));
            }
            if row.temperature.is_nan() || row.temperature <= 0.0 {
                return fault(format!(
                    "temperature must be above 0, got {}",
                    row.temperature
                ));
            }
        }
        Ok(())
    }
}

impl Policy for DecoderPolicy {
    fn generate(
        &mut self,
        groups: &[PromptGroup<'_>],
        sampling: &Sampling,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<Rollout>> {
        sampling.validate()?;
        let rows = self.config.generation_rows;
        generation::generate(
            &self.decoder,
            &self.tokenizer,
            groups,
            sampling,
            rows,
            progress,
        )
    }

    fn supervise(
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
        let outcome = self.accumulate(&rows, None, &mut |token| {
            loss -= token.log_prob;
            -1.0 / tokens as f64
        });
        let grad_norm = self.finish_step(outcome, learning_rate)?;
        Ok(SupervisedStats {
            loss: loss / tokens.max(1) as f64,
            grad_norm,
            tokens,
        })
    }

    fn update(
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
        let outcome = self.accumulate(&rows, reference, &mut |token| {
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
        });
        stats.grad_norm = self.finish_step(outcome, learning_rate)?;
        Ok(stats)
    }

    fn anchor(&mut self) -> Result<()> {
        let weights = self.weights.frozen_copy()?;
        let decoder = Decoder::new(self.decoder.config(), &weights)?;
        self.reference = Some((weights, decoder));
        self.optimizer = AdamW::new(self.config.optimizer.clone(), &self.weights)?;
        Ok(())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let mut files = FolderWriter::new(folder);
        files.json("config.json", &self.decoder.config().with_architecture())?;
        self.tokenizer.save(&mut files)?;
        files.tensors("model.safetensors", self.weights.iter())?;
        if let Some((weights, _)) = &self.reference {
            files.tensors("reference.safetensors", weights.iter())?;
        }
        let (optimizer_steps, moments) = self.optimizer.state();
        let moments = moments.iter().map(|(name, t)| (name.as_str(), *t));
        files.tensors("optimizer.safetensors", moments)?;
        let state = TrainingState {
            optimizer_steps,
            has_reference: self.reference.is_some(),
        };
        files.json("training.json", &state)?;
        files.finish()
    }

    fn restore(&mut self, folder: &Path) -> Result<()> {
        verify(folder, |_| true)?;
        let shapes = Weights::shapes(self.decoder.config());
        let read = |name: &str| -> Result<Weights> {
            Ok(Weights::from_map(checkpoint::read(
                &folder.join(name),
                &shapes,
            )?))
        };
        let state: TrainingState = read_json(&folder.join("training.json"))?;
        let tokenizer = Tokenizer::from_folder(folder)?;
        let weights = read("model.safetensors")?;
        let reference = state
            .has_reference
            .then(|| read("reference.safetensors"))
            .transpose()?;
        let moments: BTreeMap<String, Vec<i64>> = shapes
            .iter()
            .flat_map(|(n, shape)| ["m", "v"].map(|k| (format!("{k}.{n}"), shape.clone())))
            .collect();
        let moments = Weights::from_map(checkpoint::read(
            &folder.join("optimizer.safetensors"),
            &moments,
        )?);
        // Everything was read and checked: only now does anything change.
        self.tokenizer = tokenizer;
        self.weights.copy_from(&weights)?;
        self.reference = match reference {
            Some(weights) => {
                let decoder = Decoder::new(self.decoder.config(), &weights)?;
                Some((weights, decoder))
            }
            None => None,
        };
        self.optimizer
            .restore(state.optimizer_steps, |name| moments.get(name))
    }
}

impl DecoderPolicy {
    fn reference_for(&self, objective: &Objective) -> Result<Option<&Decoder>> {
        let coefficient = objective.kl_coefficient();
        match &self.reference {
            _ if coefficient == 0.0 => Ok(None),
            Some((_, decoder)) => Ok(Some(decoder)),
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
            let batch = PackedBatch::new(&rows[picked])?;
            log_probs.extend(no_grad(|| response_log_probs(&self.decoder, &batch))?);
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

    /// Steps along the gradients, or forgets them when gathering them failed.
    fn finish_step(&mut self, gathered: Result<()>, learning_rate: f64) -> Result<f64> {
        if let Err(error) = gathered {
            clear_gradients(&self.weights);
            return Err(error);
        }
        self.optimizer.step(&self.weights, learning_rate)
    }
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
