//! Language-model policies on libtorch: generation, training, checkpoints
#![forbid(unsafe_code)]
