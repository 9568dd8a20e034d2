use ndarray::{Array2, Axis};

use crate::{Error, Result};

mod adam;
mod config;
mod evaluation;
mod file;
mod fitted;
mod interactions;
mod objective;
mod propagation;
mod sampling;
mod trainer;

use config::DEFAULT_FRACTION;
pub use config::LightGcnConfig;
pub use evaluation::RankingQuality;
pub use file::InteractionFormat;
pub use fitted::FittedLightGcn;
pub use interactions::{InteractionSplit, Interactions};
use trainer::Trainer;

/// Cut-off of the validation ranking.
const VALIDATION_K: usize = 10;

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

/// The result of one epoch.
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
        let fraction = self.validation_fraction(interactions);
        let split = interactions.split(fraction, 0.0, self.config.seed)?;
        self.fit_with_validation(&split.train, &split.validation, progress)
    }

    /// The share that [`fit`](Self::fit) holds out of each user's pairs: the one configured or, where none is, 0.1 if
    /// that is a pair for some user, else 0.
    ///
    /// ```
    /// # use rerec_rewards::{Interactions, LightGcn, LightGcnConfig};
    /// let model = LightGcn::new(LightGcnConfig::default())?;
    /// let of = |pairs: usize| Interactions::from_pairs((0..pairs).map(|item| ("ann", item.to_string())));
    /// assert_eq!(model.validation_fraction(&of(10)?), 0.1);
    /// assert_eq!(model.validation_fraction(&of(9)?), 0.0);
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    pub fn validation_fraction(&self, interactions: &Interactions) -> f64 {
        // A fraction that was asked for is an error where it holds out nothing; the default has to work on any data.
        self.config
            .validation_fraction
            .unwrap_or(match interactions.most_active() {
                pairs if pairs as f64 * DEFAULT_FRACTION >= 1.0 => DEFAULT_FRACTION,
                _ => 0.0,
            })
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
            // Below every NDCG, so that the first epoch is always kept.
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
            // Without validation the latest epoch is the best one known.
            if validation.is_none_or(|quality| quality.ndcg > best.ndcg) {
                let ndcg = validation.map_or(best.ndcg, |quality| quality.ndcg);
                best = Best {
                    epoch,
                    ndcg,
                    // A copy, since the next epoch overwrites the buffer.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two groups of users with items of their own, and a popular item that all of them chose.
    pub(super) fn two_tastes() -> Interactions {
        let own = (0..20u32)
            .flat_map(|user| (0..20u32).map(move |item| (user, item)))
            .filter(|(user, item)| user % 2 == item % 2 && (user * 7 + item * 3) % 5 != 0);
        let pairs = own.map(|(user, item)| (format!("u{user}"), format!("i{item}")));
        let popular = (0..20).map(|user| (format!("u{user}"), "popular".to_owned()));
        Interactions::from_pairs(pairs.chain(popular)).unwrap()
    }

    pub(super) fn small() -> LightGcnConfig {
        LightGcnConfig {
            dimension: 8,
            batch_size: 64,
            max_epochs: 30,
            validation_fraction: Some(0.2),
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
            validation_fraction: Some(0.0),
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
    fn few_interactions_are_all_trained_on_by_default() {
        let pairs = [("ann", "a"), ("ann", "b"), ("bob", "b"), ("bob", "c")];
        let config = LightGcnConfig {
            max_epochs: 2,
            ..Default::default()
        };
        let fitted = LightGcn::new(config)
            .unwrap()
            .fit(&Interactions::from_pairs(pairs).unwrap(), |_| ())
            .unwrap();
        assert_eq!((fitted.best_epoch(), fitted.history().len()), (2, 2));
    }

    #[test]
    fn bad_settings_name_themselves() {
        let message = |config| LightGcn::new(config).unwrap_err().to_string();
        assert_eq!(
            message(LightGcnConfig {
                dimension: 0,
                ..small()
            }),
            "dimension must be 1 to 65536, got 0"
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
                validation_fraction: Some(1.0),
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
        assert_eq!(
            fit(small(), &alone).to_string(),
            "validation_fraction of 0.2 holds out nothing, since no user has more than 1 interactions; set it to 0 to train on all of them, or raise it"
        );
        let everything = LightGcnConfig {
            validation_fraction: Some(0.0),
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
