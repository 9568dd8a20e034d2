//! Reward, step credit, advantages and curriculum metric of groups of responses in one call.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use numpy::{IntoPyArray, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use rerec::advantage::Ragged;
use rerec::{AssessedResponse, AssessorConfig, Group, ResponseText, Step};
use serde::{Deserialize, Serialize};

use crate::arguments::{from_json, same_length, settings_or_default, texts, to_json, to_python};
use crate::arrays::{self, Vector};
use crate::error::{Failure, Kind, Result};
use crate::pool;
use crate::questions::{Questions, Resolved, queries};
use crate::reward::{DualGraphReward, Entry, Rewards, without_query};

/// Reward, step credit, advantages and curriculum metric of groups of responses in one call: the method of the paper between
/// a sampler and an optimiser, as `rerec train` runs it.
///
/// Args:
///     reward: What scores the responses.
///     settings: Any of `estimator` (`"raae"`), `credit`, `penalty`, `parts`, `overlong`, `length` and `curriculum_metric`
///         (`"reward"`), as in the section of a run's configuration.
///
/// Raises:
///     SettingError: An unknown setting; settings that exclude each other; an estimator that needs a critic.
///     AdvantageError: A setting of credit or estimator out of range.
///
/// Example:
///     >>> assessor = Assessor(DualGraphReward(Catalogue(["Heat (1995)", "Casino (1995)"])))
///     >>> assessed = assessor.assess(
///     ...     ["Heat.\n\\boxed{Heat}", "Casino.\n\\boxed{Casino}"], [[6, 12], [8, 14]],
///     ...     queries=["q1", "q1"], targets=[["Heat (1995)"]] * 2,
///     ... )
///     >>> [row.round(4).tolist() for row in assessed.token_rewards]  # naming the wrong item keeps 0.7 of 0.05
///     [[1.05, 1.05], [0.035, 0.05]]
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct Assessor {
    inner: rerec::Assessor,
    reward: Py<DualGraphReward>,
    config: AssessorConfig,
}

/// What was handed in, one entry per response.
struct Batch {
    responses: Vec<PyBackedStr>,
    token_byte_lens: Vec<Vec<u32>>,
    questions: Questions,
    greedy: Option<Vec<PyBackedStr>>,
    groups: Vec<Members>,
}

/// A query and the places of its responses.
struct Members {
    query: String,
    places: Vec<usize>,
}

#[pymethods]
impl Assessor {
    #[new]
    #[pyo3(signature = (reward, settings: "collections.abc.Mapping[str, object] | None" = None))]
    fn new(reward: Py<DualGraphReward>, settings: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let config: AssessorConfig = settings_or_default(settings, "settings")?;
        let parts = reward.get();
        let catalogue = &parts.catalogue.get().inner;
        let inner = rerec::Assessor::new(config.clone(), catalogue, parts.inner.clone());
        Ok(Self {
            inner: inner.map_err(Failure::from)?,
            reward,
            config,
        })
    }

