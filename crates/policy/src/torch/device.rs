//! Where tensors lie.

use crate::{
    Device,
    error::{Result, check},
};

/// The device as libtorch knows it, once it can be computed on.
///
/// # Errors
/// [`Error::InvalidSetting`](crate::Error::InvalidSetting) where it cannot.
pub(super) fn open(device: Device) -> Result<tch::Device> {
    let Device::Cuda(index) = device else {
        return Ok(tch::Device::Cpu);
    };
    #[cfg(feature = "cuda")]
    super::cuda::load_libtorch();
    let known = tch::Cuda::is_available() && (index as i64) < tch::Cuda::device_count();
    check(known, "device", device, "cpu: there is no such GPU")?;
    Ok(tch::Device::Cuda(index))
}
