//! Decoder language models on libtorch.

mod adapters;
mod batch;
mod checkpoint;
#[cfg(feature = "cuda")]
mod cuda;
mod decoder;
mod decoder_policy;
mod generation;
mod gguf_export;
mod gguf_model;
mod head;
pub mod ops;
mod optimizer;
mod outline;
mod peft;
mod placement;
mod process;
mod sampler;
mod shim;
mod weights;

pub use decoder_policy::DecoderPolicy;
pub use process::{set_threads, tune_allocator};
