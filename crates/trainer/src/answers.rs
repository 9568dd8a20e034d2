//! What was answered to queries, and how right it is.

use rerec_datasets::{Query, QueryClass};
use rerec_policy::{Finish, Response};
use rerec_rewards::{
    Catalogue, Conventions, Flag, ItemId, ItemIndex, MetricKind, RankedQuery, Relevance,
    RewardBreakdown,
};
use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::query_table::PreparedQuery;

/// All answers to one query, by whoever gave them: a model, or a baseline that only ranks items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRecord {
    /// The query.
    pub query: QueryId,
    /// Its class.
    pub class: QueryClass,
    /// The right items.
    pub targets: Vec<ItemId>,
    /// Number of items to choose from; the whole catalogue where the query names no candidates.
    pub choices: usize,
    /// Ranks of an answer that count, K.
    #[serde(default = "one")]
    pub cutoff: usize,
    /// Whether the query names no candidates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// The answers, by their sample index; none where the query's data are at fault.
    pub answers: Vec<JudgedAnswer>,
    /// Why the query could not be scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn one() -> usize {
    1
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgedAnswer {
    /// The listed items without duplicates, best first. A rank whose item is unknown, ambiguous or outside the candidates is kept as
    /// null.
    pub ranking: Vec<Option<ItemId>>,
    /// Whether a target is among the first K of the ranking.
    pub right: bool,
    /// NDCG@K, in [0, 1]; 0 without an answer.
    pub ndcg: f64,
    /// What is notable about the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// What a model wrote; none for a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<WrittenResponse>,
}

/// A response that a model wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenResponse {
    /// Its text.
    pub text: String,
    /// Its tokens, the end token included.
    pub tokens: usize,
    /// Why it ended.
    pub finish: Finish,
}

impl AnswerRecord {
    /// A record without answers yet.
    pub(crate) fn of(query: &PreparedQuery<'_>, catalogue: &Catalogue, cutoff: usize) -> Self {
        let Query {
            id, class, targets, ..
        } = query.query;
        Self {
            query: id.clone(),
            class: class.clone(),
            targets: targets.clone(),
            choices: query.candidates.as_ref().map_or(catalogue.len(), Vec::len),
            cutoff,
            open: query.candidates.is_none(),
            answers: Vec::new(),
            error: None,
        }
    }

    /// A query that was not asked, and why.
    ///
    /// # Errors
    /// A query with an item that the catalogue does not have.
    pub fn unasked(query: &Query, catalogue: &Catalogue, why: String) -> Result<Self> {
        let record = Self::of(&PreparedQuery::new(query, catalogue)?, catalogue, 1);
        let error = Some(why);
        Ok(Self { error, ..record })
    }

    /// Chance that K items drawn from those to choose from hold a right one, in [0, 1]: what a guess gets.
    pub fn guess(&self) -> f64 {
        let (wrong, all) = (
            self.choices.saturating_sub(self.targets.len()),
            self.choices,
        );
        let drawn = 0..self.cutoff.min(all);
        let all_wrong: f64 = drawn
            .map(|i| wrong.saturating_sub(i) as f64 / (all - i) as f64)
            .product();
        1.0 - all_wrong
    }

    /// Share of the answers that are right, in [0, 1]; 0 without any.
    pub fn share(&self) -> f64 {
        let right = self.answers.iter().filter(|answer| answer.right).count();
        right as f64 / self.answers.len().max(1) as f64
    }

    /// Chance that at least one of k answers is right, estimated without bias from n ≥ k of them, c being right:
    /// `1 - C(n - c, k) / C(n, k)` (Chen et al. 2021, arXiv 2107.03374). None for k above n.
    pub fn pass_at(&self, k: usize) -> Option<f64> {
        let n = self.answers.len();
        let wrong = self.answers.iter().filter(|answer| !answer.right).count();
        // The product of (wrong - i) / (n - i), of which one factor is 0 where fewer than k are wrong.
        let all_wrong = (0..k).map(|i| wrong.saturating_sub(i) as f64 / (n - i) as f64);
        (k <= n).then(|| 1.0 - all_wrong.product::<f64>())
    }
}

