//! Item-attribute graphs.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use rerec::rewards::{self, AlignmentConfig, JoinBy};

use crate::arguments::{settings_or_default, to_python, word};
use crate::catalogue::Catalogue;
use crate::error::{Failure, Result};

/// Which attributes the items of a catalogue have: what the query alignment score compares.
///
/// Args:
///     catalogue: The items; the graph is that of their attributes.
///     alignment: `{"weighting": "uniform" | "inverse_degree", "missing": "error" | {"score": float}}`, each with the first as
///         its default.
///
/// Raises:
///     SettingError: An unknown setting.
///     RewardError: A score for missing data outside [-1, 1].
///
/// Example:
///     >>> crime, drama = ({"relation": "genre", "value": genre} for genre in ("Crime", "Drama"))
///     >>> catalogue = Catalogue([
///     ...     {"id": "1", "title": "Heat", "attributes": [crime, drama]},
///     ...     {"id": "2", "title": "Casino", "attributes": [crime]},
///     ... ])
///     >>> AttributeGraph(catalogue).query_alignment("2", ["1"])
///     0.5
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct AttributeGraph {
    pub(crate) inner: Arc<rewards::AttributeGraph>,
    catalogue: Py<Catalogue>,
    alignment: AlignmentConfig,
}

#[pymethods]
impl AttributeGraph {
    #[new]
    #[pyo3(signature = (catalogue, alignment: "collections.abc.Mapping[str, object] | None" = None))]
    fn new(catalogue: Py<Catalogue>, alignment: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let alignment = settings_or_default(alignment, "alignment")?;
        let graph = rewards::AttributeGraph::from_catalogue(&catalogue.get().inner);
        Self::build(graph.map_err(Failure::from)?, catalogue, alignment)
    }

    /// Reads a graph: .gexf, .tsv (item, attribute or item, relation, attribute) or .jsonl of triples.
    ///
    /// Args:
    ///     path: The file.
    ///     catalogue: The items to which its facts are joined.
    ///     by: What the file calls items by: `"title"` (in any spelling) or `"id"`.
    ///     alignment: As in the constructor.
    ///
    /// Raises:
    ///     RewardError: The file cannot be read; none of its items is in the catalogue.
    #[staticmethod]
    #[pyo3(signature = (path: "str | os.PathLike[str]", catalogue, by: "str" = "title", alignment: "collections.abc.Mapping[str, object] | None" = None))]
    fn read(
        py: Python<'_>,
        path: PathBuf,
        catalogue: Py<Catalogue>,
        by: &str,
        alignment: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let alignment = settings_or_default(alignment, "alignment")?;
        let by: JoinBy = word(by, "by")?;
        let joined = rewards::AttributeGraph::read(&path, &catalogue.get().inner, by);
        let joined = joined.map_err(Failure::from)?;
        if joined.report.id_space.looks_wrong() {
            warn_of_ids(py, &path)?;
        }
        Self::build(joined.graph, catalogue, alignment)
    }

    /// The share of the attributes common to all targets that the candidate has, in [0, 1].
    ///
    /// Raises:
    ///     RewardError: An unknown id, no target, or targets without a common attribute.
    #[pyo3(signature = (candidate, targets: "collections.abc.Iterable[str]"))]
    fn query_alignment(&self, candidate: &str, targets: &Bound<'_, PyAny>) -> PyResult<f64> {
        let catalogue = self.catalogue.get();
        let targets = catalogue.indices(targets)?;
        let alignment = self
            .inner
            .query_alignment(catalogue.index(candidate)?, &targets);
        Ok(alignment.map_err(Failure::from)?)
    }

    /// The attributes of an item: (relation, value).
    fn attributes(&self, item: &str) -> Result<Vec<(&str, &str)>> {
        let attributes = self.inner.attributes(self.catalogue.get().index(item)?);
        Ok(attributes
            .map(|one| (one.relation.as_str(), one.value.as_str()))
            .collect())
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<(Catalogue, Bound<'py, PyAny>)> {
        let catalogue = self.catalogue.get().with_attributes_of(&self.inner)?;
        Ok((catalogue, to_python(py, &self.alignment, "alignment")?))
    }
}

impl AttributeGraph {
    fn build(
        graph: rewards::AttributeGraph,
        catalogue: Py<Catalogue>,
        alignment: AlignmentConfig,
    ) -> PyResult<Self> {
        let graph = graph.with_alignment(alignment).map_err(Failure::from)?;
        Ok(Self {
            inner: Arc::new(graph),
            catalogue,
            alignment,
        })
    }
}

fn warn_of_ids(py: Python<'_>, path: &Path) -> PyResult<()> {
    let message = format!(
        "{}: items that share attributes are no more alike than at random; do its names belong to this catalogue?",
        path.display()
    );
    // A path of the file system holds no zero byte.
    let message = CString::new(message).unwrap_or_default();
    PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 1)
}
