//! Estimators by name, and the conventions of other systems.

use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::{Deserialize, Serialize};

use super::gae::{Gae, GaeConfig};
use super::group_relative::{Baseline, BaselineConfig, GroupBaseline, Grpo, GrpoConfig, Singleton};
use super::pass_at_k::PassAtK;
use super::raae::Raae;
use super::reinforce_pp::{
    ReinforcePp, ReinforcePpBaseline, ReinforcePpBaselineConfig, ReinforcePpConfig,
};
use super::remax::Remax;
use super::spread::SpreadConfig;
use super::statistics::Std;
use super::whitening::{VarianceGuard, WhiteningConfig};
use super::{AdvantageEstimator, Needs};
use crate::error::Result;

/// An estimator with all its settings, as a configuration file names it: a table, or its name alone for the defaults.
///
/// Names are `raae`, `grpo`, `dr_grpo`, `rloo`, `opo`, `gpg`, `pass_k`, `reinforce_pp`, `reinforce_pp_baseline`, `remax` and
/// `gae`.
///
/// ```
/// use rerec_advantage::EstimatorConfig;
///
/// let config: EstimatorConfig = toml::from_str("estimator = 'grpo'\neps = 1e-4").unwrap();
/// assert_eq!(config.build()?.name(), "grpo");
/// // What a training loop has to provide is known before anything is built.
/// let remax: EstimatorConfig = serde_json::from_str(r#""remax""#).unwrap();
/// assert!(remax.needs().baselines);
/// assert!(toml::from_str::<EstimatorConfig>("estimator = 'rloo'\neps = 1e-4").is_err());
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    tag = "estimator",
    rename_all = "snake_case",
    deny_unknown_fields
)]
pub enum EstimatorConfig {
    /// [`Raae`].
    Raae(SpreadConfig),
    /// [`Grpo`].
    Grpo(GrpoConfig),
    /// [`Baseline::Mean`].
    DrGrpo(BaselineConfig),
    /// [`Baseline::LeaveOneOut`].
    Rloo(BaselineConfig),
    /// [`Baseline::LengthWeighted`].
    Opo(BaselineConfig),
    /// [`Baseline::ScaledMean`].
    Gpg(BaselineConfig),
    /// [`PassAtK`].
    PassK(SpreadConfig),
    /// [`ReinforcePp`].
    ReinforcePp(ReinforcePpConfig),
    /// [`ReinforcePpBaseline`].
    ReinforcePpBaseline(ReinforcePpBaselineConfig),
    /// [`Remax`].
    Remax {},
    /// [`Gae`].
    Gae(GaeConfig),
}

rerec_text::word_or_table!(
    EstimatorConfig,
    "estimator",
    r#"one of "raae", "grpo", "dr_grpo", "rloo", "opo", "gpg", "pass_k", "reinforce_pp", "reinforce_pp_baseline", "remax", "gae", or a table such as { estimator = "grpo", eps = 1e-4 }"#,
    |name| {
        // A table with nothing but the name: every setting has its default.
        let table = [("estimator", name)].into_iter();
        EstimatorConfig::deserialize(MapDeserializer::<_, ValueError>::new(table)).ok()
    }
);

impl Default for EstimatorConfig {
    fn default() -> Self {
        Self::Raae(SpreadConfig::default())
    }
}

impl EstimatorConfig {
    /// The estimator with these settings.
    ///
    /// # Errors
    /// A setting outside its range.
    pub fn build(self) -> Result<Box<dyn AdvantageEstimator>> {
        Ok(match self {
            Self::Raae(config) => Box::new(Raae::new(config)?),
            Self::Grpo(config) => Box::new(Grpo::new(config)?),
            Self::DrGrpo(config) => Box::new(GroupBaseline::new(Baseline::Mean, config)),
            Self::Rloo(config) => Box::new(GroupBaseline::new(Baseline::LeaveOneOut, config)),
            Self::Opo(config) => Box::new(GroupBaseline::new(Baseline::LengthWeighted, config)),
            Self::Gpg(config) => Box::new(GroupBaseline::new(Baseline::ScaledMean, config)),
            Self::PassK(config) => Box::new(PassAtK::new(config)?),
            Self::ReinforcePp(config) => Box::new(ReinforcePp::new(config)?),
            Self::ReinforcePpBaseline(config) => Box::new(ReinforcePpBaseline::new(config)?),
            Self::Remax {} => Box::new(Remax),
            Self::Gae(config) => Box::new(Gae::new(config)?),
        })
    }

