use std::fmt::Display;

use ndarray::{Array2, ArrayView2, Axis};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

mod adam;
mod evaluation;
mod file;
mod fitted;
mod interactions;
mod objective;
mod propagation;
mod sampling;

use adam::Adam;
pub use evaluation::RankingQuality;
pub use file::InteractionFormat;
pub use fitted::FittedLightGcn;
pub use interactions::{InteractionSplit, Interactions};
use propagation::{Propagation, Workspace};
use sampling::{Stream, Triplet};

/// Cut-off of the validation ranking.
const VALIDATION_K: usize = 10;

/// Settings of [`LightGcn`]; the defaults are those of the numbers on MovieLens-100K.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LightGcnConfig {
    /// Length d of a vector, at least 1. Default: 64.
    pub dimension: usize,
    /// Propagation layers L, 0 to 16; 0 is matrix factorisation. Default: 3.
    pub layers: usize,
    /// Adam's step size, above 0. Default: 0.005.
    pub learning_rate: f64,
    /// Weight λ of the squared layer-0 embeddings of a batch, at least 0. Default: 1e-4.
    pub l2_weight: f64,
    /// Training pairs per step, at least 1. Default: 2048.
    pub batch_size: usize,
    /// Epochs at most, at least 1. Default: 300.
    pub max_epochs: usize,
    /// Epochs without a better validation NDCG@10 before training stops, at least 1. Default: 10.
    pub patience: usize,
    /// Share of each user's pairs that [`LightGcn::fit`] holds out to know when to stop, in [0, 1);
    /// 0 trains for `max_epochs` on everything. Default: 0.1.
    pub validation_fraction: f64,
    /// Seed of the split, the first embeddings, the order of pairs and the negatives. Default: 0.
    pub seed: u64,
}

impl Default for LightGcnConfig {
    fn default() -> Self {
        Self {
            dimension: 64,
            layers: 3,
            learning_rate: 5e-3,
            l2_weight: 1e-4,
            batch_size: 2048,
            max_epochs: 300,
            patience: 10,
            validation_fraction: 0.1,
            seed: 0,
        }
    }
}

impl LightGcnConfig {
    /// Matrix factorisation by BPR (Rendle et al., 2009): no propagation.
    pub fn matrix_factorisation() -> Self {
        Self {
            layers: 0,
            learning_rate: 1e-3,
            ..Self::default()
        }
    }

    fn validate(&self) -> Result<()> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let count = |name, got: usize| require(got >= 1, name, got, "at least 1");
        count("dimension", self.dimension)?;
        count("batch_size", self.batch_size)?;
        count("max_epochs", self.max_epochs)?;
        count("patience", self.patience)?;
        require(self.layers <= 16, "layers", self.layers, "at most 16")?;
        let rate = self.learning_rate;
        require(positive(rate), "learning_rate", rate, "above 0 and finite")?;
        let weight = self.l2_weight;
        require(
            weight == 0.0 || positive(weight),
            "l2_weight",
            weight,
            "at least 0 and finite",
        )?;
        let fraction = self.validation_fraction;
        require(
            (0.0..1.0).contains(&fraction),
            "validation_fraction",
            fraction,
            "in [0, 1)",
        )
    }
}

fn require(ok: bool, name: &'static str, got: impl Display, allowed: &'static str) -> Result<()> {
    let error = || Error::InvalidSetting {
        name,
        got: got.to_string(),
        allowed,
    };
    if ok { Ok(()) } else { Err(error()) }
}

/// LightGCN (He et al., 2020): user and item embeddings from who chose what.
///
/// E_0 is Xavier uniform, a layer is E_l = Â E_{l-1} over the normalised bipartite graph, the final
/// embeddings are the mean of all layers, a score is a dot product. Trained by BPR with one uniform
/// negative per pair, fresh each epoch, L2 on the batch's rows of E_0, and Adam. The map from E_0 to
/// the final embeddings is linear and symmetric, so that the backward pass is the forward one.
///
/// The result depends on the interactions and the configuration, not on the number of threads.
///
/// ```
/// # use rerec_rewards::{Interactions, LightGcn, LightGcnConfig};
/// // Two circles of friends with tastes of their own.
/// let pairs = (0..200).map(|i| (i % 10, i / 10)).filter(|(user, item)| user % 2 == item % 2);
/// let interactions =
///     Interactions::from_pairs(pairs.map(|(user, item)| (user.to_string(), item.to_string())))?;
/// let config = LightGcnConfig { dimension: 8, max_epochs: 20, batch_size: 16, ..Default::default() };
/// let fitted = LightGcn::new(config)?.fit(&interactions, |report| {
///     assert!(report.loss.is_finite());
/// })?;
/// let items = fitted.item_embeddings()?;
/// let dot = |a, b| items.row(a).unwrap().dot(&items.row(b).unwrap());
/// assert!(dot("0", "2") > dot("0", "1"));
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LightGcn {
    config: LightGcnConfig,
}

