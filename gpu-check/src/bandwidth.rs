//! Bytes a second of each kernel, beside those of a copy on the same card.

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::{
    Place, Result,
    kernel_work::{Amount, Work},
    measure::{print, timed},
};

#[derive(Debug, Serialize)]
struct Line {
    kernel: &'static str,
    bytes: i64,
    /// Of one run: the mean of some in a row, the fastest of some samples.
    seconds: f64,
    bytes_per_second: f64,
    /// Of the copy's bytes a second.
    share_of_copy: f64,
}

/// How often each kernel runs.
struct Effort {
    samples: usize,
    runs: usize,
}

pub(crate) fn run(place: Place) -> Result<()> {
    let device = place.with_kernels()?;
    // A copy of 4 GiB, read and written, is far beyond the caches of a GPU.
    let (copied, tokens, rows) = match place.tiny {
        true => (1 << 20, 2, 8),
        false => (4 << 30, 32_768, 1024),
    };
    let effort = match place.tiny {
        true => Effort {
            samples: 1,
            runs: 1,
        },
        false => Effort {
            samples: 5,
            runs: 20,
        },
    };
    let amount = Amount {
        device,
        tokens,
        rows,
    };
    let mut of_copy = None;
    // The copy comes first; the tensors of each are freed before those of the next are made.
    for work in std::iter::once(Ok(copy(copied, device))).chain(amount.works()) {
        let mut work = work?;
        let seconds = effort.measure(device, &mut work)?;
        let bytes_per_second = work.bytes as f64 / seconds;
        let of_copy = *of_copy.get_or_insert(bytes_per_second);
        print(&Line {
            kernel: work.name,
            bytes: work.bytes,
            seconds,
            bytes_per_second,
            share_of_copy: bytes_per_second / of_copy,
        })?;
    }
    Ok(())
}

fn copy(bytes: i64, device: Device) -> Work {
    let tensor = || Tensor::zeros([bytes], (Kind::Uint8, device));
    let (from, mut to) = (tensor(), tensor());
    Work {
        name: "copy",
        bytes: 2 * bytes,
        run: Box::new(move || to.f_copy_(&from).map_err(Into::into)),
    }
}

impl Effort {
    fn measure(&self, device: Device, work: &mut Work) -> Result<f64> {
        // Compiles the kernel, and sets memory aside for its results.
        (work.run)()?;
        let mut least = f64::INFINITY;
        for _ in 0..self.samples {
            let ((), seconds) = timed(device, || {
                (0..self.runs).try_for_each(|_| Ok((work.run)()?))
            })?;
            least = least.min(seconds / self.runs as f64);
        }
        Ok(least)
    }
}
