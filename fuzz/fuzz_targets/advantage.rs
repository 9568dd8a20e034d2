//! Ragged buffers of any shape and any numbers through every estimator.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rerec_advantage::{
    Advantages, BaselineConfig, EstimatorConfig, GaeConfig, Groups, GrpoConfig, MaskedGap, Preset,
    Ragged, ReinforcePpBaselineConfig, ReinforcePpConfig, Result, RolloutBatch, Singleton,
    SpreadConfig, Std, TokenMask, TokenRewards,
};

#[derive(Arbitrary, Debug)]
struct Input {
    estimator: u8,
    std: u8,
    singleton: u8,
    preset: Option<u8>,
    eps: f64,
    gamma: f64,
    lambda: f64,
    groups: Vec<u8>,
    rewards: Vec<Vec<f64>>,
    outcomes: Option<Vec<f64>>,
    mask: Option<Vec<bool>>,
    values: Option<Vec<f64>>,
    baselines: Option<Vec<f64>>,
    /// Inputs of the shape that their rows happen to have.
    misshapen: bool,
}

impl Input {
    fn config(&self) -> EstimatorConfig {
        let std = [Std::Unbiased, Std::Population, Std::None][usize::from(self.std % 3)];
        let singleton =
            [Singleton::Raw, Singleton::Zero, Singleton::Reject][usize::from(self.singleton % 3)];
        let gap = [MaskedGap::Carry, MaskedGap::Reset][usize::from(self.singleton % 2)];
        let (eps, gamma, lambda) = (self.eps, self.gamma, self.lambda);
        let spread = SpreadConfig { std, eps, ..Default::default() };
        let baseline = BaselineConfig { singleton };
        let config = match self.estimator % 11 {
            0 => EstimatorConfig::Raae(spread),
            1 => EstimatorConfig::Grpo(GrpoConfig {
                std,
                eps,
                singleton,
                ..Default::default()
            }),
            2 => EstimatorConfig::DrGrpo(baseline),
            3 => EstimatorConfig::Rloo(baseline),
            4 => EstimatorConfig::Opo(baseline),
            5 => EstimatorConfig::Gpg(baseline),
            6 => EstimatorConfig::PassK(spread),
            7 => EstimatorConfig::ReinforcePp(ReinforcePpConfig {
                gamma,
                gap,
                ..Default::default()
            }),
            8 => EstimatorConfig::ReinforcePpBaseline(ReinforcePpBaselineConfig {
                singleton,
                ..Default::default()
            }),
            9 => EstimatorConfig::Remax {},
            _ => EstimatorConfig::Gae(GaeConfig {
                gamma,
                lambda,
                ..Default::default()
            }),
        };
        let presets = [Preset::Verl, Preset::Trl, Preset::OpenRlhf];
        match self.preset {
            Some(preset) => config.with_preset(presets[usize::from(preset % 3)]),
            None => config,
        }
    }

    /// Rows like those of the rewards, of `cells` again and again.
    fn like_rewards<T: Copy>(&self, cells: &[T]) -> Ragged<T> {
        let mut cells = cells.iter().copied().cycle();
        if self.misshapen {
            return Ragged::from_rows([cells.take(self.rewards.len()).collect::<Vec<T>>()]);
        }
        let row = |row: &Vec<f64>| cells.by_ref().take(row.len()).collect::<Vec<T>>();
        Ragged::from_rows(self.rewards.iter().map(row).collect::<Vec<_>>())
    }

    fn estimate(
        &self,
        groups: &Groups,
        mask: Option<&TokenMask>,
    ) -> Result<(Advantages, Ragged<f64>)> {
        let estimator = self.config().build()?;
        let rewards = TokenRewards::from_rows(&self.rewards);
        let lengths: Vec<usize> = self.rewards.iter().map(Vec::len).collect();
        let mut batch = match &self.outcomes {
            Some(outcomes) => RolloutBatch::from_outcomes(groups, outcomes, &lengths)?,
            None => RolloutBatch::from_tokens(groups, &rewards)?,
        };
        if let Some(mask) = mask {
            batch = batch.with_mask(mask)?;
        }
        let values = self
            .values
            .as_deref()
            .map(|values| self.like_rewards(values));
        if let Some(values) = &values {
            batch = batch.with_values(values)?;
        }
        if let Some(baselines) = &self.baselines {
            batch = batch.with_baselines(baselines)?;
        }
        let advantages = estimator.estimate(&batch)?;
        Ok((advantages.clone(), advantages.into_tokens(&batch)))
    }
}

fuzz_target!(|input: Input| {
    let ids = input
        .groups
        .iter()
        .cycle()
        .take(input.rewards.len())
        .map(|id| id % 4);
    let groups = Groups::from_ids(ids);
    let mask = input.mask.as_deref().map(|mask| input.like_rewards(mask));
    let Ok((advantages, tokens)) = input.estimate(&groups, mask.as_ref()) else {
        return;
    };
    assert!(
        tokens
            .values()
            .iter()
            .all(|advantage| advantage.is_finite()),
        "{advantages:?}"
    );
    if let Some(returns) = advantages.returns() {
        assert!(
            returns.values().iter().all(|value| value.is_finite()),
            "{advantages:?}"
        );
    }
    for (row, valid) in mask.iter().flat_map(|mask| tokens.rows().zip(mask.rows())) {
        assert!(
            row.iter()
                .zip(valid)
                .all(|(advantage, valid)| *valid || *advantage == 0.0)
        );
    }
    for (group, members) in groups.iter().enumerate() {
        let moves = |&response: &usize| {
            tokens
                .row(response)
                .unwrap_or_default()
                .iter()
                .any(|a| *a != 0.0)
        };
        assert!(advantages.has_signal(group) || !members.iter().any(moves));
    }
});
