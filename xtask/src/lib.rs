//! Set-up, checks and jobs of the project: `cargo xtask help`.
#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!("this project runs on x86-64 Linux: use such a machine, a container or WSL 2");

mod archive;
mod bench_policy;
mod bundle;
mod cache;
mod disk;
mod environment;
mod error;
#[cfg(test)]
mod fake;
mod films;
mod gpu_check;
mod libtorch;
mod manifest;
mod pins;
mod program;
mod progress;
mod python;
mod python_package;
mod tasks;
mod torch_version;
mod virtual_environment;
mod wheel;

pub use bundle::Bundle;
pub use environment::Environment;
pub use error::{Error, Result};
pub use libtorch::{Device, set_up};
pub use pins::{LIBTORCH_CPU, LIBTORCH_CUDA, MOVIELENS, RECBOLE, SMOLLM2};
pub use tasks::{HELP, run};
pub use torch_version::TORCH_VERSION;
pub use wheel::Wheel;
