//! From responses to everything that training takes from them.

use std::sync::Arc;

use rayon::prelude::*;
use rerec_advantage::{
    AdvantageEstimator, Credit, CreditAssigner, CreditConfig, EstimatorConfig, Explanation, Groups,
    Ragged, RolloutBatch,
};
use rerec_rewards::{Catalogue, ItemIndex, Reward, RewardBreakdown, Sample};
use serde::{Deserialize, Serialize};

use crate::assessment::{AssessedGroup, AssessedResponse, Assessment, Step};
use crate::crediter::Crediter;
use crate::error::{Error, Result};
use crate::metric::CurriculumMetric;

/// Settings of an [`Assessor`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssessorConfig {
    /// Segments, mentions and the step penalty.
    pub credit: CreditConfig,
    /// From rewards to advantages. Default: RAAE.
    pub estimator: EstimatorConfig,
    /// What the curriculum records. Default: the reward.
    pub curriculum_metric: CurriculumMetric,
}

impl AssessorConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting out of range; [`Error::NeedsCritic`] for GAE.
    pub fn validate(&self) -> Result<()> {
        // Built and dropped: the crates know the ranges of their settings.
        CreditAssigner::new(self.credit.clone())?;
        let estimator = self.estimator.build()?;
        match estimator.needs().values {
            true => Err(Error::NeedsCritic {
                estimator: estimator.name(),
            }),
            false => Ok(()),
        }
    }
}

/// The responses to one query, as a sampler gives them.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// Stable id of the query.
    pub query: &'a str,
    /// The right items.
    pub targets: &'a [ItemIndex],
    /// The items to choose from; without them the whole catalogue is meant.
    pub candidates: Option<&'a [ItemIndex]>,
    /// The sampled responses.
    pub responses: &'a [ResponseText<'a>],
    /// The greedy response, for estimators that [need a baseline](Assessor::needs_greedy_responses).
    pub greedy: Option<&'a str>,
}

/// A response and the bytes of its tokens.
#[derive(Debug, Clone, Copy)]
pub struct ResponseText<'a> {
    /// What the model wrote.
    pub text: &'a str,
    /// UTF-8 bytes of `text` that each sampled token holds, `[tokens]`; special tokens have 0.
    pub token_byte_lens: &'a [u32],
}

/// Reward, step credit, advantages and curriculum metric of groups of responses in one call.
///
/// It is a pure function of what it is given: no position is an identity, nothing is kept between calls, groups are worked on
/// in parallel.
///
/// ```
/// use std::sync::Arc;
/// use rerec::rewards::{Catalogue, DualGraphConfig, DualGraphReward, Item};
/// use rerec::{Assessor, AssessorConfig, Group, ResponseText};
///
/// let items = ["Heat (1995)", "Casino (1995)"].map(|title| Item::new(title, title));
/// let catalogue = Arc::new(Catalogue::new(items.into())?);
/// let reward = DualGraphReward::new(DualGraphConfig::paper(), catalogue.clone(), None, None)?;
/// let assessor = Assessor::new(AssessorConfig::default(), &catalogue, Arc::new(reward))?;
///
/// let targets = catalogue.indices_of(["Heat (1995)"])?;
/// let responses = [
///     ResponseText { text: "Heat.\n\\boxed{Heat}", token_byte_lens: &[6, 12] },
///     ResponseText { text: "Casino.\n\\boxed{Casino}", token_byte_lens: &[8, 14] },
/// ];
/// let group = Group { query: "q1", targets: &targets, candidates: None, responses: &responses, greedy: None };
/// let assessed = assessor.assess(&[group])?;
///
/// // 0.1 · 0.5 + 1 for the right answer; the step that argues for the wrong one keeps 0.7 of 0.05.
/// assert_eq!(assessed.token_rewards.row(0), Some([1.05, 1.05].as_slice()));
/// assert!((assessed.token_rewards.row(1).unwrap()[0] - 0.035).abs() < 1e-12);
/// assert!(assessed.groups[0].responses[1].steps[0].penalised);
/// assert!(assessed.advantages.row(0).unwrap()[0] > 0.0);
/// # Ok::<(), rerec::Error>(())
/// ```
pub struct Assessor {
    reward: Arc<dyn Reward>,
    crediter: Crediter,
    estimator: Box<dyn AdvantageEstimator>,
    metric: CurriculumMetric,
}

impl std::fmt::Debug for Assessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assessor")
            .field("estimator", &self.estimator)
            .field("metric", &self.metric)
            .finish_non_exhaustive()
    }
}

/// Token rewards and steps of a group's responses; an empty entry for a response without a reward.
type GroupCredit = Vec<(Vec<f64>, Vec<Step>)>;

