//! Keys and values of the tokens seen so far: those of each prompt once, those of each response in its own row.

use tch::{Device, Kind, Tensor};

use crate::{
    ModelConfig, Result,
    torch::{batch::Layout, placement::Placement},
};

/// Slots that a row's memory grows by.
const GROWTH: i64 = 64;

/// Keys and values of prompts, for every layer `[prompts, kv heads, slots, head]`.
#[derive(Debug)]
pub(crate) struct PromptCache {
    layers: Vec<(Tensor, Tensor)>,
    placement: Placement,
    /// Tokens of each prompt.
    lens: Vec<i64>,
    /// How many prompts [`PromptCache::fill`] is through with.
    filled: usize,
}

impl PromptCache {
    /// Memory for prompts of the given lengths.
    pub(crate) fn new(config: &ModelConfig, placement: Placement, lens: &[usize]) -> Result<Self> {
        let slots = lens.iter().copied().max().unwrap_or(0);
        let size = [
            lens.len() as i64,
            config.num_key_value_heads as i64,
            slots as i64,
            config.head_width() as i64,
        ];
        let layers = (0..config.num_hidden_layers)
            .map(|_| {
                Ok((
                    Tensor::f_zeros(size, placement.options())?,
                    Tensor::f_zeros(size, placement.options())?,
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            layers,
            placement,
            lens: lens.iter().map(|&len| len as i64).collect(),
            filled: 0,
        })
    }

    /// Stores keys and values `[tokens, kv heads, head]` of the layout's sequences, the next prompts.
    pub(crate) fn fill(
        &mut self,
        layer: usize,
        layout: &Layout,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<()> {
        let (keys, values) = &self.layers[layer];
        let mut start = 0;
        for (prompt, block) in (self.filled..).zip(&layout.blocks) {
            for (cached, new) in [(keys, k), (values, v)] {
                // `[kv heads, trunk, head]`; a layout of prompts has no branches, so a trunk is a whole prompt.
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

    /// Counts the layout's sequences as filled, in every layer.
    pub(crate) fn advance(&mut self, layout: &Layout) {
        // Once behind the last layer, because all layers fill the same places.
        self.filled += layout.blocks.len();
    }

    fn slots(&self) -> i64 {
        self.layers.first().map_or(0, |(k, _)| k.size()[2])
    }

    /// Keeps the prompts at `kept`.
    fn keep(&mut self, kept: &[usize]) -> Result<()> {
        let places = positions(kept, self.placement.device)?;
        for (k, v) in &mut self.layers {
            *k = k.f_index_select(0, &places)?;
            *v = v.f_index_select(0, &places)?;
        }
        self.lens = kept.iter().map(|&place| self.lens[place]).collect();
        Ok(())
    }

    /// Puts other prompts at `places`, over what is there or next to the last one.
    fn put(&mut self, new: &Self, places: &[usize]) -> Result<()> {
        let count = places.iter().map(|place| place + 1).max().unwrap_or(0);
        self.make_room(count.max(self.lens.len()), new.slots())?;
        let at = positions(places, self.placement.device)?;
        for ((k, v), (new_k, new_v)) in self.layers.iter().zip(&new.layers) {
            for (cached, new_one) in [(k, new_k), (v, new_v)] {
                // Slots behind a shorter prompt keep what an older one left there: the mask hides it.
                let mut first = cached.f_narrow(2, 0, new.slots())?;
                let _ = first.f_index_copy_(0, &at, new_one)?;
            }
        }
        for (&place, &len) in places.iter().zip(&new.lens) {
            self.lens[place] = len;
        }
        Ok(())
    }

    fn make_room(&mut self, prompts: usize, slots: i64) -> Result<()> {
        let more_prompts = (prompts - self.lens.len()) as i64;
        let more_slots = (slots - self.slots()).max(0);
        if more_prompts > 0 || more_slots > 0 {
            // Pads in pairs from the last dimension on: head, slots, kv heads, prompts.
            let wide =
                |t: &Tensor| t.f_constant_pad_nd([0, 0, 0, more_slots, 0, 0, 0, more_prompts]);
            for (k, v) in &mut self.layers {
                *k = wide(k)?;
                *v = wide(v)?;
            }
        }
        self.lens.resize(prompts, 0);
        Ok(())
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

/// How rows stand together by prompt, so that a prompt's keys are read once for all of its rows, and what there is of each prompt.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// Row at each place of `[prompts, width]`, with row 0 where a prompt has fewer rows than others.
    pub(crate) members: Tensor,
    /// Place of each row.
    pub(crate) places: Tensor,
    /// Prompt of each row, `[rows]`.
    pub(crate) prompt_of: Tensor,
    pub(crate) prompts: i64,
    pub(crate) width: i64,
    /// Tokens of each prompt, `[prompts]`.
    pub(crate) lens: Tensor,
    /// Additive attention mask `[prompts, 1, 1, slots]`: minus infinity behind the end of a prompt.
    pub(crate) mask: Tensor,
}

impl Sharing {
    fn new(prompt_of: &[usize], cache: &PromptCache) -> Result<Self> {
        let (prompts, device) = (cache.lens.len(), cache.placement.device);
        let mut counts = vec![0; prompts];
        let slots: Vec<(usize, usize)> = prompt_of
            .iter()
            .map(|&prompt| {
                counts[prompt] += 1;
                (prompt, counts[prompt] - 1)
            })
            .collect();
        let width = counts.into_iter().max().unwrap_or(0);
        // Groups of fewer rows are filled up with row 0: what is computed there is not read, and one rectangular product over
        // all prompts is faster than one for each.
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
            prompt_of: positions(prompt_of, device)?,
            prompts: prompts as i64,
            width: width as i64,
            lens: index(&cache.lens, device)?,
            mask: mask_behind(&cache.lens, cache.slots(), cache.placement)?,
        })
    }
}

/// Where the next token of every row goes, and how much there is to look at with it.
#[derive(Debug)]
pub(crate) struct Step {
    /// `0..rows`.
    rows: Tensor,
    /// Slot of each row's token.
    slots: Tensor,
    /// Tokens of each row, the new one included, `[rows]`.
    pub(crate) lens: Tensor,
    /// The most of them.
    pub(crate) used: i64,
    /// Additive attention mask `[rows, 1, 1, used]`.
    pub(crate) mask: Tensor,
}

/// What one layer's attention of the newest tokens looks at.
#[derive(Debug)]
pub(crate) struct Past<'c> {
    /// Keys and values, `[prompts, kv heads, slots, head]`.
    pub(crate) prompts: (&'c Tensor, &'c Tensor),
    /// Keys and values, `[rows, kv heads, capacity, head]`, of which the step uses some.
    pub(crate) own: (&'c Tensor, &'c Tensor),
    pub(crate) sharing: &'c Sharing,
}

impl KvCache {
    /// Rows without any token yet behind their prompts; `prompt_of` is the place of each row's prompt.
    pub(crate) fn new(
        config: &ModelConfig,
        prompts: PromptCache,
        prompt_of: &[usize],
    ) -> Result<Self> {
        let placement = prompts.placement;
        let size = [
            prompt_of.len() as i64,
            config.num_key_value_heads as i64,
            0,
            config.head_width() as i64,
        ];
        let layers = (0..config.num_hidden_layers)
            .map(|_| {
                Ok((
                    Tensor::f_zeros(size, placement.options())?,
                    Tensor::f_zeros(size, placement.options())?,
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            sharing: Sharing::new(prompt_of, &prompts)?,
            prompts,
            layers,
            lens: vec![0; prompt_of.len()],
        })
    }

    /// Makes room for one more token per row.
    pub(crate) fn make_room(&mut self) -> Result<Step> {
        let used = self.lens.iter().copied().max().unwrap_or(0) + 1;
        let slots = self.layers.first().map_or(0, |(k, _)| k.size()[2]);
        if used > slots {
            // By halves, so that the copies of a long response add up to a constant number of its length; not doubled, because
            // every row pays for the longest.
            let more = GROWTH.max(slots / 2);
            for (k, v) in &mut self.layers {
                *k = k.f_constant_pad_nd([0, 0, 0, more])?;
                *v = v.f_constant_pad_nd([0, 0, 0, more])?;
            }
        }
        let placement = self.prompts.placement;
        let lens: Vec<i64> = self.lens.iter().map(|len| len + 1).collect();
        Ok(Step {
            rows: Tensor::f_arange(self.lens.len() as i64, (Kind::Int64, placement.device))?,
            slots: index(&self.lens, placement.device)?,
            lens: index(&lens, placement.device)?,
            used,
            mask: mask_behind(&lens, used, placement)?,
        })
    }

    /// Stores keys and values `[rows, kv heads, head]` of one more token per row, and gives all there is to look at.
    pub(crate) fn extend(
        &mut self,
        layer: usize,
        step: &Step,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<Past<'_>> {
        let (keys, values) = &self.layers[layer];
        for (cached, new) in [(keys, k), (values, v)] {
            // Rows and slots lead, so that one indexed write stores every row's token in its slot.
            let mut by_slot = cached.f_transpose(1, 2)?;
            let _ = by_slot.f_index_put_(&[Some(&step.rows), Some(&step.slots)], new, false)?;
        }
        let (prompt_keys, prompt_values) = &self.prompts.layers[layer];
        Ok(Past {
            prompts: (prompt_keys, prompt_values),
            own: (keys, values),
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
        // Copies of what is kept, so that the memory of finished rows is freed.
        let kept = positions(rows, self.prompts.placement.device)?;
        for (k, v) in &mut self.layers {
            *k = k.f_index_select(0, &kept)?;
            *v = v.f_index_select(0, &kept)?;
        }
        self.lens = rows.iter().map(|&row| self.lens[row]).collect();
        if prompts.len() < self.prompts.lens.len() {
            self.prompts.keep(prompts)?;
        }
        self.sharing = Sharing::new(prompt_of, &self.prompts)?;
        Ok(())
    }

    /// Puts other prompts at `places`, over those that no row needs or next to the last one.
    pub(crate) fn put_prompts(&mut self, new: &PromptCache, places: &[usize]) -> Result<()> {
        self.prompts.put(new, places)
    }

    /// Empties the given rows for other responses; `prompt_of` is the place of every row's prompt then.
    pub(crate) fn restart(&mut self, rows: &[usize], prompt_of: &[usize]) -> Result<()> {
        // Old keys stay where they are: the mask hides them until new ones are written over them.
        rows.iter().for_each(|&row| self.lens[row] = 0);
        self.sharing = Sharing::new(prompt_of, &self.prompts)?;
        Ok(())
    }
}

/// `[rows, 1, 1, slots]`: 0 for the first `lens` slots of each row, minus infinity behind them.
fn mask_behind(lens: &[i64], slots: i64, placement: Placement) -> Result<Tensor> {
    let lens = index(lens, placement.device)?.f_view([-1, 1, 1, 1])?;
    let at = Tensor::f_arange(slots, (Kind::Int64, placement.device))?;
    let hidden = at.f_ge_tensor(&lens)?;
    let size = hidden.size();
    Ok(Tensor::f_zeros(size.as_slice(), placement.options())?
        .f_masked_fill(&hidden, f64::NEG_INFINITY)?)
}

fn positions(places: &[usize], device: Device) -> Result<Tensor> {
    index(
        &places.iter().map(|&p| p as i64).collect::<Vec<_>>(),
        device,
    )
}

fn index(numbers: &[i64], device: Device) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(numbers)?.f_to_device(device)?)
}
