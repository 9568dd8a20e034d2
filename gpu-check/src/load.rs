//! The model and what it is given.

use std::path::PathBuf;

use clap::Args;
use rerec_policy::{
    DecoderPolicy, DecoderPolicyConfig, LoraConfig, ModelConfig, Precision, Prompt, QueryId,
    RolloutGroup, SampleRequest, Sampler, Sampling, Tokenizer, TokenizerConfig, ops,
};
use serde::Serialize;

use crate::{Place, Result};

/// A model of a given shape with random weights.
#[derive(Debug, Args)]
pub(crate) struct Model {
    /// A folder with a `config.json`.
    #[arg(long)]
    model: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Numbers of tokens, the same as those of `theirs.py`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) prompt: usize,
    pub(crate) response: usize,
    /// Responses to a prompt.
    pub(crate) group: usize,
}

/// What every line about a model says.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct About {
    by: String,
    model: String,
    device: String,
    /// Whether the project's kernels took the place of libtorch's operations.
    kernels: bool,
}

impl Load {
    pub(crate) fn of(place: Place) -> Self {
        match place.tiny {
            true => Self {
                prompt: 6,
                response: 4,
                group: 2,
            },
            false => Self {
                prompt: 384,
                response: 128,
                group: 8,
            },
        }
    }

    /// Samples `rows` responses of exactly `tokens` tokens, as many to each prompt as a group has, or all to one.
    pub(crate) fn sample(
        self,
        policy: &mut DecoderPolicy,
        rows: usize,
        tokens: usize,
    ) -> Result<Vec<RolloutGroup>> {
        let samples = self.group.min(rows);
        let vocab = policy.model().vocab_size;
        let ids: Vec<Vec<u32>> = (0..rows / samples)
            .map(|group| ids(self.prompt, group * self.prompt, vocab))
            .collect();
        let queries: Vec<QueryId> = (0..ids.len())
            .map(|group| group.to_string().as_str().into())
            .collect();
        let requests: Vec<SampleRequest<'_>> = queries
            .iter()
            .zip(&ids)
            .map(|(query, ids)| SampleRequest {
                query,
                prompt: Prompt::Ids(ids),
                samples,
            })
            .collect();
        let sampling = Sampling {
            min_new_tokens: tokens,
            max_new_tokens: tokens,
            ..Sampling::default()
        };
        Ok(policy.generate(&requests, &sampling)?)
    }
}

/// Multiples of a large prime, which hit the vocabulary evenly.
pub(crate) fn ids(count: usize, first: usize, vocab: usize) -> Vec<u32> {
    (first..first + count)
        .map(|i| (i * 1_000_003 % vocab) as u32)
        .collect()
}

impl Model {
    /// Draws the weights, in bf16, with adapters of rank 16 on every linear layer. `micro_batch_tokens` and `rows` as in the
    /// policy's settings.
    pub(crate) fn draw(&self, micro_batch_tokens: usize, rows: usize) -> Result<DecoderPolicy> {
        let config = DecoderPolicyConfig {
            device: self.place.device,
            precision: Precision::Bf16,
            lora: Some(LoraConfig::default()),
            gradient_checkpointing: false,
            micro_batch_tokens,
            generation_rows: rows,
            ..DecoderPolicyConfig::default()
        };
        let model = ModelConfig::from_folder(&self.model)?;
        Ok(DecoderPolicy::from_scratch(&model, no_words()?, config, 1)?)
    }

    pub(crate) fn about(&self) -> About {
        let name = self.model.file_name().unwrap_or_default();
        About {
            by: format!("rerec-policy {}", env!("CARGO_PKG_VERSION")),
            model: name.to_string_lossy().into_owned(),
            device: self.place.device.to_string(),
            kernels: ops::has_kernels(),
        }
    }
}

/// Bytes and end tokens: nothing here is read as text.
pub(crate) fn no_words() -> Result<Tokenizer> {
    let config = TokenizerConfig::new(260);
    Ok(Tokenizer::train(&config, std::iter::empty())?)
}
