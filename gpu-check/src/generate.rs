//! Generation; `theirs.py` is the other side.

use serde::Serialize;

use crate::{
    Result,
    load::{About, Load, Model},
    measure::{Memory, print, timed},
};

/// Of the call that warms up: long enough to touch every kernel.
const WARM_UP_TOKENS: usize = 8;

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    about: About,
    rows: usize,
    tokens: usize,
    seconds: f64,
    /// Memory of the GPU that this process has taken since it began, libtorch's unused blocks too.
    bytes: Option<u64>,
}

pub(crate) fn run(model: &Model) -> Result<()> {
    let place = model.place;
    let load = Load::of(place);
    let batches: &[usize] = match place.tiny {
        true => &[1, 4],
        false => &[1, 16, 64, 256],
    };
    let device = place.torch();
    let memory = Memory::of(device)?;
    let most = batches.iter().copied().max().unwrap_or(1);
    let mut policy = model.draw(load.prompt, most)?;
    for &rows in batches {
        load.sample(&mut policy, rows, WARM_UP_TOKENS.min(load.response))?;
        let sample = || load.sample(&mut policy, rows, load.response);
        let (groups, seconds) = timed(device, sample)?;
        let responses = groups.iter().flat_map(|group| &group.responses);
        print(&Line {
            about: model.about(),
            rows,
            tokens: responses.map(|response| response.token_ids.len()).sum(),
            seconds,
            bytes: memory.taken()?,
        })?;
    }
    Ok(())
}
