//! The training pass, layer by layer, and the way back.

use tch::{Tensor, no_grad, with_grad};

use super::{Decoder, Dropout, Gradients, Leaf, Pass};
use crate::{
    Result,
    torch::{batch::Layout, shim},
};

/// A forward pass that can be gone back over once. Each layer is a graph of its own, freed as soon as the way back has
/// passed it; with checkpointing there is none before, and the layer is computed anew.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    decoder: &'a Decoder,
    pass: Pass<'a>,
    ids: &'a Tensor,
    stages: Vec<Stage>,
    /// Hidden states after the last norm, `[tokens, hidden]`.
    hidden: Tensor,
}

/// A layer, or the last norm.
#[derive(Debug)]
struct Stage {
    input: Tensor,
    /// With its graph; none where it is to be computed anew.
    output: Option<Tensor>,
}

impl<'a> Tape<'a> {
    /// Runs the decoder over `ids` `[tokens]`.
    pub(crate) fn record(
        decoder: &'a Decoder,
        ids: &'a Tensor,
        layout: &'a Layout,
        dropout: Option<Dropout>,
        checkpointing: bool,
    ) -> Result<Self> {
        let pass = decoder.pass(layout, dropout)?;
        let mut stages = Vec::with_capacity(decoder.layers.len() + 1);
        let mut x = no_grad(|| decoder.embed(ids))?;
        for index in 0..=decoder.layers.len() {
            let input = x.f_detach()?.f_set_requires_grad(true)?;
            let run = || decoder.stage(index, &input, &pass);
            // The last norm is cheap to keep.
            let forget = checkpointing && index < decoder.layers.len();
            let output = if forget {
                no_grad(run)?
            } else {
                with_grad(run)?
            };
            x = output.f_detach()?;
            stages.push(Stage {
                input,
                output: (!forget).then_some(output),
            });
        }
        Ok(Self {
            decoder,
            pass,
            ids,
            stages,
            hidden: x,
        })
    }

    /// Hidden states after the last norm, `[tokens, hidden]`.
    pub(crate) fn hidden(&self) -> &Tensor {
        &self.hidden
    }

    /// Adds the gradients of everything below the hidden states, given theirs.
    pub(crate) fn backward(mut self, hidden: Tensor, gradients: &mut Gradients) -> Result<()> {
        let mut gradient = hidden;
        while let Some(Stage { input, output }) = self.stages.pop() {
            let index = self.stages.len();
            let output = match output {
                Some(output) => output,
                None => with_grad(|| self.decoder.stage(index, &input, &self.pass))?,
            };
            let leaves = self.decoder.stage_leaves(index);
            let inputs: Vec<&Tensor> = std::iter::once(&input)
                .chain(leaves.iter().map(|l| &l.tensor))
                .collect();
            let mut found = shim::gradients(&output, &gradient, &inputs)?.into_iter();
            gradient = found
                .next()
                .flatten()
                .map_or_else(|| input.f_zeros_like(), Ok)?;
            for (leaf, found) in leaves.iter().zip(found) {
                found.map_or(Ok(()), |found| gradients.add(leaf, &found))?;
            }
        }
        self.decoder
            .embedding_backward(self.ids, &gradient, gradients)
    }
}

impl Decoder {
    /// A layer, or behind the last one the norm.
    fn stage(&self, index: usize, x: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        if index < self.layers.len() {
            self.layer(index, x, pass)
        } else {
            self.final_norm(x)
        }
    }

    fn stage_leaves(&self, index: usize) -> &[Leaf] {
        self.leaves.layers.get(index).unwrap_or(&self.leaves.norm)
    }

    fn embedding_backward(
        &self,
        ids: &Tensor,
        gradient: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let Some(leaf) = &self.leaves.embedding else {
            return Ok(());
        };
        if let Some(mut sum) = gradients.sum(leaf)? {
            let _ = sum.f_index_add_(0, ids, &gradient.f_to_kind(sum.kind())?)?;
        }
        Ok(())
    }
}
