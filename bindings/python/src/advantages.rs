//! Advantages from rewards of tokens or responses.

use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use rerec::advantage::{AdvantageEstimator, EstimatorConfig, Groups, Preset, Ragged, RolloutBatch};

use crate::arguments::{ids, settings, word};
use crate::arrays::{Form, Rows, flat, mask as read_mask, numbers, rows, truths};
use crate::error::{Failure, Kind, Result};
use crate::pool;

/// What an estimator is given; at least one of the first two.
#[derive(Default)]
struct Input {
    token_rewards: Option<Rows<f64>>,
    rewards: Option<Vec<f64>>,
    mask: Option<Rows<bool>>,
    values: Option<Rows<f64>>,
    baselines: Option<Vec<f64>>,
    hits: Option<Vec<bool>>,
}

/// The advantage of each token from the rewards of grouped responses. Statistics are computed in float64.
///
/// Rows of tokens are one array of shape [n, T], padded, with a mask; or a list of n arrays of shape [tokens]. The result has the form
/// of `token_rewards` or, without them, of the mask: float32 if all these are float32, else float64. With `rewards` alone it is one
/// number per response. Masked tokens get 0.
///
/// Args:
///     estimator: `"raae"` (the paper's), `"grpo"`, `"dr_grpo"`, `"rloo"`, `"opo"`, `"gpg"`, `"pass_k"`, `"reinforce_pp"`,
///         `"reinforce_pp_baseline"`, `"remax"`, `"gae"`; or a dict with its settings, such as `{"estimator": "grpo", "eps": 1e-4}`.
///     groups: The query of each response, n ids; or the number of responses that each query has in turn.
///     token_rewards: The reward of each token. Estimators of outcomes take their sum where `rewards` are not given.
///     rewards: The reward of each response, [n].
///     mask: 1 for tokens that count, 0 for others, in the form of `token_rewards`.
///     values: What a critic says of each token: GAE alone.
///     baselines: The reward of the greedy response to each response's query, [n]: ReMax alone.
///     hits: Whether each response is right, [n]: needed only where groups without a right answer take another standard deviation
///         than their own (`over = "batch_without_hit"`).
///     preset: Conventions of another system: `"verl"` (the defaults), `"trl"` or `"openrlhf"`.
///
/// Raises:
///     TypeError: An array of another type than numbers.
///     ValueError: An array of another number of dimensions; a mask that holds anything but 0 and 1.
///     SettingError: An unknown estimator or setting; neither kind of rewards.
///     AdvantageError: A setting out of range; arrays that do not fit together; a reward that is not finite; an input that the
///         estimator needs and was not given.
///
/// Example:
///     >>> advantages({"estimator": "raae", "eps": 0}, groups=2, token_rewards=[numpy.array([1., 2.]), numpy.array([3.])])
///     [array([-1.,  0.]), array([1.])]
#[pyfunction]
#[pyo3(signature = (estimator: "str | collections.abc.Mapping[str, object]", *, groups: "int | collections.abc.Iterable[str | int]", token_rewards: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[numpy.typing.NDArray[typing.Any]] | None" = None, rewards: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[float] | None" = None, mask: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[numpy.typing.NDArray[typing.Any]] | None" = None, values: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[numpy.typing.NDArray[typing.Any]] | None" = None, baselines: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[float] | None" = None, hits: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[bool] | None" = None, preset: "str | None" = None) -> "typing.Any")]
#[allow(clippy::too_many_arguments, reason = "named arguments of Python")]
pub(crate) fn advantages<'py>(
    py: Python<'py>,
    estimator: &Bound<'py, PyAny>,
    groups: &Bound<'py, PyAny>,
    token_rewards: Option<&Bound<'py, PyAny>>,
    rewards: Option<&Bound<'py, PyAny>>,
    mask: Option<&Bound<'py, PyAny>>,
    values: Option<&Bound<'py, PyAny>>,
    baselines: Option<&Bound<'py, PyAny>>,
    hits: Option<&Bound<'py, PyAny>>,
    preset: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let estimator = build(estimator, preset)?;
    let input = Input {
        token_rewards: token_rewards
            .map(|rows| self::rows(rows, "token_rewards"))
            .transpose()?,
        rewards: rewards
            .map(|rewards| numbers(rewards, "rewards"))
            .transpose()?,
        mask: mask.map(|mask| read_mask(mask, "mask")).transpose()?,
        values: values.map(|values| rows(values, "values")).transpose()?,
        baselines: baselines
            .map(|numbers| self::numbers(numbers, "baselines"))
            .transpose()?,
        hits: hits.map(|hits| truths(hits, "hits")).transpose()?,
    };
    let lengths = input.lengths()?;
    let groups = read_groups(groups, lengths.len())?;
    let advantages = pool::run(py, || input.estimate(&*estimator, &groups, &lengths))??;
    let is_single = |rewards: &Bound<'py, PyAny>| {
        let array = rewards.cast::<PyUntypedArray>().ok()?;
        Some(array.dtype().is_equiv_to(&numpy::dtype::<f32>(py)))
    };
    let single = rewards.and_then(is_single).unwrap_or(false);
    match input.form(single) {
        Some(form) => form.array(py, &advantages),
        None => Ok(flat(py, advantages.values(), single)),
    }
}