    /// Scores responses, credits their steps and estimates the advantage of each token, on all threads.
    ///
    /// A response whose query's data are at fault is named in `rewards.errors` and left out of everything else.
    ///
    /// Args:
    ///     responses: What the model wrote, n texts; they are read where they are.
    ///     token_byte_lens: UTF-8 bytes of its text that each sampled token holds, one sequence per response; special tokens hold 0.
    ///         `TokenBytes` gives them.
    ///     queries: The query of each response; responses of one query are compared with each other, wherever they stand.
    ///     targets: The right items of each response: a list of titles, or one text such as `"Heat; Casino"`.
    ///     candidates: The items to choose from of each response, or `None` where that is the whole catalogue.
    ///     greedy: For ReMax alone: the greedy response to the query of each response.
    ///     by: What targets and candidates are named by: `"title"` or `"id"`.
    ///
    /// Raises:
    ///     AdvantageError: Byte lengths that do not add up to a response's bytes.
    ///     ValueError: A negative byte length.
    ///     SettingError: Not one entry per response; responses of one query with different targets or candidates.
    #[pyo3(signature = (responses: "collections.abc.Iterable[str]", token_byte_lens: "collections.abc.Iterable[collections.abc.Iterable[int] | numpy.typing.NDArray[numpy.integer[typing.Any]]]", *, queries: "collections.abc.Iterable[str | int]", targets: "collections.abc.Iterable[str | collections.abc.Iterable[str]]", candidates: "collections.abc.Iterable[collections.abc.Iterable[str] | None] | None" = None, greedy: "collections.abc.Iterable[str] | None" = None, by: "str" = "title"))]
    #[allow(clippy::too_many_arguments, reason = "named arguments of Python")]
    fn assess(
        &self,
        py: Python<'_>,
        responses: &Bound<'_, PyAny>,
        token_byte_lens: &Bound<'_, PyAny>,
        queries: &Bound<'_, PyAny>,
        targets: &Bound<'_, PyAny>,
        candidates: Option<&Bound<'_, PyAny>>,
        greedy: Option<&Bound<'_, PyAny>>,
        by: &str,
    ) -> PyResult<Assessment> {
        let (responses, token_byte_lens) = arrays::responses(responses, token_byte_lens)?;
        let greedy = greedy.map(|greedy| texts(greedy, "greedy")).transpose()?;
        if let Some(greedy) = &greedy {
            same_length("greedy", greedy.len(), responses.len())?;
        }
        let questions = Questions::read(targets, candidates, by, responses.len())?;
        let groups = groups(self::queries(Some(queries), responses.len())?, &questions)?;
        let batch = Batch {
            responses,
            token_byte_lens,
            questions,
            greedy,
            groups,
        };
        Ok(pool::run(py, || self.assess_batch(&batch))??)
    }

    /// What scores the responses.
    #[getter]
    fn reward(&self, py: Python<'_>) -> Py<DualGraphReward> {
        self.reward.clone_ref(py)
    }

    /// The settings, with the defaults of those that were not given.
    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.config, "settings")
    }

    /// Least and largest value of the curriculum metric: the range of a curriculum's `metric`.
    #[getter]
    fn metric_range(&self) -> (f64, f64) {
        self.inner.metric_range()
    }

    /// Whether the estimator compares with greedy responses, as ReMax does.
    #[getter]
    fn needs_greedy_responses(&self) -> bool {
        self.inner.needs_greedy_responses()
    }

    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Py<DualGraphReward>, Bound<'py, PyAny>)> {
        Ok((self.reward.clone_ref(py), self.settings(py)?))
    }
}

/// The responses of each query, in the order in which queries come first.
fn groups(queries: Vec<String>, questions: &Questions) -> PyResult<Vec<Members>> {
    let mut groups: Vec<Members> = Vec::new();
    let mut numbers = HashMap::new();
    for (place, query) in queries.into_iter().enumerate() {
        let number = *numbers.entry(query).or_insert_with_key(|query| {
            groups.push(Members {
                query: query.clone(),
                places: Vec::new(),
            });
            groups.len() - 1
        });
        let group = &mut groups[number];
        if let Some(&first) = group.places.first()
            && !questions.are_equal(first, place)
        {
            let message = format!(
                "targets and candidates of responses[{place}] must be those of responses[{first}], which is to the same query {:?}",
                group.query
            );
            return Err(Failure::new(Kind::Setting, message).into());
        }
        group.places.push(place);
    }
    Ok(groups)
}

impl Assessor {
    fn assess_batch(&self, batch: &Batch) -> Result<Assessment> {
        let reward = self.reward.get();
        let catalogue = &reward.catalogue.get().inner;
        let resolved = batch.questions.resolve(catalogue, reward.inner.reader());
        let texts: Vec<Vec<ResponseText<'_>>> = batch
            .groups
            .iter()
            .map(|group| batch.texts(group))
            .collect();
        let groups: Vec<Group<'_>> = batch
            .groups
            .iter()
            .zip(&texts)
            .map(|(members, responses)| batch.group(members, responses, &resolved))
            .collect();
        let assessed = self.inner.assess(&groups)?;
        let rows = batch.rows();
        let teaches = assessed
            .groups
            .iter()
            .flat_map(|group| group.responses.iter().map(|_| group.teaches));
        let teaches: Vec<bool> = teaches.collect();
        let mut responses: Vec<Option<AssessedResponse>> = assessed
            .groups
            .into_iter()
            .flat_map(|group| group.responses)
            .map(Some)
            .collect();
        let mut assessment = Assessment {
            lengths: batch.token_byte_lens.iter().map(Vec::len).collect(),
            queries: batch
                .groups
                .iter()
                .map(|group| (group.query.clone(), group.places.clone()))
                .collect(),
            token_rewards: in_order(&assessed.token_rewards, &rows),
            advantages: in_order(&assessed.advantages, &rows),
            teaches: rows.iter().map(|&row| teaches[row]).collect(),
            ..Assessment::default()
        };
        for (place, &row) in rows.iter().enumerate() {
            if let Some(response) = responses[row].take() {
                assessment.push(response, resolved.of(place).err());
            }
        }
        Ok(assessment)
    }
}

