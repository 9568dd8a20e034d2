//! Every CUDA kernel against libtorch on the CPU. Without a GPU there is nothing to compare, and each test says so.
#![cfg(feature = "cuda")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where an unwrap does, and says what it skips"
)]

// Shared with `cargo xtask gpu-check`.
#[path = "cuda_kernels/parity.rs"]
mod parity;

use rerec_policy::ops;
use tch::{Device, Kind, Tensor, no_grad};

use parity::{Comparison, KERNELS, Kernel, compare, gap};

const GPU: Device = Device::Cuda(0);

/// Whether there is nothing to compare.
fn skip() -> bool {
    let skip = !ops::has_kernels();
    if skip {
        eprintln!("skipped, nothing was compared: no GPU, or no NVRTC");
    }
    skip
}

#[track_caller]
fn assert_all_hold(kernel: Kernel, device: Device, tiny: bool) {
    let comparisons = compare(kernel, device, tiny).unwrap();
    assert!(!comparisons.is_empty(), "{}", kernel.0);
    for one in comparisons {
        let Comparison { case, gap, allowed } = &one;
        let name = kernel.0;
        assert!(
            one.holds(),
            "{name}, {case}: off by {gap}, allowed {allowed}"
        );
    }
}

#[test]
fn kernels_are_libtorchs_operations() {
    if skip() {
        return;
    }
    for kernel in KERNELS {
        assert_all_hold(kernel, GPU, false);
    }
}

/// Where a kernel differs from libtorch on the CPU, what compares them is no cause.
#[test]
fn libtorch_on_the_cpu_is_as_close_to_itself_as_kernels_have_to_be() {
    for kernel in KERNELS {
        assert_all_hold(kernel, Device::Cpu, true);
    }
}

#[test]
fn a_result_that_is_off_or_no_number_does_not_hold() {
    let expected = Tensor::from_slice(&[1f32, 3.0]);
    let holds = |got: &[f32]| {
        let gap = gap(&Tensor::from_slice(got), &expected);
        let case = String::new();
        let comparison = Comparison {
            case,
            gap,
            allowed: 0.1,
        };
        comparison.holds()
    };
    assert!(holds(&[1.0, 3.3]));
    assert!(!holds(&[1.0, 3.5]));
    assert!(!holds(&[f32::NAN, 3.0]));
    assert!(!holds(&[1.0]));
}

#[test]
fn kernels_leave_recorded_operations_to_libtorch() {
    if skip() {
        return;
    }
    let x = Tensor::randn([4, 64], (Kind::Float, GPU));
    let weight = Tensor::ones([64], (Kind::Float, GPU)).set_requires_grad(true);
    let y = ops::rms_norm(&x, &weight, 1e-6).unwrap();
    assert!(y.requires_grad());
    let by_kernel = no_grad(|| ops::rms_norm(&x, &weight, 1e-6)).unwrap();
    assert!(gap(&by_kernel, &y) <= 5e-6);
}
