//! Ctrl-C and SIGTERM.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::error::Failure;

/// A flag that Ctrl-C and SIGTERM raise, saying what happens then; at the second one the process ends at once.
pub(crate) fn interrupt_flag(what: &'static str) -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\n{what}; press Ctrl-C again to end at once");
    })?;
    Ok(flag)
}
