//! What a measuring process says of itself.

use std::{
    error, fs,
    io::{self, Write},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::{Result, case::Case};

/// One measurement: a line of JSON, with the same fields on both sides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub(crate) case: String,
    pub(crate) round: usize,
    pub(crate) side: Side,
    /// Names and versions.
    pub(crate) implementation: String,
    /// Sampled, or learned from.
    pub(crate) tokens: usize,
    /// Largest resident set of the process.
    pub(crate) peak_bytes: u64,
    #[serde(flatten)]
    pub(crate) times: Times,
    /// The part of a step that is sampling.
    pub(crate) generation_seconds: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    Ours,
    Theirs,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) seconds: f64,
    /// Of all threads.
    pub(crate) cpu_seconds: f64,
}

impl Measurement {
    /// Of this process, which ends now.
    pub(crate) fn ours(
        case: &Case,
        tokens: usize,
        times: Times,
        generation_seconds: Option<f64>,
    ) -> Result<Self> {
        Ok(Self {
            case: case.name.clone(),
            round: case.round,
            side: Side::Ours,
            implementation: format!("rerec-policy {}", env!("CARGO_PKG_VERSION")),
            tokens,
            peak_bytes: peak_bytes()?,
            times,
            generation_seconds,
        })
    }
}

pub(crate) struct Stopwatch {
    begun: Instant,
    begun_cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            begun_cpu: cpu_time(),
            begun: Instant::now(),
        }
    }

    pub(crate) fn read(&self) -> Times {
        Times {
            seconds: self.begun.elapsed().as_secs_f64(),
            cpu_seconds: (cpu_time() - self.begun_cpu).as_secs_f64(),
        }
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// The largest resident set of this process so far.
fn peak_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|l| l.split_whitespace().next());
    Ok(kilobytes
        .ok_or("/proc/self/status has no VmHWM")?
        .parse::<u64>()?
        * 1024)
}

pub(crate) fn print(line: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(line)?;
    Ok(writeln!(io::stdout(), "{line}")?)
}

pub(crate) fn complain(error: &dyn error::Error) {
    // Where nobody can read it, the exit status still tells.
    let _ = writeln!(io::stderr(), "error: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_grows_with_what_is_touched() {
        let before = peak_bytes().unwrap();
        let block = vec![1u8; 256 << 20];
        assert!(peak_bytes().unwrap() >= before.max(block.len() as u64));
    }

    #[test]
    fn both_clocks_run() {
        let stopwatch = Stopwatch::start();
        while stopwatch.read().cpu_seconds < 0.01 {}
        assert!(stopwatch.read().seconds > 0.0);
    }
}
