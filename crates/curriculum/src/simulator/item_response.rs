//! A learner of item-response skills that improve with practice.

use serde::{Deserialize, Serialize};

use rustc_hash::FxHashMap;

use super::Learner;
use crate::draw::uniform;
use crate::{QueryId, QuerySpec};

/// Settings of an [`ItemResponseLearner`]. Gains are in logits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ItemResponseConfig {
    /// Number of skills; each query needs one. Default 5.
    pub skills: usize,
    /// Chance of a right guess. Default 0.05: one of 20 candidates.
    pub guess: f64,
    /// Mean hardness of a query, in logits above the untrained learner. Default 1.5.
    pub hardness: f64,
    /// Scale of the logistic distribution of hardness. Default 1.0.
    pub scale: f64,
    /// Rise of a skill by a batch all of its queries at full signal. Default 0.03.
    pub shared_gain: f64,
    /// Rise of a query's own familiarity by one round at full signal. Default 0.3.
    pub own_gain: f64,
    /// Share of its own familiarity that a query loses in each step without practice. Default 0.
    pub forgetting: f64,
}

impl Default for ItemResponseConfig {
    fn default() -> Self {
        Self {
            skills: 5,
            guess: 0.05,
            hardness: 1.5,
            scale: 1.0,
            shared_gain: 0.03,
            own_gain: 0.3,
            forgetting: 0.0,
        }
    }
}

/// Solves query `q` with chance `guess + (1 - guess) sigmoid(skill + familiarity_q - hardness_q)` (three-parameter logistic model).
///
/// What it learns from a group of rollouts is proportional to their standard deviation, as with group-normalised policy gradients:
/// nothing when all succeed or all fail. Rollouts of the same query, attempt and seed share their luck between schedules.
#[derive(Clone, Debug)]
pub struct ItemResponseLearner {
    config: ItemResponseConfig,
    seed: u64,
    ids: Vec<QueryId>,
    items: FxHashMap<QueryId, Item>,
    skills: Vec<f64>,
    steps: u64,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    skill: usize,
    hardness: f64,
    familiarity: f64,
    attempts: u64,
    last_step: u64,
}

impl ItemResponseLearner {
    /// An untrained learner of `queries` queries `"0"`, `"1"`, ...
    pub fn new(config: ItemResponseConfig, queries: usize, seed: u64) -> Self {
        let skills = config.skills.max(1);
        let item = |id: &QueryId| {
            // The quantile of the logistic distribution is infinite at 0.
            let u = uniform(seed, "hardness", 0, id).max(f64::EPSILON);
            Item {
                skill: (uniform(seed, "skill", 0, id) * skills as f64) as usize,
                hardness: config.hardness + config.scale * (u / (1.0 - u)).ln(),
                familiarity: 0.0,
                attempts: 0,
                last_step: 0,
            }
        };
        let ids: Vec<QueryId> = (0..queries)
            .map(|query| QueryId::from(query.to_string()))
            .collect();
        let items = ids.iter().map(|id| (id.clone(), item(id))).collect();
        Self {
            config,
            seed,
            ids,
            items,
            skills: vec![0.0; skills],
            steps: 0,
        }
    }

    /// Its queries, the skill as their class.
    pub fn queries(&self) -> Vec<QuerySpec> {
        let class = |id: &QueryId| {
            self.items
                .get(id)
                .map(|item| format!("skill {}", item.skill))
        };
        self.ids
            .iter()
            .map(|id| QuerySpec {
                class: class(id),
                ..id.clone().into()
            })
            .collect()
    }

    fn familiarity(&self, item: &Item) -> f64 {
        let idle = self.steps - item.last_step;
        item.familiarity * (1.0 - self.config.forgetting).powf(idle as f64)
    }

    fn chance(&self, item: &Item) -> f64 {
        let logit = self.skills[item.skill] + self.familiarity(item) - item.hardness;
        self.config.guess + (1.0 - self.config.guess) / (1.0 + (-logit).exp())
    }

    fn answers(&self, id: &QueryId, item: &Item, rollouts: usize) -> Vec<f64> {
        let chance = self.chance(item);
        let luck = |rollout: u64| uniform(self.seed, "rollout", item.attempts << 16 | rollout, id);
        (0..rollouts as u64)
            .map(|rollout| f64::from(luck(rollout) < chance))
            .collect()
    }
}

impl Learner for ItemResponseLearner {
    fn step(&mut self, batch: &[QueryId], rollouts: usize) -> Vec<Vec<f64>> {
        let mut gains = vec![0.0; self.skills.len()];
        let mut metrics = Vec::with_capacity(batch.len());
        for id in batch {
            let Some(&item) = self.items.get(id) else {
                metrics.push(vec![0.0; rollouts]);
                continue;
            };
            let answers = self.answers(id, &item, rollouts);
            let signal = signal(&answers);
            gains[item.skill] += self.config.shared_gain * signal / batch.len() as f64;
            let familiarity = self.familiarity(&item) + self.config.own_gain * signal;
            let practised = Item {
                familiarity,
                attempts: item.attempts + 1,
                last_step: self.steps,
                ..item
            };
            self.items.insert(id.clone(), practised);
            metrics.push(answers);
        }
        self.skills
            .iter_mut()
            .zip(gains)
            .for_each(|(skill, gain)| *skill += gain);
        self.steps += 1;
        metrics
    }

    fn accuracy(&self) -> f64 {
        // In data-set order, so that the sum is the same in every run.
        let chances = self
            .ids
            .iter()
            .filter_map(|id| self.items.get(id))
            .map(|item| self.chance(item));
        chances.sum::<f64>() / self.ids.len() as f64
    }
}

/// Twice the standard deviation: 1 for a group that half succeeds.
fn signal(answers: &[f64]) -> f64 {
    let mean = answers.iter().sum::<f64>() / answers.len().max(1) as f64;
    2.0 * (mean * (1.0 - mean)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn practice_helps_only_where_answers_differ() {
        assert_eq!(
            (signal(&[1.0; 5]), signal(&[0.0; 5]), signal(&[0.0, 1.0])),
            (0.0, 0.0, 1.0)
        );
        let config = ItemResponseConfig {
            hardness: 0.0,
            ..ItemResponseConfig::default()
        };
        let mut learner = ItemResponseLearner::new(config, 100, 3);
        let (ids, before) = (learner.ids.clone(), learner.accuracy());
        learner.step(&ids, 5);
        assert!(learner.accuracy() > before + 0.01);
    }

    #[test]
    fn familiarity_fades() {
        let config = ItemResponseConfig {
            hardness: 0.0,
            forgetting: 0.1,
            ..ItemResponseConfig::default()
        };
        let mut learner = ItemResponseLearner::new(config, 100, 3);
        let ids = learner.ids.clone();
        learner.step(&ids, 5);
        let fresh = learner.accuracy();
        (0..50).for_each(|_| drop(learner.step(&[], 5)));
        assert!(learner.accuracy() < fresh);
    }
}
