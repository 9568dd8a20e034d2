//! Step credit alone.

use numpy::IntoPyArray;
use pyo3::prelude::*;
use rayon::prelude::*;
use rerec::advantage::{CreditConfig, Explanation};
use rerec::rewards::{AnswerChoice, AnswerReader, TitleMatch};
use rerec::{Crediter, ResponseText};
use serde::{Deserialize, Serialize};

use crate::arguments::{from_json, same_length, settings_or_default, to_json, to_python, word};
use crate::arrays::{self, Vector, numbers};
use crate::catalogue::Catalogue;
use crate::error::{Failure, Result};
use crate::pool;
use crate::questions::{Questions, Resolved, of_response};

/// The reasoning steps of responses, the items that each names, and what each token keeps of a reward that comes from elsewhere.
///
/// An answer is right if the first item in its box is a target. Where it is wrong, a step that names an item of the box keeps the
/// least ratio of the reward (0.7 unless set otherwise).
///
/// Args:
///     catalogue: The items whose names are looked for.
///     settings: Any of `split` (list of `"paragraph"`, `"sentence"`, `"step"`, `"think"`), `mentions` (`"title"`, `"substring"`,
///         `"substring_ignore_case"`) and `rules` (list of `"step_penalty"`, `"decrease"` or dicts such as
///         `{"rule": "step_penalty", "on": "verdicts"}`).
///     answer: Which box is the answer: `"last"` or `"first"`.
///     title_match: How titles are compared: `"title"` or `"exact"`.
///
/// Raises:
///     SettingError: An unknown setting.
///     AdvantageError: A setting out of range.
///
/// Example:
///     >>> credit = Credit(Catalogue(["Heat (1995)", "Casino (1995)"]))
///     >>> [credited] = credit.assign(["Casino.\n\\boxed{Casino}"], [[8, 14]], targets=["Heat (1995)"], rewards=[1.0])
///     >>> credited.token_rewards.tolist(), credited.steps[0]["penalised"]
///     ([0.7, 1.0], True)
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct Credit {
    crediter: Crediter,
    reader: AnswerReader,
    catalogue: Py<Catalogue>,
    config: CreditConfig,
    answer: AnswerChoice,
    title_match: TitleMatch,
}

/// What the steps of one response earned.
#[pyclass(frozen, module = "rerec")]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StepCredits {
    token_rewards: Vec<f64>,
    explanation: Explanation,
}

#[pymethods]
impl Credit {
    #[new]
    #[pyo3(signature = (catalogue, settings: "collections.abc.Mapping[str, object] | None" = None, *, answer: "str" = "last", title_match: "str" = "title"))]
    fn new(
        catalogue: Py<Catalogue>,
        settings: Option<&Bound<'_, PyAny>>,
        answer: &str,
        title_match: &str,
    ) -> PyResult<Self> {
        let config: CreditConfig = settings_or_default(settings, "settings")?;
        let (answer, title_match) = (word(answer, "answer")?, word(title_match, "title_match")?);
        let items = &catalogue.get().inner;
        Ok(Self {
            crediter: Crediter::new(config.clone(), items).map_err(Failure::from)?,
            reader: AnswerReader::new(items.clone(), title_match, answer),
            catalogue,
            config,
            answer,
            title_match,
        })
    }

