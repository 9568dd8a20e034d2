//! Decoder language models on libtorch.

mod allocator;
mod batch;
mod checkpoint;
mod decoder;
mod decoder_policy;
mod generation;
mod head;
mod model_config;
mod optimizer;
mod tokenizer;

pub use allocator::tune_allocator;
pub use decoder_policy::{DecoderPolicy, DecoderPolicyConfig};
pub use model_config::ModelConfig;
pub use optimizer::OptimizerConfig;
pub use tokenizer::{Tokenizer, TokenizerConfig};
