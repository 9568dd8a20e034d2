//! From responses to everything that training takes from them.

use std::sync::Arc;

use rayon::prelude::*;
use rerec_advantage::{
    AdvantageEstimator, Credit, CreditAssigner, CreditConfig, EstimatorConfig, Explanation, Ragged,
};
use rerec_rewards::{Catalogue, ItemIndex, Reward, RewardBreakdown, RewardPart, Sample};
use serde::{Deserialize, Serialize};

use crate::assessment::{AssessedGroup, AssessedResponse, Assessment, Step};
use crate::crediter::Crediter;
use crate::error::{Error, Result};
use crate::estimate::{Estimated, EstimatorInput};
use crate::length::{LengthPenalty, LengthTerms, OverlongPenalty};
use crate::metric::CurriculumMetric;
use crate::parts::{PartNormaliser, RewardParts};
use crate::penalty::{AdvantagePenalty, PenaltyIn};

/// Settings of an [`Assessor`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssessorConfig {
    /// Segments, mentions and the step penalty.
    pub credit: CreditConfig,
    /// Where the step penalty and other rules act. Default: in the reward (the paper's).
    pub penalty: PenaltyIn,
    /// How the parts of the reward become one number. Default: summed (the paper's).
    pub parts: RewardParts,
    /// The soft penalty of overlong responses. Default: none.
    pub overlong: Option<OverlongPenalty>,
    /// The penalty of right responses that are longer than others. Default: none.
    pub length: Option<LengthPenalty>,
    /// From rewards to advantages. Default: RAAE.
    pub estimator: EstimatorConfig,
    /// What the curriculum records. Default: the reward.
    pub curriculum_metric: CurriculumMetric,
}

impl AssessorConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting out of range; [`Error::NeedsCritic`] for GAE; [`Error::GreedyIsApart`] for ReMax beside normalised parts or
    /// length penalties.
    pub fn validate(&self) -> Result<()> {
        // Built and dropped: the crates know the ranges of their settings.
        CreditAssigner::new(self.credit.clone())?;
        self.penalty.validate()?;
        self.length_terms().validate()?;
        let parts = self.parts.normaliser()?.map(|_| "parts");
        let built = self.estimator.build()?;
        let (needs, estimator) = (built.needs(), built.name());
        match parts.or(self.length_terms().name()) {
            _ if needs.values => Err(Error::NeedsCritic { estimator }),
            Some(setting) if needs.baselines => Err(Error::GreedyIsApart { estimator, setting }),
            _ => Ok(()),
        }
    }

    fn length_terms(&self) -> LengthTerms {
        LengthTerms {
            overlong: self.overlong,
            length: self.length,
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
    length: LengthTerms,
    /// Where the parts of the reward are normalised one by one.
    parts: Option<PartNormaliser>,
    /// Where the rules act on advantages instead of rewards.
    penalty: Option<AdvantagePenalty>,
}

impl std::fmt::Debug for Assessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assessor")
            .field("estimator", &self.estimator)
            .field("metric", &self.metric)
            .finish_non_exhaustive()
    }
}

/// What a response's steps earned; empty for a response without a reward.
#[derive(Default)]
struct ResponseCredit {
    token_rewards: Vec<f64>,
    /// What each token keeps of its reward; empty where that is in `token_rewards` already.
    ratios: Vec<f64>,
    steps: Vec<Step>,
}

/// One per response.
type GroupCredit = Vec<ResponseCredit>;

impl Assessor {
    /// Puts the parts together. `reward` scores over `catalogue`.
    ///
    /// # Errors
    /// As [`AssessorConfig::validate`].
    pub fn new(
        config: AssessorConfig,
        catalogue: &Catalogue,
        reward: Arc<dyn Reward>,
    ) -> Result<Self> {
        config.validate()?;
        let estimator = config.estimator.build()?;
        Ok(Self {
            reward,
            estimator,
            length: config.length_terms(),
            parts: config.parts.normaliser()?,
            penalty: config.penalty.in_advantage(),
            crediter: Crediter::new(config.credit, catalogue)?,
            metric: config.curriculum_metric,
        })
    }

    /// Whether the estimator compares with the greedy response to each query, as ReMax does.
    pub fn needs_greedy_responses(&self) -> bool {
        self.estimator.needs().baselines
    }

