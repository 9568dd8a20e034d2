//! The policy's CUDA kernels, in bf16 at the sizes of a 3B model: how much of the GPU's memory bandwidth each reaches.
//!
//! Without a GPU it says so, and measures what stands in for the kernels on the CPU, on few rows.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

// Shared with `cargo xtask gpu-check`.
#[path = "../gpu-check/src/kernel_work.rs"]
mod kernel_work;

use std::cell::Cell;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cudarc::driver::{CudaContext, sys::CUdevice_attribute};
use rerec_policy::ops;
use tch::{Cuda, Device};

use kernel_work::{Amount, Work};

struct Machine {
    amount: Amount,
    /// Bytes a second, where there is a GPU.
    peak: Option<f64>,
}

impl Machine {
    fn new() -> Self {
        let amount = |device, tokens, rows| Amount {
            device,
            tokens,
            rows,
        };
        if !ops::has_kernels() {
            eprintln!("no GPU, or no NVRTC: these are times of the reference on the CPU");
            return Self {
                amount: amount(Device::Cpu, 64, 8),
                peak: None,
            };
        }
        let peak = peak_bandwidth();
        eprintln!("peak memory bandwidth {:.0} GB/s", peak / 1e9);
        Self {
            amount: amount(Device::Cuda(0), 8192, 1024),
            peak: Some(peak),
        }
    }

    /// Measures a kernel, and says what fraction of the peak its best sample is.
    fn bench(&self, c: &mut Criterion, mut work: Work) {
        let best = Cell::new(f64::INFINITY);
        let mut group = c.benchmark_group("policy_kernels");
        group.throughput(Throughput::Bytes(work.bytes as u64));
        group.bench_function(work.name, |b| {
            b.iter_custom(|count| {
                let time = self.time(count, &mut work);
                best.set(best.get().min(time.as_secs_f64() / count as f64));
                time
            });
        });
        group.finish();
        if let Some(peak) = self.peak {
            let reached = work.bytes as f64 / best.get();
            eprintln!(
                "{}: {:.0} GB/s, {:.0} % of the peak",
                work.name,
                reached / 1e9,
                100.0 * reached / peak
            );
        }
    }

    fn time(&self, count: u64, work: &mut Work) -> Duration {
        self.wait();
        let start = Instant::now();
        (0..count).for_each(|_| (work.run)().unwrap());
        self.wait();
        start.elapsed()
    }

    fn wait(&self) {
        if let Device::Cuda(ordinal) = self.amount.device {
            Cuda::synchronize(ordinal as i64);
        }
    }
}

/// Twice the memory clock, for two transfers a cycle, times the width of the bus.
fn peak_bandwidth() -> f64 {
    let context = CudaContext::new(0).unwrap();
    let attribute = |which| f64::from(context.attribute(which).unwrap());
    let kilohertz = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
    let bits = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
    2.0 * kilohertz * 1e3 * bits / 8.0
}

fn kernels(c: &mut Criterion) {
    let machine = Machine::new();
    for work in machine.amount.works() {
        machine.bench(c, work.unwrap());
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
