//! Vectors of items.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::ToPyArray;
use pyo3::prelude::*;
use rerec::rewards::{self, EmbeddingTable, SimilarityConfig};

use crate::arguments::{ids, settings_or_default, to_python};
use crate::arrays::{Matrix, matrix};
use crate::catalogue::Catalogue;
use crate::error::Failure;

/// Vectors of items: what the preference alignment score compares.
///
/// Args:
///     catalogue: The items.
///     ids: Item ids, one per row; rows of items that the catalogue lacks are left out.
///     values: The vectors, float32 of shape [rows, d], finite.
///     similarity: `{"similarity": "cosine" | "centred_cosine", "missing": "error" | {"score": float}}`, each with the first as
///         its default.
///
/// Raises:
///     TypeError: `values` is no array of float32.
///     RewardError: Not one id per row; an id twice; a value that is not finite; a vector of length 0; no id of the catalogue.
///
/// Example:
///     >>> catalogue = Catalogue(["a", "b"])
///     >>> values = numpy.array([[3, 4], [1, 0]], numpy.float32)
///     >>> round(ItemEmbeddings(catalogue, ["a", "b"], values).preference_alignment("a", ["b"]), 6)
///     0.6
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct ItemEmbeddings {
    pub(crate) inner: Arc<rewards::ItemEmbeddings>,
    table: EmbeddingTable,
    catalogue: Py<Catalogue>,
    similarity: SimilarityConfig,
}

#[pymethods]
impl ItemEmbeddings {
    #[new]
    #[pyo3(signature = (catalogue, ids: "collections.abc.Iterable[str | int]", values: "numpy.typing.NDArray[numpy.float32]", similarity: "collections.abc.Mapping[str, object] | None" = None))]
    fn new(
        catalogue: Py<Catalogue>,
        ids: &Bound<'_, PyAny>,
        values: &Bound<'_, PyAny>,
        similarity: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let ids = self::ids(ids, "ids")?;
        let values = matrix(values, "values")?.as_array().to_owned();
        let table = EmbeddingTable::new(ids, values).map_err(Failure::from)?;
        Self::build(
            catalogue,
            table,
            settings_or_default(similarity, "similarity")?,
        )
    }

    /// Reads vectors: .safetensors with ids, .npy with .ids beside it, or .tsv.
    ///
    /// Raises:
    ///     RewardError: The file cannot be read, or as in the constructor.
    #[staticmethod]
    #[pyo3(signature = (path: "str | os.PathLike[str]", catalogue, similarity: "collections.abc.Mapping[str, object] | None" = None))]
    fn read(
        path: PathBuf,
        catalogue: Py<Catalogue>,
        similarity: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let table = EmbeddingTable::read(&path).map_err(Failure::from)?;
        Self::build(
            catalogue,
            table,
            settings_or_default(similarity, "similarity")?,
        )
    }

    /// Writes the vectors with their ids: .safetensors or .tsv.
    #[pyo3(signature = (path: "str | os.PathLike[str]"))]
    fn write(&self, path: PathBuf) -> PyResult<()> {
        Ok(self.table.write(&path).map_err(Failure::from)?)
    }

    /// Best similarity of the candidate to a target, in [-1, 1].
    ///
    /// Raises:
    ///     RewardError: An unknown id, no target, or an item without a vector.
    #[pyo3(signature = (candidate, targets: "collections.abc.Iterable[str]"))]
    fn preference_alignment(&self, candidate: &str, targets: &Bound<'_, PyAny>) -> PyResult<f64> {
        let catalogue = self.catalogue.get();
        let targets = catalogue.indices(targets)?;
        let alignment = self
            .inner
            .preference_alignment(catalogue.index(candidate)?, &targets);
        Ok(alignment.map_err(Failure::from)?)
    }

    /// Mean similarity of two different items of these. Above 0.6 a preference score is little more than a bonus for what is
    /// popular: take `centred_cosine` then.
    ///
    /// Raises:
    ///     RewardError: Fewer than two items, an unknown id, or an item without a vector.
    #[pyo3(signature = (items: "collections.abc.Iterable[str]"))]
    fn contrast(&self, items: &Bound<'_, PyAny>) -> PyResult<f64> {
        let items = self.catalogue.get().indices(items)?;
        let report = self.inner.contrast(&items).map_err(Failure::from)?;
        Ok(report.mean_cosine)
    }

    /// The ids, row by row.
    #[getter]
    fn ids(&self) -> Vec<&str> {
        self.table.ids().iter().map(String::as_str).collect()
    }

    /// The vectors as they were given, a copy of shape [rows, d].
    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> Matrix<'py, f32> {
        self.table.values().to_pyarray(py).into()
    }

    fn __len__(&self) -> usize {
        self.table.len()
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<Arguments<'_, 'py>> {
        let similarity = to_python(py, &self.similarity, "similarity")?;
        Ok((
            self.catalogue.clone_ref(py),
            self.ids(),
            self.values(py),
            similarity,
        ))
    }
}

/// What a pickled table is made of again: catalogue, ids, values, similarity.
type Arguments<'a, 'py> = (
    Py<Catalogue>,
    Vec<&'a str>,
    Matrix<'py, f32>,
    Bound<'py, PyAny>,
);

impl ItemEmbeddings {
    fn build(
        catalogue: Py<Catalogue>,
        table: EmbeddingTable,
        similarity: SimilarityConfig,
    ) -> PyResult<Self> {
        let inner = rewards::ItemEmbeddings::new(&catalogue.get().inner, &table, similarity);
        Ok(Self {
            inner: Arc::new(inner.map_err(Failure::from)?),
            table,
            catalogue,
            similarity,
        })
    }
}