    /// What the estimator reads of a batch; a training loop asks before it starts.
    pub fn needs(&self) -> Needs {
        match self {
            Self::Raae(config) => config.needs(Needs::TOKEN_REWARDS),
            Self::Grpo(config) => config.spread().needs(Needs::OUTCOMES),
            Self::PassK(config) => config.needs(Needs::OUTCOMES),
            Self::Remax {} => Remax.needs(),
            Self::Gae(_) => Gae::NEEDS,
            _ => Needs::OUTCOMES,
        }
    }

    /// The same estimator by the conventions of another system; what is no convention, such as
    /// discounts, stays.
    #[must_use]
    pub fn with_preset(mut self, preset: Preset) -> Self {
        let Conventions {
            eps,
            singleton,
            whitening,
        } = preset.conventions();
        match &mut self {
            Self::Raae(config) | Self::PassK(config) => {
                *config = SpreadConfig {
                    std: Std::Unbiased,
                    eps,
                    ..*config
                };
            }
            Self::Grpo(config) => {
                *config = GrpoConfig {
                    std: Std::Unbiased,
                    eps,
                    singleton,
                    ..*config
                }
            }
            Self::DrGrpo(config) | Self::Rloo(config) | Self::Opo(config) | Self::Gpg(config) => {
                config.singleton = singleton;
            }
            Self::ReinforcePp(config) => config.whitening = whitening,
            Self::ReinforcePpBaseline(config) => {
                *config = ReinforcePpBaselineConfig {
                    singleton,
                    whitening,
                };
            }
            Self::Remax {} => {}
            Self::Gae(config) => config.whitening = whitening,
        }
        self
    }
}

/// A system whose conventions an estimator follows. verl's are the default of every setting.
///
/// | | std | eps | group of one | whitening |
/// |---|---|---|---|---|
/// | verl 0.9.1 | n - 1 | 1e-6 | its reward | n - 1, `variance + 1e-8` |
/// | TRL 1.16.0 | n - 1 | 1e-4 | refused | as verl (TRL has none) |
/// | OpenRLHF 0.11 | n - 1 | 1e-9 | refused | n, `max(variance, 1e-8)` |
///
/// Whitening is over all valid tokens of the batch, and of [`ReinforcePp`], [`ReinforcePpBaseline`] and [`Gae`] alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// verl 0.9.1.
    #[default]
    Verl,
    /// TRL 1.16.0.
    Trl,
    /// OpenRLHF 0.11.
    OpenRlhf,
}

struct Conventions {
    eps: f64,
    singleton: Singleton,
    whitening: WhiteningConfig,
}

