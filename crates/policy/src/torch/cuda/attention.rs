//! Attention of the newest tokens over a cache.

use tch::{Kind, Tensor};

use super::{
    column,
    compiler::{Build, Source},
    contiguous,
    device::{Argument, Device, Launch, build, ceil, pack},
    expect, operand,
};
use crate::{Error, Result, torch::ops::Cached};

/// Warps of a block; the source knows the number.
const WARPS: i64 = 8;
/// Queries that a warp holds at most: their values fill its registers.
const MAX_QUERIES: i64 = 8;
/// Keys of a chunk at least: a partial result is as long as a key, and should be little beside what it is made of.
const MIN_CHUNK: i64 = 64;

/// See [`ops::decode_attention`](crate::torch::ops::decode_attention). Caches have to be contiguous: to copy one would cost
/// more than the attention.
pub(in crate::torch) fn decode_attention(
    q: &Tensor,
    prompts: Cached<'_>,
    prompt_of: &Tensor,
    own: Cached<'_>,
) -> Result<Tensor> {
    let device = Device::of("q", q)?;
    let (rows, kv_heads, queries, head) = q.size4()?;
    check_head(q, head)?;
    let q = operand("q", q, &[rows, kv_heads, queries, head], q)?;
    aligned("q", &q)?;
    let prompt_lens = check_cache(PROMPTS, prompts, prompts.keys.size4()?.0, &q)?;
    let own_lens = check_cache(OWN, own, rows, &q)?;
    let prompt_of = column("prompt_of", prompt_of, rows, Kind::Int64, &q)?;
    let plan = Plan::new(&q, &prompts, &own, device.multiprocessors)?;

    let results = rows * kv_heads * queries;
    let partial = |width: i64| {
        let size = [results, plan.prompt_parts + plan.own_parts, width];
        Tensor::f_empty(size, (Kind::Float, q.device()))
    };
    // Not set to 0: `combine` reads no part without keys, and `attend` writes all others.
    let (parts, totals, y) = (partial(head)?, partial(2)?, q.f_empty_like()?);
    let arguments = [
        (&q).into(),
        prompts.keys.into(),
        prompts.values.into(),
        (&prompt_lens).into(),
        (&prompt_of).into(),
        own.keys.into(),
        own.values.into(),
        (&own_lens).into(),
        (&parts).into(),
        (&totals).into(),
        plan.shape,
    ];
    // SAFETY: sizes and kinds were checked; the partial results have room for every query and chunk. The caller vouches for
    // the lengths and places in the three index tensors.
    unsafe { device.launch(plan.attend, &arguments)? };
    let combine = Launch {
        entry: "combine",
        grid: (ceil(results, WARPS), 1),
        ..plan.attend
    };
    let arguments = [
        (&parts).into(),
        (&totals).into(),
        (&prompt_lens).into(),
        (&prompt_of).into(),
        (&own_lens).into(),
        (&y).into(),
        plan.shape,
    ];
    // SAFETY: as above.
    unsafe { device.launch(combine, &arguments)? };
    Ok(y)
}

/// How the keys are cut into chunks, each of which gives a partial result.
struct Plan {
    attend: Launch,
    /// What the source knows by name.
    shape: Argument,
    /// Chunks of a prompt, and of a response.
    prompt_parts: i64,
    own_parts: i64,
}

impl Plan {
    fn new(
        q: &Tensor,
        prompts: &Cached<'_>,
        own: &Cached<'_>,
        multiprocessors: i64,
    ) -> Result<Self> {
        let (rows, kv_heads, queries, head) = q.size4()?;
        let (prompts, _, slots, _) = prompts.keys.size4()?;
        let capacity = own.keys.size4()?.2;
        // A divisor, so that every warp holds the same number of queries, which the kernel is compiled for.
        let held = (1..=MAX_QUERIES)
            .rev()
            .find(|n| queries % n == 0)
            .unwrap_or(1);
        let tiles = queries / held;
        let lists = kv_heads * tiles;
        // Four blocks for each multiprocessor, where there is so much to do.
        let prompt_chunk = chunk(slots, prompts * lists, 4 * multiprocessors);
        // A chunk of a response serves one row, which is work for a warp, so a block takes WARPS of them.
        let own_chunk = chunk(capacity, rows * lists, 4 * WARPS * multiprocessors);
        let (prompt_parts, own_parts) = (ceil(slots, prompt_chunk), ceil(capacity, own_chunk));
        Ok(Self {
            attend: Launch {
                build: Build {
                    attention: Some((head, held)),
                    ..build(Source::DecodeAttention, q)
                },
                entry: "attend",
                grid: (
                    prompts * prompt_parts + rows * ceil(own_parts, WARPS),
                    lists,
                ),
                block: (WARPS * 32, 1),
            },
            shape: Argument::Integers([
                rows,
                kv_heads,
                tiles,
                prompts,
                slots,
                capacity,
                prompt_chunk,
                own_chunk,
            ]),
            prompt_parts,
            own_parts,
        })
    }
}

fn check_head(q: &Tensor, head: i64) -> Result<()> {
    if head % pack(q) == 0 && head <= 256 {
        return Ok(());
    }
    Err(Error::InvalidTensorArgument {
        name: "q",
        got: format!("of heads of {head}"),
        expected: format!("a multiple of {} up to 256", pack(q)),
    })
}

/// Names of a cache's keys, values and lengths.
type Names = [&'static str; 3];

const PROMPTS: Names = ["keys of prompts", "values of prompts", "lens of prompts"];
const OWN: Names = ["own keys", "own values", "own lens"];

/// Checks a cache of `lists` lists. Returns its lengths, contiguous.
fn check_cache(names: Names, cached: Cached<'_>, lists: i64, q: &Tensor) -> Result<Tensor> {
    let (_, kv_heads, _, head) = q.size4()?;
    let size = [lists, kv_heads, cached.keys.size4()?.2, head];
    for (name, tensor) in [(names[0], cached.keys), (names[1], cached.values)] {
        expect(name, tensor, &size, q.kind(), q.device())?;
        contiguous(name, tensor)?;
        aligned(name, tensor)?;
    }
    column(names[2], cached.lens, lists, Kind::Int64, q)
}

fn aligned(name: &'static str, tensor: &Tensor) -> Result<()> {
    // Kernels load 16 bytes at once, and a view may begin anywhere in its storage.
    if (tensor.data_ptr() as usize).is_multiple_of(16) {
        return Ok(());
    }
    Err(Error::InvalidTensorArgument {
        name,
        got: format!("at {:?}", tensor.data_ptr()),
        expected: "an address that is a multiple of 16".to_owned(),
    })
}

/// Keys of a chunk such that `lists` of them give about `wanted` chunks in all.
fn chunk(keys: i64, lists: i64, wanted: i64) -> i64 {
    ceil((keys * lists / wanted).max(MIN_CHUNK), 32) * 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_as_many_as_there_is_room_for() {
        // Little to do: as many chunks as may be.
        assert_eq!(chunk(384, 12, 528), 64);
        // Much to do: 8192 keys in 128 lists for 512 blocks are four each.
        assert_eq!(chunk(8192, 128, 512), 2048);
        assert_eq!(chunk(0, 4, 512), 64);
    }
}
