//! The project's CUDA kernels: `crates/policy/kernels`, compiled by NVRTC when they are first needed.
//!
//! A program with these kernels starts on any machine. libtorch's CUDA half, the driver and NVRTC are opened at run time; where
//! one of them is missing, [`ops`](super::ops) computes as libtorch does. NVRTC and CUDA's headers are looked for where the
//! wheels of PyTorch and `cargo xtask setup --cuda` put them, `../../nvidia/cu13` from libtorch's own folder; the variable
//! `REREC_NVRTC` names another folder with `lib` and `include`. Compiled kernels are kept in `~/.cache/rerec/kernels`.
//!
//! On a machine with a GPU:
//!
//! ```text
//! cargo xtask setup --cuda
//! cargo test --package rerec-policy --features cuda --test cuda_kernels    # against libtorch on the CPU
//! cargo bench --package rerec-benches --features cuda --bench policy_kernels
//! ```
//!
//! `cargo xtask gpu-check --bundle FOLDER` packs the same for a machine that has PyTorch and nothing else.
//!
//! The unit tests (`--lib`) need no GPU: they compile every kernel for sm_80 and sm_90, where they find NVRTC. The bench prints
//! for each kernel the bytes that it has to move, divided by its time, and the fraction of the device's peak that this is:
//! memory clock times bus width times two.
#![allow(unsafe_code)]

mod attention;
mod compiler;
mod cubins;
mod device;
mod layer;
mod library;
mod vocabulary;

use std::sync::LazyLock;

use tch::{Kind, Tensor};

pub(super) use self::{
    attention::decode_attention,
    device::bytes_taken,
    layer::{rms_norm, rotate, swiglu},
    library::load_libtorch,
    vocabulary::{draw, logits_gradient, select},
};
use crate::{Error, Result};

/// Whether there are a GPU, its driver and NVRTC.
pub(super) fn is_available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
        load_libtorch();
        // SAFETY: opens libcuda, whose initialisers are sound.
        let has_driver = unsafe { cudarc::driver::sys::is_culib_present() };
        has_driver && tch::Cuda::is_available() && library::toolkit().is_ok()
    });
    *AVAILABLE
}

/// Whether kernels take the place of libtorch's operations on these tensors: the first decides kind and device, and no
/// gradient may be asked for.
pub(super) fn takes(tensors: &[&Tensor]) -> bool {
    let fits = |t: &Tensor| {
        matches!(t.device(), tch::Device::Cuda(_))
            && matches!(t.kind(), Kind::Float | Kind::BFloat16)
    };
    // The device is asked for first: a program on the CPU never opens the libraries of CUDA.
    tensors.first().is_some_and(|t| fits(t))
        && !tensors.iter().any(|t| is_recorded(t))
        && is_available()
}

/// Whether a gradient is to flow back.
fn is_recorded(tensor: &Tensor) -> bool {
    tensor.requires_grad() && is_recording()
}

fn is_recording() -> bool {
    // SAFETY: sets a flag of this thread, which can be read in no other way, and puts it back.
    unsafe {
        let was = torch_sys::at_grad_set_enabled(0);
        torch_sys::at_grad_set_enabled(was);
        was != 0
    }
}

/// A contiguous tensor of this shape, of the kind and device of `like`.
fn operand(name: &'static str, tensor: &Tensor, size: &[i64], like: &Tensor) -> Result<Tensor> {
    expect(name, tensor, size, like.kind(), like.device())?;
    Ok(tensor.f_contiguous()?)
}

/// A contiguous tensor of a number of that kind for each row, on the device of `like`.
fn column(
    name: &'static str,
    tensor: &Tensor,
    rows: i64,
    kind: Kind,
    like: &Tensor,
) -> Result<Tensor> {
    expect(name, tensor, &[rows], kind, like.device())?;
    Ok(tensor.f_contiguous()?)
}

/// Refuses what could only be worked on in a copy.
fn contiguous(name: &'static str, tensor: &Tensor) -> Result<()> {
    if tensor.is_contiguous() {
        return Ok(());
    }
    Err(Error::InvalidTensorArgument {
        name,
        got: format!("of strides {:?}", tensor.stride()),
        expected: "a contiguous tensor".to_owned(),
    })
}

fn expect(
    name: &'static str,
    tensor: &Tensor,
    size: &[i64],
    kind: Kind,
    device: tch::Device,
) -> Result<()> {
    if (tensor.size().as_slice(), tensor.kind(), tensor.device()) == (size, kind, device) {
        return Ok(());
    }
    Err(Error::InvalidTensorArgument {
        name,
        got: describe(&tensor.size(), tensor.kind(), tensor.device()),
        expected: describe(size, kind, device),
    })
}

fn describe(size: &[i64], kind: Kind, device: tch::Device) -> String {
    format!("{kind:?} {size:?} on {device:?}")
}

/// Rows and width of a contiguous `[..., n]`.
fn rows_of(x: &Tensor) -> (i64, i64) {
    let n = x.size().last().copied().unwrap_or(1);
    (x.numel() as i64 / n.max(1), n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_recorded_only_where_gradients_are() {
        let plain = Tensor::from_slice(&[1f32]);
        let leaf = plain.copy().set_requires_grad(true);
        assert!(!is_recorded(&plain));
        assert!(is_recorded(&leaf));
        assert!(!tch::no_grad(|| is_recorded(&leaf)));
        assert!(!takes(&[&plain]));
    }

    #[test]
    fn a_tensor_that_does_not_fit_is_named() {
        let x = Tensor::from_slice(&[1f32, 2.0]);
        let refused = operand("weight", &x, &[3], &x).unwrap_err().to_string();
        assert_eq!(
            refused,
            "weight is Float [2] on Cpu, expected Float [3] on Cpu"
        );
        let refused = rms_norm(&x, &x, 1e-6).unwrap_err().to_string();
        assert_eq!(
            refused,
            "x is Float [2] on Cpu, expected f32 or bf16 on a GPU"
        );
    }
}
