//! The policy: a decoder with its tokenizer, optimiser and reference.

mod base;
mod storage;
mod training;

use std::{ops::ControlFlow, path::Path};

use rerec_text::QueryId;
use tch::{Kind, Tensor, no_grad};

use self::base::Base;
use super::{
    adapters::Adapters,
    batch::{PackedBatch, SharedPrompt, micro_batches},
    checkpoint::StoredTensors,
    decoder::{Decoder, Trained},
    generation, gguf_model,
    head::Head,
    optimizer::{AdamW, Parameters},
    placement::{self, Placement, kind},
    weights::Weights,
};
use crate::{
    DecoderPolicyConfig, GgufFile, Learner, ModelConfig, ModelSource, Objective, Progress,
    RolloutGroup, SampleRequest, Sampler, Sampling, SupervisedExample, SupervisedStats,
    TokenScores, Tokenizer, TrainingGroup, UpdateStats,
    error::{Error, Result, check},
};

/// A Llama-shaped decoder on libtorch, of any [`Architecture`](crate::Architecture).
///
/// ```no_run
/// use rerec_policy::{DecoderPolicy, DecoderPolicyConfig, SampleRequest, Sampler, Sampling};
///
/// let mut policy = DecoderPolicy::from_folder("model".as_ref(), DecoderPolicyConfig::default())?;
/// let query = "q1".into();
/// let request =
///     SampleRequest { query: &query, prompt: "A western from the 1980s?".into(), samples: 4 };
/// let sampling = Sampling { max_new_tokens: 128, seed: 7, ..Default::default() };
/// for group in policy.generate(&[request], &sampling)? {
///     for response in group.responses {
///         println!("{}: {}", group.query, response.text);
///     }
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
    /// Where the weights lie that adapters stand beside.
    base: Option<Base>,
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
    /// Builds a policy from any source. `corpus` and `seed` are for a model that is drawn afresh: what its tokenizer is trained
    /// on, and the seed of its weights.
    ///
    /// # Errors
    /// Whatever the source's own constructor reports; [`Error::InvalidSetting`] for the hub without the feature `hub`;
    /// [`Error::NoAdapter`] for adapters and a `config` without `lora`.
    pub fn open<'t>(
        source: &ModelSource,
        config: DecoderPolicyConfig,
        corpus: impl Iterator<Item = &'t str> + Send,
        seed: u64,
    ) -> Result<Self> {
        let mut policy = match source {
            ModelSource::Fresh(fresh) => {
                let tokenizer = Tokenizer::train(&fresh.tokenizer(), corpus)?;
                let model = fresh.config(tokenizer.vocab_size());
                Self::from_scratch(&model, tokenizer, config, seed)?
            }
            ModelSource::Folder { path, .. } => Self::from_folder(path, config)?,
            ModelSource::Gguf { path, .. } => Self::from_gguf(path, config)?,
            #[cfg(feature = "hub")]
            ModelSource::Hub { repo, revision, .. } => {
                Self::from_hub(repo, revision.as_deref(), config)?
            }
            #[cfg(not(feature = "hub"))]
            ModelSource::Hub { .. } => return Err(Error::no_hub()),
        };
        if let Some(adapters) = source.adapters() {
            policy.load_adapter(adapters)?;
        }
        Ok(policy)
    }

    /// A model with freshly drawn weights.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a setting out of range.
    pub fn from_scratch(
        model: &ModelConfig,
        tokenizer: Tokenizer,
        config: DecoderPolicyConfig,
        seed: u64,
    ) -> Result<Self> {
        let config = config.resolved()?;
        model.validate()?;
        let weights = Weights::draw(model, seed, stored_as(&config)?)?;
        Self::assemble(model, weights, tokenizer, config)
    }

    /// Loads a Hugging Face folder: `config.json`, `model.safetensors` or its shards, `tokenizer.json`, `tokenizer_config.json`;
    /// and, of a checkpoint of [`Learner::save`], its adapters.
    ///
    /// # Errors
    /// Names the file and what is wrong with it, or the adapters that `config` has no place for.
    pub fn from_folder(folder: &Path, config: DecoderPolicyConfig) -> Result<Self> {
        let config = config.resolved()?;
        let base = storage::verified_base(folder, config.lora.is_some())?;
        let model_folder = base.as_ref().map_or(folder, |base| &base.folder);
        let model = ModelConfig::from_folder(model_folder)?;
        let tokenizer = Tokenizer::from_folder(model_folder)?;
        // Only headers are read here: a file that does not fit is rejected before memory is set aside for weights.
        let stored = StoredTensors::open_model(model_folder, &Weights::shapes(&model))?;
        let weights = Weights::fill(&model, stored_as(&config)?, |name, shape| {
            stored.read(name, shape)
        })?;
        let mut policy = Self::assemble(&model, weights, tokenizer, config)?;
        policy.base = base;
        policy.take_adapter_of(folder)?;
        Ok(policy)
    }

    /// Loads a GGUF file, its weights dequantised; Llama, Qwen2 or Qwen3 with a byte-level BPE.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn from_gguf(path: &Path, config: DecoderPolicyConfig) -> Result<Self> {
        let config = config.resolved()?;
        let file = GgufFile::open(path)?;
        let model = gguf_model::config(&file)?;
        let tokenizer = gguf_model::tokenizer(&file)?;
        let weights = gguf_model::weights(&file, &model, stored_as(&config)?)?;
        Self::assemble(&model, weights, tokenizer, config)
    }

    fn assemble(
        model: &ModelConfig,
        weights: Weights,
        tokenizer: Tokenizer,
        config: DecoderPolicyConfig,
    ) -> Result<Self> {
        check(
            // Embeddings may have more rows than there are tokens, as padded ones do, but not fewer.
            tokenizer.vocab_size() <= model.vocab_size,
            "vocab_size",
            model.vocab_size,
            "at least the tokenizer's",
        )?;
        let tokenizer = tokenizer.with_template(config.template.clone())?;
        let (kind, device) = (kind(config.precision), placement::open(config.device)?);
        let adapters = config
            .lora
            .as_ref()
            .map(|lora| Adapters::draw(lora, model, device))
            .transpose()?;
        let trained = adapters
            .as_ref()
            .map_or(Trained::Weights, Trained::Adapters);
        let decoder = Decoder::new(model, &weights, kind, trained)?;
        // With adapters the reference needs no memory: it is the same weights without them.
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
            base: None,
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

    /// Next-token logits after each of `ids`, `[tokens, vocab]` row by row, for inspection or to compare with another
    /// implementation. Training and sampling never hold so many.
    ///
    /// # Errors
    /// [`Error::InvalidIds`] for no ids, too many, or one outside the vocabulary.
    pub fn logits(&self, ids: &[u32]) -> Result<Vec<f32>> {
        self.decoder
            .check_sequence(ids, &[0])
            .map_err(|what| Error::InvalidIds { what })?;
        // A response of one token is predicted and not read, so the pass runs over `ids` and nothing else.
        let alone = SharedPrompt::alone(ids, &[0]);
        let batch = PackedBatch::new(&[alone], self.decoder.placement())?;
        no_grad(|| {
            let hidden = self.decoder.hidden(&batch.ids, &batch.layout)?;
            let logits = self.decoder.logits(&hidden)?;
            Ok(Vec::try_from(logits.f_to_kind(Kind::Float)?.f_view([-1])?)?)
        })
    }

    /// Samples one response to a request, whatever its number of samples, and hands on its text piece by piece while it grows: whole
    /// characters, which add up to the response's text. `show` may end it.
    ///
    /// # Errors
    /// As [`Sampler::generate_with`]; [`Error::Cancelled`] where `show` breaks off.
    pub fn stream(
        &mut self,
        request: SampleRequest<'_>,
        sampling: &Sampling,
        show: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<RolloutGroup> {
        sampling.validate()?;
        generation::stream(&self.decoder, &self.tokenizer, request, sampling, show)
    }

    /// Log-probability and entropy of each response token under the policy as it is now: `[group][response]`.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] and [`Error::InvalidResponse`] name what the model cannot read.
    pub fn score(&self, groups: &[RolloutGroup]) -> Result<Vec<Vec<TokenScores>>> {
        self.score_by(&self.decoder, groups)
    }

    /// As [`DecoderPolicy::score`], under the reference policy: what was last anchored, or else the model without its adapters.
    ///
    /// # Errors
    /// [`Error::NoReference`], and those of [`DecoderPolicy::score`].
    pub fn score_by_reference(&self, groups: &[RolloutGroup]) -> Result<Vec<Vec<TokenScores>>> {
        let reference = self.reference.as_ref().ok_or(Error::NoReference)?;
        self.score_by(&reference.decoder, groups)
    }

    fn score_by(
        &self,
        decoder: &Decoder,
        groups: &[RolloutGroup],
    ) -> Result<Vec<Vec<TokenScores>>> {
        let (mut log_probs, mut entropies) = (Vec::new(), Vec::new());
        self.each_micro_batch(decoder, groups, |head, hidden| {
            let (more_log_probs, more_entropies) = head.scores(hidden)?;
            log_probs.extend(more_log_probs);
            entropies.extend(more_entropies);
            Ok(())
        })?;
        let (mut log_probs, mut entropies) = (log_probs.into_iter(), entropies.into_iter());
        Ok(ragged(groups, |tokens| TokenScores {
            log_probs: log_probs.by_ref().take(tokens).collect(),
            entropies: entropies.by_ref().take(tokens).collect(),
        }))
    }

    /// Lets `look` see the hidden states that predict the tokens of the groups' responses, in their order.
    fn each_micro_batch(
        &self,
        decoder: &Decoder,
        groups: &[RolloutGroup],
        mut look: impl FnMut(&Head<'_>, &Tensor) -> Result<()>,
    ) -> Result<()> {
        for group in groups {
            let responses = group.responses.iter();
            let responses = responses.map(|r| (r.sample, &*r.token_ids));
            self.check_group(
                &group.query,
                &group.prompt_ids,
                group.temperature,
                responses,
            )?;
        }
        let groups: Vec<SharedPrompt<'_>> = groups.iter().map(SharedPrompt::from).collect();
        for part in micro_batches(&groups, self.config.micro_batch_tokens) {
            let batch = PackedBatch::new(&part, decoder.placement())?;
            let hidden = no_grad(|| batch.predicting(&decoder.hidden(&batch.ids, &batch.layout)?))?;
            look(&Head::new(decoder, &batch), &hidden)?;
        }
        Ok(())
    }

    /// Refuses a group that the model cannot read.
    fn check_group<'i>(
        &self,
        query: &QueryId,
        prompt: &[u32],
        temperature: f64,
        responses: impl Iterator<Item = (usize, &'i [u32])>,
    ) -> Result<()> {
        if temperature.is_nan() || temperature <= 0.0 {
            return Err(Error::InvalidQuery {
                query: query.clone(),
                what: format!("temperature must be above 0, got {temperature}"),
            });
        }
        for (sample, ids) in responses {
            let fault = |what| Error::InvalidResponse {
                query: query.clone(),
                sample,
                what,
            };
            self.decoder.check_sequence(prompt, ids).map_err(fault)?;
        }
        Ok(())
    }
}

/// One value for each response, made from its number of tokens: `[group][response]`.
fn ragged<T>(groups: &[RolloutGroup], mut value: impl FnMut(usize) -> T) -> Vec<Vec<T>> {
    let mut of_group = |group: &RolloutGroup| {
        let responses = group.responses.iter();
        responses.map(|r| value(r.token_ids.len())).collect()
    };
    groups.iter().map(&mut of_group).collect()
}

impl Sampler for DecoderPolicy {
    fn generate_with(
        &mut self,
        requests: &[SampleRequest<'_>],
        sampling: &Sampling,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<RolloutGroup>> {
        sampling.validate()?;
        let rows = self.config.generation_rows;
        generation::generate(
            &self.decoder,
            &self.tokenizer,
            requests,
            sampling,
            rows,
            progress,
        )
    }
}

impl Learner for DecoderPolicy {
    fn supervise(
        &mut self,
        batch: &[SupervisedExample<'_>],
        learning_rate: f64,
    ) -> Result<SupervisedStats> {
        self.take_supervised_step(batch, learning_rate)
    }

    fn log_probs(&mut self, groups: &[RolloutGroup]) -> Result<Vec<Vec<Vec<f32>>>> {
        let mut log_probs = Vec::new();
        self.each_micro_batch(&self.decoder, groups, |head, hidden| {
            log_probs.extend(head.log_probs(hidden)?);
            Ok(())
        })?;
        let mut log_probs = log_probs.into_iter();
        Ok(ragged(groups, |tokens| {
            log_probs.by_ref().take(tokens).collect()
        }))
    }

    fn update(
        &mut self,
        batch: &[TrainingGroup<'_>],
        objective: &Objective,
        learning_rate: f64,
    ) -> Result<UpdateStats> {
        self.take_policy_step(batch, objective, learning_rate)
    }

    fn anchor(&mut self) -> Result<()> {
        let own = match &self.adapters {
            Some(adapters) => Own::Adapters(adapters.frozen_copy()?),
            None => Own::Weights(self.weights.frozen_copy(self.decoder.placement().kind)?),
        };
        self.reference = Some(self.reference_of(own)?);
        // Moments gathered under the old objective would push the first steps somewhere else.
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
        // In the kind of the computation, whatever the policy keeps its weights in: the reference is never stepped.
        let kind = self.decoder.placement().kind;
        Ok(Reference {
            decoder: Decoder::new(self.model(), weights, kind, adapters)?,
            own,
        })
    }
}

/// The folder that a model's shape and tokenizer are read from: the one itself, or the base that a checkpoint of adapters points to.
pub(super) fn base_of(folder: &Path) -> Result<std::path::PathBuf> {
    let base = Base::pointed_to(folder)?;
    Ok(base.map_or_else(|| folder.to_owned(), |base| base.folder))
}

/// What training changes, by name.
fn trained_tensors<'a>(weights: &'a Weights, adapters: &'a Option<Adapters>) -> Parameters<'a> {
    match adapters {
        Some(adapters) => adapters.by_name(),
        None => weights.stacks().collect(),
    }
}

/// How weights are kept: what is trained stays f32, whatever it is computed in. Steps far below bf16's spacing would be rounded
/// away one by one; in f32 they gather until the copy that is computed with moves.
fn stored_as(config: &DecoderPolicyConfig) -> Result<Placement> {
    let kind = match config.lora {
        Some(_) => kind(config.precision),
        None => Kind::Float,
    };
    let device = placement::open(config.device)?;
    Ok(Placement { kind, device })
}
