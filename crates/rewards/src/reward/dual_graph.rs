use std::sync::Arc;

use rayon::prelude::*;

use super::{DualGraphConfig, ListAlignment, Reward, RewardBreakdown, RewardPart, Sample};
use crate::ranking::{discount, ndcg_of_hits};
use crate::{
    Answer, AnswerReader, AttributeGraph, Catalogue, Error, Flag, ItemEmbeddings, ItemIndex, Result,
};

/// The dual-graph reward r = w_f · format + NDCG@K + w_1 · QAS + w_2 · PAS (ReRec, arXiv 2604.07851).
///
/// The query alignment score QAS comes from an item-attribute graph, the preference alignment score PAS from item
/// embeddings; where one is not given its part is absent. A response without an answer aligns with nothing and scores
/// 0 in both, as does an item that the data know nothing of: one without embedding is flagged, and scores what
/// [`SimilarityConfig::missing`](crate::SimilarityConfig) says if that is a score. Targets without data are an error.
///
/// ```
/// # use std::sync::Arc;
/// # use rerec_rewards::*;
/// let facts = |genres: &[&str]| genres.iter()
///     .map(|genre| Attribute { relation: "genre".into(), value: (*genre).into() }).collect();
/// let catalogue = Arc::new(Catalogue::new(vec![
///     Item { attributes: facts(&["Crime", "Drama"]), ..Item::new("1", "Heat (1995)") },
///     Item { attributes: facts(&["Crime"]), ..Item::new("2", "Casino (1995)") },
/// ])?);
/// let graph = Arc::new(AttributeGraph::from_catalogue(&catalogue)?);
/// let reward = DualGraphReward::new(DualGraphConfig::paper(), catalogue.clone(), Some(graph), None)?;
///
/// let targets = catalogue.indices_of(["1"])?;
/// let response = r"Crime, so \boxed{Casino}";
/// let batch = [Sample { query: "q1", response, targets: &targets, candidates: None }];
/// let scored = reward.score(&batch).remove(0)?;
/// // Wrong, but it has one of the two genres of Heat: 0.1 * 0.5 + 0 + 0.01 * 0.5.
/// assert_eq!((scored.ndcg, scored.query_alignment), (0.0, Some(0.5)));
/// assert!((scored.total - 0.055).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DualGraphReward {
    config: DualGraphConfig,
    catalogue: Arc<Catalogue>,
    reader: AnswerReader,
    graph: Option<Arc<AttributeGraph>>,
    embeddings: Option<Arc<ItemEmbeddings>>,
}

impl DualGraphReward {
    /// Composes the reward from parts that were all built for this catalogue.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`], [`Error::OtherCatalogue`].
    pub fn new(
        config: DualGraphConfig,
        catalogue: Arc<Catalogue>,
        graph: Option<Arc<AttributeGraph>>,
        embeddings: Option<Arc<ItemEmbeddings>>,
    ) -> Result<Self> {
        config.validate()?;
        let other = |part| Err(Error::OtherCatalogue { part });
        if graph
            .as_deref()
            .is_some_and(|graph| !graph.is_of(&catalogue))
        {
            return other("graph");
        }
        if embeddings
            .as_deref()
            .is_some_and(|table| !table.is_of(&catalogue))
        {
            return other("embedding table");
        }
        let reader = AnswerReader::new(catalogue.clone(), config.title_match, config.answer);
        Ok(Self {
            config,
            catalogue,
            reader,
            graph,
            embeddings,
        })
    }

    /// The reader that finds the answers.
    pub fn reader(&self) -> &AnswerReader {
        &self.reader
    }

    fn score_one(&self, sample: &Sample<'_>) -> Result<RewardBreakdown> {
        let targets = self.targets(sample)?;
        let answer = self.reader.read(sample.response, sample.candidates);
        let ranking: Vec<_> = answer
            .iter()
            .flat_map(Answer::ranking)
            .take(self.config.cutoff)
            .collect();
        let hits = ranking
            .iter()
            .map(|rank| rank.is_some_and(|item| targets.contains(&item)));
        let hit = hits.clone().any(|hit| hit);
        let ndcg = ndcg_of_hits(hits, targets.len(), self.config.cutoff);
        // The released format score: half a point for a box, half a point off without one.
        let (format, ranking_term) = match answer {
            Some(_) => (0.5, ndcg),
            None => (-0.5, self.config.without_answer),
        };
        let query_alignment = self.query_alignment(&ranking, &targets)?;
        let preference_alignment = self.preference_alignment(&ranking, &targets)?;
        let weights = self.config.weights;
        let total = weights.format * format
            + ranking_term
            + weights.query * query_alignment.unwrap_or(0.0)
            + weights.preference * preference_alignment.unwrap_or(0.0);
        Ok(RewardBreakdown {
            query: sample.query.to_owned(),
            format,
            ndcg,
            ranking: ranking_term,
            query_alignment,
            preference_alignment,
            terms: Default::default(),
            total,
            hit,
            flags: self.flags(answer.as_ref(), &ranking),
            answer,
        })
    }

