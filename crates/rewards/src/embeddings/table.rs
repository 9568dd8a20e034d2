use ndarray::{Array2, ArrayView1, ArrayView2};
use rustc_hash::FxHashMap;

use crate::{Error, Result};

/// Vectors with the ids they belong to, as files hold them: `[rows, d]` f32, finite, ids unique.
///
/// ```
/// # use ndarray::array;
/// # use rerec_rewards::EmbeddingTable;
/// let table = EmbeddingTable::new(vec!["a".into(), "b".into()], array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!((table.len(), table.dimension()), (2, 2));
/// assert_eq!(table.row("b").unwrap().to_vec(), [3.0, 4.0]);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingTable {
    ids: Vec<String>,
    rows: FxHashMap<String, usize>,
    values: Array2<f32>,
}

impl EmbeddingTable {
    /// Row `i` of `values` (`[rows, d]`) belongs to id `i`.
    ///
    /// # Errors
    /// [`Error::EmbeddingShape`] if there are not as many ids as rows or d is 0,
    /// [`Error::DuplicateEmbedding`], [`Error::NonFiniteEmbedding`].
    pub fn new(ids: Vec<String>, values: Array2<f32>) -> Result<Self> {
        let (rows, dimension) = values.dim();
        if rows != ids.len() || dimension == 0 {
            return Err(Error::EmbeddingShape {
                ids: ids.len(),
                rows,
                dimension,
            });
        }
        let mut positions = FxHashMap::with_capacity_and_hasher(rows, Default::default());
        for (row, id) in ids.iter().enumerate() {
            if let Some(first) = positions.insert(id.clone(), row) {
                return Err(Error::DuplicateEmbedding {
                    id: id.clone(),
                    row,
                    first,
                });
            }
        }
        // Checked here for every format: one NaN would turn every cosine of its item into NaN.
        if let Some(((row, column), &value)) = values.indexed_iter().find(|(_, x)| !x.is_finite()) {
            return Err(Error::NonFiniteEmbedding {
                id: ids[row].clone(),
                row,
                column,
                value,
            });
        }
        Ok(Self {
            ids,
            rows: positions,
            values,
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Length d of a vector.
    pub fn dimension(&self) -> usize {
        self.values.ncols()
    }

    /// The ids, row by row.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// All vectors: `[rows, d]`.
    pub fn values(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// The vector of an id.
    pub fn row(&self, id: &str) -> Option<ArrayView1<'_, f32>> {
        self.rows.get(id).map(|&row| self.values.row(row))
    }

    /// Every id with its vector, row by row.
    pub fn iter(&self) -> impl Iterator<Item = (&str, ArrayView1<'_, f32>)> {
        self.ids.iter().map(String::as_str).zip(self.values.rows())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn message(ids: &[&str], values: Array2<f32>) -> String {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        EmbeddingTable::new(ids, values).unwrap_err().to_string()
    }

    #[test]
    fn faults_name_the_row() {
        assert_eq!(
            message(&["a"], array![[1.0], [2.0]]),
            "embeddings of shape [2, 1] for 1 ids: need one row per id and at least one column"
        );
        assert_eq!(
            message(&["a", "b", "a"], array![[1.0], [2.0], [3.0]]),
            "row 2 of the embeddings has id `a`, which row 0 already has"
        );
        assert_eq!(
            message(&["a"], array![[1.0, f32::NAN]]),
            "row 0 of the embeddings (id `a`) has NaN in column 1, must be finite"
        );
    }
}