impl Batch {
    /// The row of each response where those of a group follow each other.
    fn rows(&self) -> Vec<usize> {
        let places = self
            .groups
            .iter()
            .flat_map(|group| group.places.iter().copied());
        let mut rows: Vec<(usize, usize)> = places.zip(0..).collect();
        rows.sort_unstable();
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn texts(&self, group: &Members) -> Vec<ResponseText<'_>> {
        let text = |&place: &usize| ResponseText {
            text: &self.responses[place],
            token_byte_lens: &self.token_byte_lens[place],
        };
        group.places.iter().map(text).collect()
    }

    fn group<'a>(
        &'a self,
        members: &'a Members,
        responses: &'a [ResponseText<'a>],
        resolved: &'a Resolved<'_>,
    ) -> Group<'a> {
        // Every group has the response that made it.
        let first = members.places[0];
        let choice = resolved.of(first).ok();
        Group {
            query: &members.query,
            // Without targets the reward refuses each response, whose error is then that of its question.
            targets: choice.map_or(&[], |choice| &choice.targets),
            candidates: choice.and_then(|choice| choice.candidates.as_deref()),
            responses,
            greedy: self.greedy.as_ref().map(|greedy| &*greedy[first]),
        }
    }
}

fn in_order(ragged: &Ragged<f64>, rows: &[usize]) -> Ragged<f64> {
    Ragged::from_rows(rows.iter().filter_map(|&row| ragged.row(row)))
}

/// What became of a batch of responses, in their order.
#[pyclass(frozen, module = "rerec")]
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Assessment {
    #[serde(with = "shared")]
    rewards: Arc<Vec<Entry>>,
    metrics: Vec<Option<f64>>,
    steps: Vec<Vec<Step>>,
    token_rewards: Ragged<f64>,
    advantages: Ragged<f64>,
    teaches: Vec<bool>,
    /// Tokens of each response.
    lengths: Vec<usize>,
    /// The places of the responses to each query.
    queries: Vec<(String, Vec<usize>)>,
}

/// What is shared is written once for each that holds it, and read as one's own.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}

impl Assessment {
    fn push(&mut self, response: AssessedResponse, fault: Option<&rerec::Error>) {
        let place = self.rewards.len();
        let reward = response.reward.map_err(|error| {
            let fault = fault.map_or_else(|| without_query(error).into(), Failure::from);
            fault
                .at(&format!("responses[{place}]"))
                .message()
                .to_owned()
        });
        Arc::make_mut(&mut self.rewards).push(reward);
        self.metrics.push(response.metric);
        self.steps.push(response.steps);
    }
}

#[pymethods]
impl Assessment {
    /// The rewards with all their parts.
    #[getter]
    fn rewards(&self) -> Rewards {
        Rewards::from_entries(self.rewards.clone())
    }

