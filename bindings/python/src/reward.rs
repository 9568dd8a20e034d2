//! The reward of the paper, and what it makes of responses.

use std::sync::Arc;

use numpy::IntoPyArray;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use rerec::Choice;
use rerec::rewards::{self, DualGraphConfig, Reward, RewardBreakdown, Sample};
use serde::Deserialize;

use crate::arguments::{from_json, settings_or_default, texts, to_json, to_python, word};
use crate::arrays::Vector;
use crate::catalogue::Catalogue;
use crate::embeddings::ItemEmbeddings;
use crate::error::{Failure, Result};
use crate::graph::AttributeGraph;
use crate::pool;
use crate::questions::{Questions, of_response, queries};

/// The dual-graph reward r = w_f · format + NDCG@K + w_1 · QAS + w_2 · PAS (ReRec, arXiv 2604.07851).
///
/// Args:
///     catalogue: The items that answers are read against.
///     graph: For the query alignment score QAS; without it that part is absent.
///     embeddings: For the preference alignment score PAS; without them that part is absent.
///     settings: Any of `weights` (`{"format": 0.1, "query": 0.01, "preference": 0.01}`), `cutoff` (K, 1), `answer` (`"last"` or
///         `"first"` box), `title_match` (`"title"` or `"exact"`), `alignment` (`"first"`, `"mean"`, `"discounted"`) and
///         `without_answer` (-0.5).
///
/// Raises:
///     SettingError: An unknown setting.
///     RewardError: A setting out of range; a graph or embeddings of another catalogue.
///
/// Example:
///     >>> reward = DualGraphReward(Catalogue(["Heat (1995)", "Casino (1995)"]))
///     >>> reward.score(["so \\boxed{heat}", "no idea"], [["Heat (1995)"]] * 2).totals.round(4).tolist()
///     [1.05, -0.55]
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct DualGraphReward {
    pub(crate) inner: Arc<rewards::DualGraphReward>,
    pub(crate) catalogue: Py<Catalogue>,
    graph: Option<Py<AttributeGraph>>,
    embeddings: Option<Py<ItemEmbeddings>>,
    config: DualGraphConfig,
}

/// What to do with a response that cannot be scored, because the data of its query are at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnError {
    Raise,
    Nan,
}

#[pymethods]
impl DualGraphReward {
    #[new]
    #[pyo3(signature = (catalogue, graph = None, embeddings = None, settings: "collections.abc.Mapping[str, object] | None" = None))]
    fn new(
        catalogue: Py<Catalogue>,
        graph: Option<Py<AttributeGraph>>,
        embeddings: Option<Py<ItemEmbeddings>>,
        settings: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let config: DualGraphConfig = settings_or_default(settings, "settings")?;
        let inner = rewards::DualGraphReward::new(
            config.clone(),
            catalogue.get().inner.clone(),
            graph.as_ref().map(|graph| graph.get().inner.clone()),
            embeddings.as_ref().map(|table| table.get().inner.clone()),
        );
        Ok(Self {
            inner: Arc::new(inner.map_err(Failure::from)?),
            catalogue,
            graph,
            embeddings,
            config,
        })
    }

