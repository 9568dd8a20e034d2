//! From rollouts and rewards to token advantages.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rerec_advantage::{
    AdvantageEstimator, Annotated, Answer, CreditAssigner, Groups, ItemNames, Lexicon, Ragged,
    Rollout as CreditRollout, RolloutBatch, SegmentKind, StepCredit,
};
use rerec_policy::{Response, RolloutGroup};
use rerec_rewards::{Catalogue, ItemIndex, RewardBreakdown};

use crate::{AdvantageConfig, Result, SegmentRecord};

/// A response with the query it answers.
#[derive(Debug, Clone)]
pub(crate) struct Rollout {
    pub(crate) query: String,
    pub(crate) response: Response,
}

impl Rollout {
    /// The responses of all groups.
    pub(crate) fn of(groups: &[RolloutGroup]) -> Vec<Self> {
        let of_group = |group: &RolloutGroup| {
            let responses = group.responses.clone().into_iter();
            let query = group.query.as_str().to_owned();
            responses.map(move |response| Self {
                query: query.clone(),
                response,
            })
        };
        groups.iter().flat_map(of_group).collect()
    }
}

/// A rollout that has a reward.
#[derive(Debug, Clone)]
pub(crate) struct Scored<'a> {
    pub(crate) rollout: &'a Rollout,
    pub(crate) reward: &'a RewardBreakdown,
    pub(crate) targets: Arc<[ItemIndex]>,
    pub(crate) candidates: Arc<[ItemIndex]>,
}

/// What reinforcement takes from a batch of scored rollouts, in their order.
#[derive(Debug)]
pub(crate) struct Credited {
    /// Advantage of each token.
    pub(crate) advantages: Ragged<f64>,
    /// Segments of each response.
    pub(crate) segments: Vec<Vec<SegmentRecord>>,
    /// Whether each query's group teaches anything.
    pub(crate) signal: BTreeMap<String, bool>,
}

/// Gives each token its reward, then its advantage.
#[derive(Debug)]
pub(crate) struct Crediter {
    assigner: CreditAssigner,
    estimator: Box<dyn AdvantageEstimator>,
    /// Names by which responses may speak of each item of the catalogue.
    names: Vec<ItemNames>,
}

impl Crediter {
    pub(crate) fn new(config: &AdvantageConfig, catalogue: &Catalogue) -> Result<Self> {
        let names = catalogue.items().iter().map(|item| {
            let mut names = ItemNames::from_title(&item.title);
            names.aliases.extend(item.aliases.iter().cloned());
            names
        });
        Ok(Self {
            assigner: CreditAssigner::new(config.credit.clone())?,
            estimator: config.estimator.build()?,
            names: names.collect(),
        })
    }

