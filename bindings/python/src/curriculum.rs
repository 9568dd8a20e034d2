//! The online curriculum.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pyo3::prelude::*;
use rerec::curriculum::{self, CurriculumConfig, QueryId, QuerySpec};

use crate::arguments::{
    each, from_json, ids, settings, settings_or_default, text, to_json, to_python,
};
use crate::arrays::numbers;
use crate::error::{Failure, Kind, Result};

/// Which queries come next, by what the model made of them: easy ones first, mastered ones aside, tried again later.
///
/// Queries are known by ids, never by places: records may arrive in any order and from any thread.
///
/// Args:
///     queries: Ids of all queries, str or int.
///     settings: Any of `tau` (0.1), `batch_size` (512), `metric` (`{"lowest": 0, "highest": 1, "rescale": False}`), `difficulty`
///         (`"mean"`, `"ema"`, `"beta"`, `"spread"`), `order` (`"easy_first"`, `"hard_first"`, `"frontier"`, `"progress"`, `"random"`),
///         `recheck`, `too_few`, `partial_batch`, `warmup_epochs`, `quotas`, `seed`, as in a run's `[curriculum]`.
///     classes: A class for each query, for quotas and statistics.
///
/// Raises:
///     SettingError: An unknown setting; not one class per query.
///     CurriculumError: A setting out of range; no query; an id that comes twice.
///
/// Example:
///     >>> curriculum = Curriculum(["a", "b"], {"batch_size": 2})
///     >>> curriculum.next_batch()
///     ['a', 'b']
///     >>> curriculum.record("a", [1.0, 1.0]); curriculum.record("b", [0.0, 1.0])
///     >>> curriculum.end_epoch()["newly_mastered"], curriculum.difficulty("b"), curriculum.next_batch()
///     (1, 0.5, ['a', 'b'])
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct Curriculum {
    inner: RwLock<curriculum::Curriculum>,
}

impl From<curriculum::Curriculum> for Curriculum {
    fn from(inner: curriculum::Curriculum) -> Self {
        Self {
            inner: RwLock::new(inner),
        }
    }
}

impl Curriculum {
    /// Neither lock may be held while Python runs, be it to read an argument: what it calls may ask for the other, and would wait for
    /// ever with Python's own lock in its hands.
    fn read(&self) -> RwLockReadGuard<'_, curriculum::Curriculum> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, curriculum::Curriculum> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn specs(
    queries: &Bound<'_, PyAny>,
    classes: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<QuerySpec>> {
    let queries = ids(queries, "queries")?;
    let Some(classes) = classes else {
        return Ok(queries.into_iter().map(QuerySpec::from).collect());
    };
    let classes = each(classes, "classes", |class, what| {
        Ok(text(class, what)?.to_string())
    })?;
    if classes.len() != queries.len() {
        let message = format!(
            "classes must have {} entries, one per query, got {}",
            queries.len(),
            classes.len()
        );
        return Err(Failure::new(Kind::Setting, message).into());
    }
    Ok(queries
        .into_iter()
        .zip(classes)
        .map(QuerySpec::from)
        .collect())
}

fn strings<'a>(ids: impl IntoIterator<Item = &'a QueryId>) -> Vec<String> {
    ids.into_iter().map(|id| id.as_str().to_owned()).collect()
}

#[pymethods]
impl Curriculum {
    #[new]
    #[pyo3(signature = (queries: "collections.abc.Iterable[str | int]", settings: "collections.abc.Mapping[str, object] | None" = None, *, classes: "collections.abc.Iterable[str] | None" = None))]
    fn new(
        queries: &Bound<'_, PyAny>,
        settings: Option<&Bound<'_, PyAny>>,
        classes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let config: CurriculumConfig = settings_or_default(settings, "settings")?;
        let curriculum = curriculum::Curriculum::new(config, specs(queries, classes)?);
        Ok(curriculum.map_err(Failure::from)?.into())
    }

    /// The ids of the next batch of this epoch; `None` at its end.
    fn next_batch(&self) -> Option<Vec<String>> {
        Some(strings(&self.write().next_batch()?))
    }

    /// Serves the first queries of `upcoming` beside the batches, at most so many.
    fn serve_more(&self, most: usize) -> Vec<String> {
        strings(&self.write().serve_more(most))
    }

    /// Records the metric of each rollout of a query in this epoch; several records of one query are one round of all of them.
    ///
    /// Args:
    ///     query: Its id.
    ///     metrics: One number per rollout, in the range of the settings' `metric`.
    ///
    /// Raises:
    ///     CurriculumError: An unknown id; no number; a number that is NaN or out of range.
    #[pyo3(signature = (query: "str | int", metrics: "collections.abc.Iterable[float] | numpy.typing.NDArray[typing.Any]"))]
    fn record(&self, query: &Bound<'_, PyAny>, metrics: &Bound<'_, PyAny>) -> PyResult<()> {
        let metrics = numbers(metrics, "metrics")?;
        let query = id(query)?;
        let recorded = self.read().record(&query, &metrics);
        Ok(recorded.map_err(Failure::from)?)
    }

