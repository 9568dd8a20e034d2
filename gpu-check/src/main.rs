//! The parts of `cargo xtask gpu-check` that are ours, each a process of its own: `run.py` starts them and makes the report.
//!
//! A part prints lines of JSON as it goes, so that what was measured before a fault is not lost.

mod bandwidth;
mod generate;
mod kernel_work;
mod kernels;
mod load;
mod measure;
mod model_parity;
// Shared with the tests of the kernels.
#[path = "../../crates/policy/tests/cuda_kernels/parity.rs"]
mod parity;
mod step;

use std::{
    error,
    io::{self, Write},
    process::ExitCode,
    result,
};

use clap::{Args, Parser};
use rerec_policy::{Device, ops, tune_allocator};

use crate::load::Model;

type Result<T> = result::Result<T, Box<dyn error::Error>>;

#[derive(Debug, Parser)]
enum Part {
    /// Compares a kernel with libtorch on the CPU.
    Parity {
        /// One of the names in `kernels.rs`.
        kernel: String,
        #[command(flatten)]
        place: Place,
    },
    /// Compares a tiny model's forward and backward passes, steps and greedy responses with those on the CPU.
    ModelParity(Place),
    /// Measures the memory bandwidth of each kernel beside that of a copy.
    Bandwidth(Place),
    /// Takes GRPO steps with LoRA in bf16.
    Step(Model),
    /// Samples batches of 1, 16, 64 and 256 responses in bf16.
    Generate(Model),
}

/// Where to compute, and how much.
#[derive(Debug, Clone, Copy, Args)]
struct Place {
    #[arg(long, default_value = "cuda:0", value_parser = device)]
    device: Device,
    /// Tiny sizes, to see that all works.
    #[arg(long)]
    tiny: bool,
}

fn device(text: &str) -> rerec_policy::Result<Device> {
    text.to_owned().try_into()
}

impl Place {
    fn torch(self) -> tch::Device {
        match self.device {
            Device::Cpu => tch::Device::Cpu,
            Device::Cuda(index) => tch::Device::Cuda(index),
        }
    }

    /// The device, where there are kernels for it; on the CPU libtorch's operations are there instead.
    fn with_kernels(self) -> Result<tch::Device> {
        let device = self.torch();
        if device == tch::Device::Cpu || ops::has_kernels() {
            return Ok(device);
        }
        // `has_kernels` has opened libtorch's CUDA half, where there is one.
        let what = match tch::Cuda::is_available() {
            true => "NVRTC: no lib/libnvrtc.so.13 in REREC_NVRTC or in nvidia/cu13 beside libtorch",
            false => "GPU: libtorch sees none",
        };
        Err(format!("there is no {what}").into())
    }
}

fn main() -> ExitCode {
    tune_allocator();
    let done = match Part::parse() {
        Part::Parity { kernel, place } => kernels::run(&kernel, place),
        Part::ModelParity(place) => model_parity::run(place),
        Part::Bandwidth(place) => bandwidth::run(place),
        Part::Step(model) => step::run(&model),
        Part::Generate(model) => generate::run(&model),
    };
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    // Where nobody can read it, the exit status still tells.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::FAILURE
}