    /// What a curriculum records, float64 of shape [n]; NaN where there is no reward.
    #[getter]
    fn metrics<'py>(&self, py: Python<'py>) -> Vector<'py, f64> {
        let metrics = self.metrics.iter().map(|metric| metric.unwrap_or(f64::NAN));
        metrics.collect::<Vec<_>>().into_pyarray(py).into()
    }

    /// The metrics of the responses to each query that have one: what `Curriculum.record` takes.
    #[getter]
    fn metrics_by_query(&self) -> BTreeMap<&str, Vec<f64>> {
        let metrics = |places: &[usize]| -> Vec<f64> {
            places
                .iter()
                .filter_map(|&place| self.metrics[place])
                .collect()
        };
        let queries = self
            .queries
            .iter()
            .map(|(query, places)| (query.as_str(), metrics(places)));
        queries.filter(|(_, metrics)| !metrics.is_empty()).collect()
    }

    /// Rewards of tokens, one float64 array of shape [tokens] per response; empty where there is no reward.
    #[getter]
    fn token_rewards<'py>(&self, py: Python<'py>) -> Vec<Vector<'py, f64>> {
        list(py, &self.token_rewards)
    }

    /// Advantages of tokens, in the same rows.
    #[getter]
    fn advantages<'py>(&self, py: Python<'py>) -> Vec<Vector<'py, f64>> {
        list(py, &self.advantages)
    }

    /// Advantages of tokens as one float32 array of shape [n, width]; 0 behind the last token and where there is no reward.
    ///
    /// Raises:
    ///     ValueError: A response has more tokens than `width`.
    #[pyo3(signature = (width) -> "numpy.typing.NDArray[numpy.float32]")]
    fn padded_advantages<'py>(
        &self,
        py: Python<'py>,
        width: usize,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        padded(py, &self.advantages, width)
    }

    /// Rewards of tokens, in the same form.
    ///
    /// Raises:
    ///     ValueError: A response has more tokens than `width`.
    #[pyo3(signature = (width) -> "numpy.typing.NDArray[numpy.float32]")]
    fn padded_token_rewards<'py>(
        &self,
        py: Python<'py>,
        width: usize,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        padded(py, &self.token_rewards, width)
    }

    /// Whether any advantage in the response's group is not 0, bool of shape [n].
    #[getter]
    fn teaches<'py>(&self, py: Python<'py>) -> Vector<'py, bool> {
        self.teaches.clone().into_pyarray(py).into()
    }

    /// The share of its steps that a rule penalised, float64 of shape [n]; NaN for a response without steps.
    #[getter]
    fn penalised_shares<'py>(&self, py: Python<'py>) -> Vector<'py, f64> {
        let share = |steps: &Vec<Step>| {
            let penalised = steps.iter().filter(|step| step.penalised).count();
            penalised as f64 / steps.len() as f64
        };
        let shares: Vec<f64> = self.steps.iter().map(share).collect();
        shares.into_pyarray(py).into()
    }

    /// The reasoning steps of each response, as `rollouts.jsonl` writes them: `span` (bytes), `kind`, `tokens` (range), `items`
    /// that it names, `ratio` of the reward that its tokens keep, `penalised`, mean `advantage`.
    #[getter]
    fn steps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.steps, "steps")
    }

    fn __len__(&self) -> usize {
        self.lengths.len()
    }

    /// From the JSON that pickle keeps.
    #[staticmethod]
    fn _from_json(json: &str) -> Result<Self> {
        from_json(json, "assessment")
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let restore = py.get_type::<Self>().getattr("_from_json")?;
        Ok((restore, (to_json(self, "assessment")?,)))
    }
}

fn list<'py>(py: Python<'py>, rows: &Ragged<f64>) -> Vec<Vector<'py, f64>> {
    rows.rows()
        .map(|row| row.to_vec().into_pyarray(py).into())
        .collect()
}

fn padded<'py>(
    py: Python<'py>,
    rows: &Ragged<f64>,
    width: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let longest = rows.row_lengths().max().unwrap_or(0);
    if longest > width {
        let message = format!(
            "width must be at least {longest}, the tokens of the longest response, got {width}"
        );
        return Err(PyValueError::new_err(message));
    }
    // Made by numpy, which raises what memory cannot hold: an allocation that fails here would end the process.
    let shape = (rows.len(), width);
    let array = py
        .import("numpy")?
        .call_method1("zeros", (shape, numpy::dtype::<f32>(py)))?;
    let array = array.cast_into::<PyArray2<f32>>()?;
    let mut values = array.readwrite();
    for (row, mut padded) in rows.rows().zip(values.as_array_mut().rows_mut()) {
        for (value, slot) in row.iter().zip(&mut padded) {
            *slot = *value as f32;
        }
    }
    drop(values);
    Ok(array)
}
