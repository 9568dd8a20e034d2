//! Language-model policies for reinforcement fine-tuning.
//!
//! A [`Sampler`] draws groups of responses; a [`Learner`] learns from demonstrations and takes clipped policy-gradient steps on
//! token advantages. A training loop sees these two traits and never a tensor. With the feature `torch` (default)
//! [`DecoderPolicy`] is both: Llama-shaped decoders of several families on libtorch, read from Hugging Face folders or GGUF files.
//! [`ScriptedPolicy`] is both without a model, to test a training loop by hand.
//!
//! The unit of work is the [`RolloutGroup`], all responses to one query. The sampled token ids are the truth: a [`Response`]
//! carries them with the byte length of each, and nothing here ever encodes a response again.
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

mod adapter_config;
mod architecture;
mod config;
mod error;
mod gguf;
#[cfg(feature = "hub")]
mod hub;
mod learner;
mod memory;
mod model_config;
mod model_source;
mod multipliers;
mod objective;
mod random;
mod rollout;
mod rope_scaling;
mod safetensors_file;
mod sampler;
mod sampling;
mod schedule;
mod scripted;
#[cfg(feature = "tokenizer")]
mod tokenizer;
#[cfg(feature = "torch")]
mod torch;

pub use architecture::Architecture;
pub use config::{
    DecoderPolicyConfig, Device, LoraConfig, OptimizerConfig, Precision, Projection,
    TemplateConfig, TokenizerConfig,
};
pub use error::{Error, Result};
pub use gguf::{GgmlType, GgufFile, GgufTensor, GgufValue};
#[cfg(feature = "hub")]
pub use hub::download_from_hub;
pub use learner::{Learner, Policy, SupervisedExample, SupervisedStats, TokenScores, UpdateStats};
pub use memory::{MemoryEstimate, StepSize};
pub use model_config::ModelConfig;
pub use model_source::{FreshModel, ModelSource};
pub use multipliers::Multipliers;
pub use objective::{Aggregation, KlEstimator, Objective, ObjectiveConfig, Surrogate, TokenTerm};
pub use random::random_stream;
pub use rerec_text::{Message, QueryId};
pub use rollout::{Finish, Response, RolloutGroup, TrainingGroup, TrainingResponse};
pub use rope_scaling::{RopeScaling, Yarn};
pub use safetensors_file::{SafetensorsFile, SafetensorsTensor};
pub use sampler::{Progress, Prompt, SampleRequest, Sampler};
pub use sampling::Sampling;
pub use schedule::{Decay, Schedule};
pub use scripted::{Cue, Lesson, ScriptedPolicy, TaughtGroup, TaughtResponse, TokenSplit};
#[cfg(feature = "tokenizer")]
pub use tokenizer::Tokenizer;
#[cfg(feature = "torch")]
pub use torch::{DecoderPolicy, set_threads, tune_allocator};

/// Not part of the API: the tests and the benchmark of the CUDA kernels compare single operations, which no policy exposes.
#[cfg(feature = "torch")]
#[doc(hidden)]
pub use torch::ops;