    /// Ends the epoch: updates difficulties by what was recorded, sets mastered queries aside, plans the next epoch. Returns the
    /// statistics of the epoch, as `epochs.jsonl` writes them.
    fn end_epoch<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let statistics = self.write().end_epoch();
        to_python(py, &statistics, "statistics")
    }

    /// Difficulty of a query: 1 until it is tried.
    ///
    /// Raises:
    ///     CurriculumError: An unknown id.
    #[pyo3(signature = (query: "str | int"))]
    fn difficulty(&self, query: &Bound<'_, PyAny>) -> PyResult<f64> {
        let query = id(query)?;
        let estimate = self.read().estimate(&query);
        Ok(estimate.map_err(Failure::from)?.difficulty)
    }

    /// Whether a query is set aside as mastered.
    ///
    /// Raises:
    ///     CurriculumError: An unknown id.
    #[pyo3(signature = (query: "str | int"))]
    fn is_mastered(&self, query: &Bound<'_, PyAny>) -> PyResult<bool> {
        let query = id(query)?;
        let mastered = self.read().is_mastered(&query);
        Ok(mastered.map_err(Failure::from)?)
    }

    /// The epoch being served, from 1.
    #[getter]
    fn epoch(&self) -> u32 {
        self.read().epoch()
    }

    /// Whether this epoch serves nothing: too few queries are left, and the settings say to stop then.
    #[getter]
    fn is_finished(&self) -> bool {
        self.read().is_finished()
    }

    /// Ids of all queries, in their order.
    #[getter]
    fn queries(&self) -> Vec<String> {
        strings(self.read().queries())
    }

    /// Ids that this epoch has still to serve, in order.
    #[getter]
    fn upcoming(&self) -> Vec<String> {
        strings(self.read().upcoming())
    }

    /// Withdraws what this epoch has still to serve: for a caller that chooses by itself what is tried.
    fn withdraw_upcoming(&self) {
        self.write().withdraw_upcoming();
    }

    /// Batches that are left until the end of so many epochs, if the pool stays as it is.
    fn steps_left(&self, epochs: u32) -> usize {
        self.read().steps_left(epochs)
    }

    /// The settings.
    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let config = self.read().config().clone();
        to_python(py, &config, "settings")
    }

    /// Goes on with other settings from the next epoch on.
    ///
    /// Raises:
    ///     SettingError: An unknown setting.
    ///     CurriculumError: A setting out of range.
    #[pyo3(signature = (settings: "collections.abc.Mapping[str, object]"))]
    fn reconfigure(&self, settings: &Bound<'_, PyAny>) -> PyResult<()> {
        let config = self::settings(settings, "settings")?;
        let changed = self.write().reconfigure(config);
        Ok(changed.map_err(Failure::from)?)
    }

    /// Goes on with a data set in which queries were added, removed or re-ordered. Returns the ids that were added and removed.
    ///
    /// Raises:
    ///     CurriculumError: As in the constructor; the curriculum is unchanged then.
    #[pyo3(signature = (queries: "collections.abc.Iterable[str | int]", *, classes: "collections.abc.Iterable[str] | None" = None))]
    fn reconcile(
        &self,
        queries: &Bound<'_, PyAny>,
        classes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(Vec<String>, Vec<String>)> {
        let specs = specs(queries, classes)?;
        let report = self.write().reconcile(specs);
        let report = report.map_err(Failure::from)?;
        Ok((strings(&report.added), strings(&report.removed)))
    }

    /// Writes the state to a file, whole or not at all; `rerec curriculum --state` and `rerec train` read it too.
    ///
    /// Raises:
    ///     CurriculumError: The file cannot be written.
    #[pyo3(signature = (path: "str | os.PathLike[str]"))]
    fn save(&self, path: PathBuf) -> Result<()> {
        Ok(self.read().save(&path)?)
    }

    /// Reads a state that `save` wrote; it goes on exactly where that one stood.
    ///
    /// Raises:
    ///     CurriculumError: The file cannot be read, is damaged, or comes from a later version.
    #[staticmethod]
    #[pyo3(signature = (path: "str | os.PathLike[str]"))]
    fn load(path: PathBuf) -> Result<Self> {
        Ok(curriculum::Curriculum::load(&path)?.into())
    }

    /// The state as text, for a checkpoint of another trainer.
    fn state(&self) -> PyResult<String> {
        to_json(&*self.read(), "state")
    }

    /// From the text that `state` gave.
    ///
    /// Raises:
    ///     SettingError: The text is no state.
    #[staticmethod]
    fn from_state(state: &str) -> Result<Self> {
        Ok(from_json::<curriculum::Curriculum>(state, "state")?.into())
    }

    /// Goes back to a state that `state` gave: whoever holds this curriculum goes on from there.
    ///
    /// Raises:
    ///     SettingError: The text is no state; the curriculum is unchanged then.
    fn restore(&self, state: &str) -> Result<()> {
        let restored = from_json(state, "state")?;
        *self.write() = restored;
        Ok(())
    }

    fn __len__(&self) -> usize {
        self.read().queries().len()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let restore = py.get_type::<Self>().getattr("from_state")?;
        Ok((restore, (self.state()?,)))
    }
}

fn id(query: &Bound<'_, PyAny>) -> PyResult<String> {
    let ids = ids(
        &pyo3::types::PyList::new(query.py(), [query])?.into_any(),
        "query",
    )?;
    Ok(ids.concat())
}
