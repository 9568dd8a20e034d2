use ndarray::{Array2, ArrayView2, Axis};

use super::{EpochReport, Interactions, RankingQuality, evaluation};
use crate::{EmbeddingTable, Error, Result};

/// Trained embeddings of users and items, and how training went.
#[derive(Clone, Debug)]
pub struct FittedLightGcn {
    users: Side,
    items: Side,
    history: Vec<EpochReport>,
    best_epoch: usize,
}

/// One side of the bipartite graph.
#[derive(Clone, Debug)]
struct Side {
    ids: Vec<String>,
    /// `[ids, d]`
    vectors: Array2<f32>,
    /// Whether a training pair shaped the vector.
    trained: Vec<bool>,
}

impl FittedLightGcn {
    /// Final embeddings as a flat `[users + items, d]` matrix.
    pub(super) fn new(
        train: &Interactions,
        embeddings: ArrayView2<'_, f32>,
        history: Vec<EpochReport>,
        best_epoch: usize,
    ) -> Self {
        let (users, items) = embeddings.split_at(Axis(0), train.users().len());
        let active = (0..train.users().len() as u32).map(|user| !train.items_of(user).is_empty());
        let chosen = train.popularity().into_iter().map(|count| count > 0);
        let side = |ids: &[String], vectors: ArrayView2<'_, f32>, trained: Vec<bool>| Side {
            ids: ids.to_vec(),
            vectors: vectors.to_owned(),
            trained,
        };
        Self {
            users: side(train.users(), users, active.collect()),
            items: side(train.items(), items, chosen.collect()),
            history,
            best_epoch,
        }
    }

    /// Final embeddings of the items that occur in training.
    ///
    /// # Errors
    /// [`Error::NonFiniteEmbedding`] after a training that came close to diverging.
    pub fn item_embeddings(&self) -> Result<EmbeddingTable> {
        self.items.table()
    }

    /// Final embeddings of the users that occur in training.
    ///
    /// # Errors
    /// [`Error::NonFiniteEmbedding`] after a training that came close to diverging.
    pub fn user_embeddings(&self) -> Result<EmbeddingTable> {
        self.users.table()
    }

    /// What each epoch came to.
    pub fn history(&self) -> &[EpochReport] {
        &self.history
    }

    /// The epoch whose embeddings these are, from 1.
    pub fn best_epoch(&self) -> usize {
        self.best_epoch
    }

    /// Quality of the full ranking of all items but the `seen` ones, over users with held-out items.
    ///
    /// # Errors
    /// [`Error::DifferentIds`] unless all are parts of the split that training used,
    /// [`Error::InvalidSetting`] for k 0.
    pub fn evaluate(
        &self,
        seen: &[&Interactions],
        held_out: &Interactions,
        k: usize,
    ) -> Result<RankingQuality> {
        super::require(k >= 1, "k", k, "at least 1")?;
        let same =
            |part: &Interactions| part.users() == self.users.ids && part.items() == self.items.ids;
        if !same(held_out) || !seen.iter().all(|part| same(part)) {
            return Err(Error::DifferentIds);
        }
        let (users, items) = (self.users.vectors.view(), self.items.vectors.view());
        Ok(evaluation::rank(users, items, seen, held_out, k))
    }
}

impl Side {
    fn table(&self) -> Result<EmbeddingTable> {
        let rows: Vec<usize> = (0..self.ids.len())
            .filter(|&row| self.trained[row])
            .collect();
        let ids = rows.iter().map(|&row| self.ids[row].clone()).collect();
        EmbeddingTable::new(ids, self.vectors.select(Axis(0), &rows))
    }
}
