use ndarray::{Array2, ArrayView2, Axis};

use super::{EpochReport, Interactions, RankingQuality, evaluation};
use crate::{
    Catalogue, ContrastReport, EmbeddingTable, Error, Item, ItemEmbeddings, ItemId, Result,
    SimilarityConfig,
};

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
    /// Training pairs that shaped each vector.
    pairs: Vec<u32>,
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
        let side = |ids: &[String], vectors: ArrayView2<'_, f32>, pairs: Vec<u32>| Side {
            ids: ids.to_vec(),
            vectors: vectors.to_owned(),
            pairs,
        };
        Self {
            users: side(train.users(), users, train.activity()),
            items: side(train.items(), items, train.popularity()),
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

    /// Contrast among the items with at least `min_pairs` training pairs, as cosines.
    ///
    /// ```
    /// # use rerec_rewards::{Interactions, LightGcn, LightGcnConfig};
    /// // Item a has three pairs, b two, c one.
    /// let pairs = [("u", "a"), ("v", "a"), ("w", "a"), ("u", "b"), ("v", "b"), ("w", "c")];
    /// let interactions = Interactions::from_pairs(pairs)?;
    /// let config = LightGcnConfig { dimension: 4, validation_fraction: Some(0.0), max_epochs: 2, ..Default::default() };
    /// let fitted = LightGcn::new(config)?.fit(&interactions, |_| ())?;
    /// assert_eq!(fitted.contrast(2)?.items, 2);
    /// assert!(fitted.contrast(3).is_err());
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if fewer than two items are so popular, and those of
    /// [`item_embeddings`](Self::item_embeddings) and [`ItemEmbeddings::new`].
    pub fn contrast(&self, min_pairs: u32) -> Result<ContrastReport> {
        let table = self.items.table()?;
        let items = table
            .ids()
            .iter()
            .map(|id| Item::new(id.as_str(), id.as_str()))
            .collect();
        let catalogue = Catalogue::new(items)?;
        let popular = self.items.ids.iter().zip(&self.items.pairs);
        let popular = popular.filter(|&(_, &pairs)| pairs >= min_pairs.max(1));
        let popular: Vec<ItemId> = popular.map(|(id, _)| ItemId::from(id.as_str())).collect();
        ItemEmbeddings::new(&catalogue, &table, SimilarityConfig::default())?
            .contrast(&catalogue.indices_of(&popular)?)
    }

    /// The result of each epoch.
    pub fn history(&self) -> &[EpochReport] {
        &self.history
    }

    /// The epoch whose embeddings these are, from 1.
    pub fn best_epoch(&self) -> usize {
        self.best_epoch
    }

    /// Quality of the full ranking of all items but the `seen` ones, over users with held-out items.
    ///
    /// ```
    /// # use rerec_rewards::{Interactions, LightGcn, LightGcnConfig};
    /// let interactions = Interactions::from_pairs([("u", "a"), ("u", "b"), ("v", "b"), ("v", "c")])?;
    /// let config = LightGcnConfig { dimension: 4, validation_fraction: Some(0.0), max_epochs: 2, ..Default::default() };
    /// let fitted = LightGcn::new(config)?.fit(&interactions, |_| ())?;
    /// // Among the first three of three items are both that each of two users chose.
    /// let quality = fitted.evaluate(&[], &interactions, 3)?;
    /// assert_eq!((quality.recall, quality.users), (1.0, 2));
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
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
        super::config::require(k >= 1, "k", k, "at least 1")?;
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
            .filter(|&row| self.pairs[row] > 0)
            .collect();
        let ids = rows.iter().map(|&row| self.ids[row].clone()).collect();
        EmbeddingTable::new(ids, self.vectors.select(Axis(0), &rows))
    }
}