fn build(
    estimator: &Bound<'_, PyAny>,
    preset: Option<&str>,
) -> PyResult<Box<dyn AdvantageEstimator>> {
    let mut config: EstimatorConfig = settings(estimator, "estimator")?;
    if let Some(preset) = preset {
        let preset: Preset = word(preset, "preset")?;
        config = config.with_preset(preset);
    }
    Ok(config.build().map_err(Failure::from)?)
}

fn read_groups(groups: &Bound<'_, PyAny>, responses: usize) -> PyResult<Groups> {
    let Ok(size) = groups.extract::<usize>() else {
        return Ok(Groups::from_ids(ids(groups, "groups")?));
    };
    if size == 0 || !responses.is_multiple_of(size) {
        let message = format!(
            "groups must be a divisor of the {responses} responses, or one id for each, got {size}"
        );
        return Err(Failure::new(Kind::Setting, message).into());
    }
    let groups = Groups::from_sizes(&vec![size; responses / size]);
    Ok(groups.map_err(Failure::from)?)
}

impl Input {
    /// The number of tokens of each response; without anything that has an entry per token, one.
    fn lengths(&self) -> Result<Vec<usize>> {
        fn of<T>(rows: &Option<Rows<T>>) -> Option<Vec<usize>> {
            Some(rows.as_ref()?.values.row_lengths().collect())
        }
        let per_token = of(&self.token_rewards)
            .or_else(|| of(&self.mask))
            .or_else(|| of(&self.values));
        match (&self.token_rewards, &self.rewards) {
            (None, None) => {
                let message = "token_rewards, rewards or both must be given, got neither";
                Err(Failure::new(Kind::Setting, message))
            }
            (_, Some(rewards)) => Ok(per_token.unwrap_or_else(|| vec![1; rewards.len()])),
            _ => Ok(per_token.unwrap_or_default()),
        }
    }

    /// The form of the result; none for one number per response.
    fn form(&self, single: bool) -> Option<Form> {
        if let Some(rows) = &self.token_rewards {
            return Some(rows.form);
        }
        let of_mask = self.mask.as_ref().map(|rows| rows.form);
        let form = of_mask.or(self.values.as_ref().map(|rows| rows.form))?;
        Some(Form { single, ..form })
    }

    fn estimate(
        &self,
        estimator: &dyn AdvantageEstimator,
        groups: &Groups,
        lengths: &[usize],
    ) -> Result<Ragged<f64>> {
        let mut batch = match (&self.token_rewards, &self.rewards) {
            (Some(rows), _) => RolloutBatch::new(groups, &rows.values)?,
            (None, rewards) => {
                let rewards = rewards.as_deref().unwrap_or_default();
                RolloutBatch::from_outcomes(groups, rewards, lengths)?
            }
        };
        if let Some(rewards) = &self.rewards {
            batch = batch.with_outcomes(rewards)?;
        }
        if let Some(mask) = &self.mask {
            batch = batch.with_mask(&mask.values)?;
        }
        if let Some(values) = &self.values {
            batch = batch.with_values(&values.values)?;
        }
        if let Some(baselines) = &self.baselines {
            batch = batch.with_baselines(baselines)?;
        }
        if let Some(hits) = &self.hits {
            batch = batch.with_hits(hits)?;
        }
        Ok(estimator.estimate(&batch)?.into_tokens(&batch))
    }
}
