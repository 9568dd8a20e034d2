//! Decoder language models on libtorch.

mod batch;
mod checkpoint;
mod decoder;
mod decoder_policy;
mod files;
mod generation;
mod gguf_model;
mod head;
mod optimizer;
mod process;
mod sampler;
mod tokenizer;

pub use decoder_policy::DecoderPolicy;
pub use process::{set_threads, tune_allocator};
pub use tokenizer::Tokenizer;
