//! Ctrl-C, SIGTERM and SIGHUP.

use std::fs;
use std::io::{self, Write};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Failure;

/// A process has one handler.
static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// Whether nothing is under way that could be ended cleanly.
static IDLE: AtomicBool = AtomicBool::new(false);

/// Says whether the next interruption may end the process at once: nothing is under way.
pub(crate) fn set_idle(idle: bool) {
    IDLE.store(idle, Ordering::SeqCst);
}

/// A flag that these signals raise, saying what happens then; at the second one the process ends at once. Each call gives the same
/// flag, and the first one says what it means.
pub(crate) fn interrupt_flag(what: &'static str) -> Result<Arc<AtomicBool>, Failure> {
    if let Some(flag) = FLAG.get() {
        return Ok(flag.clone());
    }
    let flag = FLAG.get_or_init(Default::default).clone();
    let raised = flag.clone();
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::Interrupt)?;
    // A run begun by `nohup` is to outlive its terminal.
    if !is_hangup_ignored() {
        signals.add_signal(SIGHUP).map_err(Failure::Interrupt)?;
    }
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if raised.swap(true, Ordering::SeqCst) || IDLE.load(Ordering::SeqCst) {
                // At once: `std::process::exit` would take libtorch down under threads that still compute.
                signal_hook::low_level::exit(130);
            }
            // After a hang-up there is no terminal to write to.
            let _ = writeln!(io::stderr(), "\n{what}; press Ctrl-C again to end at once");
        }
    });
    Ok(flag)
}

/// Whether this process was begun with SIGHUP ignored, as `nohup` does; false where the system does not tell.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 is that of signal 1.
    ignored.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}
