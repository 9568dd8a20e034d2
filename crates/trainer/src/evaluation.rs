//! How well held-out queries are answered.

use std::collections::{BTreeMap, BTreeSet};

use rerec_datasets::QueryClass;
use rerec_rewards::Flag;
use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

use crate::answers::{AnswerRecord, JudgedAnswer};

/// When an evaluation was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// On test queries, before any training.
    Untrained,
    /// On test queries, after the supervised warm start.
    WarmStart,
    /// On validation queries, while reinforcement goes on.
    Reinforcement,
    /// On test queries, after reinforcement.
    Final,
}

impl Phase {
    /// As it stands above a table's column.
    pub fn label(self) -> &'static str {
        match self {
            Self::Untrained => "untrained",
            Self::WarmStart => "warm start",
            Self::Reinforcement => "reinforcement",
            Self::Final => "reinforced",
        }
    }
}

/// How answers to a set of queries score: one class, or all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Queries answered rightly; the hit rate at the reward's cut-off is [`share`](Self::share).
    pub right: usize,
    /// Queries asked that could be scored.
    pub asked: usize,
    /// Queries that a guess among the candidates would get right, on average.
    pub by_chance: f64,
    /// Mean NDCG at the reward's cut-off, in [0, 1]; 0 for a response without an answer.
    #[serde(default)]
    pub ndcg: f64,
    /// Mean of 1 / rank of the first target in the answer, in [0, 1]; 0 where it lists none.
    #[serde(default)]
    pub mrr: f64,
}

impl Scores {
    /// Share of right answers, in [0, 1]; 0 where nothing was asked.
    pub fn share(self) -> f64 {
        self.right as f64 / self.asked.max(1) as f64
    }

    /// Share of right answers of a guess among the candidates, in [0, 1]; 0 where nothing was asked.
    pub fn guess(self) -> f64 {
        self.by_chance / self.asked.max(1) as f64
    }

    /// All queries that could be scored, and each class of them.
    pub(crate) fn with_classes(records: &[AnswerRecord]) -> (Self, BTreeMap<QueryClass, Self>) {
        let scored = || records.iter().filter(|record| !record.answers.is_empty());
        let classes: BTreeSet<&QueryClass> = scored().map(|record| &record.class).collect();
        let of_class = |class: &QueryClass| {
            let scores = Self::of(scored().filter(|record| record.class == *class));
            (class.clone(), scores)
        };
        let by_class = classes.into_iter().map(of_class).collect();
        (Self::of(scored()), by_class)
    }

    /// Over the first answer to each query.
    fn of<'a>(records: impl Iterator<Item = &'a AnswerRecord>) -> Self {
        let mut scores = Self::default();
        for record in records {
            let Some(answer) = record.answers.first() else {
                continue;
            };
            scores.asked += 1;
            scores.right += usize::from(answer.right);
            scores.by_chance += record.guess();
            scores.ndcg += answer.ndcg;
            scores.mrr += answer.reciprocal_rank(&record.targets);
        }
        let asked = scores.asked.max(1) as f64;
        scores.ndcg /= asked;
        scores.mrr /= asked;
        scores
    }
}

/// The outcome of asking queries: a line of `evaluations.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// When.
    pub phase: Phase,
    /// Steps of reinforcement before it.
    pub step: u64,
    /// All queries together.
    pub overall: Scores,
    /// Each class.
    pub classes: BTreeMap<QueryClass, Scores>,
    /// Queries without candidates: they choose from the whole catalogue.
    pub open: usize,
    /// Queries that could not be scored because of a fault in their data. They are in no other number.
    pub unscored: usize,
    /// Responses without an answer.
    pub without_answer: usize,
    /// Responses that name an item which is not among the candidates.
    #[serde(default)]
    pub outside_candidates: usize,
    /// Responses cut off by the token limit.
    #[serde(default)]
    pub truncated: usize,
    /// Mean length of the responses, in tokens.
    pub mean_tokens: f64,
    /// By class, whether each query that could be scored was answered rightly: what runs are compared by, query for query.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<QueryClass, BTreeMap<QueryId, bool>>,
}

impl Evaluation {
    /// Counts what was answered; of several answers to a query the first.
    pub(crate) fn of(phase: Phase, step: u64, records: &[AnswerRecord]) -> Self {
        let scored = || records.iter().filter(|record| !record.answers.is_empty());
        let answers = || scored().filter_map(|record| record.answers.first());
        let count =
            |is: &dyn Fn(&JudgedAnswer) -> bool| answers().filter(|answer| is(answer)).count();
        let (overall, classes) = Scores::with_classes(records);
        let tokens = answers().filter_map(|answer| answer.response.as_ref());
        Self {
            phase,
            step,
            overall,
            classes,
            open: scored().filter(|record| record.open).count(),
            unscored: records
                .iter()
                .filter(|record| record.answers.is_empty())
                .count(),
            without_answer: count(&JudgedAnswer::is_missing),
            outside_candidates: count(&|answer| answer.flags.contains(&Flag::OutsideCandidates)),
            truncated: count(&JudgedAnswer::is_truncated),
            mean_tokens: mean(tokens.map(|response| response.tokens as f64)),
            outcomes: outcomes(scored()),
        }
    }
}

fn outcomes<'a>(
    records: impl Iterator<Item = &'a AnswerRecord>,
) -> BTreeMap<QueryClass, BTreeMap<QueryId, bool>> {
    let mut outcomes: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for record in records {
        let of_class = outcomes.entry(record.class.clone()).or_default();
        of_class.insert(
            record.query.clone(),
            record.answers.first().is_some_and(|a| a.right),
        );
    }
    outcomes
}

/// Mean of the values; 0 of none.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), x| (sum + x, count + 1));
    sum / count.max(1) as f64
}
