//! From the trained tensors to those that the decoder computes with, and back again for their gradients.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::linear::{Adapter, Linear};
use crate::{
    Result,
    torch::{adapters::Adapters, weights::Weights},
};

/// What training changes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trained<'a> {
    /// Nothing.
    Nothing,
    /// Every weight.
    Weights,
    /// The adapters beside the weights.
    Adapters(&'a Adapters),
}

/// A tensor that the decoder computes with and gathers a gradient for; trained tensors lie in it.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) tensor: Tensor,
    places: Vec<Place>,
}

/// Where a trained tensor lies in a leaf: some rows and columns, or all.
#[derive(Debug)]
struct Place {
    name: String,
    /// First and number, along each dimension.
    block: Option<[(i64, i64); 2]>,
}

impl Place {
    fn of(&self, tensor: &Tensor) -> Result<Tensor> {
        let Some([rows, columns]) = self.block else {
            return Ok(tensor.shallow_clone());
        };
        let rows = tensor.f_narrow(0, rows.0, rows.1)?;
        Ok(rows.f_narrow(1, columns.0, columns.1)?)
    }
}

impl Leaf {
    /// Takes over the present values of the trained tensors, unless they are the leaf itself.
    pub(crate) fn refresh(&self, trained: &BTreeMap<&str, &Tensor>) -> Result<()> {
        // In f32 without adapters the leaf is the trained tensor itself; in bf16 it is a rounded copy of it, and an adapter is a
        // block of a larger leaf.
        for place in &self.places {
            let Some(source) = trained.get(place.name.as_str()) else {
                continue;
            };
            let mut target = place.of(&self.tensor.f_detach()?)?;
            if target.data_ptr() != source.data_ptr() {
                target.f_copy_(source)?;
            }
        }
        Ok(())
    }
}

/// Sums of gradients by the name of the trained tensor, f32.
#[derive(Debug, Default)]
pub(crate) struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// Adds the gradient of a leaf to those of the tensors that lie in it.
    pub(crate) fn add(&mut self, leaf: &Leaf, gradient: &Tensor) -> Result<()> {
        for place in &leaf.places {
            let part = place.of(gradient)?;
            match self.0.get_mut(&place.name) {
                Some(sum) => {
                    let _ = sum.f_add_(&part)?;
                }
                None => {
                    // Sums over micro-batches are f32: in bf16 the later ones would be rounded away beside the sum.
                    let first = part.f_to_kind(Kind::Float)?.f_contiguous()?;
                    self.0.insert(place.name.clone(), first);
                }
            }
        }
        Ok(())
    }

    /// The sum for `leaf`, which is one trained tensor, to be added to in place.
    pub(crate) fn sum(&mut self, leaf: &Leaf) -> Result<Option<Tensor>> {
        let Some(place) = leaf.places.first() else {
            return Ok(None);
        };
        if !self.0.contains_key(&place.name) {
            let size = leaf.tensor.size();
            let zero = Tensor::f_zeros(size, (Kind::Float, leaf.tensor.device()))?;
            self.0.insert(place.name.clone(), zero);
        }
        Ok(self.0.get(&place.name).map(Tensor::shallow_clone))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tensor> {
        self.0.values()
    }

    #[cfg(test)]
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, sum)| (name.as_str(), sum))
    }
}

/// Takes the tensors of a decoder out of its weights, and notes which of them are leaves.
pub(super) struct Source<'a> {
    pub(super) weights: &'a Weights,
    pub(super) kind: Kind,
    pub(super) trained: Trained<'a>,
    pub(super) leaves: Vec<Leaf>,
}

impl Source<'_> {
    /// The stack of that name in the kind of the computation.
    pub(super) fn stack(&mut self, name: &str) -> Result<Tensor> {
        // An alias of its own: `requires_grad` is set on the leaf and not on the stored weight.
        let stored = self.weights.get(name)?.f_detach()?;
        let tensor = stored.f_to_kind(self.kind)?;
        if matches!(self.trained, Trained::Weights) {
            let place = Place {
                name: name.to_owned(),
                block: None,
            };
            self.leaf(&tensor, vec![place])?;
        }
        Ok(tensor)
    }

    /// The product by `<module>.weight`.
    pub(super) fn linear(&mut self, module: &str, bias: bool) -> Result<Linear> {
        let name = format!("{module}.weight");
        let weight = self.stack(&name)?;
        let bias = bias
            .then(|| self.stack(&format!("{module}.bias")))
            .transpose()?;
        let adapter = match self.trained {
            Trained::Adapters(adapters) => self.adapter(adapters, &name, &weight)?,
            Trained::Nothing | Trained::Weights => None,
        };
        Ok(Linear {
            weight,
            bias,
            adapter,
        })
    }

    fn adapter(
        &mut self,
        adapters: &Adapters,
        stack: &str,
        weight: &Tensor,
    ) -> Result<Option<Adapter>> {
        // The adapters of projections that share a product become one pair of matrices, A stacked and B on a diagonal of blocks:
        // two small products per layer part instead of two for each projection.
        let (rank, (out, inputs)) = (adapters.rank(), weight.size2()?);
        let (mut in_a, mut in_b) = (Vec::new(), Vec::new());
        let (mut row, mut low) = (0, 0);
        for part in self.weights.parts(stack) {
            if let Some([a, b]) = adapters.names(&part.name) {
                in_a.push(Place {
                    name: a,
                    block: Some([(low, rank), (0, inputs)]),
                });
                in_b.push(Place {
                    name: b,
                    block: Some([(row, part.rows), (low, rank)]),
                });
                low += rank;
            }
            row += part.rows;
        }
        if low == 0 {
            return Ok(None);
        }
        let options = (self.kind, weight.device());
        let a = Tensor::f_zeros([low, inputs], options)?;
        // Outside its blocks B stays 0: gradients arise there too, but no place reads them.
        let b = Tensor::f_zeros([out, low], options)?;
        for (tensor, places) in [(&a, in_a), (&b, in_b)] {
            self.leaf(tensor, places)?.refresh(&adapters.by_name())?;
        }
        let scale = adapters.scale();
        Ok(Some(Adapter { a, b, scale }))
    }

    fn leaf(&mut self, tensor: &Tensor, places: Vec<Place>) -> Result<&Leaf> {
        let tensor = tensor.f_set_requires_grad(true)?;
        self.leaves.push(Leaf { tensor, places });
        Ok(&self.leaves[self.leaves.len() - 1])
    }

    /// The leaves noted since the last call.
    pub(super) fn take_leaves(&mut self) -> Vec<Leaf> {
        std::mem::take(&mut self.leaves)
    }
}
