//! Data sets.

use std::path::PathBuf;

use pyo3::prelude::*;
use rerec_datasets::{self as datasets, DataSource, Format};

use crate::arguments::{settings, to_python, word};
use crate::catalogue::Catalogue;
use crate::error::{Failure, Result};
use crate::pool;

/// Catalogue, ratings and queries, read or composed from a source.
///
/// Args:
///     source: Where they come from, as in a run's `[data]`: `{"quickstart": {...}}` (an invented world), `{"movielens": {...}}`,
///         `{"catalogue": {...}}` (queries composed on a table of one's own), `{"files": {...}}`, `{"recbench": {...}}`,
///         `{"verl": {...}}` or `{"amazon": {...}}`.
///     seed: Decides every random choice.
///
/// Raises:
///     SettingError: An unknown source or setting.
///     DataError: A setting out of range; a file that is missing or malformed, by its place; a source that offers too little.
///
/// Example:
///     >>> world = Dataset({"quickstart": {"queries": {"train": 30, "validation": 5, "test": 5}}}, seed=7)
///     >>> len(world.train), sorted(world.train[0])[:4]
///     (30, ['candidates', 'class', 'conditions', 'conversation'])
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct Dataset {
    inner: datasets::Dataset,
    catalogue: Py<Catalogue>,
}

#[pymethods]
impl Dataset {
    #[new]
    #[pyo3(signature = (source: "collections.abc.Mapping[str, object]", seed = 0))]
    fn new(py: Python<'_>, source: &Bound<'_, PyAny>, seed: u64) -> PyResult<Self> {
        let source: DataSource = settings(source, "source")?;
        let inner = pool::run(py, || source.load(seed))?.map_err(Failure::from)?;
        let catalogue = Py::new(py, Catalogue::from(inner.catalogue.clone()))?;
        Ok(Self { inner, catalogue })
    }

    /// The items.
    #[getter]
    fn catalogue(&self, py: Python<'_>) -> Py<Catalogue> {
        self.catalogue.clone_ref(py)
    }

    /// Queries to train on, as dicts: `id`, `class`, `conversation` (messages), `targets` (ids) and, where there are any,
    /// `candidates`, `conditions`, `history`, `user`, `time`.
    #[getter]
    fn train<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.inner.splits.train, "train")
    }

    /// Queries for choosing settings.
    #[getter]
    fn validation<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.inner.splits.validation, "validation")
    }

    /// Queries for reporting.
    #[getter]
    fn test<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.inner.splits.test, "test")
    }

    /// Answers to training queries for a supervised warm start: `query`, `conversation`, `response`.
    #[getter]
    fn demonstrations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.inner.demonstrations, "demonstrations")
    }

    /// Who chose what, for `LightGCN.fit`: users and items, of one length.
    #[getter]
    fn choices(&self) -> (Vec<&str>, Vec<&str>) {
        self.inner.choices().unzip()
    }

    /// What the reader of a run should know: parts that are missing, rows that were left out.
    #[getter]
    fn remarks(&self) -> Vec<String> {
        self.inner.remarks.clone()
    }

    /// Writes the data set into a folder.
    ///
    /// Args:
    ///     folder: Where to; it is made if it is not there.
    ///     format: `"jsonl"` or `"parquet"`; `"verl"` or `"verl_parquet"` for records that verl trains on.
    ///     name: What records for verl carry as `data_source`.
    ///
    /// Returns:
    ///     The files.
    ///
    /// Raises:
    ///     DataError: A file cannot be written.
    #[pyo3(signature = (folder: "str | os.PathLike[str]", format: "str" = "jsonl", name: "str" = "rerec"))]
    fn write(&self, folder: PathBuf, format: &str, name: &str) -> Result<Vec<PathBuf>> {
        let format: Format = word(format, "format")?;
        Ok(self.inner.write(&folder, format, name)?)
    }
}

/// Reads queries on a catalogue, one as a JSON object a line, each checked.
///
/// Raises:
///     DataError: The file cannot be read; a query with a fault, by its line.
#[pyfunction]
#[pyo3(signature = (path: "str | os.PathLike[str]", catalogue) -> "list[dict[str, typing.Any]]")]
pub(crate) fn read_queries<'py>(
    py: Python<'py>,
    path: PathBuf,
    catalogue: &Catalogue,
) -> PyResult<Bound<'py, PyAny>> {
    let queries = datasets::read_queries(&path, &catalogue.inner).map_err(Failure::from)?;
    to_python(py, &queries, "queries")
}
