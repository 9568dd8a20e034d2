use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Longest vector, far beyond what helps.
const MAX_DIMENSION: usize = 1 << 16;

/// Share of each user's pairs that is held out where none is given and the data allow it.
pub(super) const DEFAULT_FRACTION: f64 = 0.1;

/// Settings of [`LightGcn`](crate::LightGcn); the defaults are those of the numbers on MovieLens-100K.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LightGcnConfig {
    /// Length d of a vector, 1 to 65536. Default: 64.
    pub dimension: usize,
    /// Propagation layers L, 0 to 16; 0 is matrix factorisation. Default: 3.
    pub layers: usize,
    /// Adam's step size, above 0. Default: 0.005.
    pub learning_rate: f64,
    /// Weight λ of the squared layer-0 embeddings of a batch, at least 0. Default: 1e-3; the paper's
    /// 1e-4 ranks MovieLens-100K worse, by .01 in NDCG@10.
    pub l2_weight: f64,
    /// Training pairs per step, at least 1. Default: 2048.
    ///
    /// Every step propagates through the whole graph, as in the paper and RecBole, so that at a fixed batch size the
    /// cost of an epoch grows with the square of the pairs: 0.2 s for 80,000 on one core, 4 s for 320,000. Let the batch size
    /// grow with the data.
    pub batch_size: usize,
    /// Largest number of epochs, at least 1. Default: 300.
    pub max_epochs: usize,
    /// Epochs without a better validation NDCG@10 before training stops, at least 1. Default: 10.
    pub patience: usize,
    /// Share of each user's pairs that [`LightGcn::fit`](crate::LightGcn::fit) holds out to know when to stop, in [0, 1);
    /// 0 trains for `max_epochs` on everything. Default: none given, which is 0.1 where some user has ten pairs, else 0.
    pub validation_fraction: Option<f64>,
    /// Seed of the split, the first embeddings, the order of pairs and the negatives. Default: 0.
    pub seed: u64,
}

impl Default for LightGcnConfig {
    fn default() -> Self {
        Self {
            dimension: 64,
            layers: 3,
            learning_rate: 5e-3,
            l2_weight: 1e-3,
            batch_size: 2048,
            max_epochs: 300,
            patience: 10,
            validation_fraction: None,
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

    pub(super) fn validate(&self) -> Result<()> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let count = |name, got: usize| require(got >= 1, name, got, "at least 1");
        let dimension = self.dimension;
        require(
            (1..=MAX_DIMENSION).contains(&dimension),
            "dimension",
            dimension,
            "1 to 65536",
        )?;
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
        let fraction = self.validation_fraction.unwrap_or(DEFAULT_FRACTION);
        require(
            (0.0..1.0).contains(&fraction),
            "validation_fraction",
            fraction,
            "in [0, 1)",
        )
    }
}

pub(super) fn require(
    ok: bool,
    setting: &'static str,
    got: impl Display,
    allowed: &'static str,
) -> Result<()> {
    let error = || Error::InvalidSetting {
        setting,
        got: got.to_string(),
        allowed,
    };
    if ok { Ok(()) } else { Err(error()) }
}
