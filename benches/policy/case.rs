//! One measurement as the command line asks for it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rerec_policy::{DecoderPolicy, DecoderPolicyConfig, LoraConfig, Sampling};
use serde::{Deserialize, Serialize};

use crate::{Result, prompts::Prompts};

/// The same words as those of the Python side.
#[derive(Debug, Args)]
pub(crate) struct Case {
    /// What the report calls it.
    #[arg(long = "case")]
    pub(crate) name: String,
    /// Counted from 1; seeds the sampling.
    #[arg(long)]
    pub(crate) round: usize,
    /// A Hugging Face folder.
    #[arg(long)]
    model: PathBuf,
    /// What `prompts` has written.
    #[arg(long)]
    prompts: PathBuf,
    #[arg(long)]
    precision: Precision,
    /// Prompts.
    #[arg(long)]
    pub(crate) groups: usize,
    /// Responses to each of them.
    #[arg(long)]
    pub(crate) samples: usize,
    /// Tokens of each response.
    #[arg(long)]
    pub(crate) new_tokens: usize,
    /// Trains an adapter of rank 16 on every linear layer.
    #[arg(long)]
    lora: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Precision {
    F32,
    Bf16,
}

impl Case {
    pub(crate) fn prompts(&self) -> Result<Prompts> {
        Prompts::read(&self.prompts, self.groups)
    }

    /// A policy's settings, all else as it ships.
    pub(crate) fn config(&self) -> DecoderPolicyConfig {
        DecoderPolicyConfig {
            // Rank 16, alpha 32, every linear layer.
            lora: self.lora.then(LoraConfig::default),
            ..self.precision.config()
        }
    }

    pub(crate) fn policy(&self, config: DecoderPolicyConfig) -> Result<DecoderPolicy> {
        Ok(DecoderPolicy::from_folder(&self.model, config)?)
    }

    /// Draws exactly `tokens` tokens from the whole softmax.
    pub(crate) fn sampling(&self, tokens: usize) -> Sampling {
        Sampling {
            min_new_tokens: tokens,
            max_new_tokens: tokens,
            seed: self.round as u64,
            ..Sampling::default()
        }
    }
}

impl Precision {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// Settings of a policy that computes in it.
    pub(crate) fn config(self) -> DecoderPolicyConfig {
        DecoderPolicyConfig {
            precision: match self {
                Self::F32 => rerec_policy::Precision::F32,
                Self::Bf16 => rerec_policy::Precision::Bf16,
            },
            ..DecoderPolicyConfig::default()
        }
    }
}
