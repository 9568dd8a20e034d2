use ndarray::ArrayView2;
use rand::RngExt;

use super::adam::Adam;
use super::propagation::{Propagation, Workspace};
use super::sampling::{self, Stream, Triplet};
use super::{Interactions, LightGcnConfig, objective};
use crate::{Error, Result};

/// Parameters and buffers of one training; all matrices are `[users + items, d]`, users first.
pub(super) struct Trainer<'a> {
    config: &'a LightGcnConfig,
    train: &'a Interactions,
    propagation: Propagation,
    adam: Adam,
    embeddings: Vec<f32>,
    final_embeddings: Vec<f32>,
    final_gradient: Vec<f32>,
    gradient: Vec<f32>,
    work: Workspace,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(config: &'a LightGcnConfig, train: &'a Interactions) -> Self {
        let (users, items, d) = (train.users().len(), train.items().len(), config.dimension);
        let mut embeddings = xavier_uniform(users, d, Stream::UserEmbeddings, config.seed);
        embeddings.extend(xavier_uniform(
            items,
            d,
            Stream::ItemEmbeddings,
            config.seed,
        ));
        let zeros = vec![0.0; embeddings.len()];
        Self {
            config,
            train,
            propagation: Propagation::new(train, config.layers),
            adam: Adam::new(config.learning_rate, embeddings.len()),
            embeddings,
            final_embeddings: zeros.clone(),
            final_gradient: zeros.clone(),
            gradient: zeros,
            work: Workspace::default(),
        }
    }

    /// One pass over all pairs; their mean loss.
    pub(super) fn epoch(&mut self, epoch: usize) -> Result<f64> {
        let mut rng = Stream::Epoch(epoch).rng(self.config.seed);
        let triplets = sampling::epoch(self.train, &mut rng);
        if triplets.is_empty() {
            return Err(Error::NoInteractions);
        }
        let mut sum = 0.0;
        for batch in triplets.chunks(self.config.batch_size) {
            // By size, since the last batch may be smaller.
            sum += self.step(batch) * batch.len() as f64;
        }
        let loss = sum / triplets.len() as f64;
        if loss.is_finite() {
            Ok(loss)
        } else {
            Err(Error::Diverged { epoch })
        }
    }

    fn step(&mut self, batch: &[Triplet]) -> f64 {
        let loss = self.loss_and_gradient(batch);
        self.adam.step(&mut self.embeddings, &self.gradient);
        loss
    }

    fn loss_and_gradient(&mut self, batch: &[Triplet]) -> f64 {
        let d = self.config.dimension;
        self.propagate();
        let upstream = &mut self.final_gradient;
        upstream.fill(0.0);
        let ranking = objective::ranking_loss(batch, d, &self.final_embeddings, upstream);
        // P is symmetric, so that the gradient of layer 0 is P times that of the final embeddings.
        // The L2 term acts on layer 0 itself and is added afterwards: `apply` overwrites its
        // output.
        self.propagation
            .apply(d, upstream, &mut self.gradient, &mut self.work);
        let weight = self.config.l2_weight;
        ranking + objective::l2_loss(batch, weight, d, &self.embeddings, &mut self.gradient)
    }

    /// What the current parameters propagate to: `[users + items, d]`.
    pub(super) fn final_embeddings(&mut self) -> Result<ArrayView2<'_, f32>> {
        self.propagate();
        let (ids, dimension) = (
            self.train.users().len() + self.train.items().len(),
            self.config.dimension,
        );
        ArrayView2::from_shape((ids, dimension), &self.final_embeddings).map_err(|_| {
            Error::EmbeddingShape {
                ids,
                rows: ids,
                dimension,
            }
        })
    }

    fn propagate(&mut self) {
        let d = self.config.dimension;
        self.propagation.apply(
            d,
            &self.embeddings,
            &mut self.final_embeddings,
            &mut self.work,
        );
    }
}

/// U(-a, a) with a = √(6 / (rows + d)), as a flat `[rows, d]` matrix.
fn xavier_uniform(rows: usize, dimension: usize, stream: Stream, seed: u64) -> Vec<f32> {
    // As PyTorch initialises a `[rows, d]` table: d is its fan-in, rows its fan-out.
    let bound = (6.0 / (rows + dimension) as f32).sqrt();
    let mut rng = stream.rng(seed);
    (0..rows * dimension)
        .map(|_| rng.random_range(-bound..bound))
        .collect()
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::lightgcn::tests::{small, two_tastes};

    #[test]
    fn gradient_equals_finite_differences_through_the_layers() {
        let interactions = two_tastes();
        let config = LightGcnConfig {
            dimension: 5,
            l2_weight: 0.1,
            ..small()
        };
        let mut trainer = Trainer::new(&config, &interactions);
        let batch = sampling::epoch(&interactions, &mut Stream::Epoch(1).rng(0));
        trainer.embeddings.iter_mut().for_each(|x| *x *= 3.0);
        trainer.loss_and_gradient(&batch[..17]);
        let gradient = trainer.gradient.clone();
        let h = 2e-2;
        let mut largest = 0.0f64;
        for parameter in (0..gradient.len()).step_by(7) {
            let start = trainer.embeddings[parameter];
            let mut at = |step: f32| {
                trainer.embeddings[parameter] = start + step;
                trainer.loss_and_gradient(&batch[..17])
            };
            let slope = (at(h) - at(-h)) / f64::from(2.0 * h);
            at(0.0);
            assert_relative_eq!(f64::from(gradient[parameter]), slope, epsilon = 5e-5);
            largest = largest.max(slope.abs());
        }
        assert!(
            largest > 1e-3,
            "the check must see gradients, got at most {largest}"
        );
    }
}