    /// The distinct targets.
    fn targets(&self, sample: &Sample<'_>) -> Result<Vec<ItemIndex>> {
        let mut targets = sample.targets.to_vec();
        // The ideal DCG counts targets: a repetition would lower every NDCG.
        targets.sort_unstable();
        targets.dedup();
        if targets.is_empty() {
            return Err(Error::NoTargets);
        }
        for &target in &targets {
            if !self.catalogue.contains(target) {
                let (index, items) = (target.position(), self.catalogue.len());
                return Err(Error::IndexOutOfCatalogue { index, items });
            }
            if sample
                .candidates
                .is_some_and(|candidates| !candidates.contains(&target))
            {
                return Err(Error::TargetOutsideCandidates {
                    id: self.catalogue.get(target).id.clone(),
                });
            }
        }
        Ok(targets)
    }

    fn query_alignment(
        &self,
        ranking: &[Option<ItemIndex>],
        targets: &[ItemIndex],
    ) -> Result<Option<f64>> {
        let Some(graph) = &self.graph else {
            return Ok(None);
        };
        let score = |item| graph.query_alignment(item, targets);
        self.align(ranking, targets, score).map(Some)
    }

    fn preference_alignment(
        &self,
        ranking: &[Option<ItemIndex>],
        targets: &[ItemIndex],
    ) -> Result<Option<f64>> {
        let Some(embeddings) = &self.embeddings else {
            return Ok(None);
        };
        let score = |item| embeddings.preference_alignment(item, targets);
        self.align(ranking, targets, score).map(Some)
    }

    /// One alignment score for the ranks of an answer; a rank without an item aligns with nothing.
    fn align(
        &self,
        ranking: &[Option<ItemIndex>],
        targets: &[ItemIndex],
        score: impl Fn(ItemIndex) -> Result<f64>,
    ) -> Result<f64> {
        // Targets that nothing can align with are an error whatever the model wrote.
        targets.first().map(|&target| score(target)).transpose()?;
        // By rank and not by item, so that an item nothing is known of pulls the mean towards 0.
        let weight = |position| match self.config.alignment {
            ListAlignment::First => f64::from(u8::from(position == 0)),
            ListAlignment::Mean => 1.0,
            ListAlignment::Discounted => discount(position),
        };
        let (mut sum, mut weights) = (0.0, 0.0);
        for (position, rank) in ranking.iter().enumerate() {
            let weight = weight(position);
            weights += weight;
            if let Some(item) = rank.filter(|_| weight > 0.0) {
                sum += match score(item) {
                    // The targets have been scored, so that it is the chosen item that nothing is known of.
                    Err(error) if error.is_missing_data() => 0.0,
                    score => weight * score?,
                };
            }
        }
        Ok(if weights > 0.0 { sum / weights } else { 0.0 })
    }

    /// Every flag of an answer, once, in the order of their declaration.
    fn flags(&self, answer: Option<&Answer>, ranking: &[Option<ItemIndex>]) -> Vec<Flag> {
        let mut flags: Vec<Flag> = match answer {
            None => vec![Flag::NoBox],
            Some(answer) if answer.items.is_empty() => vec![Flag::EmptyList],
            Some(answer) => answer.items.iter().filter_map(|item| item.flag).collect(),
        };
        let unknown = |embeddings: &Arc<ItemEmbeddings>| {
            let mut items = ranking.iter().flatten();
            items.any(|&item| !embeddings.contains(item))
        };
        if self.embeddings.as_ref().is_some_and(unknown) {
            flags.push(Flag::NoEmbedding);
        }
        flags.sort_unstable();
        flags.dedup();
        flags
    }
}

impl Reward for DualGraphReward {
    fn score(&self, batch: &[Sample<'_>]) -> Vec<Result<RewardBreakdown>> {
        let score = |sample: &Sample<'_>| {
            let query = || sample.query.to_owned();
            self.score_one(sample).map_err(|cause| Error::Sample {
                query: query(),
                cause: Box::new(cause),
            })
        };
        batch.par_iter().with_min_len(64).map(score).collect()
    }

    /// From a response without an answer, or a wrong one that aligns worst, to a right one that aligns best.
    ///
    /// By the paper's weights, with graph and embeddings: -0.1 · 0.5 - 0.5 to 0.1 · 0.5 + 1 + 0.01 + 0.01.
    fn bounds(&self) -> (f64, f64) {
        let weights = self.config.weights;
        let none = -0.5 * weights.format + self.config.without_answer;
        let mut answered = (0.5 * weights.format, 0.5 * weights.format + 1.0);
        let parts = [
            (
                weights.query,
                self.graph.as_ref().map(|graph| graph.range()),
            ),
            (
                weights.preference,
                self.embeddings.as_ref().map(|_| (-1.0, 1.0)),
            ),
        ];
        for (weight, range) in parts {
            // An item that nothing is known of aligns by 0.
            let (low, high) = range.unwrap_or_default();
            // A negative weight swaps the ends.
            let ends = (weight * low, weight * high);
            answered.0 += ends.0.min(ends.1).min(0.0);
            answered.1 += ends.0.max(ends.1).max(0.0);
        }
        (answered.0.min(none), answered.1.max(none))
    }

    /// Format, ranking, query alignment and preference alignment.
    fn parts(&self, breakdown: &RewardBreakdown) -> Vec<RewardPart> {
        let weights = self.config.weights;
        vec![
            RewardPart::new(weights.format, breakdown.format),
            RewardPart::new(1.0, breakdown.ranking),
            RewardPart::new(weights.query, breakdown.query_alignment),
            RewardPart::new(weights.preference, breakdown.preference_alignment),
        ]
    }
}