impl JudgedAnswer {
    pub(crate) fn of_response(
        reward: &RewardBreakdown,
        response: Response,
        catalogue: &Catalogue,
    ) -> Self {
        let id = |item: ItemIndex| catalogue.get(item).id.clone();
        let ranking = reward.answer.iter().flat_map(|answer| answer.ranking());
        Self {
            ranking: ranking.map(|item| item.map(id)).collect(),
            right: reward.hit,
            ndcg: reward.ndcg,
            flags: reward.flags.clone(),
            response: Some(WrittenResponse {
                tokens: response.token_ids.len(),
                finish: response.finish,
                text: response.text,
            }),
        }
    }

    /// A ranking of known items, of which the first `cutoff` are the answer.
    ///
    /// # Errors
    /// No target, or a cut-off of 0.
    pub(crate) fn of_ranking(
        ranking: Vec<ItemId>,
        targets: &[ItemId],
        cutoff: usize,
    ) -> Result<Self> {
        let metrics = vec![MetricKind::Ndcg.at(cutoff)];
        let evaluator = rerec_rewards::Evaluator::new(metrics, Conventions::trec_eval())?;
        let ndcg = evaluator.evaluate(&RankedQuery {
            ranked: &ranking,
            relevance: Relevance::Items(targets),
        })?[0];
        Ok(Self {
            ranking: ranking.into_iter().map(Some).collect(),
            right: ndcg > 0.0,
            ndcg,
            flags: Vec::new(),
            response: None,
        })
    }

    /// 1 / rank of the first target in the ranking; 0 where none is in it.
    pub fn reciprocal_rank(&self, targets: &[ItemId]) -> f64 {
        let is_target =
            |item: &Option<ItemId>| item.as_ref().is_some_and(|item| targets.contains(item));
        let rank = self.ranking.iter().position(is_target);
        rank.map_or(0.0, |rank| 1.0 / (rank + 1) as f64)
    }

    /// Whether nothing was answered: no box, or an empty one.
    pub fn is_missing(&self) -> bool {
        self.ranking.is_empty()
    }

    /// Whether the token limit cut it off.
    pub fn is_truncated(&self) -> bool {
        self.response
            .as_ref()
            .is_some_and(|response| response.finish == Finish::Length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(right: &[bool]) -> AnswerRecord {
        let answer = |&right: &bool| {
            let listed = if right { "b" } else { "a" };
            JudgedAnswer::of_ranking(vec![listed.into()], &["b".into()], 1).unwrap()
        };
        AnswerRecord {
            query: "q".into(),
            class: QueryClass::EXPLICIT,
            targets: vec!["b".into()],
            choices: 4,
            cutoff: 1,
            open: false,
            answers: right.iter().map(answer).collect(),
            error: None,
        }
    }

    #[test]
    fn pass_at_k_is_the_unbiased_estimate() {
        let record = record(&[true, false, false, false]);
        assert_eq!(record.share(), 0.25);
        assert_eq!(record.guess(), 0.25);
        // 1 - 3/4 · 2/3: two of four items, one of them right.
        let guess = AnswerRecord {
            cutoff: 2,
            ..record.clone()
        }
        .guess();
        assert!((guess - 0.5).abs() < 1e-12);
        assert_eq!(record.pass_at(1), Some(0.25));
        // 1 - C(3, 2) / C(4, 2) = 1 - 3 / 6.
        assert_eq!(record.pass_at(2), Some(0.5));
        assert_eq!(record.pass_at(4), Some(1.0));
        assert_eq!(record.pass_at(5), None);
    }

    #[test]
    fn a_rank_without_an_item_counts() {
        let ranking = |cutoff| {
            JudgedAnswer::of_ranking(vec!["a".into(), "b".into()], &["b".into()], cutoff).unwrap()
        };
        let mut answer = ranking(1);
        assert!(!answer.right);
        let longer = ranking(2);
        // The only target at rank 2: 1 / log2 3.
        assert!(longer.right && (longer.ndcg - 1.0 / 3f64.log2()).abs() < 1e-12);
        assert_eq!(answer.reciprocal_rank(&["b".into()]), 0.5);
        answer.ranking[0] = None;
        assert_eq!(answer.reciprocal_rank(&["b".into()]), 0.5);
        assert_eq!(answer.reciprocal_rank(&["z".into()]), 0.0);
    }
}
