//! The threads that work is spread over.

use std::mem;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The threads of this process, and its id: a forked child has the memory of its parent's threads, but none of them runs there.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Runs work on the package's threads, as many as `RAYON_NUM_THREADS` says or the machine has, while other threads of Python go on.
pub(crate) fn run<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let pool = pool(py)?;
    Ok(py.detach(|| pool.install(work)))
}

/// `_attached` keeps others from forking while the lock is held: a child would find it locked for ever.
fn pool(_attached: Python<'_>) -> PyResult<Arc<ThreadPool>> {
    let mut held = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    match held.take() {
        Some((owner, pool)) if owner == process::id() => {
            *held = Some((owner, pool.clone()));
            return Ok(pool);
        }
        // Dropped, it would wait for threads that are not there.
        Some((_, parents)) => mem::forget(parents),
        None => {}
    }
    let pool = ThreadPoolBuilder::new().build();
    let pool = Arc::new(pool.map_err(|error| PyRuntimeError::new_err(error.to_string()))?);
    *held = Some((process::id(), pool.clone()));
    Ok(pool)
}