/// What one epoch came to.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct EpochReport {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean loss over the epoch's triplets, L2 term included.
    pub loss: f64,
    /// Quality on the validation pairs, if there are any.
    pub validation: Option<RankingQuality>,
}

impl LightGcn {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`].
    pub fn new(config: LightGcnConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self { config })
    }

    /// Trains on all pairs but those it holds out for early stopping, and keeps the epoch that ranked
    /// these best. `progress` is called after each epoch.
    ///
    /// # Errors
    /// Those of [`Interactions::split`] and [`fit_with_validation`](Self::fit_with_validation).
    pub fn fit(
        &self,
        interactions: &Interactions,
        progress: impl FnMut(&EpochReport),
    ) -> Result<FittedLightGcn> {
        let split = interactions.split(self.config.validation_fraction, 0.0, self.config.seed)?;
        self.fit_with_validation(&split.train, &split.validation, progress)
    }

    /// Trains on `train` and keeps the epoch that ranked `validation` best; without a validation pair
    /// it keeps the last of `max_epochs`.
    ///
    /// # Errors
    /// [`Error::DifferentIds`] unless both are parts of one split, [`Error::NoInteractions`] if no user
    /// has both a pair and an item to set against it, [`Error::Diverged`].
    pub fn fit_with_validation(
        &self,
        train: &Interactions,
        validation: &Interactions,
        mut progress: impl FnMut(&EpochReport),
    ) -> Result<FittedLightGcn> {
        if !train.shares_ids_with(validation) {
            return Err(Error::DifferentIds);
        }
        let mut trainer = Trainer::new(&self.config, train);
        let mut best = Best {
            epoch: 0,
            ndcg: f64::NEG_INFINITY,
            embeddings: Array2::default((0, 0)),
        };
        let mut history = Vec::new();
        for epoch in 1..=self.config.max_epochs {
            let loss = trainer.epoch(epoch)?;
            let final_embeddings = trainer.final_embeddings()?;
            let validation = (!validation.is_empty()).then(|| {
                let (users, items) = final_embeddings
                    .view()
                    .split_at(Axis(0), train.users().len());
                evaluation::rank(users, items, &[train], validation, VALIDATION_K)
            });
            let report = EpochReport {
                epoch,
                loss,
                validation,
            };
            progress(&report);
            history.push(report);
            if validation.is_none_or(|quality| quality.ndcg > best.ndcg) {
                let ndcg = validation.map_or(best.ndcg, |quality| quality.ndcg);
                best = Best {
                    epoch,
                    ndcg,
                    embeddings: final_embeddings.to_owned(),
                };
            } else if epoch - best.epoch >= self.config.patience {
                break;
            }
        }
        Ok(FittedLightGcn::new(
            train,
            best.embeddings.view(),
            history,
            best.epoch,
        ))
    }
}

/// The epoch that ranked the validation pairs best so far.
struct Best {
    epoch: usize,
    ndcg: f64,
    embeddings: Array2<f32>,
}

/// Parameters and buffers of one training; all matrices are `[users + items, d]`, users first.
struct Trainer<'a> {
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
    fn new(config: &'a LightGcnConfig, train: &'a Interactions) -> Self {
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
    fn epoch(&mut self, epoch: usize) -> Result<f64> {
        let mut rng = Stream::Epoch(epoch).rng(self.config.seed);
        let triplets = sampling::epoch(self.train, &mut rng);
        if triplets.is_empty() {
            return Err(Error::NoInteractions);
        }
        let mut sum = 0.0;
        for batch in triplets.chunks(self.config.batch_size) {
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
        self.propagation
            .apply(d, upstream, &mut self.gradient, &mut self.work);
        let weight = self.config.l2_weight;
        ranking + objective::l2_loss(batch, weight, d, &self.embeddings, &mut self.gradient)
    }

    /// What the current parameters propagate to: `[users + items, d]`.
    fn final_embeddings(&mut self) -> Result<ArrayView2<'_, f32>> {
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

    /// Two groups of users with items of their own, and a popular item that all of them chose.
    fn two_tastes() -> Interactions {
        let own = (0..20u32)
            .flat_map(|user| (0..20u32).map(move |item| (user, item)))
            .filter(|(user, item)| user % 2 == item % 2 && (user * 7 + item * 3) % 5 != 0);
        let pairs = own.map(|(user, item)| (format!("u{user}"), format!("i{item}")));
        let popular = (0..20).map(|user| (format!("u{user}"), "popular".to_owned()));
        Interactions::from_pairs(pairs.chain(popular)).unwrap()
    }

    fn small() -> LightGcnConfig {
        LightGcnConfig {
            dimension: 8,
            batch_size: 64,
            max_epochs: 30,
            validation_fraction: 0.2,
            ..Default::default()
        }
    }

    fn item_values(config: LightGcnConfig) -> Vec<f32> {
        let fitted = LightGcn::new(config)
            .unwrap()
            .fit(&two_tastes(), |_| ())
            .unwrap();
        fitted
            .item_embeddings()
            .unwrap()
            .values()
            .iter()
            .copied()
            .collect()
    }

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

    #[test]
    fn learns_who_likes_what() {
        for layers in [0, 3] {
            let config = LightGcnConfig {
                layers,
                learning_rate: 0.02,
                ..small()
            };
            let mut losses = Vec::new();
            let fitted = LightGcn::new(config)
                .unwrap()
                .fit(&two_tastes(), |report| losses.push(report.loss))
                .unwrap();
            assert!(losses[losses.len() - 1] < 0.7 * losses[0], "{losses:?}");
            let best = fitted.history()[fitted.best_epoch() - 1]
                .validation
                .unwrap();
            // Twenty-one items of which a user has seen some: chance is about 0.4.
            assert!(best.ndcg > 0.6, "{best:?}");
            let later = fitted
                .history()
                .iter()
                .filter_map(|report| report.validation);
            assert!(
                later
                    .map(|quality| quality.ndcg)
                    .all(|ndcg| ndcg <= best.ndcg)
            );
        }
    }

    #[test]
    fn the_seed_decides_and_the_number_of_threads_does_not() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| item_values(small()))
        };
        assert_eq!(on(1), on(3));
        assert_ne!(on(1), item_values(LightGcnConfig { seed: 1, ..small() }));
    }

    #[test]
    fn patience_ends_training() {
        let config = LightGcnConfig {
            patience: 2,
            max_epochs: 1000,
            ..small()
        };
        let fitted = LightGcn::new(config)
            .unwrap()
            .fit(&two_tastes(), |_| ())
            .unwrap();
        assert_eq!(fitted.history().len(), fitted.best_epoch() + 2);
    }

    #[test]
    fn without_validation_the_last_epoch_stays() {
        let config = LightGcnConfig {
            validation_fraction: 0.0,
            max_epochs: 3,
            ..small()
        };
        let fitted = LightGcn::new(config)
            .unwrap()
            .fit(&two_tastes(), |_| ())
            .unwrap();
        assert_eq!(fitted.best_epoch(), 3);
        assert!(
            fitted
                .history()
                .iter()
                .all(|report| report.validation.is_none())
        );
    }

    #[test]
    fn bad_settings_name_themselves() {
        let message = |config| LightGcn::new(config).unwrap_err().to_string();
        assert_eq!(
            message(LightGcnConfig {
                dimension: 0,
                ..small()
            }),
            "dimension must be at least 1, got 0"
        );
        assert_eq!(
            message(LightGcnConfig {
                learning_rate: f64::NAN,
                ..small()
            }),
            "learning_rate must be above 0 and finite, got NaN"
        );
        assert_eq!(
            message(LightGcnConfig {
                validation_fraction: 1.0,
                ..small()
            }),
            "validation_fraction must be in [0, 1), got 1"
        );
        assert!(serde_json::from_str::<LightGcnConfig>(r#"{"layer": 2}"#).is_err());
    }

    #[test]
    fn faults_of_the_data_and_of_the_step_size_are_errors() {
        let fit = |config, pairs: &[(&str, &str)]| {
            let interactions = Interactions::from_pairs(pairs.iter().copied()).unwrap();
            LightGcn::new(config)
                .unwrap()
                .fit(&interactions, |_| ())
                .unwrap_err()
        };
        let alone = [("u", "a")];
        assert!(matches!(fit(small(), &alone), Error::NothingHeldOut { .. }));
        let everything = LightGcnConfig {
            validation_fraction: 0.0,
            ..small()
        };
        assert!(matches!(fit(everything, &alone), Error::NoInteractions));
        let wild = LightGcnConfig {
            learning_rate: 1e30,
            ..small()
        };
        let error = LightGcn::new(wild)
            .unwrap()
            .fit(&two_tastes(), |_| ())
            .unwrap_err();
        assert!(matches!(error, Error::Diverged { .. }), "{error}");
        let (some, other) = (two_tastes(), Interactions::from_pairs(alone).unwrap());
        let error = LightGcn::new(small())
            .unwrap()
            .fit_with_validation(&some, &other, |_| ());
        assert!(matches!(error, Err(Error::DifferentIds)));
    }
}