    /// Scores responses, on all threads.
    ///
    /// Args:
    ///     responses: What the model wrote, n texts; they are read where they are.
    ///     targets: The right items of each response: a list of titles, or one text such as `"Heat; Casino"`.
    ///     candidates: The items to choose from of each response, or `None` where that is the whole catalogue.
    ///     queries: Ids of the queries, which the breakdowns repeat.
    ///     by: What targets and candidates are named by: `"title"`, in any spelling, or `"id"`.
    ///     on_error: What becomes of a response whose query's data are at fault: `"raise"`, or `"nan"`, which makes its numbers NaN
    ///         and keeps the message in `errors`. What a model does wrongly is no error but a flag.
    ///
    /// Raises:
    ///     TypeError: A response is no str.
    ///     TextError: A response holds a lone surrogate.
    ///     SettingError: Not one entry per response.
    ///     RewardError: A target is unknown, ambiguous, or not among the candidates; no target; nothing known of it.
    #[pyo3(signature = (responses: "collections.abc.Iterable[str]", targets: "collections.abc.Iterable[str | collections.abc.Iterable[str]]", candidates: "collections.abc.Iterable[collections.abc.Iterable[str] | None] | None" = None, *, queries: "collections.abc.Iterable[str | int] | None" = None, by: "str" = "title", on_error: "str" = "raise"))]
    #[allow(clippy::too_many_arguments, reason = "named arguments of Python")]
    fn score(
        &self,
        py: Python<'_>,
        responses: &Bound<'_, PyAny>,
        targets: &Bound<'_, PyAny>,
        candidates: Option<&Bound<'_, PyAny>>,
        queries: Option<&Bound<'_, PyAny>>,
        by: &str,
        on_error: &str,
    ) -> PyResult<Rewards> {
        let on_error: OnError = word(on_error, "on_error")?;
        let responses = texts(responses, "responses")?;
        let questions = Questions::read(targets, candidates, by, responses.len())?;
        let queries = self::queries(queries, responses.len())?;
        let scored = pool::run(py, || self.score_all(&responses, &questions, &queries))?;
        Ok(Rewards::of(scored, on_error)?)
    }

    /// Least and largest total.
    #[getter]
    fn bounds(&self) -> (f64, f64) {
        self.inner.bounds()
    }

    /// The catalogue that answers are read against.
    #[getter]
    fn catalogue(&self, py: Python<'_>) -> Py<Catalogue> {
        self.catalogue.clone_ref(py)
    }

    #[allow(clippy::type_complexity, reason = "what the constructor takes")]
    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(
        Py<Catalogue>,
        Option<Py<AttributeGraph>>,
        Option<Py<ItemEmbeddings>>,
        Bound<'py, PyAny>,
    )> {
        let graph = self.graph.as_ref().map(|graph| graph.clone_ref(py));
        let embeddings = self.embeddings.as_ref().map(|table| table.clone_ref(py));
        let settings = to_python(py, &self.config, "settings")?;
        Ok((self.catalogue.clone_ref(py), graph, embeddings, settings))
    }
}

impl DualGraphReward {
    fn score_all(
        &self,
        responses: &[PyBackedStr],
        questions: &Questions,
        queries: &[String],
    ) -> Vec<Result<RewardBreakdown>> {
        let resolved = questions.resolve(&self.catalogue.get().inner, self.inner.reader());
        let choices: Vec<_> = (0..responses.len())
            .map(|place| resolved.of(place))
            .collect();
        let sample = |(place, choice): (usize, &_)| match *choice {
            Ok(choice) => Some(sample(&queries[place], &responses[place], choice)),
            Err(_) => None,
        };
        let samples: Vec<_> = choices.iter().enumerate().filter_map(sample).collect();
        let mut scored = self.inner.score(&samples).into_iter();
        let outcome = |(place, choice): (usize, std::result::Result<&Choice, &rerec::Error>)| {
            let failed = |failure: Failure| of_response(place, failure);
            choice.map_err(|error| failed(error.into()))?;
            // One result per sample, in their order.
            let scored = scored.next().unwrap_or(Err(rewards::Error::NoTargets));
            scored.map_err(|error| failed(without_query(error).into()))
        };
        choices.into_iter().enumerate().map(outcome).collect()
    }
}

fn sample<'a>(query: &'a str, response: &'a str, choice: &'a Choice) -> Sample<'a> {
    Sample {
        query,
        response,
        targets: &choice.targets,
        candidates: choice.candidates.as_deref(),
    }
}

/// The cause alone: the place of the response says which query it is.
pub(crate) fn without_query(error: rewards::Error) -> rewards::Error {
    match error {
        rewards::Error::Sample { cause, .. } => *cause,
        error => error,
    }
}

