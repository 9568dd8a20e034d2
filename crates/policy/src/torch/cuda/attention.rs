//! Attention of the newest tokens over a cache.

use tch::{Kind, Tensor};

use super::{
    column,
    compiler::{Build, Source},
    device::{Argument, Device, Launch, build, ceil, pack},
    expect, operand,
    vocabulary::contiguous,
};
use crate::{Error, Result};

/// Warps of a block; the source knows the number.
const WARPS: i64 = 8;
/// Queries that a warp holds at most: their values fill its registers.
const MAX_QUERIES: i64 = 8;
/// Keys of a chunk at least: a partial result is as long as a key, and should be little beside what it is made of.
const MIN_CHUNK: i64 = 64;

/// Keys and values.
type Cache<'a> = (&'a Tensor, &'a Tensor);

/// See [`ops::decode_attention`](crate::torch::ops::decode_attention). Caches have to be contiguous: to copy one would cost
/// more than the attention.
pub(in crate::torch) fn decode_attention(
    q: &Tensor,
    prompt: Cache<'_>,
    prompt_lens: &Tensor,
    prompt_of: &Tensor,
    own: Cache<'_>,
    own_lens: &Tensor,
) -> Result<Tensor> {
    let device = Device::of("q", q)?;
    let (rows, kv_heads, queries, head) = q.size4()?;
    let ((prompts, _, slots, _), (_, _, capacity, _)) = (prompt.0.size4()?, own.0.size4()?);
    check_head(q, head)?;
    let q = operand("q", q, &[rows, kv_heads, queries, head], q)?;
    aligned("q", &q)?;
    let prompt_size = [prompts, kv_heads, slots, head];
    let own_size = [rows, kv_heads, capacity, head];
    cache(
        ("prompt keys", prompt.0),
        ("prompt values", prompt.1),
        &prompt_size,
        &q,
    )?;
    cache(("own keys", own.0), ("own values", own.1), &own_size, &q)?;
    let prompt_lens = column("prompt_lens", prompt_lens, prompts, Kind::Int64, &q)?;
    let prompt_of = column("prompt_of", prompt_of, rows, Kind::Int64, &q)?;
    let own_lens = column("own_lens", own_lens, rows, Kind::Int64, &q)?;

    let held = (1..=MAX_QUERIES)
        .rev()
        .find(|n| queries % n == 0)
        .unwrap_or(1);
    let heads = kv_heads * (queries / held);
    // Four blocks for each multiprocessor, where there is so much to do.
    let prompt_chunk = chunk(slots, prompts * heads, 4 * device.multiprocessors);
    let own_chunk = chunk(capacity, rows * heads, 4 * WARPS * device.multiprocessors);
    let (prompt_parts, own_parts) = (ceil(slots, prompt_chunk), ceil(capacity, own_chunk));
    let results = rows * kv_heads * queries;
    let partial = |width: i64| {
        let size = [results, prompt_parts + own_parts, width];
        Tensor::f_empty(size, (Kind::Float, q.device()))
    };
    let (parts, totals, y) = (partial(head)?, partial(2)?, q.f_empty_like()?);

    let tiles = queries / held;
    let shape = [
        rows,
        kv_heads,
        tiles,
        prompts,
        slots,
        capacity,
        prompt_chunk,
        own_chunk,
    ];
    let shape = Argument::Integers(shape);
    let attend = Launch {
        build: Build {
            attention: Some((head, held)),
            ..build(Source::DecodeAttention, &q)
        },
        entry: "attend",
        grid: (
            prompts * prompt_parts + rows * ceil(own_parts, WARPS),
            heads,
        ),
        block: (WARPS * 32, 1),
    };
    let arguments = [
        (&q).into(),
        prompt.0.into(),
        prompt.1.into(),
        (&prompt_lens).into(),
        (&prompt_of).into(),
        own.0.into(),
        own.1.into(),
        (&own_lens).into(),
        (&parts).into(),
        (&totals).into(),
        shape,
    ];
    // SAFETY: sizes and kinds were checked; the partial results have room for every query and chunk. The caller vouches for
    // the lengths and places in the three index tensors.
    unsafe { device.launch(attend, &arguments)? };
    let combine = Launch {
        entry: "combine",
        grid: (ceil(results, WARPS), 1),
        ..attend
    };
    let arguments = [
        (&parts).into(),
        (&totals).into(),
        (&prompt_lens).into(),
        (&prompt_of).into(),
        (&own_lens).into(),
        (&y).into(),
        shape,
    ];
    // SAFETY: as above.
    unsafe { device.launch(combine, &arguments)? };
    Ok(y)
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

fn cache(
    keys: (&'static str, &Tensor),
    values: (&'static str, &Tensor),
    size: &[i64],
    q: &Tensor,
) -> Result<()> {
    for (name, tensor) in [keys, values] {
        expect(name, tensor, size, q.kind(), q.device())?;
        contiguous(name, tensor)?;
        aligned(name, tensor)?;
    }
    Ok(())
}

fn aligned(name: &'static str, tensor: &Tensor) -> Result<()> {
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
