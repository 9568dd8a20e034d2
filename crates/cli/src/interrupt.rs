//! Ctrl-C and SIGTERM.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use crate::error::Failure;

/// A process has one handler.
static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// Whether nothing is under way that could be ended cleanly.
static IDLE: AtomicBool = AtomicBool::new(false);

/// Says whether the next interruption may end the process at once: nothing is under way.
pub(crate) fn set_idle(idle: bool) {
    IDLE.store(idle, Ordering::SeqCst);
}

/// A flag that Ctrl-C and SIGTERM raise, saying what happens then; at the second one the process ends at once. Each call gives the same
/// flag, and the first one says what it means.
pub(crate) fn interrupt_flag(what: &'static str) -> Result<Arc<AtomicBool>, Failure> {
    if let Some(flag) = FLAG.get() {
        return Ok(flag.clone());
    }
    let flag = FLAG.get_or_init(Default::default).clone();
    let raised = flag.clone();
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) || IDLE.load(Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\n{what}; press Ctrl-C again to end at once");
    })?;
    Ok(flag)
}
