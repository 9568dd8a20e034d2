use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use crate::{Catalogue, Error, ItemId, ItemIndex, MissingPolicy, Result};

mod contrast;
mod file;
mod npy;
mod safe_tensors;
mod scalar;
mod table;
mod tsv;

pub use contrast::{ContrastReport, MAX_CONTRAST};
pub use file::EmbeddingFormat;
pub use table::EmbeddingTable;

/// How the preference score compares two items, and its value for an item without an embedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimilarityConfig {
    /// Similarity of two items. Default: `cosine`, the paper's.
    pub similarity: Similarity,
    /// Score where the candidate or a target has no embedding. Default: `error`; the
    /// [`DualGraphReward`](crate::DualGraphReward) then takes 0 for an item that the model chose.
    pub missing: MissingPolicy,
}

/// Similarity of two items, in [-1, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// Cosine of the two vectors.
    #[default]
    Cosine,
    /// Cosine after the mean vector of the catalogue's items is taken away, where vectors point so
    /// much the same way that plain cosines tell little: (10, 1) and (10, -1) have a cosine of
    /// 99/101 = 0.98, around their mean (10, 0) one of -1.
    CentredCosine,
}

/// Item vectors for one catalogue, made ready for cosines.
///
/// ```
/// # use ndarray::array;
/// # use rerec_rewards::*;
/// let catalogue = Catalogue::new(vec![Item::new("a", "A"), Item::new("b", "B"), Item::new("c", "C")])?;
/// let table = EmbeddingTable::new(
///     vec!["a".into(), "b".into(), "c".into()],
///     array![[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]],
/// )?;
/// let embeddings = ItemEmbeddings::new(&catalogue, &table, SimilarityConfig::default())?;
/// let [a, b, c] = [0, 1, 2].map(|p| catalogue.iter().nth(p).unwrap().0);
/// assert_eq!(embeddings.preference_alignment(a, &[b])?, 0.0);
/// // cos(c, a) = 3/5 and cos(c, b) = 4/5; the better one counts.
/// assert!((embeddings.preference_alignment(c, &[a, b])? - 0.8).abs() < 1e-6);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ItemEmbeddings {
    ids: Vec<ItemId>,
    /// `[items, d]`, rows of length 1; zeros where `known` is false.
    unit: Array2<f32>,
    known: Vec<bool>,
    missing: MissingPolicy,
}

impl ItemEmbeddings {
    /// Joins a table to the catalogue by item id; rows of items that the catalogue lacks are left out.
    ///
    /// # Errors
    /// [`Error::NoEmbeddingInCatalogue`] if no id is in the catalogue, [`Error::ZeroEmbedding`] for
    /// a vector without direction, [`Error::InvalidSetting`] for a missing score outside [-1, 1].
    pub fn new(
        catalogue: &Catalogue,
        table: &EmbeddingTable,
        config: SimilarityConfig,
    ) -> Result<Self> {
        let mut embeddings = Self {
            ids: catalogue
                .items()
                .iter()
                .map(|item| item.id.clone())
                .collect(),
            unit: Array2::zeros((catalogue.len(), table.dimension())),
            known: vec![false; catalogue.len()],
            missing: config.missing.validated()?,
        };
        for (id, row) in table.iter() {
            if let Some(index) = catalogue.index_of(id) {
                embeddings.unit.row_mut(index.position()).assign(&row);
                embeddings.known[index.position()] = true;
            }
        }
        // No common id at all means that the table belongs to another data set.
        if embeddings.covered() == 0 {
            return Err(Error::NoEmbeddingInCatalogue {
                rows: table.len(),
                items: catalogue.len(),
            });
        }
        let centre = match config.similarity {
            Similarity::Cosine => vec![0.0; table.dimension()],
            Similarity::CentredCosine => embeddings.mean(),
        };
        embeddings.normalise(&centre)?;
        Ok(embeddings)
    }

    /// Whether this was built for the catalogue.
    pub(crate) fn is_of(&self, catalogue: &Catalogue) -> bool {
        // By ids in order: an equal copy of the catalogue will do, a re-ordered one will not.
        self.ids
            .iter()
            .eq(catalogue.items().iter().map(|item| &item.id))
    }

