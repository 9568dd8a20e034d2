//! Keys and values of the tokens seen so far: those of each prompt once, those of each response in its own row.

use tch::{Device, Kind, Tensor};

use crate::{ModelConfig, Result, torch::batch::Layout};

/// Kind and device of a cache.
type Place = (Kind, Device);

/// Slots that a row's memory grows by.
const GROWTH: i64 = 64;

/// Keys and values of prompts, for every layer `[prompts, kv heads, slots, head]`.
#[derive(Debug)]
pub(crate) struct PromptCache {
    layers: Vec<(Tensor, Tensor)>,
    /// Additive attention mask `[prompts, 1, 1, slots]`: minus infinity behind the end of a prompt.
    mask: Tensor,
}

impl PromptCache {
    /// Memory for prompts of the given lengths.
    pub(crate) fn new(config: &ModelConfig, place: Place, lens: &[usize]) -> Result<Self> {
        let slots = lens.iter().copied().max().unwrap_or(0);
        let size = [
            lens.len() as i64,
            config.num_key_value_heads as i64,
            slots as i64,
            config.head_width() as i64,
        ];
        let layers = (0..config.num_hidden_layers)
            .map(|_| Ok((Tensor::f_zeros(size, place)?, Tensor::f_zeros(size, place)?)))
            .collect::<Result<_>>()?;
        let lens: Vec<i64> = lens.iter().map(|&len| len as i64).collect();
        Ok(Self {
            layers,
            mask: mask_behind(&lens, slots as i64, place)?,
        })
    }

    /// Stores keys and values `[tokens, kv heads, head]` of the layout's sequences, one prompt each.
    pub(crate) fn fill(
        &mut self,
        layer: usize,
        layout: &Layout,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<()> {
        let (keys, values) = &self.layers[layer];
        let mut start = 0;
        for (prompt, block) in layout.blocks.iter().enumerate() {
            for (cached, new) in [(keys, k), (values, v)] {
                let new = new.f_narrow(0, start, block.trunk)?.f_transpose(0, 1)?;
                cached
                    .f_get(prompt as i64)?
                    .f_narrow(1, 0, block.trunk)?
                    .f_copy_(&new)?;
            }
            start += block.trunk;
        }
        Ok(())
    }

    fn slots(&self) -> i64 {
        self.mask.size().last().copied().unwrap_or(0)
    }

    /// The prompts at `kept`, and all of `more` behind them.
    fn rearranged(&self, kept: &[i64], more: Option<Self>) -> Result<Self> {
        let kept = index(kept, self.mask.device())?;
        let pick = |t: &Tensor| t.f_index_select(0, &kept);
        let layers = self.layers.iter().map(|(k, v)| Ok((pick(k)?, pick(v)?)));
        let picked = Self {
            layers: layers.collect::<Result<_>>()?,
            mask: pick(&self.mask)?,
        };
        let Some(more) = more else { return Ok(picked) };
        let slots = picked.slots().max(more.slots());
        let (a, b) = (picked.widened(slots)?, more.widened(slots)?);
        let join = |a: &Tensor, b: &Tensor| Tensor::f_cat(&[a, b], 0);
        let layers = a.layers.iter().zip(&b.layers);
        Ok(Self {
            layers: layers
                .map(|((k, v), (k2, v2))| Ok((join(k, k2)?, join(v, v2)?)))
                .collect::<Result<_>>()?,
            mask: join(&a.mask, &b.mask)?,
        })
    }

    fn widened(self, slots: i64) -> Result<Self> {
        let more = slots - self.slots();
        if more == 0 {
            return Ok(self);
        }
        let wide = |t: &Tensor| t.f_constant_pad_nd([0, 0, 0, more]);
        let layers = self.layers.iter().map(|(k, v)| Ok((wide(k)?, wide(v)?)));
        let layers = layers.collect::<Result<_>>()?;
        // Minus infinity is no constant that padding takes.
        let rows = self.mask.size4()?.0;
        let place = (self.mask.kind(), self.mask.device());
        let hidden = Tensor::f_full([rows, 1, 1, more], f64::NEG_INFINITY, place)?;
        let mask = Tensor::f_cat(&[&self.mask, &hidden], 3)?;
        Ok(Self { layers, mask })
    }
}

/// What decoding reads and extends: the prompts, and the responses behind them.
#[derive(Debug)]
pub(crate) struct KvCache {
    prompts: PromptCache,
    /// Keys and values of the responses, `[rows, kv heads, slots, head]`.
    layers: Vec<(Tensor, Tensor)>,
    /// Tokens of each response so far.
    lens: Vec<i64>,
    sharing: Sharing,
}

/// How rows stand together by prompt, so that a prompt's keys are read once for all of its rows.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// Row at each place of `[prompts, width]`, with row 0 where a prompt has fewer rows than others.
    pub(crate) members: Tensor,
    /// Place of each row.
    pub(crate) places: Tensor,
    pub(crate) prompts: i64,
    pub(crate) width: i64,
}

