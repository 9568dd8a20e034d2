//! Language-model policies for reinforcement fine-tuning.
//!
//! A policy samples groups of responses, learns from demonstrations, and takes clipped
//! policy-gradient steps on token advantages. The [`Policy`] trait says just that, so a training loop
//! never sees a tensor; with the feature `torch` (default) [`DecoderPolicy`] implements it with
//! Llama-, Qwen2- and Qwen3-shaped decoders on libtorch, read from Hugging Face folders or GGUF files.
//!
//! The sampled token ids are the truth: a [`Rollout`] carries them with the byte length of each, and
//! nothing here ever encodes a response again.
//!
//! ```
//! use rerec_policy::{Objective, ObjectiveConfig};
//!
//! let objective = Objective::new(ObjectiveConfig::default())?;
//! // ratio = exp(-1.0 - -1.5) = 1.6487 is clipped to 1.2, so the gradient is cut.
//! let term = objective.token(-1.0, -1.0 - -1.5, None, 2.0);
//! assert_eq!(term.loss, -2.4);
//! assert_eq!(term.gradient, 0.0);
//! assert!(term.clipped);
//! # Ok::<(), rerec_policy::Error>(())
//! ```
#![deny(unsafe_code)]

mod config;
mod error;
mod gguf;
#[cfg(feature = "hub")]
mod hub;
mod model_config;
mod objective;
mod policy;
mod random;
mod safetensors_file;
mod schedule;
#[cfg(feature = "torch")]
mod torch;

pub use config::{
    DecoderPolicyConfig, Device, LoraConfig, OptimizerConfig, Precision, TokenizerConfig,
};
pub use error::{Error, Result};
pub use gguf::{GgmlType, GgufFile, GgufTensor, GgufValue};
#[cfg(feature = "hub")]
pub use hub::download_from_hub;
pub use model_config::{ModelConfig, RopeScaling};
pub use objective::{Aggregation, KlEstimator, Objective, ObjectiveConfig, Surrogate, TokenTerm};
pub use policy::{
    Finish, Message, Policy, Progress, Prompt, PromptGroup, Rollout, Sampling, Sequence,
    SupervisedExample, SupervisedStats, TokenScores, TrainingSequence, UpdateStats,
};
pub use random::random_stream;
pub use safetensors_file::{SafetensorsFile, SafetensorsTensor};
pub use schedule::{Decay, Schedule};
#[cfg(feature = "torch")]
pub use torch::{DecoderPolicy, Tokenizer, ops, set_threads, tune_allocator};