impl Preset {
    fn conventions(self) -> Conventions {
        let whitening = WhiteningConfig::default();
        match self {
            Self::Verl => Conventions {
                eps: 1e-6,
                singleton: Singleton::Raw,
                whitening,
            },
            Self::Trl => Conventions {
                eps: 1e-4,
                singleton: Singleton::Reject,
                whitening,
            },
            Self::OpenRlhf => Conventions {
                eps: 1e-9,
                singleton: Singleton::Reject,
                whitening: WhiteningConfig {
                    std: Std::Population,
                    guard: VarianceGuard::Clamp,
                    count_eps: 0.0,
                    ..whitening
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdvantageValues, Groups, RolloutBatch, TokenRewards};

    #[test]
    fn verl_is_the_default() {
        for name in [
            "raae",
            "grpo",
            "dr_grpo",
            "rloo",
            "opo",
            "gpg",
            "pass_k",
            "reinforce_pp",
            "reinforce_pp_baseline",
            "remax",
            "gae",
        ] {
            let config: EstimatorConfig = toml::from_str(&format!("estimator = '{name}'")).unwrap();
            assert_eq!(config.with_preset(Preset::Verl), config);
            let estimator = config.build().unwrap();
            assert_eq!(estimator.name(), name);
            assert_eq!(estimator.needs(), config.needs(), "{name}");
        }
    }

    #[derive(Debug, Deserialize)]
    struct Advantage {
        estimator: EstimatorConfig,
    }

    #[test]
    fn a_bare_name_stands_for_the_defaults() {
        let read = |text: &str| toml::from_str::<Advantage>(text).map(|read| read.estimator);
        let grpo = read("estimator = 'grpo'").unwrap();
        assert_eq!(grpo, EstimatorConfig::Grpo(GrpoConfig::default()));
        assert_eq!(read("[estimator]\nestimator = 'grpo'").unwrap(), grpo);
        let written = serde_json::to_value(grpo).unwrap();
        assert_eq!(written["estimator"], "grpo");
        assert_eq!(
            serde_json::from_value::<EstimatorConfig>(written).unwrap(),
            grpo
        );
        for (text, expected) in [
            (
                "estimator = 'ppo'",
                "estimator must be one of \"raae\", \"grpo\",",
            ),
            ("estimator = 'ppo'", "got \"ppo\""),
            (
                "estimator = 3",
                "invalid type: integer `3`, expected for estimator: one of \"raae\",",
            ),
            (
                "[estimator]\nestimator = 'ppo'",
                "unknown variant `ppo`, expected one of `raae`",
            ),
            ("[estimator]\neps = 1.0", "missing field `estimator`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_an_estimator_needs_is_known_from_its_settings() {
        let needs = |name: &str| {
            let config: EstimatorConfig = toml::from_str(&format!("estimator = '{name}'")).unwrap();
            config.needs()
        };
        assert_eq!(needs("raae"), Needs::TOKEN_REWARDS);
        assert_eq!(needs("reinforce_pp"), Needs::OUTCOMES);
        assert_eq!(
            (needs("remax").baselines, needs("remax").values),
            (true, false)
        );
        assert_eq!((needs("gae").baselines, needs("gae").values), (false, true));
    }

    /// Two answers of the same reward, of 3 and of 6 tokens, each token of which was given the reward.
    fn of_equal_outcomes(rewards: [f64; 2]) -> (Groups, TokenRewards) {
        let rows = [vec![rewards[0]; 3], vec![rewards[1]; 6]];
        (
            Groups::from_sizes(&[2]).unwrap(),
            TokenRewards::from_rows(rows),
        )
    }

    #[test]
    fn the_length_of_a_response_is_no_reward() {
        for rewards in [[1.0, 1.0], [0.1 + 0.2, 0.3]] {
            let (groups, token_rewards) = of_equal_outcomes(rewards);
            let values = TokenRewards::from_rows([vec![0.5; 3], vec![0.5; 6]]);
            for name in [
                "raae",
                "grpo",
                "dr_grpo",
                "rloo",
                "opo",
                "gpg",
                "pass_k",
                "reinforce_pp",
                "reinforce_pp_baseline",
                "remax",
                "gae",
            ] {
                for preset in [Preset::Verl, Preset::Trl, Preset::OpenRlhf] {
                    let config: EstimatorConfig =
                        toml::from_str(&format!("estimator = '{name}'")).unwrap();
                    let batch = RolloutBatch::new(&groups, &token_rewards).unwrap();
                    let batch = batch.with_outcomes(&rewards).unwrap();
                    let batch = batch
                        .with_baselines(&[0.3; 2])
                        .unwrap()
                        .with_values(&values)
                        .unwrap();
                    let estimated = config
                        .with_preset(preset)
                        .build()
                        .unwrap()
                        .estimate(&batch)
                        .unwrap();
                    let first = estimated.into_tokens(&batch);
                    let expected = if name == "remax" {
                        rewards[0] - 0.3
                    } else {
                        0.0
                    };
                    for &advantage in first.values() {
                        assert!(
                            name == "remax" && (advantage - expected).abs() < 1e-12
                                || advantage == 0.0,
                            "{name}: {advantage}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn rewards_that_differ_by_rounding_alone_get_0_at_every_eps() {
        let groups = Groups::from_sizes(&[3]).unwrap();
        // Sums of the same rewards in another order, and 0.6 in one piece.
        let token_rewards =
            TokenRewards::from_rows([vec![0.1, 0.2, 0.3], vec![0.3, 0.2, 0.1], vec![0.6]]);
        for eps in [0.0, 1e-300, 1e-9] {
            let spread = SpreadConfig {
                eps,
                ..Default::default()
            };
            let grpo = GrpoConfig {
                eps,
                ..Default::default()
            };
            let baseline = BaselineConfig::default();
            for config in [
                EstimatorConfig::Grpo(grpo),
                EstimatorConfig::PassK(spread),
                EstimatorConfig::DrGrpo(baseline),
                EstimatorConfig::Rloo(baseline),
                EstimatorConfig::Opo(baseline),
                EstimatorConfig::Gpg(baseline),
                EstimatorConfig::ReinforcePpBaseline(Default::default()),
            ] {
                let batch = RolloutBatch::new(&groups, &token_rewards).unwrap();
                let estimated = config.build().unwrap().estimate(&batch).unwrap();
                assert!(!estimated.has_signal(0), "{config:?}: {estimated:?}");
            }
            let token_rewards = TokenRewards::from_rows([vec![0.1 + 0.2], vec![0.3], vec![0.3]]);
            let batch = RolloutBatch::new(&groups, &token_rewards).unwrap();
            let estimated = Raae::new(spread).unwrap().estimate(&batch).unwrap();
            assert!(!estimated.has_signal(0), "{estimated:?}");
        }
    }

    /// The advantage of each response of one group.
    fn estimate(
        config: EstimatorConfig,
        preset: Preset,
        rewards: &[f64],
        lengths: &[usize],
    ) -> Vec<f64> {
        let estimator = config.with_preset(preset).build().unwrap();
        let groups = Groups::from_sizes(&[rewards.len()]).unwrap();
        let batch = RolloutBatch::from_outcomes(&groups, rewards, lengths).unwrap();
        match estimator.estimate(&batch).unwrap().values() {
            AdvantageValues::PerResponse(values) => values.clone(),
            AdvantageValues::PerToken(_) => panic!("one number per response expected"),
        }
    }

    #[test]
    fn openrlhf_whitens_by_the_population_and_clamps() {
        let baseline = || EstimatorConfig::ReinforcePpBaseline(Default::default());
        // Deviations -1 and 1 on 1 and 3 tokens: mean 0.5, squares 1.5^2 + 3 * 0.5^2 = 3, variance 3 / 4: -1.5 and 0.5
        // over sqrt(0.75) are -sqrt(3) and 1 / sqrt(3). verl's variance is 3 / 3.
        let openrlhf = estimate(baseline(), Preset::OpenRlhf, &[0.0, 2.0], &[1, 3]);
        approx::assert_abs_diff_eq!(
            openrlhf[..],
            [-3_f64.sqrt(), 3_f64.sqrt().recip()],
            epsilon = 1e-12
        );
        let verl = estimate(baseline(), Preset::Verl, &[0.0, 2.0], &[1, 3]);
        approx::assert_abs_diff_eq!(verl[..], [-1.5, 0.5], epsilon = 1e-7);
        // The variance 1e-10 is below 1e-8: divided by 1e-4. verl: 2e-10 + 1e-8, so by 1.00995e-4.
        let openrlhf = estimate(baseline(), Preset::OpenRlhf, &[0.0, 2e-5], &[1, 1]);
        approx::assert_abs_diff_eq!(openrlhf[..], [-0.1, 0.1], epsilon = 1e-12);
        let verl = estimate(baseline(), Preset::Verl, &[0.0, 2e-5], &[1, 1]);
        approx::assert_abs_diff_eq!(verl[..], [-0.0990148, 0.0990148], epsilon = 1e-7);
    }

    #[test]
    fn presets_divide_by_their_own_eps() {
        // Deviations -0.001, 0, 0.001 and unbiased std 0.001.
        let grpo = |preset| {
            let config = EstimatorConfig::Grpo(Default::default());
            estimate(config, preset, &[0.0, 0.001, 0.002], &[1, 1, 1])[2]
        };
        approx::assert_abs_diff_eq!(grpo(Preset::Verl), 0.001 / 0.001001, epsilon = 1e-12);
        approx::assert_abs_diff_eq!(grpo(Preset::Trl), 0.001 / 0.0011, epsilon = 1e-12);
        approx::assert_abs_diff_eq!(grpo(Preset::OpenRlhf), 0.001 / 0.001000001, epsilon = 1e-12);
        let rloo = EstimatorConfig::Rloo(Default::default());
        assert_eq!(
            estimate(rloo, Preset::OpenRlhf, &[0.0, 2.0], &[1, 3]),
            [-2.0, 2.0]
        );
    }

    #[test]
    fn unknown_settings_are_refused_at_every_depth() {
        for text in [
            "estimator = 'raae'\nsingleton = 'zero'",
            "estimator = 'remax'\neps = 1.0",
            "estimator = 'gae'\n[whitening]\nfloor = 1.0",
            "estimator = 'ppo'",
        ] {
            assert!(toml::from_str::<EstimatorConfig>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn settings_outside_their_range_are_named() {
        let config = EstimatorConfig::Gae(GaeConfig {
            lambda: 1.5,
            ..Default::default()
        });
        let error = config.build().unwrap_err();
        assert_eq!(error.to_string(), "lambda must be between 0 and 1, got 1.5");
        let config = EstimatorConfig::Raae(SpreadConfig {
            eps: -1.0,
            ..Default::default()
        });
        let error = config.build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "eps must be finite and at least 0, got -1"
        );
    }
}
