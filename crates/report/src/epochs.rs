//! Where the epochs of the curriculum lie in a run.

use rerec_trainer::MetricsRecord;
use serde::Serialize;

/// An epoch and its first and last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Epoch {
    pub(crate) epoch: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// The epochs of a run, in order.
pub(crate) fn epochs(metrics: &[MetricsRecord]) -> Vec<Epoch> {
    let mut epochs: Vec<Epoch> = Vec::new();
    for &MetricsRecord { epoch, step, .. } in metrics {
        match epochs.last_mut().filter(|last| last.epoch == epoch) {
            Some(open) => open.last = step,
            None => epochs.push(Epoch {
                epoch,
                first: step,
                last: step,
            }),
        }
    }
    epochs
}
