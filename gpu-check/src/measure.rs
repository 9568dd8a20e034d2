//! Clocks and lines.

use std::{
    io::{self, Write},
    time::Instant,
};

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

fn wait(device: Device) {
    if let Device::Cuda(ordinal) = device {
        Cuda::synchronize(ordinal as i64);
    }
}