    /// Credits the steps of responses, on all threads.
    ///
    /// Args:
    ///     responses: What the model wrote, n texts.
    ///     token_byte_lens: UTF-8 bytes of its text that each sampled token holds, one sequence per response.
    ///     targets: The right items of each response: a list of titles, or one text such as `"Heat; Casino"`.
    ///     rewards: The reward of each response, [n].
    ///     candidates: The items to choose from of each response; a name is then not taken for a shorter one inside it.
    ///     by: What targets and candidates are named by: `"title"` or `"id"`.
    ///
    /// Raises:
    ///     AdvantageError: Byte lengths that do not add up to a response's bytes; a reward that is not finite.
    ///     RewardError: A target or candidate that is unknown or ambiguous.
    ///     ValueError: A negative byte length.
    ///     SettingError: Not one entry per response.
    #[pyo3(signature = (responses: "collections.abc.Iterable[str]", token_byte_lens: "collections.abc.Iterable[collections.abc.Iterable[int] | numpy.typing.NDArray[numpy.integer[typing.Any]]]", *, targets: "collections.abc.Iterable[str | collections.abc.Iterable[str]]", rewards: "collections.abc.Iterable[float] | numpy.typing.NDArray[typing.Any]", candidates: "collections.abc.Iterable[collections.abc.Iterable[str] | None] | None" = None, by: "str" = "title"))]
    #[allow(clippy::too_many_arguments, reason = "named arguments of Python")]
    fn assign(
        &self,
        py: Python<'_>,
        responses: &Bound<'_, PyAny>,
        token_byte_lens: &Bound<'_, PyAny>,
        targets: &Bound<'_, PyAny>,
        rewards: &Bound<'_, PyAny>,
        candidates: Option<&Bound<'_, PyAny>>,
        by: &str,
    ) -> PyResult<Vec<StepCredits>> {
        let (responses, token_byte_lens) = arrays::responses(responses, token_byte_lens)?;
        let rewards = numbers(rewards, "rewards")?;
        same_length("rewards", rewards.len(), responses.len())?;
        let questions = Questions::read(targets, candidates, by, responses.len())?;
        let credited = pool::run(py, || -> Result<Vec<StepCredits>> {
            let resolved = questions.resolve(&self.catalogue.get().inner, &self.reader);
            let credit = |place: usize| {
                let response = ResponseText {
                    text: &responses[place],
                    token_byte_lens: &token_byte_lens[place],
                };
                self.credit(place, &response, rewards[place], &resolved)
                    .map_err(|failure| of_response(place, failure))
            };
            (0..responses.len()).into_par_iter().map(credit).collect()
        })?;
        Ok(credited?)
    }

    #[allow(
        clippy::type_complexity,
        reason = "arguments and named arguments of the constructor"
    )]
    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(
        (Py<Catalogue>, Bound<'py, PyAny>),
        std::collections::BTreeMap<&'static str, Bound<'py, PyAny>>,
    )> {
        let named = [
            ("answer", to_python(py, &self.answer, "answer")?),
            (
                "title_match",
                to_python(py, &self.title_match, "title_match")?,
            ),
        ];
        let config = to_python(py, &self.config, "settings")?;
        Ok(((self.catalogue.clone_ref(py), config), named.into()))
    }
}

impl Credit {
    fn credit(
        &self,
        place: usize,
        response: &ResponseText<'_>,
        reward: f64,
        resolved: &Resolved<'_>,
    ) -> Result<StepCredits> {
        let choice = resolved.of(place)?;
        let candidates = choice.candidates.as_deref();
        let answer = self.reader.read(response.text, candidates);
        let judged = answer.as_ref().and_then(|answer| {
            let first = answer.items.first()?;
            let is_right = first
                .index
                .is_some_and(|item| choice.targets.contains(&item));
            Some((answer, is_right))
        });
        let query = self.crediter.query(&choice.targets, candidates)?;
        let credited = query.credit(response, judged, reward, |credit| {
            Explanation::new(&credit, None).map(|explanation| StepCredits {
                explanation,
                token_rewards: credit.token_rewards,
            })
        });
        Ok(credited??)
    }
}

#[pymethods]
impl StepCredits {
    /// The reward of each token, float64 of shape [tokens].
    #[getter]
    fn token_rewards<'py>(&self, py: Python<'py>) -> Vector<'py, f64> {
        self.token_rewards.clone().into_pyarray(py).into()
    }

    /// The steps that are not blank: `span` and `content` (bytes), `kind`, `text`, `items` that it names, `ratio` of the reward
    /// that its tokens keep, `penalised`, number of `tokens`.
    #[getter]
    fn steps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.explanation.steps, "steps")
    }

    /// From the JSON that pickle keeps.
    #[staticmethod]
    fn _from_json(json: &str) -> Result<Self> {
        from_json(json, "credits")
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let restore = py.get_type::<Self>().getattr("_from_json")?;
        Ok((restore, (to_json(self, "credits")?,)))
    }
}
