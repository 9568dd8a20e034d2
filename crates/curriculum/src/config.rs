//! Settings.

mod validate;

use std::collections::BTreeMap;

use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};

use crate::difficulty::{BetaPosterior, DifficultyEstimator, LastRound, MovingAverage, Spread};
use crate::order::{
    Buckets, EasyFirst, Frontier, HardFirst, LearningProgress, Mixture, Order, Random,
};

/// Settings of a [`Curriculum`](crate::Curriculum).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CurriculumConfig {
    /// Queries of a difficulty below this are mastered and leave the pool (paper: tau); both are compared to 12 decimals. Finite;
    /// default 0.1.
    pub tau: f64,
    /// Queries in a batch. At least 1; default 512.
    pub batch_size: usize,
    /// What the recorded metric may be and how it becomes a difficulty. Default: `1 - metric` of a metric in [0, 1].
    pub metric: MetricConfig,
    /// Difficulty from rounds of rollouts. Default `mean`.
    pub difficulty: DifficultyConfig,
    /// Order of an epoch. Default `easy_first`.
    pub order: OrderConfig,
    /// Epochs at the start after which nothing is set aside yet. Default 0: the filter acts after the first epoch.
    pub warmup_epochs: u32,
    /// When mastered queries are tried again. Default: every 5 epochs.
    pub recheck: Recheck,
    /// What to do once active and due queries make less than one batch. Default `review`.
    pub too_few: TooFew,
    /// What becomes of the last, partial batch of an epoch. Default `keep`.
    pub partial_batch: PartialBatch,
    /// Largest number of queries of a class in one epoch, at least 1 each; those tried longest ago go first. Default: none.
    pub quotas: BTreeMap<String, usize>,
    /// Seed of the random orders. Default 0.
    pub seed: u64,
}

impl Default for CurriculumConfig {
    fn default() -> Self {
        Self {
            // tau and the batch size are those of the authors' released run.
            tau: 0.1,
            batch_size: 512,
            metric: MetricConfig::default(),
            difficulty: DifficultyConfig::default(),
            order: OrderConfig::default(),
            warmup_epochs: 0,
            recheck: Recheck::default(),
            too_few: TooFew::default(),
            partial_batch: PartialBatch::default(),
            quotas: BTreeMap::new(),
            seed: 0,
        }
    }
}

impl CurriculumConfig {
    /// The most queries of a class in one epoch.
    pub(crate) fn quota(&self, class: Option<&str>) -> usize {
        let quota = class.and_then(|class| self.quotas.get(class));
        quota.copied().unwrap_or(usize::MAX)
    }
}

/// Range of the recorded metric: values outside are errors.
///
/// ```
/// use rerec_curriculum::{Curriculum, CurriculumConfig, MetricConfig};
///
/// // The paper's metric is the reward, which exceeds 1: its bounds are the metric's range.
/// let metric = MetricConfig::from((-0.56, 1.07));
/// let curriculum = Curriculum::new(CurriculumConfig { metric, ..CurriculumConfig::default() }, ["q"])?;
/// curriculum.record("q", &[1.07, 0.05])?;
/// # Ok::<(), rerec_curriculum::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricConfig {
    /// Smallest allowed metric. In [-1e100, 1e100]; default 0.
    pub lowest: f64,
    /// Largest allowed metric. At most 1e100, above `lowest`; default 1.
    pub highest: f64,
    /// `false`: a rollout's difficulty is `1 - metric` (the paper's). `true`: `(highest - metric) / (highest - lowest)`,
    /// always in [0, 1], for rewards of another range. Default `false`.
    pub rescale: bool,
}

impl Default for MetricConfig {
    fn default() -> Self {
        Self {
            lowest: 0.0,
            highest: 1.0,
            rescale: false,
        }
    }
}

/// The range from its lowest to its highest value, not rescaled: the bounds of a reward, for instance.
impl From<(f64, f64)> for MetricConfig {
    fn from((lowest, highest): (f64, f64)) -> Self {
        Self {
            lowest,
            highest,
            ..Self::default()
        }
    }
}

impl MetricConfig {
    pub(crate) fn allows(&self, metric: f64) -> bool {
        (self.lowest..=self.highest).contains(&metric)
    }

    pub(crate) fn difficulty(&self, metric: f64) -> f64 {
        if self.rescale {
            (self.highest - metric) / (self.highest - self.lowest)
        } else {
            1.0 - metric
        }
    }

    fn yields_unit_interval(&self) -> bool {
        self.rescale || (self.lowest >= 0.0 && self.highest <= 1.0)
    }
}

/// Choice of [`DifficultyEstimator`]: a table with settings in a file, or the name alone, which stands for [`Self::EMA`] and
/// [`Self::BETA`] where there are settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "snake_case")]
pub enum DifficultyConfig {
    /// Mean over the rollouts of the last round (the paper's).
    #[default]
    Mean,
    /// Exponential average over rounds.
    Ema {
        /// Weight of the newest round, in (0, 1].
        weight: f64,
    },
    /// Posterior mean of the failure probability. A query is mastered once even
    /// `mean + deviations * standard deviation` is below tau.
    /// Needs difficulties in [0, 1].
    Beta {
        /// Pseudo-count of the symmetric prior, in (0, 1e100]; 0.5 is Jeffreys'.
        prior: f64,
        /// Share of older evidence that each round keeps, in [0, 1].
        retention: f64,
        /// Standard deviations of safety margin, at least 0.
        deviations: f64,
    },
    /// Twice the standard deviation within the last round: 0 where all rollouts agree, so that queries without a
    /// learning signal (always or never solved) are set aside until their re-check. Needs difficulties in [0, 1].
    Spread,
}

