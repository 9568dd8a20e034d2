//! Clocks and lines.

use std::{
    io::{self, Write},
    time::Instant,
};

use rerec_policy::ops;
use serde::Serialize;
use tch::{Cuda, Device};

use crate::Result;

/// Prints a line of JSON.
pub(crate) fn print(line: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(line)?;
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// Seconds of some work, the device idle before and behind it.
pub(crate) fn timed<T>(device: Device, work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    wait(device);
    let begun = Instant::now();
    let done = work()?;
    wait(device);
    Ok((done, begun.elapsed().as_secs_f64()))
}

/// The memory of a GPU as it was when this was made.
pub(crate) struct Memory {
    device: Device,
    before: Option<u64>,
}

impl Memory {
    pub(crate) fn of(device: Device) -> Result<Self> {
        let before = ops::bytes_taken(device)?;
        Ok(Self { device, before })
    }

    /// Bytes that have been taken since, libtorch's unused blocks too; none on a CPU.
    pub(crate) fn taken(&self) -> Result<Option<u64>> {
        let now = ops::bytes_taken(self.device)?;
        let both = now.zip(self.before);
        Ok(both.map(|(now, before)| now.saturating_sub(before)))
    }
}

fn wait(device: Device) {
    if let Device::Cuda(ordinal) = device {
        Cuda::synchronize(ordinal as i64);
    }
}