impl Assessor {
    /// Puts the parts together. `reward` scores over `catalogue`.
    ///
    /// # Errors
    /// A setting out of range; [`Error::NeedsCritic`] for GAE.
    pub fn new(
        config: AssessorConfig,
        catalogue: &Catalogue,
        reward: Arc<dyn Reward>,
    ) -> Result<Self> {
        config.validate()?;
        let estimator = config.estimator.build()?;
        Ok(Self {
            reward,
            crediter: Crediter::new(config.credit, catalogue)?,
            estimator,
            metric: config.curriculum_metric,
        })
    }

    /// Whether the estimator compares with the greedy response to each query, as ReMax does.
    pub fn needs_greedy_responses(&self) -> bool {
        self.estimator.needs().baselines
    }

    /// Least and largest value of the curriculum metric.
    pub fn metric_range(&self) -> (f64, f64) {
        self.metric.range(self.reward.bounds())
    }

    /// The reward alone, for evaluations: one result per sample.
    pub fn reward(&self) -> &dyn Reward {
        &*self.reward
    }

    /// Scores the responses of all groups, credits their steps and estimates the advantage of each token.
    ///
    /// A response that cannot be scored is reported in its place and left out of everything else.
    ///
    /// # Errors
    /// Token lengths that do not add up to a response's bytes; an estimator's input that is missing; rewards that are not
    /// finite.
    pub fn assess(&self, groups: &[Group<'_>]) -> Result<Assessment> {
        let mut rewards = self.score(groups).into_iter();
        let baselines = self.baselines(groups)?;
        // All groups were scored as one batch, in order: each takes its own rewards back.
        let scored: Vec<Vec<rerec_rewards::Result<RewardBreakdown>>> = groups
            .iter()
            .map(|group| rewards.by_ref().take(group.responses.len()).collect())
            .collect();
        let credits = groups
            .par_iter()
            .zip(&scored)
            .map(|(group, rewards)| self.credit(group, rewards))
            .collect::<Result<Vec<GroupCredit>>>()?;
        let estimated = self.estimate(groups, &scored, &credits, &baselines)?;
        self.assemble(groups, scored, credits, baselines, estimated)
    }

    fn score(&self, groups: &[Group<'_>]) -> Vec<rerec_rewards::Result<RewardBreakdown>> {
        let samples = groups
            .iter()
            .flat_map(|group| group.responses.iter().map(|one| group.sample(one.text)));
        self.reward.score(&samples.collect::<Vec<_>>())
    }

    /// The reward of each group's greedy response, where the estimator needs it. One that cannot be scored is `None`: the fault
    /// lies in the query's data, and its other responses have none either.
    fn baselines(&self, groups: &[Group<'_>]) -> Result<Vec<Option<f64>>> {
        if !self.needs_greedy_responses() {
            return Ok(vec![None; groups.len()]);
        }
        let sample = |group: &Group<'_>| match group.greedy {
            Some(_) => Ok(()),
            None => Err(Error::NoGreedyResponse {
                estimator: self.estimator.name(),
                query: group.query.into(),
            }),
        };
        groups.iter().try_for_each(sample)?;
        let samples = groups
            .iter()
            // None is missing here: such a group was refused above.
            .map(|group| group.sample(group.greedy.unwrap_or_default()));
        let scored = self.reward.score(&samples.collect::<Vec<_>>());
        let total = |reward: rerec_rewards::Result<RewardBreakdown>| Some(reward.ok()?.total);
        Ok(scored.into_iter().map(total).collect())
    }

    fn credit(
        &self,
        group: &Group<'_>,
        rewards: &[rerec_rewards::Result<RewardBreakdown>],
    ) -> Result<GroupCredit> {
        let query = self.crediter.query(group.targets, group.candidates)?;
        let credit = |(place, (one, reward)): (usize, (&ResponseText<'_>, &_))| {
            let Ok(RewardBreakdown {
                answer, hit, total, ..
            }) = reward
            else {
                // An empty entry keeps the rows aligned with the responses.
                return Ok(Default::default());
            };
            let answer = answer.as_ref().map(|answer| (answer, *hit));
            let credited = query.credit(one, answer, *total, |credit| {
                Ok((steps(&credit)?, credit.token_rewards))
            });
            let (steps, tokens) =
                credited
                    .and_then(|credited| credited)
                    .map_err(|source| Error::Response {
                        query: group.query.into(),
                        response: place,
                        source,
                    })?;
            Ok((tokens, steps))
        };
        let responses = group.responses.iter().zip(rewards).enumerate();
        responses.map(credit).collect()
    }

    /// The advantage of each token of the responses that have a reward: one row each.
    fn estimate(
        &self,
        groups: &[Group<'_>],
        scored: &[Vec<rerec_rewards::Result<RewardBreakdown>>],
        credits: &[GroupCredit],
        baselines: &[Option<f64>],
    ) -> Result<Estimated> {
        let mut input = EstimatorInput::default();
        for (place, group) in groups.iter().enumerate() {
            let rewards = scored[place].iter().zip(&credits[place]);
            for (reward, (token_rewards, _)) in rewards {
                let Ok(reward) = reward else { continue };
                input.ids.push((place, group.query));
                input.outcomes.push(reward.total);
                input.token_rewards.push_row(token_rewards);
                input.baselines.extend(baselines[place]);
            }
        }
        input.estimate(&*self.estimator, groups.len())
    }

    fn assemble(
        &self,
        groups: &[Group<'_>],
        scored: Vec<Vec<rerec_rewards::Result<RewardBreakdown>>>,
        credits: Vec<GroupCredit>,
        baselines: Vec<Option<f64>>,
        estimated: Estimated,
    ) -> Result<Assessment> {
        let mut rows = estimated.advantages.rows();
        let (mut token_rewards, mut advantages) = (Ragged::default(), Ragged::default());
        let mut assessed = Vec::with_capacity(groups.len());
        for (place, (rewards, credit)) in scored.into_iter().zip(credits).enumerate() {
            let mut responses = Vec::with_capacity(rewards.len());
            for (reward, (tokens, mut steps)) in rewards.into_iter().zip(credit) {
                // The estimator saw only responses with a reward: the others take no row.
                let row = if reward.is_ok() { rows.next() } else { None };
                let row = row.unwrap_or_default();
                fill_in_advantages(&mut steps, row, &groups[place].responses[responses.len()]);
                token_rewards.push_row(&tokens);
                advantages.push_row(row);
                let metric = reward.as_ref().ok().map(|reward| self.metric.of(reward));
                responses.push(AssessedResponse {
                    metric: metric.transpose()?,
                    reward,
                    steps,
                });
            }
            assessed.push(AssessedGroup {
                query: groups[place].query.into(),
                responses,
                baseline: baselines[place],
                teaches: estimated.teaches[place],
            });
        }
        Ok(Assessment {
            groups: assessed,
            token_rewards,
            advantages,
        })
    }
}

impl<'a> Group<'a> {
    fn sample(&self, response: &'a str) -> Sample<'a> {
        Sample {
            query: self.query,
            response,
            targets: self.targets,
            candidates: self.candidates,
        }
    }
}

/// What the estimator is given: responses with a reward only.
#[derive(Default)]
struct EstimatorInput<'a> {
    /// Place and query of the group that each response belongs to. The place is part of it, so that a query that comes twice in
    /// a batch stays two groups.
    ids: Vec<(usize, &'a str)>,
    outcomes: Vec<f64>,
    token_rewards: Ragged<f64>,
    baselines: Vec<f64>,
}

/// Advantages of the responses with a reward, and whether each group has any other than 0.
struct Estimated {
    advantages: Ragged<f64>,
    teaches: Vec<bool>,
}

impl EstimatorInput<'_> {
    fn estimate(self, estimator: &dyn AdvantageEstimator, groups: usize) -> Result<Estimated> {
        let mut teaches = vec![false; groups];
        // Nothing could be scored. Each response says why, so that the estimator is not asked.
        if self.ids.is_empty() {
            let advantages = Ragged::default();
            return Ok(Estimated {
                advantages,
                teaches,
            });
        }
        let grouped = Groups::from_ids(&self.ids);
        let mut batch =
            // Both kinds of rewards: an estimator of outcomes would otherwise sum the token
            // rewards, each of which is the whole reward of its response, and so pay for length.
            RolloutBatch::new(&grouped, &self.token_rewards)?.with_outcomes(&self.outcomes)?;
        if estimator.needs().baselines {
            batch = batch.with_baselines(&self.baselines)?;
        }
        let estimated = estimator.estimate(&batch)?;
        for (index, members) in grouped.iter().enumerate() {
            if let Some(&first) = members.first() {
                teaches[self.ids[first].0] = estimated.has_signal(index);
            }
        }
        Ok(Estimated {
            advantages: estimated.into_tokens(&batch),
            teaches,
        })
    }
}

fn steps(credit: &Credit<'_>) -> rerec_advantage::Result<Vec<Step>> {
    let explained = Explanation::new(credit, None)?.steps;
    let step = |step: rerec_advantage::ExplainedStep| Step {
        tokens: credit.annotated.tokens.overlapping(&step.content),
        span: step.content,
        kind: step.kind,
        items: step.items,
        ratio: step.ratio,
        penalised: step.penalised,
        // Known once the whole batch has been estimated, and filled in then.
        advantage: 0.0,
    };
    Ok(explained.into_iter().map(step).collect())
}

/// The mean advantage of the tokens that hold bytes of each step; special tokens between them have none.
fn fill_in_advantages(steps: &mut [Step], advantages: &[f64], response: &ResponseText<'_>) {
    for step in steps {
        let tokens = step.tokens.clone();
        // The steps were made from these lengths, so that their tokens lie within both lists. A
        // response without a reward has no steps.
        let bytes = response.token_byte_lens[tokens.clone()].iter();
        let values = advantages[tokens].iter().zip(bytes);
        let held: Vec<f64> = values
            .filter(|(_, len)| **len > 0)
            .map(|(a, _)| *a)
            .collect();
        step.advantage = held.iter().sum::<f64>() / held.len().max(1) as f64;
    }
}
