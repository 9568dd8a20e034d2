//! The policy: a decoder with its tokenizer, optimiser and reference.

mod storage;
mod training;

use std::{ops::ControlFlow, path::Path};

use tch::{Kind, no_grad};

use super::{
    adapters::Adapters,
    batch::{PackedBatch, Row, check_ids, micro_batches},
    checkpoint::StoredTensors,
    decoder::{Decoder, F32, Trained, Weights},
    device, generation, gguf_model,
    head::Head,
    optimizer::{AdamW, Parameters},
    tokenizer::Tokenizer,
};
use crate::{
    DecoderPolicyConfig, GgufFile, ModelConfig, Objective, Policy, Precision, Progress,
    PromptGroup, Rollout, Sampling, Sequence, SupervisedExample, SupervisedStats, TokenScores,
    TrainingSequence, UpdateStats,
    error::{Error, Result, check},
};

/// A Llama-, Qwen2- or Qwen3-shaped decoder on libtorch.
///
/// ```no_run
/// use rerec_policy::{DecoderPolicy, DecoderPolicyConfig, Policy, PromptGroup, Sampling};
///
/// let mut policy = DecoderPolicy::from_folder("model".as_ref(), DecoderPolicyConfig::default())?;
/// let group = PromptGroup { query: "q1", prompt: "A western from the 1980s?".into(), samples: 4 };
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
    /// f32 where they are trained, else in the kind of the computation.
    weights: Weights,
    adapters: Option<Adapters>,
    decoder: Decoder,
    reference: Option<Reference>,
    optimizer: AdamW,
}

/// The frozen policy that the KL term is measured against.
#[derive(Debug)]
struct Reference {
    decoder: Decoder,
    own: Own,
}

