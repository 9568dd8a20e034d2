//! Keys and values of the tokens seen so far.

use tch::Tensor;

use super::F32;
use crate::{ModelConfig, Result, torch::batch::Layout};

/// Keys and values of every layer, `[rows, kv heads, slots, head]`, in memory set aside at the start.
///
/// Prompts of one batch are right-padded to the same number of slots; the mask hides the padding.
#[derive(Debug)]
pub(crate) struct KvCache {
    layers: Vec<(Tensor, Tensor)>,
    /// Additive attention mask `[rows, 1, 1, slots]`: 0 or minus infinity.
    mask: Tensor,
    used: i64,
}

impl KvCache {
    /// An empty cache. `prompt_lens` are the true lengths of prompts padded to `prompt_slots`.
    pub(crate) fn new(
        config: &ModelConfig,
        prompt_lens: &[usize],
        prompt_slots: usize,
        slots: usize,
    ) -> Result<Self> {
        let rows = prompt_lens.len() as i64;
        let size = [
            rows,
            config.num_key_value_heads as i64,
            slots as i64,
            config.head_width() as i64,
        ];
        let layers = (0..config.num_hidden_layers)
            .map(|_| Ok((Tensor::f_zeros(size, F32)?, Tensor::f_zeros(size, F32)?)))
            .collect::<Result<_>>()?;
        let mask: Vec<f32> = prompt_lens
            .iter()
            .flat_map(|&len| {
                (0..slots).map(move |s| {
                    if s < len || s >= prompt_slots {
                        0.0
                    } else {
                        f32::NEG_INFINITY
                    }
                })
            })
            .collect();
        let mask = Tensor::f_from_slice(&mask)?.f_view([rows, 1, 1, slots as i64])?;
        Ok(Self {
            layers,
            mask,
            used: 0,
        })
    }

    /// Stores keys and values `[tokens, kv heads, head]` of the layout's sequences, each in the first slots of its
    /// row.
    pub(crate) fn fill(
        &mut self,
        layer: usize,
        layout: &Layout,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<()> {
        let (keys, values) = &self.layers[layer];
        let mut start = 0;
        for (row, block) in layout.blocks.iter().enumerate() {
            for (cached, new) in [(keys, k), (values, v)] {
                let new = new.f_narrow(0, start, block.trunk)?.f_transpose(0, 1)?;
                cached
                    .f_get(row as i64)?
                    .f_narrow(1, 0, block.trunk)?
                    .f_copy_(&new)?;
            }
            start += block.trunk;
        }
        Ok(())
    }

    /// Stores keys and values `[rows, kv heads, tokens, head]` behind those in use and returns all.
    pub(crate) fn extend(
        &mut self,
        layer: usize,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let (keys, values) = &self.layers[layer];
        let tokens = k.size4()?.2;
        keys.f_narrow(2, self.used, tokens)?.f_copy_(k)?;
        values.f_narrow(2, self.used, tokens)?.f_copy_(v)?;
        let seen = self.used + tokens;
        Ok((keys.f_narrow(2, 0, seen)?, values.f_narrow(2, 0, seen)?))
    }

    /// The mask over all used slots and one more.
    pub(crate) fn mask_with_next(&self) -> Result<Tensor> {
        Ok(self.mask.f_narrow(3, 0, self.used + 1)?)
    }

    /// Counts `tokens` more slots as used.
    pub(crate) fn advance(&mut self, tokens: i64) {
        self.used += tokens;
    }

    /// A cache of the given rows, each taken as often as it is named.
    pub(crate) fn select(&self, rows: &[i64]) -> Result<Self> {
        let rows = Tensor::f_from_slice(rows)?;
        let pick = |t: &Tensor| t.f_index_select(0, &rows);
        let layers = self
            .layers
            .iter()
            .map(|(k, v)| Ok((pick(k)?, pick(v)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            layers,
            mask: pick(&self.mask)?,
            used: self.used,
        })
    }
}
