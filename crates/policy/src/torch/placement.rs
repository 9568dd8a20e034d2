//! What tensors are made of, and where they lie.

use tch::Kind;

use crate::{
    Device, Precision,
    error::{Result, check},
};

/// Kind and device of tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) kind: Kind,
    pub(crate) device: tch::Device,
}

impl Placement {
    /// Where tensors are read and drawn.
    pub(crate) const CPU_F32: Self = Self {
        kind: Kind::Float,
        device: tch::Device::Cpu,
    };

    /// As libtorch wants it.
    pub(crate) fn options(self) -> (Kind, tch::Device) {
        (self.kind, self.device)
    }
}

pub(super) fn kind(precision: Precision) -> Kind {
    match precision {
        Precision::Bf16 => Kind::BFloat16,
        // `Auto` was resolved when the policy's settings were checked.
        Precision::F32 | Precision::Auto => Kind::Float,
    }
}

/// The device as libtorch knows it, once it can be computed on.
///
/// # Errors
/// [`Error::InvalidSetting`](crate::Error::InvalidSetting) where it cannot.
pub(super) fn open(device: Device) -> Result<tch::Device> {
    let Device::Cuda(index) = device else {
        return Ok(tch::Device::Cpu);
    };
    // Before the first question about GPUs: libtorch looks for its CUDA half once and keeps the answer.
    #[cfg(feature = "cuda")]
    super::cuda::load_libtorch();
    let known = tch::Cuda::is_available() && (index as i64) < tch::Cuda::device_count();
    check(known, "device", device, "cpu: there is no such GPU")?;
    Ok(tch::Device::Cuda(index))
}