    /// Whether an item has an embedding.
    pub fn contains(&self, item: ItemIndex) -> bool {
        self.known.get(item.position()) == Some(&true)
    }

    /// Number of catalogue items that have an embedding.
    pub fn covered(&self) -> usize {
        self.known.iter().filter(|&&known| known).count()
    }

    /// Dimension d of the vectors.
    pub fn dimension(&self) -> usize {
        self.unit.ncols()
    }

    /// Preference alignment score: the best similarity of the candidate to a target, in [-1, 1].
    ///
    /// # Errors
    /// [`Error::NoTargets`], [`Error::IndexOutOfCatalogue`]; [`Error::ItemWithoutEmbedding`] unless
    /// the policy names a score.
    pub fn preference_alignment(&self, candidate: ItemIndex, targets: &[ItemIndex]) -> Result<f64> {
        self.missing.or_score(self.best_cosine(candidate, targets))
    }

    fn best_cosine(&self, candidate: ItemIndex, targets: &[ItemIndex]) -> Result<f64> {
        let candidate = self.unit_vector(candidate)?;
        let mut best = None;
        for &target in targets {
            let cosine = cosine(candidate, self.unit_vector(target)?);
            best = Some(best.map_or(cosine, |best: f64| best.max(cosine)));
        }
        best.ok_or(Error::NoTargets)
    }

    fn unit_vector(&self, item: ItemIndex) -> Result<ArrayView1<'_, f32>> {
        let position = item.position();
        match self.known.get(position) {
            Some(true) => Ok(self.unit.row(position)),
            Some(false) => Err(Error::ItemWithoutEmbedding {
                id: self.ids[position].clone(),
            }),
            None => Err(Error::IndexOutOfCatalogue {
                index: position,
                items: self.ids.len(),
            }),
        }
    }

    /// The mean of the items' vectors; rows without one are zeros and add nothing.
    fn mean(&self) -> Vec<f64> {
        let covered = self.covered() as f64;
        let columns = self.unit.columns().into_iter();
        let sum = |column: ArrayView1<'_, f32>| column.iter().copied().map(f64::from).sum::<f64>();
        columns.map(|column| sum(column) / covered).collect()
    }

    /// Makes every vector, seen from the centre, one of length 1.
    fn normalise(&mut self, centre: &[f64]) -> Result<()> {
        let rows = self.unit.rows_mut().into_iter().enumerate();
        for (position, mut row) in rows.filter(|(position, _)| self.known[*position]) {
            // In f64: the difference of two large vectors can be no f32 at all.
            let difference = row
                .iter()
                .zip(centre)
                .map(|(&x, &mean)| f64::from(x) - mean);
            let difference: Vec<f64> = difference.collect();
            let norm = difference.iter().map(|x| x * x).sum::<f64>().sqrt();
            if norm <= 0.0 {
                return Err(Error::ZeroEmbedding {
                    id: self.ids[position].clone(),
                });
            }
            row.iter_mut()
                .zip(&difference)
                .for_each(|(value, x)| *value = (x / norm) as f32);
        }
        Ok(())
    }
}

