//! What suits a user, by LightGCN.

use rerec_rewards::{Catalogue, EmbeddingTable, Interactions, ItemIndex, LightGcn, LightGcnConfig};

use crate::compose::Source;
use crate::dataset::UserId;
use crate::error::{Error, Result};

/// The most steps of an epoch, each of which goes through all pairs.
const STEPS_PER_EPOCH: usize = 40;

/// Ranks items for users by the dot product of their LightGCN embeddings.
#[derive(Debug)]
pub(super) struct Suitor {
    users: EmbeddingTable,
    items: EmbeddingTable,
}

impl Suitor {
    /// Trains on every choice, those that queries ask for among them: wrong candidates are to be as tempting as can be.
    pub(super) fn new(seed: u64, liked_from: f64, source: &Source) -> Result<Self> {
        let ratings = source.ratings.iter();
        let choices = ratings.filter(|rating| rating.rating >= liked_from);
        let pairs: Vec<_> = choices
            .map(|choice| (choice.user.as_str(), choice.item.as_str()))
            .collect();
        if pairs.is_empty() {
            return Err(Error::InvalidSetting {
                setting: "negatives",
                got: "lightgcn".to_owned(),
                allowed: "another of its values where there are no ratings".to_owned(),
            });
        }
        let defaults = LightGcnConfig::default();
        let config = LightGcnConfig {
            seed,
            batch_size: defaults.batch_size.max(pairs.len() / STEPS_PER_EPOCH),
            ..defaults
        };
        let fitted = LightGcn::new(config)?.fit(&Interactions::from_pairs(pairs)?, |_| ())?;
        Ok(Self {
            users: fitted.user_embeddings()?,
            items: fitted.item_embeddings()?,
        })
    }

    /// The items that anybody chose by how they suit a user, best first; none for a user who chose nothing.
    pub(super) fn best_for(&self, user: &UserId, catalogue: &Catalogue) -> Vec<ItemIndex> {
        let Some(user) = self.users.row(user.as_str()) else {
            return Vec::new();
        };
        let scores = self.items.iter().map(|(id, item)| (item.dot(&user), id));
        let scores = scores.filter_map(|(score, id)| Some((score, catalogue.index_of(id)?)));
        let mut best: Vec<(f32, ItemIndex)> = scores.collect();
        best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        best.into_iter().map(|(_, item)| item).collect()
    }
}
