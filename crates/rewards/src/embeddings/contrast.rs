use super::ItemEmbeddings;
use crate::{Error, ItemIndex, Result};

/// Mean cosine of unrelated items above which the preference score says little but "popular".
// Random popular items have a mean of about .5 under a trained LightGCN, of .98 under one that was
// trained too little.
pub const MAX_CONTRAST: f64 = 0.6;

/// How alike two popular items are that nothing else connects: the floor under every preference
/// score. Near 1, the score is a bonus for popularity and nothing more.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ContrastReport {
    /// Items compared.
    pub items: usize,
    /// Mean cosine over all pairs of them.
    pub mean_cosine: f64,
    /// Standard deviation over these pairs.
    pub std_cosine: f64,
}

impl ContrastReport {
    /// Whether the mean exceeds [`MAX_CONTRAST`]: centre the vectors or train them longer.
    pub fn is_flat(&self) -> bool {
        self.mean_cosine > MAX_CONTRAST
    }
}

impl ItemEmbeddings {
    /// Contrast among these items (give the popular ones), over all their pairs, without sampling.
    ///
    /// With U the `[items, d]` unit vectors, the sum of all ordered dot products is |Σu|² and that
    /// of their squares is |UᵀU|², so the cost is items · d² instead of items² · d.
    ///
    /// ```
    /// # use ndarray::array;
    /// # use rerec_rewards::*;
    /// # let catalogue = Catalogue::new(["a", "b", "c"].map(|id| Item::new(id, id)).into())?;
    /// # let table = EmbeddingTable::new(
    /// #     vec!["a".into(), "b".into(), "c".into()],
    /// #     array![[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]],
    /// # )?;
    /// # let embeddings = ItemEmbeddings::new(&catalogue, &table, SimilarityConfig::default())?;
    /// // Vectors (1, 0), (0, 2), (0, 3): the pairs have cosines 0, 0 and 1.
    /// let items: Vec<_> = catalogue.iter().map(|(index, _)| index).collect();
    /// let report = embeddings.contrast(&items)?;
    /// assert!((report.mean_cosine - 1.0 / 3.0).abs() < 1e-12 && !report.is_flat());
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] below two items, [`Error::ItemWithoutEmbedding`],
    /// [`Error::IndexOutOfCatalogue`].
    pub fn contrast(&self, items: &[ItemIndex]) -> Result<ContrastReport> {
        if items.len() < 2 {
            return Err(Error::InvalidSetting {
                setting: "number of items for a contrast",
                got: items.len().to_string(),
                allowed: "2 or more",
            });
        }
        let d = self.dimension();
        let mut sum = vec![0.0; d];
        let mut gram = vec![0.0; d * d];
        for &item in items {
            let unit = self.unit_vector(item)?.mapv(f64::from);
            for (i, &x) in unit.iter().enumerate() {
                sum[i] += x;
                gram[i * d..][..d]
                    .iter_mut()
                    .zip(&unit)
                    .for_each(|(g, y)| *g += x * y);
            }
        }
        let n = items.len() as f64;
        // Both sums run over all ordered pairs, each item with itself included: n products of 1,
        // which are subtracted.
        let pairs = n * (n - 1.0);
        let squares = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>();
        let mean_cosine = (squares(&sum) - n) / pairs;
        // The mean of squares less the square of the mean; rounding can take it below 0.
        let variance = (squares(&gram) - n) / pairs - mean_cosine * mean_cosine;
        Ok(ContrastReport {
            items: items.len(),
            mean_cosine,
            std_cosine: variance.max(0.0).sqrt(),
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::super::{EmbeddingTable, cosine};
    use super::*;
    use crate::{Catalogue, Item};

    #[test]
    fn equals_the_mean_and_deviation_over_all_pairs() {
        let ids: Vec<String> = (0..7).map(|i| i.to_string()).collect();
        let items = ids
            .iter()
            .map(|id| Item::new(id.as_str(), id.as_str()))
            .collect();
        let catalogue = Catalogue::new(items).unwrap();
        let values = Array2::from_shape_fn((7, 3), |(i, j)| ((i * 5 + j * 3) % 7) as f32 - 2.5);
        let table = EmbeddingTable::new(ids, values).unwrap();
        let embeddings = ItemEmbeddings::new(&catalogue, &table, Default::default()).unwrap();
        let indices: Vec<_> = catalogue.iter().map(|(index, _)| index).collect();
        let unit = |i: usize| embeddings.unit_vector(indices[i]).unwrap();
        let pairs: Vec<f64> = (0..7)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| cosine(unit(i), unit(j)))
            .collect();
        let mean = pairs.iter().sum::<f64>() / 21.0;
        // The mean of squares less the square of the mean; rounding can take it below 0.
        let variance = pairs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 21.0;
        let report = embeddings.contrast(&indices).unwrap();
        assert!((report.mean_cosine - mean).abs() < 1e-6);
        assert!((report.std_cosine - variance.sqrt()).abs() < 1e-6);
        assert!(embeddings.contrast(&indices[..1]).is_err());
    }
}