/// Dot product of unit vectors, clamped because f32 rounding can exceed 1.
fn cosine(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    let dot: f64 = a
        .iter()
        .zip(b)
        .map(|(&x, &y)| f64::from(x) * f64::from(y))
        .sum();
    dot.clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Item;

    fn catalogue(ids: &[&str]) -> Catalogue {
        Catalogue::new(ids.iter().map(|id| Item::new(*id, *id)).collect()).unwrap()
    }

    fn table(ids: &[&str], values: Array2<f32>) -> EmbeddingTable {
        EmbeddingTable::new(ids.iter().map(|id| (*id).to_owned()).collect(), values).unwrap()
    }

    fn indices<const N: usize>(catalogue: &Catalogue, ids: [&str; N]) -> [ItemIndex; N] {
        ids.map(|id| catalogue.index_of(id).unwrap())
    }

    #[test]
    fn rows_join_by_id_whatever_their_order() {
        let catalogue = catalogue(&["a", "b"]);
        let [a, b] = indices(&catalogue, ["a", "b"]);
        let values = array![[5.0, 5.0], [0.0, 1.0], [1.0, 1.0]];
        let table = table(&["other", "b", "a"], values);
        let embeddings = ItemEmbeddings::new(&catalogue, &table, Default::default()).unwrap();
        let score = embeddings.preference_alignment(a, &[b]).unwrap();
        assert!((score - 0.5f64.sqrt()).abs() < 1e-6);
        assert_eq!(embeddings.covered(), 2);
    }

    #[test]
    fn centring_parts_vectors_that_point_the_same_way() {
        let catalogue = catalogue(&["a", "b"]);
        let [a, b] = indices(&catalogue, ["a", "b"]);
        let table = table(&["a", "b"], array![[10.0, 1.0], [10.0, -1.0]]);
        let score = |similarity| {
            let config = SimilarityConfig {
                similarity,
                ..Default::default()
            };
            let embeddings = ItemEmbeddings::new(&catalogue, &table, config).unwrap();
            embeddings.preference_alignment(a, &[b]).unwrap()
        };
        assert!((score(Similarity::Cosine) - 99.0 / 101.0).abs() < 1e-6);
        assert_eq!(score(Similarity::CentredCosine), -1.0);
    }

    #[test]
    fn extreme_vectors_have_a_cosine_or_an_error() {
        let catalogue = catalogue(&["a", "b", "c"]);
        let [a, b, c] = indices(&catalogue, ["a", "b", "c"]);
        let centred = SimilarityConfig {
            similarity: Similarity::CentredCosine,
            ..Default::default()
        };
        for scale in [3e38, f32::MAX, 1.0, f32::MIN_POSITIVE, 1e-45] {
            let table = table(&["a", "b", "c"], array![[scale], [-scale], [-scale]]);
            let embeddings = ItemEmbeddings::new(&catalogue, &table, centred).unwrap();
            let score = |x, y| embeddings.preference_alignment(x, &[y]).unwrap();
            assert_eq!((score(a, b), score(b, c)), (-1.0, 1.0), "{scale}");
        }
        for same in [f32::MAX, 0.1, 1e-45] {
            let table = table(&["a", "b", "c"], array![[same], [same], [same]]);
            let error = ItemEmbeddings::new(&catalogue, &table, centred).unwrap_err();
            assert!(matches!(error, Error::ZeroEmbedding { .. }), "{same}");
        }
        // One that is the mean of the others has no direction from there.
        let table = table(&["a", "b", "c"], array![[-3e38], [0.0], [3e38]]);
        let error = ItemEmbeddings::new(&catalogue, &table, centred).unwrap_err();
        assert_eq!(error.to_string(), "the embedding of item `b` has length 0");
    }

    #[test]
    fn what_is_missing_is_an_error_or_a_chosen_score() {
        let catalogue = catalogue(&["a", "b"]);
        let [a, b] = indices(&catalogue, ["a", "b"]);
        let table = table(&["a"], array![[1.0, 0.0]]);
        let with = |missing| {
            let config = SimilarityConfig {
                missing,
                ..Default::default()
            };
            ItemEmbeddings::new(&catalogue, &table, config)
        };
        let strict = with(MissingPolicy::Error).unwrap();
        let error = strict.preference_alignment(a, &[b]).unwrap_err();
        assert_eq!(error.to_string(), "item `b` has no embedding");
        let lenient = with(MissingPolicy::Score(0.25)).unwrap();
        assert_eq!(lenient.preference_alignment(b, &[a]).unwrap(), 0.25);
        // A fault of the caller is no missing data.
        assert!(matches!(
            lenient.preference_alignment(a, &[]),
            Err(Error::NoTargets)
        ));
        assert!(matches!(
            with(MissingPolicy::Score(2.0)),
            Err(Error::InvalidSetting { .. })
        ));
    }

    #[test]
    fn a_join_without_any_item_or_direction_is_refused() {
        let catalogue = catalogue(&["a"]);
        let strangers = table(&["x"], array![[1.0]]);
        let error = ItemEmbeddings::new(&catalogue, &strangers, Default::default()).unwrap_err();
        assert!(matches!(
            error,
            Error::NoEmbeddingInCatalogue { rows: 1, items: 1 }
        ));
        let zero = table(&["a"], array![[0.0]]);
        let error = ItemEmbeddings::new(&catalogue, &zero, Default::default()).unwrap_err();
        assert!(matches!(error, Error::ZeroEmbedding { .. }));
    }
}