    /// Least and largest value of the curriculum metric.
    pub fn metric_range(&self) -> (f64, f64) {
        let (lowest, highest) = self.reward.bounds();
        self.metric.range((lowest - self.length.depth(), highest))
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
            .map(|group| {
                let mut own: Vec<_> = rewards.by_ref().take(group.responses.len()).collect();
                let tokens = group.responses.iter().map(|one| one.token_byte_lens.len());
                self.length.add(&mut own, tokens);
                own
            })
            .collect();
        let outcomes = self.outcomes(&scored)?;
        let credits = groups
            .par_iter()
            .zip(&scored)
            .zip(&outcomes)
            .map(|((group, rewards), outcomes)| self.credit(group, rewards, outcomes))
            .collect::<Result<Vec<GroupCredit>>>()?;
        let estimated = self.estimate(groups, &scored, &outcomes, &credits, &baselines)?;
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

    /// What estimators compare of each response: its reward, or the sum of its normalised parts; 0 in the place of one that could not
    /// be scored.
    fn outcomes(
        &self,
        scored: &[Vec<rerec_rewards::Result<RewardBreakdown>>],
    ) -> Result<Vec<Vec<f64>>> {
        let Some(normaliser) = &self.parts else {
            let total = |reward: &rerec_rewards::Result<RewardBreakdown>| {
                reward.as_ref().map_or(0.0, |reward| reward.total)
            };
            let group = |rewards: &Vec<_>| rewards.iter().map(total).collect();
            return Ok(scored.iter().map(group).collect());
        };
        let numbered = scored.iter().enumerate();
        let placed = numbered.flat_map(|(place, group)| group.iter().map(move |one| (place, one)));
        let (places, parts): (Vec<usize>, Vec<_>) = placed
            .map(|(place, one)| (place, self.parts_of(one)))
            .unzip();
        let mut sums = normaliser.sums(&places, &parts)?.into_iter();
        let group = |rewards: &Vec<_>| sums.by_ref().take(rewards.len()).collect();
        Ok(scored.iter().map(group).collect())
    }

    /// The parts of a reward; a response that could not be scored has none, and is not compared in any.
    fn parts_of(&self, reward: &rerec_rewards::Result<RewardBreakdown>) -> Vec<RewardPart> {
        let Ok(reward) = reward else {
            return Vec::new();
        };
        let mut parts = self.reward.parts(reward);
        parts.extend(self.length.parts(reward));
        parts
    }

    fn credit(
        &self,
        group: &Group<'_>,
        rewards: &[rerec_rewards::Result<RewardBreakdown>],
        outcomes: &[f64],
    ) -> Result<GroupCredit> {
        let query = self.crediter.query(group.targets, group.candidates)?;
        let credit =
            |(place, ((one, reward), &outcome)): (usize, ((&ResponseText<'_>, &_), &f64))| {
                let Ok(RewardBreakdown { answer, hit, .. }) = reward else {
                    // An empty entry keeps the rows aligned with the responses.
                    return Ok(Default::default());
                };
                let answer = answer.as_ref().map(|answer| (answer, *hit));
                // Of a reward of 1 each token keeps its ratio itself.
                let whole = if self.penalty.is_some() { 1.0 } else { outcome };
                let credited = query.credit(one, answer, whole, |credit| {
                    Ok((steps(&credit)?, credit.token_rewards))
                });
                let (steps, kept) =
                    credited
                        .and_then(|credited| credited)
                        .map_err(|source| Error::Response {
                            query: group.query.into(),
                            response: place,
                            source,
                        })?;
                Ok(match self.penalty {
                    Some(_) => ResponseCredit {
                        token_rewards: vec![outcome; kept.len()],
                        ratios: kept,
                        steps,
                    },
                    None => ResponseCredit {
                        token_rewards: kept,
                        ratios: Vec::new(),
                        steps,
                    },
                })
            };
        let responses = group.responses.iter().zip(rewards).zip(outcomes);
        responses.enumerate().map(credit).collect()
    }

    /// The advantage of each token of the responses that have a reward: one row each.
    fn estimate(
        &self,
        groups: &[Group<'_>],
        scored: &[Vec<rerec_rewards::Result<RewardBreakdown>>],
        outcomes: &[Vec<f64>],
        credits: &[GroupCredit],
        baselines: &[Option<f64>],
    ) -> Result<Estimated> {
        let mut input = EstimatorInput::default();
        for (place, group) in groups.iter().enumerate() {
            let rewards = scored[place].iter().zip(&outcomes[place]);
            for ((reward, &outcome), credit) in rewards.zip(&credits[place]) {
                let Ok(reward) = reward else { continue };
                input.ids.push((place, group.query));
                input.outcomes.push(outcome);
                input.hits.push(reward.hit);
                input.token_rewards.push_row(&credit.token_rewards);
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
            let beside_hit = rewards.iter().flatten().any(|reward| reward.hit);
            let mut teaches = estimated.teaches[place];
            for (reward, credit) in rewards.into_iter().zip(credit) {
                // The estimator saw only responses with a reward: the others take no row.
                let row = if reward.is_ok() { rows.next() } else { None };
                let mut row = row.unwrap_or_default().to_vec();
                if let Some(penalty) = self.penalty {
                    penalty.apply(&mut row, &credit.ratios, beside_hit);
                    teaches |= row.iter().any(|&advantage| advantage != 0.0);
                }
                let mut steps = credit.steps;
                fill_in_advantages(&mut steps, &row, &groups[place].responses[responses.len()]);
                token_rewards.push_row(&credit.token_rewards);
                advantages.push_row(&row);
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
                teaches,
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
