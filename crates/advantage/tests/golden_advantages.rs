//! Every estimator against values computed from verl's own functions and, for RAAE, from the
//! paper's formula; `tests/data/advantage.json` says how (its even-numbered batches).
#![allow(clippy::unwrap_used)]

use rerec_advantage::{
    AdvantageEstimator, EstimatorConfig, Gae, GaeConfig, Groups, MaskedGap, Raae, Ragged,
    ReinforcePp, ReinforcePpConfig, RolloutBatch, SpreadConfig, Std, TokenMask, TokenRewards,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Golden {
    batches: Vec<Batch>,
}

#[derive(Deserialize)]
struct Batch {
    id: u64,
    tags: Vec<String>,
    uid: Vec<String>,
    mask: Vec<Vec<u8>>,
    token_rewards: Vec<Vec<f64>>,
    outcome: Vec<f64>,
    last: Vec<Option<usize>>,
    gamma: f64,
    lam: f64,
    values: Option<Vec<Vec<f64>>>,
    reward_baselines: Vec<f64>,
    expect: std::collections::BTreeMap<String, Value>,
}

impl Batch {
    fn mask(&self) -> TokenMask {
        TokenMask::from_rows(
            self.mask
                .iter()
                .map(|row| row.iter().map(|&m| m == 1).collect::<Vec<_>>()),
        )
    }

    fn token_rewards(&self) -> TokenRewards {
        TokenRewards::from_rows(&self.token_rewards)
    }

    /// The reward of each response at its last valid token.
    fn outcomes_at_last(&self) -> TokenRewards {
        TokenRewards::from_rows(self.mask.iter().enumerate().map(|(i, row)| {
            let mut rewards = vec![0.0; row.len()];
            if let Some(last) = self.last[i] {
                rewards[last] = self.outcome[i];
            }
            rewards
        }))
    }

    /// The settings of the estimator that `name` names, and whether it sees token rewards.
    fn estimator(&self, name: &str) -> (Box<dyn AdvantageEstimator>, bool) {
        let raae = |std| {
            Box::new(
                Raae::new(SpreadConfig {
                    std,
                    ..Default::default()
                })
                .unwrap(),
            )
        };
        let reinforce_pp = |gap| {
            let config = ReinforcePpConfig {
                gamma: self.gamma,
                gap,
                ..Default::default()
            };
            Box::new(ReinforcePp::new(config).unwrap())
        };
        match name {
            "raae" => (raae(Std::Unbiased), true),
            "raae_population_std" => (raae(Std::Population), true),
            "raae_centered" => (raae(Std::None), true),
            "reinforce_pp" => (reinforce_pp(MaskedGap::Carry), false),
            "reinforce_pp_era" => (reinforce_pp(MaskedGap::Reset), false),
            "reinforce_pp_on_token_rewards" => (reinforce_pp(MaskedGap::Carry), true),
            "gae" | "gae_returns" => {
                let config = GaeConfig {
                    gamma: self.gamma,
                    lambda: self.lam,
                    ..Default::default()
                };
                (Box::new(Gae::new(config).unwrap()), false)
            }
            _ => {
                let name = name.replace("grpo_passk", "pass_k");
                let config: EstimatorConfig =
                    toml::from_str(&format!("estimator = '{name}'")).unwrap();
                (config.build().unwrap(), false)
            }
        }
    }

    /// How far the reference is off where it is not its own formula in f64.
    fn known_artefact(&self, name: &str) -> Option<f64> {
        let tagged = |tag| self.tags.iter().any(|t| t == tag);
        match name {
            // The std 1 of a group of one is an f32 there, and 1 + 1e-6 in f32 is 1 + 9.54e-7.
            "grpo" if tagged("single_response_group") || tagged("single_token_group") => Some(3e-8),
            // The masked mean of equal returns misses them by 1e-8 / count; here that is exactly 0.
            "reinforce_pp" if tagged("constant") => Some(7e-7),
            _ => None,
        }
    }

    fn expected(&self, name: &str, mask: &TokenMask) -> Ragged<f64> {
        let rows = self.expect[name].as_array().unwrap().iter();
        Ragged::from_rows(rows.zip(mask.rows()).map(|(row, mask)| match row {
            Value::Array(row) => row.iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>(),
            number => {
                let number = number.as_f64().unwrap();
                mask.iter()
                    .map(|&valid| if valid { number } else { 0.0 })
                    .collect()
            }
        }))
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("data/advantage.json")).unwrap()
}

#[test]
fn every_estimator_agrees_to_1e_9() {
    let mut checked = 0;
    for batch in golden().batches {
        let (mask, groups) = (batch.mask(), Groups::from_ids(&batch.uid));
        let values = batch.values.as_ref().map(Ragged::from_rows);
        for name in batch.expect.keys() {
            let (estimator, token_level) = batch.estimator(name);
            let rewards = if token_level {
                batch.token_rewards()
            } else {
                batch.outcomes_at_last()
            };
            let mut input = RolloutBatch::new(&groups, &rewards).unwrap();
            input = input.with_mask(&mask).unwrap();
            input = input.with_baselines(&batch.reward_baselines).unwrap();
            if let Some(values) = &values {
                input = input.with_values(values).unwrap();
            }
            let result = estimator.estimate(&input).unwrap();
            let got = match name.as_str() {
                "gae_returns" => result.returns().unwrap().clone(),
                _ => result.into_tokens(&input),
            };
            let expected = batch.expected(name, &mask);
            assert_eq!(got.offsets(), expected.offsets());
            let artefact = batch.known_artefact(name);
            for (got, expected) in got.values().iter().zip(expected.values()) {
                let tolerance = artefact.unwrap_or(1e-9 * expected.abs().max(1.0));
                assert!(
                    (got - expected).abs() <= tolerance,
                    "batch {} {name}: got {got}, expected {expected}",
                    batch.id
                );
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 328);
}