rerec_text::word_or_table!(
    DifficultyConfig,
    "difficulty",
    r#""mean", "ema", "beta", "spread", or a table such as { ema = { weight = 0.5 } }"#,
    |word| match word {
        "ema" => Some(DifficultyConfig::EMA),
        "beta" => Some(DifficultyConfig::BETA),
        _ => DifficultyConfig::deserialize(StrDeserializer::<ValueError>::new(word)).ok(),
    }
);

impl DifficultyConfig {
    /// The exponential average with weight 0.5.
    pub const EMA: Self = Self::Ema { weight: 0.5 };
    /// The Beta posterior with Jeffreys' prior, retention 0.8 and one standard deviation of margin: at tau 0.1, a query
    /// with 5 rollouts per round is mastered after three rounds without a failure.
    pub const BETA: Self = Self::Beta {
        prior: 0.5,
        retention: 0.8,
        deviations: 1.0,
    };

    pub(crate) fn build(self) -> Box<dyn DifficultyEstimator> {
        match self {
            Self::Mean => Box::new(LastRound),
            Self::Ema { weight } => Box::new(MovingAverage { weight }),
            Self::Beta {
                prior,
                retention,
                deviations,
            } => Box::new(BetaPosterior {
                prior,
                retention,
                deviations,
            }),
            Self::Spread => Box::new(Spread),
        }
    }
}

/// Choice of [`Order`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "snake_case")]
pub enum OrderConfig {
    /// Ascending difficulty (the paper's).
    #[default]
    // Saved states up to version 3 spell it with a hyphen.
    #[serde(alias = "easy-first")]
    EasyFirst,
    /// Descending difficulty.
    #[serde(alias = "hard-first")]
    HardFirst,
    /// Difficulty closest to 0.5 first.
    Frontier,
    /// Largest change of difficulty between a query's last two rounds first, be it easier or harder (learning progress: Matiisen et
    /// al. 2017, arXiv 1707.00183; Graves et al. 2017, arXiv 1704.03003), compared to 12 decimals. Queries recorded in fewer than two
    /// rounds come before all others. With five rollouts a query much of the change is the noise of sampling.
    Progress,
    /// Uniformly random, new in every epoch.
    Random,
    /// Equal bands of difficulty in [0, 1], easiest band first, random within a band.
    Buckets {
        /// Number of bands, at least 1.
        count: u32,
    },
    /// Several orders at once: each query follows one of them, drawn anew in every epoch, and the parts are interleaved evenly.
    Mixture(Vec<MixturePart>),
}

rerec_text::word_or_table!(
    OrderConfig,
    "order",
    r#""easy_first", "hard_first", "frontier", "progress", "random", or a table such as { buckets = { count = 10 } } or { mixture = [{ weight = 1.0, order = "random" }] }"#,
    |word| OrderConfig::deserialize(StrDeserializer::<ValueError>::new(word)).ok()
);

/// A part of [`OrderConfig::Mixture`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixturePart {
    /// Share of the queries that follow this order, relative to the other parts; finite and above 0.
    pub weight: f64,
    /// The order they follow.
    pub order: OrderConfig,
}

impl OrderConfig {
    pub(crate) fn build(&self) -> Box<dyn Order> {
        match self {
            Self::EasyFirst => Box::new(EasyFirst),
            Self::HardFirst => Box::new(HardFirst),
            Self::Frontier => Box::new(Frontier),
            Self::Progress => Box::new(LearningProgress),
            Self::Random => Box::new(Random),
            Self::Buckets { count } => Box::new(Buckets { count: *count }),
            Self::Mixture(parts) => Box::new(Mixture::new(
                parts
                    .iter()
                    .map(|part| (part.weight, part.order.build()))
                    .collect(),
            )),
        }
    }
}

/// When mastered queries are tried again; one that is no longer below tau returns to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "snake_case")]
pub enum Recheck {
    /// Never.
    Never,
    /// As soon as this many epochs passed since it was last tried; at least 1. Only quotas come before it.
    Every(u32),
    /// In each epoch some, those tried longest ago first: this share of the pool's size, rounded up; in (0, 1].
    Share(f64),
}

rerec_text::word_or_table!(
    Recheck,
    "recheck",
    r#""never", { every = EPOCHS } or { share = SHARE }"#,
    |word| (word == "never").then_some(Recheck::Never)
);

impl Default for Recheck {
    fn default() -> Self {
        Self::Every(5)
    }
}

/// What to do once the active queries and those due for a re-check make less than one batch (or than the data set, where that is
/// smaller).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooFew {
    /// Serve nothing: [`Curriculum::is_finished`](crate::Curriculum::is_finished).
    Stop,
    /// Fill one batch up with mastered queries, those tried longest ago first.
    #[default]
    Review,
    /// Train on the whole data set (released code).
    All,
}

/// What becomes of the last batch of an epoch when it is not full. No choice loses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialBatch {
    /// It is served as it is.
    #[default]
    Keep,
    /// Its queries open the next epoch. An epoch that is smaller than one batch is served all the same.
    Carry,
}