/// What the reference does not share with the policy.
#[derive(Debug)]
enum Own {
    /// It is the policy without its adapters.
    Nothing,
    Weights(Weights),
    Adapters(Adapters),
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
        config.validate()?;
        model.validate()?;
        let weights = Weights::draw(model, seed, storage_place(&config)?)?;
        Self::assemble(model, weights, tokenizer, config)
    }

    /// Loads a Hugging Face folder: `config.json`, `model.safetensors` or its shards, `tokenizer.json`, `tokenizer_config.json`;
    /// and, of a checkpoint of [`Policy::save`], its adapters.
    ///
    /// # Errors
    /// Names the file and what is wrong with it, or the adapters that `config` has no place for.
    pub fn from_folder(folder: &Path, config: DecoderPolicyConfig) -> Result<Self> {
        config.validate()?;
        storage::verify_model(folder)?;
        let model = ModelConfig::from_folder(folder)?;
        let tokenizer = Tokenizer::from_folder(folder)?;
        let stored = StoredTensors::open_model(folder, &Weights::shapes(&model))?;
        let weights = Weights::fill(&model, storage_place(&config)?, |name, shape| {
            stored.read(name, shape)
        })?;
        let mut policy = Self::assemble(&model, weights, tokenizer, config)?;
        policy.take_adapter_of(folder)?;
        Ok(policy)
    }

    /// Loads a GGUF file, its weights dequantised; Llama, Qwen2 or Qwen3 with a byte-level BPE.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn from_gguf(path: &Path, config: DecoderPolicyConfig) -> Result<Self> {
        config.validate()?;
        let file = GgufFile::open(path)?;
        let model = gguf_model::config(&file)?;
        let tokenizer = gguf_model::tokenizer(&file)?;
        let weights = gguf_model::weights(&file, &model, storage_place(&config)?)?;
        Self::assemble(&model, weights, tokenizer, config)
    }

    fn assemble(
        model: &ModelConfig,
        weights: Weights,
        tokenizer: Tokenizer,
        config: DecoderPolicyConfig,
    ) -> Result<Self> {
        check(
            tokenizer.vocab_size() <= model.vocab_size,
            "vocab_size",
            model.vocab_size,
            "at least the tokenizer's",
        )?;
        let (kind, device) = (kind(config.precision), device::open(config.device)?);
        let adapters = config
            .lora
            .as_ref()
            .map(|lora| Adapters::draw(lora, model, device))
            .transpose()?;
        let trained = adapters
            .as_ref()
            .map_or(Trained::Weights, Trained::Adapters);
        let decoder = Decoder::new(model, &weights, kind, trained)?;
        let reference = match adapters {
            Some(_) => Some(Reference {
                decoder: Decoder::new(model, &weights, kind, Trained::Nothing)?,
                own: Own::Nothing,
            }),
            None => None,
        };
        let optimizer = AdamW::new(config.optimizer.clone());
        Ok(Self {
            config,
            tokenizer,
            weights,
            adapters,
            decoder,
            reference,
            optimizer,
        })
    }

    /// Number of weights, adapters left out.
    pub fn parameters(&self) -> usize {
        self.weights.stacks().map(|(_, t)| t.numel()).sum()
    }

    /// Number of weights that training changes.
    pub fn trained_parameters(&self) -> usize {
        let trained = trained_tensors(&self.weights, &self.adapters);
        trained.values().map(|t| t.numel()).sum()
    }

    /// The model's shape.
    pub fn model(&self) -> &ModelConfig {
        self.decoder.config()
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
        let batch = PackedBatch::new(&[row], self.decoder.place())?;
        no_grad(|| {
            let hidden = self.decoder.hidden(&batch.ids, &batch.layout)?;
            let logits = self.decoder.logits(&hidden)?;
            Ok(Vec::try_from(logits.f_to_kind(Kind::Float)?.f_view([-1])?)?)
        })
    }

    /// Log-probability and entropy of each response token under the policy as it is now, in the order of the batch.
    /// Neighbours with the same prompt share it.
    ///
    /// # Errors
    /// [`Error::InvalidSequence`] names a sequence that the model cannot read.
    pub fn score(&self, batch: &[Sequence<'_>]) -> Result<Vec<TokenScores>> {
        self.score_by(&self.decoder, batch)
    }

    /// As [`DecoderPolicy::score`], under the reference policy: what was last anchored, or else the model without its adapters.
    ///
    /// # Errors
    /// [`Error::NoReference`]; [`Error::InvalidSequence`].
    pub fn score_by_reference(&self, batch: &[Sequence<'_>]) -> Result<Vec<TokenScores>> {
        let reference = self.reference.as_ref().ok_or(Error::NoReference)?;
        self.score_by(&reference.decoder, batch)
    }

    fn score_by(&self, decoder: &Decoder, batch: &[Sequence<'_>]) -> Result<Vec<TokenScores>> {
        let rows: Vec<Row<'_>> = batch.iter().map(Row::from).collect();
        self.check_rows(&rows)?;
        let mut scores = Vec::with_capacity(rows.len());
        for picked in micro_batches(&rows, self.config.micro_batch_tokens) {
            let rows = &rows[picked];
            let batch = PackedBatch::new(rows, decoder.place())?;
            let hidden = no_grad(|| batch.predicting(&decoder.hidden(&batch.ids, &batch.layout)?))?;
            let (log_probs, entropies) = Head::new(decoder, &batch).scores(&hidden)?;
            let mut start = 0;
            for row in rows {
                let range = start..start + row.response.len();
                start = range.end;
                scores.push(TokenScores {
                    log_probs: log_probs[range.clone()].to_vec(),
                    entropies: entropies[range].to_vec(),
                });
            }
        }
        Ok(scores)
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
            check_ids(index, row.prompt.iter().chain(row.response), vocab)?;
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
        self.take_supervised_step(batch, learning_rate)
    }

    fn update(
        &mut self,
        batch: &[TrainingSequence<'_>],
        objective: &Objective,
        learning_rate: f64,
    ) -> Result<UpdateStats> {
        self.take_policy_step(batch, objective, learning_rate)
    }

    fn anchor(&mut self) -> Result<()> {
        let own = match &self.adapters {
            Some(adapters) => Own::Adapters(adapters.frozen_copy()?),
            None => Own::Weights(self.weights.frozen_copy(self.decoder.place().0)?),
        };
        self.reference = Some(self.reference_of(own)?);
        self.optimizer = AdamW::new(self.config.optimizer.clone());
        Ok(())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.write_folder(folder)
    }

    fn restore(&mut self, folder: &Path) -> Result<()> {
        self.read_folder(folder)
    }
}

impl DecoderPolicy {
    fn reference_of(&self, own: Own) -> Result<Reference> {
        let (weights, adapters) = match &own {
            Own::Nothing => (&self.weights, Trained::Nothing),
            Own::Weights(weights) => (weights, Trained::Nothing),
            Own::Adapters(adapters) => (&self.weights, Trained::Adapters(adapters)),
        };
        let kind = self.decoder.place().0;
        Ok(Reference {
            decoder: Decoder::new(self.model(), weights, kind, adapters)?,
            own,
        })
    }
}

/// What training changes, by name.
fn trained_tensors<'a>(weights: &'a Weights, adapters: &'a Option<Adapters>) -> Parameters<'a> {
    match adapters {
        Some(adapters) => adapters.by_name(),
        None => weights.stacks().collect(),
    }
}

/// Where weights are kept: what is trained stays f32, whatever it is computed in.
fn storage_place(config: &DecoderPolicyConfig) -> Result<(Kind, tch::Device)> {
    let kind = match config.lora {
        Some(_) => kind(config.precision),
        None => F32.0,
    };
    Ok((kind, device::open(config.device)?))
}

fn kind(precision: Precision) -> Kind {
    match precision {
        Precision::F32 => Kind::Float,
        Precision::Bf16 => Kind::BFloat16,
    }
}