/// A reward, or why there is none.
pub(crate) type Entry = std::result::Result<RewardBreakdown, String>;

/// The rewards of a batch of responses, in their order.
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct Rewards {
    entries: Arc<Vec<Entry>>,
}

impl Rewards {
    fn of(scored: Vec<Result<RewardBreakdown>>, on_error: OnError) -> Result<Self> {
        let entry = |scored: Result<RewardBreakdown>| match (scored, on_error) {
            (Ok(breakdown), _) => Ok(Ok(breakdown)),
            (Err(failure), OnError::Raise) => Err(failure),
            (Err(failure), OnError::Nan) => Ok(Err(failure.message().to_owned())),
        };
        let entries = scored.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
        Ok(Self::from_entries(Arc::new(entries)))
    }

    pub(crate) fn from_entries(entries: Arc<Vec<Entry>>) -> Self {
        Self { entries }
    }

    fn column<'py>(
        &self,
        py: Python<'py>,
        part: impl Fn(&RewardBreakdown) -> Option<f64>,
    ) -> Vector<'py, f64> {
        let number = |entry: &Entry| {
            let part = entry.as_ref().ok().and_then(&part);
            part.unwrap_or(f64::NAN)
        };
        let numbers: Vec<f64> = self.entries.iter().map(number).collect();
        numbers.into_pyarray(py).into()
    }
}

#[pymethods]
impl Rewards {
    /// The rewards, float64 of shape [n]; NaN where a response could not be scored, as in all arrays of float64 here.
    #[getter]
    fn totals<'py>(&self, py: Python<'py>) -> Vector<'py, f64> {
        self.column(py, |reward| Some(reward.total))
    }

    /// +0.5 with an answer, -0.5 without, [n].
    #[getter]
    fn formats<'py>(&self, py: Python<'py>) -> Vector<'py, f64> {
        self.column(py, |reward| Some(reward.format))
    }

    /// NDCG@K, in [0, 1]; 0 without an answer, [n].
    #[getter]
    fn ndcgs<'py>(&self, py: Python<'py>) -> Vector<'py, f64> {
        self.column(py, |reward| Some(reward.ndcg))
    }

    /// Query alignment scores, [n]; NaN without a graph.
    #[getter]
    fn query_alignments<'py>(&self, py: Python<'py>) -> Vector<'py, f64> {
        self.column(py, |reward| reward.query_alignment)
    }

    /// Preference alignment scores, [n]; NaN without embeddings.
    #[getter]
    fn preference_alignments<'py>(&self, py: Python<'py>) -> Vector<'py, f64> {
        self.column(py, |reward| reward.preference_alignment)
    }

    /// Whether a target is among the first K of the answer, bool of shape [n]; False where a response could not be scored.
    #[getter]
    fn hits<'py>(&self, py: Python<'py>) -> Vector<'py, bool> {
        let hit = |entry: &Entry| entry.as_ref().is_ok_and(|reward| reward.hit);
        let hits: Vec<bool> = self.entries.iter().map(hit).collect();
        hits.into_pyarray(py).into()
    }

    /// What each model did wrongly, such as `["unknown_item"]`, one list per response.
    #[getter]
    fn flags(&self) -> Vec<Vec<&'static str>> {
        let flags = |entry: &Entry| {
            let flags = entry.as_ref().map_or(&[][..], |reward| &reward.flags);
            flags.iter().map(|flag| flag.name()).collect()
        };
        self.entries.iter().map(flags).collect()
    }

    /// Why responses could not be scored, by their place.
    #[getter]
    fn errors(&self) -> std::collections::BTreeMap<usize, &str> {
        let entries = self.entries.iter().enumerate();
        entries
            .filter_map(|(place, entry)| Some((place, entry.as_ref().err()?.as_str())))
            .collect()
    }

    fn __len__(&self) -> usize {
        self.entries.len()
    }

    /// The breakdown of a response, or `None` where it could not be scored.
    fn __getitem__(&self, place: isize) -> PyResult<Option<Breakdown>> {
        let length = self.entries.len();
        let from_end = length.checked_add_signed(place).filter(|_| place < 0);
        let place = usize::try_from(place).ok().or(from_end);
        let entry = place.and_then(|place| self.entries.get(place));
        let entry =
            entry.ok_or_else(|| PyIndexError::new_err(format!("there are {length} responses")))?;
        Ok(entry.as_ref().ok().map(|inner| Breakdown {
            inner: inner.clone(),
        }))
    }

    /// From the JSON that pickle keeps.
    #[staticmethod]
    fn _from_json(json: &str) -> Result<Self> {
        let entries: Vec<Entry> = from_json(json, "rewards")?;
        Ok(Self::from_entries(Arc::new(entries)))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let restore = py.get_type::<Self>().getattr("_from_json")?;
        Ok((restore, (to_json(&*self.entries, "rewards")?,)))
    }
}

