//! Decoder language models on libtorch.

mod adapters;
mod batch;
mod checkpoint;
mod decoder;
mod decoder_policy;
mod device;
mod files;
mod generation;
mod gguf_model;
mod head;
mod ops;
mod optimizer;
mod peft;
mod process;
mod sampler;
mod shim;
mod tokenizer;

pub use decoder_policy::DecoderPolicy;
pub use process::{set_threads, tune_allocator};
pub use tokenizer::Tokenizer;
