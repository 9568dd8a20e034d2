//! Greedy answers to held-out queries.

use std::collections::BTreeMap;

use rerec_datasets::Query;
use rerec_policy::{Prompt, SampleRequest, Sampling};
use rerec_rewards::Sample;

use super::{Step, Trainer};
use crate::{
    Accuracy, Evaluation, Phase,
    observer::{Event, Observer},
    table::accuracy_table,
};

impl Trainer<'_> {
    /// Evaluates on the test queries, once for each phase, and writes the table.
    pub(super) fn report(&mut self, phase: Phase, observer: &mut dyn Observer) -> Step<()> {
        if self.state.evaluations.iter().any(|e| e.phase == phase) {
            return Ok(());
        }
        let evaluation = self.evaluate(phase, &self.task.dataset.splits.test, observer)?;
        let _ = observer.event(&Event::Evaluated(&evaluation));
        self.state.evaluations.push(evaluation);
        let queries = &self.task.dataset.splits.test;
        let table = accuracy_table(&self.state.evaluations, queries);
        self.folder.write("accuracy.md", &table)?;
        Ok(())
    }

    /// Accuracy on validation queries, for the curves.
    pub(super) fn validate(&mut self, observer: &mut dyn Observer) -> Step<Evaluation> {
        let queries = &self.task.dataset.splits.validation;
        let asked = queries.len().min(self.config.evaluation.validation_queries);
        let evaluation = self.evaluate(Phase::Reinforcement, &queries[..asked], observer)?;
        let _ = observer.event(&Event::Evaluated(&evaluation));
        Ok(evaluation)
    }

    fn evaluate(
        &mut self,
        phase: Phase,
        queries: &[Query],
        observer: &mut dyn Observer,
    ) -> Step<Evaluation> {
        let requests: Vec<SampleRequest<'_>> = queries
            .iter()
            .map(|query| SampleRequest {
                query: &query.id,
                prompt: Prompt::Chat(&query.conversation),
                samples: 1,
            })
            .collect();
        let sampling = Sampling {
            seed: self.config.seed,
            purpose: "evaluation".to_owned(),
            ..Sampling::greedy(self.config.reinforcement.max_new_tokens)
        };
        let watch = &mut |progress| observer.event(&Event::Evaluating(phase, progress));
        let policy = &mut self.task.policy;
        let groups = policy.generate_with(&requests, &sampling, watch)?;
        let answers = || groups.iter().flat_map(|group| &group.responses);
        let samples: Vec<Sample<'_>> = answers()
            .zip(queries)
            .map(|(answer, query)| self.sample(query.id.as_str(), &answer.text))
            .collect();
        let rewards = self.task.reward.score(&samples);
        let mut evaluation = Evaluation {
            phase,
            step: self.state.steps,
            overall: Accuracy::default(),
            classes: BTreeMap::new(),
            without_answer: 0,
            mean_tokens: mean(answers().map(|r| r.token_ids.len() as f64)),
        };
        for (query, reward) in queries.iter().zip(rewards) {
            let reward = reward?;
            evaluation.overall.count(reward.hit);
            evaluation
                .classes
                .entry(query.class.clone())
                .or_default()
                .count(reward.hit);
            evaluation.without_answer += usize::from(reward.answer.is_none());
        }
        Ok(evaluation)
    }

    /// A response as the reward reads it.
    pub(super) fn sample<'s>(&'s self, query: &'s str, response: &'s str) -> Sample<'s> {
        let prepared = self.queries.get(query);
        Sample {
            query,
            response,
            targets: prepared.map_or(&[], |p| &p.targets),
            candidates: prepared.and_then(|p| p.candidates.as_deref()),
        }
    }
}

/// Mean of the values; 0 of none.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), x| (sum + x, count + 1));
    sum / count.max(1) as f64
}

/// Shares of right answers under the names of the classes, and `all`.
pub(super) fn by_class(evaluation: &Evaluation) -> BTreeMap<String, f64> {
    let classes = evaluation
        .classes
        .iter()
        .map(|(class, a)| (class.label().to_owned(), a.share()));
    classes
        .chain([("all".to_owned(), evaluation.overall.share())])
        .collect()
}