/// The reward of one response with all its parts.
#[pyclass(frozen, module = "rerec", name = "RewardBreakdown")]
#[derive(Debug)]
pub(crate) struct Breakdown {
    inner: RewardBreakdown,
}

#[pymethods]
impl Breakdown {
    /// Id of the query.
    #[getter]
    fn query(&self) -> &str {
        &self.inner.query
    }

    /// The reward.
    #[getter]
    fn total(&self) -> f64 {
        self.inner.total
    }

    /// +0.5 with an answer, -0.5 without.
    #[getter]
    fn format(&self) -> f64 {
        self.inner.format
    }

    /// NDCG@K of the answer; 0 without one.
    #[getter]
    fn ndcg(&self) -> f64 {
        self.inner.ndcg
    }

    /// The ranking term: NDCG@K or, without an answer, what the settings say.
    #[getter]
    fn ranking(&self) -> f64 {
        self.inner.ranking
    }

    /// Query alignment score; `None` without a graph.
    #[getter]
    fn query_alignment(&self) -> Option<f64> {
        self.inner.query_alignment
    }

    /// Preference alignment score; `None` without embeddings.
    #[getter]
    fn preference_alignment(&self) -> Option<f64> {
        self.inner.preference_alignment
    }

    /// Whether a target is among the first K of the answer.
    #[getter]
    fn hit(&self) -> bool {
        self.inner.hit
    }

    /// What the model did wrongly, each once.
    #[getter]
    fn flags(&self) -> Vec<&'static str> {
        self.inner.flags.iter().map(|flag| flag.name()).collect()
    }

    /// What the answer lists, as it is written; `None` without an answer.
    #[getter]
    fn answer(&self) -> Option<Vec<&str>> {
        let answer = self.inner.answer.as_ref()?;
        Some(answer.items.iter().map(|item| item.text.as_str()).collect())
    }

    /// Ids of the items that the answer lists, `None` for what stands for no item; `None` without an answer.
    #[getter]
    fn answer_ids(&self) -> Option<Vec<Option<&str>>> {
        let answer = self.inner.answer.as_ref()?;
        Some(
            answer
                .items
                .iter()
                .map(|item| item.id.as_ref().map(|id| id.as_str()))
                .collect(),
        )
    }

    /// All of it as a dict, as `rollouts.jsonl` writes it.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.inner, "breakdown")
    }

    fn __repr__(&self) -> String {
        let RewardBreakdown { total, hit, .. } = self.inner;
        format!(
            "RewardBreakdown(total={total:?}, hit={}, flags={:?})",
            if hit { "True" } else { "False" },
            self.flags()
        )
    }

    /// From the JSON that pickle keeps.
    #[staticmethod]
    fn _from_json(json: &str) -> Result<Self> {
        let inner = from_json(json, "breakdown")?;
        Ok(Self { inner })
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let restore = py.get_type::<Self>().getattr("_from_json")?;
        Ok((restore, (to_json(&self.inner, "breakdown")?,)))
    }
}