impl Sharing {
    fn new(prompt_of: &[usize], prompts: usize, device: Device) -> Result<Self> {
        let mut counts = vec![0; prompts];
        let slots: Vec<(usize, usize)> = prompt_of
            .iter()
            .map(|&prompt| {
                counts[prompt] += 1;
                (prompt, counts[prompt] - 1)
            })
            .collect();
        let width = counts.into_iter().max().unwrap_or(0);
        let mut members = vec![0; prompts * width];
        let mut places = Vec::with_capacity(slots.len());
        for (row, (prompt, slot)) in slots.into_iter().enumerate() {
            let place = prompt * width + slot;
            members[place] = row as i64;
            places.push(place as i64);
        }
        Ok(Self {
            members: index(&members, device)?,
            places: index(&places, device)?,
            prompts: prompts as i64,
            width: width as i64,
        })
    }
}

/// Where the next token of every row goes, and what it may look at.
#[derive(Debug)]
pub(crate) struct Step {
    /// `0..rows`.
    rows: Tensor,
    /// Slot of each row's token.
    slots: Tensor,
    /// Slots in use, the new one included.
    used: i64,
    /// Additive attention mask `[rows, 1, 1, used]`.
    mask: Tensor,
}

/// What one layer's attention of the newest tokens looks at: keys, values and an additive mask.
#[derive(Debug)]
pub(crate) struct Past<'c> {
    /// `[prompts, kv heads, slots, head]` twice, and `[prompts, 1, 1, slots]`.
    pub(crate) prompts: (&'c Tensor, &'c Tensor, &'c Tensor),
    /// `[rows, kv heads, used, head]` twice, and `[rows, 1, 1, used]`.
    pub(crate) own: (Tensor, Tensor, &'c Tensor),
    pub(crate) sharing: &'c Sharing,
}

impl KvCache {
    /// Rows without any token yet behind their prompts; `prompt_of` is the place of each row's prompt.
    pub(crate) fn new(
        config: &ModelConfig,
        prompts: PromptCache,
        prompt_of: &[usize],
    ) -> Result<Self> {
        let place = (prompts.mask.kind(), prompts.mask.device());
        let size = [
            prompt_of.len() as i64,
            config.num_key_value_heads as i64,
            0,
            config.head_width() as i64,
        ];
        let layers = (0..config.num_hidden_layers)
            .map(|_| Ok((Tensor::f_zeros(size, place)?, Tensor::f_zeros(size, place)?)))
            .collect::<Result<_>>()?;
        let count = prompts.mask.size4()?.0 as usize;
        Ok(Self {
            prompts,
            layers,
            lens: vec![0; prompt_of.len()],
            sharing: Sharing::new(prompt_of, count, place.1)?,
        })
    }

    /// Makes room for one more token a row.
    pub(crate) fn make_room(&mut self) -> Result<Step> {
        let used = self.lens.iter().copied().max().unwrap_or(0) + 1;
        let slots = self.layers.first().map_or(0, |(k, _)| k.size()[2]);
        if used > slots {
            let more = GROWTH.max(slots / 2);
            for (k, v) in &mut self.layers {
                *k = k.f_constant_pad_nd([0, 0, 0, more])?;
                *v = v.f_constant_pad_nd([0, 0, 0, more])?;
            }
        }
        let place = (self.prompts.mask.kind(), self.prompts.mask.device());
        let lens: Vec<i64> = self.lens.iter().map(|len| len + 1).collect();
        Ok(Step {
            rows: Tensor::f_arange(self.lens.len() as i64, (Kind::Int64, place.1))?,
            slots: index(&self.lens, place.1)?,
            used,
            mask: mask_behind(&lens, used, place)?,
        })
    }

    /// Stores keys and values `[rows, kv heads, head]` of one more token a row, and gives all there is to look at.
    pub(crate) fn extend<'c>(
        &'c mut self,
        layer: usize,
        step: &'c Step,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<Past<'c>> {
        let (keys, values) = &self.layers[layer];
        for (cached, new) in [(keys, k), (values, v)] {
            // Rows and slots lead, so that one indexed write stores every row's token in its slot.
            let mut by_slot = cached.f_transpose(1, 2)?;
            let _ = by_slot.f_index_put_(&[Some(&step.rows), Some(&step.slots)], new, false)?;
        }
        let (prompt_keys, prompt_values) = &self.prompts.layers[layer];
        let used = |t: &Tensor| t.f_narrow(2, 0, step.used);
        Ok(Past {
            prompts: (prompt_keys, prompt_values, &self.prompts.mask),
            own: (used(keys)?, used(values)?, &step.mask),
            sharing: &self.sharing,
        })
    }

    /// Counts one more token in every row.
    pub(crate) fn advance(&mut self) {
        self.lens.iter_mut().for_each(|len| *len += 1);
    }

    /// Keeps the given rows and prompts; `prompt_of` is the place of each kept row's prompt among the kept.
    pub(crate) fn compact(
        &mut self,
        rows: &[usize],
        prompts: &[usize],
        prompt_of: &[usize],
    ) -> Result<()> {
        let kept: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let kept = index(&kept, self.prompts.mask.device())?;
        for (k, v) in &mut self.layers {
            *k = k.f_index_select(0, &kept)?;
            *v = v.f_index_select(0, &kept)?;
        }
        self.lens = rows.iter().map(|&row| self.lens[row]).collect();
        self.share(prompts, None, prompt_of)
    }

    /// Empties the given rows for other responses. Of the prompts, those at `kept` stay, and `more` come behind them;
    /// `prompt_of` is the place of every row's prompt then.
    pub(crate) fn restart(
        &mut self,
        rows: &[usize],
        kept: &[usize],
        more: Option<PromptCache>,
        prompt_of: &[usize],
    ) -> Result<()> {
        rows.iter().for_each(|&row| self.lens[row] = 0);
        self.share(kept, more, prompt_of)
    }

    fn share(
        &mut self,
        kept: &[usize],
        more: Option<PromptCache>,
        prompt_of: &[usize],
    ) -> Result<()> {
        if more.is_some() || kept.len() < self.sharing.prompts as usize {
            let kept: Vec<i64> = kept.iter().map(|&p| p as i64).collect();
            self.prompts = self.prompts.rearranged(&kept, more)?;
        }
        let prompts = self.prompts.mask.size4()?.0 as usize;
        self.sharing = Sharing::new(prompt_of, prompts, self.prompts.mask.device())?;
        Ok(())
    }
}

/// `[rows, 1, 1, slots]`: 0 for the first `lens` slots of each row, minus infinity behind them.
fn mask_behind(lens: &[i64], slots: i64, place: Place) -> Result<Tensor> {
    let lens = index(lens, place.1)?.f_view([-1, 1, 1, 1])?;
    let at = Tensor::f_arange(slots, (Kind::Int64, place.1))?;
    let hidden = at.f_ge_tensor(&lens)?;
    let size = hidden.size();
    Ok(Tensor::f_zeros(size.as_slice(), place)?.f_masked_fill(&hidden, f64::NEG_INFINITY)?)
}

fn index(numbers: &[i64], device: Device) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(numbers)?.f_to_device(device)?)
}