    pub(crate) fn credit(&self, scored: &[Scored<'_>]) -> Result<Credited> {
        let mut token_rewards = Ragged::<f64>::default();
        let mut segments = Vec::with_capacity(scored.len());
        for group in scored.chunk_by(|a, b| a.rollout.query == b.rollout.query) {
            let lexicon = self.lexicon(&group[0])?;
            for one in group {
                let (rewards, steps) = self.assign(one, &lexicon)?;
                token_rewards.push_row(&rewards);
                segments.push(steps);
            }
        }
        let ids: Vec<&str> = scored
            .iter()
            .map(|one| one.rollout.query.as_str())
            .collect();
        let groups = Groups::from_ids(&ids);
        let batch = RolloutBatch::from_tokens(&groups, &token_rewards)?;
        let estimated = self.estimator.estimate(&batch)?;
        let signal = groups
            .iter()
            .enumerate()
            .filter_map(|(g, members)| {
                Some((ids[*members.first()?].to_owned(), estimated.has_signal(g)))
            })
            .collect();
        let advantages = estimated.into_tokens(&batch);
        for ((one, steps), row) in scored.iter().zip(&mut segments).zip(advantages.rows()) {
            fill_in_advantages(steps, &one.rollout.response.token_byte_lens, row);
        }
        Ok(Credited {
            advantages,
            segments,
            signal,
        })
    }

    /// The items that responses to a query may speak of: its candidates and targets. A name that stands within another's is
    /// told from it only where both are known.
    fn lexicon(&self, one: &Scored<'_>) -> Result<Lexicon> {
        let mut seen = BTreeSet::new();
        let items = one.candidates.iter().chain(one.targets.iter());
        let names = items
            .filter_map(|item| self.names.get(item.position()))
            .filter(|names| seen.insert(names.name.as_str()));
        Ok(self.assigner.lexicon(names.cloned())?)
    }

    fn assign(
        &self,
        one: &Scored<'_>,
        lexicon: &Lexicon,
    ) -> Result<(Vec<f64>, Vec<SegmentRecord>)> {
        let targets: Vec<&str> = one.targets.iter().map(|&i| self.name(i)).collect();
        let answer = one.reward.answer.as_ref();
        // An item that the catalogue does not have goes by what the response called it.
        let items: Vec<&str> = answer
            .iter()
            .flat_map(|a| &a.items)
            .map(|item| item.index.map_or(item.text.as_str(), |i| self.name(i)))
            .filter(|name| !name.trim().is_empty())
            .collect();
        let rollout = CreditRollout {
            response: &one.rollout.response.text,
            token_byte_lens: &one.rollout.response.token_byte_lens,
            answer: answer.map(|a| Answer {
                span: a.span.clone(),
                items: &items,
                is_right: one.reward.hit,
            }),
            targets: &targets,
            reward: one.reward.total,
        };
        let credit = self.assigner.assign(&rollout, lexicon)?;
        Ok((
            credit.token_rewards,
            segment_records(&credit.annotated, &credit.steps),
        ))
    }

    fn name(&self, item: ItemIndex) -> &str {
        self.names
            .get(item.position())
            .map_or("", |names| names.name.as_str())
    }
}

fn segment_records(annotated: &Annotated<'_>, steps: &[StepCredit]) -> Vec<SegmentRecord> {
    let record = |(segment, step): (&rerec_advantage::Segment, &StepCredit)| SegmentRecord {
        span: segment.span.clone(),
        answer: segment.kind == SegmentKind::Answer,
        penalised: step.penalised,
        ratio: step.ratio,
        advantage: None,
    };
    annotated.segments.iter().zip(steps).map(record).collect()
}

/// Mean advantage of the tokens that begin in each segment.
fn fill_in_advantages(segments: &mut [SegmentRecord], token_byte_lens: &[u32], advantages: &[f64]) {
    let mut sums = vec![(0.0, 0usize); segments.len()];
    let mut start = 0usize;
    for (&len, &advantage) in token_byte_lens.iter().zip(advantages) {
        let at = segments.partition_point(|s| s.span.end <= start);
        if let Some((sum, count)) = sums.get_mut(at).filter(|_| len > 0) {
            *sum += advantage;
            *count += 1;
        }
        start += len as usize;
    }
    for (segment, (sum, count)) in segments.iter_mut().zip(sums) {
        segment.advantage = (count > 0).then(|| sum / count as f64);
    }
}

#[cfg(test)]
mod tests {
    use rerec_policy::Finish;
    use rerec_rewards::{DualGraphConfig, DualGraphReward, Item, Reward, Sample};

    use super::*;

    /// The wrong answer is "Toy Story"; a step about "Toy Story 2" is not about it, one that uses its other name is.
    #[test]
    fn names_within_names_and_aliases_are_told_apart() {
        let titles = ["Toy Story (1995)", "Toy Story 2 (1999)", "Jumanji (1995)"];
        let mut items: Vec<Item> = titles.iter().map(|t| Item::new(*t, *t)).collect();
        items[0].aliases.push("Woody's World".to_owned());
        let catalogue = Arc::new(Catalogue::new(items).unwrap());
        let all: Arc<[ItemIndex]> = titles
            .iter()
            .map(|&t| catalogue.index_of(t).unwrap())
            .collect();
        let text = "Toy Story 2 is a sequel.\n\nToy Story is not.\n\nWoody's World fits.\n\n\\boxed{Toy Story (1995)}";
        let response = Response {
            sample: 0,
            token_ids: vec![1; text.len()],
            token_byte_lens: vec![1; text.len()],
            log_probs: vec![0.0; text.len()],
            text: text.to_owned(),
            finish: Finish::Stop,
        };
        let rollout = Rollout {
            query: "q".to_owned(),
            response,
        };
        let reward = DualGraphReward::new(DualGraphConfig::paper(), catalogue.clone(), None, None);
        let sample = Sample {
            query: "q",
            response: text,
            targets: &all[2..],
            candidates: Some(&all),
        };
        let breakdown = reward.unwrap().score(&[sample]).remove(0).unwrap();
        let scored = Scored {
            rollout: &rollout,
            reward: &breakdown,
            targets: all[2..].into(),
            candidates: all.clone(),
        };
        let crediter = Crediter::new(&AdvantageConfig::default(), &catalogue).unwrap();
        let credited = crediter.credit(&[scored]).unwrap();
        let penalised: Vec<bool> = credited.segments[0]
            .iter()
            .filter(|s| !s.answer)
            .map(|s| s.penalised)
            .collect();
        assert_eq!(penalised, [false, true, true]);
    }
}
