//! Metrics of ranked lists.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyFrozenSet, PyMapping, PySet, PyString};
use rayon::prelude::*;
use rerec::rewards::{Conventions, Evaluation, Evaluator, Metric, RankedQuery, Relevance};

use crate::arguments::{settings, text, texts};
use crate::error::{Failure, Kind, Result, wrong_type};
use crate::pool;

/// Items with numbers: the scores of a run, or the grades of judgements.
type Scored = Vec<(PyBackedStr, f64)>;

/// One query with its list and what is right.
struct Judged {
    query: PyBackedStr,
    ranked: Scored,
    grades: Scored,
}

/// Means of ranking metrics over queries, on all threads: every query of `qrels` counts once, those of `run` must be the same.
///
/// Args:
///     run: The answer to each query: scores of items, which are ranked from the highest down, equal ones in the order given; or a
///         list of items, best first.
///     qrels: What is right for each query: grades of items; or a list of items of grade 1.
///     metrics: Names such as `"ndcg@10"`, `"recall@5"`, `"mrr"`, `"map"`, `"hit_rate@1"`, `"precision@10"`, `"f1@5"`,
///         `"r_precision"`, `"rbp"`, `"err"`, `"bpref"`; without `@k` over the whole list.
///     conventions: What libraries do not agree on: as in `"trec_eval"`, `"ranx"` or `"recbole"`; or a dict of settings such as
///         `{"gain": "exponential"}` over those of trec_eval.
///     per_query: Whether to return an array of one value per query, in the order of `qrels`, instead of the mean; NaN for a query
///         that the conventions leave out.
///
/// Raises:
///     SettingError: An unknown convention.
///     RewardError: An unknown metric; a grade out of range.
///     DataError: A query of one and not of the other; a score that is NaN.
///
/// Example:
///     >>> evaluate({"q": {"a": 0.1, "b": 0.9}}, {"q": {"a": 1}}, ["mrr", "hit_rate@1"], conventions="ranx")
///     {'hit_rate@1': 0.0, 'mrr': 0.5}
#[pyfunction]
#[pyo3(signature = (run: "collections.abc.Mapping[str, collections.abc.Mapping[str, float] | collections.abc.Sequence[str]]", qrels: "collections.abc.Mapping[str, collections.abc.Mapping[str, float] | collections.abc.Sequence[str]]", metrics: "collections.abc.Iterable[str]", *, conventions: "str | collections.abc.Mapping[str, object] | None" = None, per_query: "bool" = false) -> "dict[str, typing.Any]")]
pub(crate) fn evaluate<'py>(
    py: Python<'py>,
    run: &Bound<'py, PyMapping>,
    qrels: &Bound<'py, PyMapping>,
    metrics: &Bound<'py, PyAny>,
    conventions: Option<&Bound<'py, PyAny>>,
    per_query: bool,
) -> PyResult<BTreeMap<String, Bound<'py, PyAny>>> {
    let metrics = texts(metrics, "metrics")?;
    let metrics: Result<Vec<Metric>> = metrics.iter().map(|name| Ok(name.parse()?)).collect();
    let evaluator =
        Evaluator::new(metrics?, self::conventions(conventions)?).map_err(Failure::from)?;
    let judged = read(run, qrels)?;
    let evaluation = pool::run(py, || evaluate_all(&evaluator, judged))??;
    let metric = |(column, metric): (usize, &Metric)| {
        let value = match per_query {
            true => of_queries(&evaluation, column).into_pyarray(py).into_any(),
            false => evaluation.means()[column].into_pyobject(py)?.into_any(),
        };
        Ok((metric.to_string(), value))
    };
    evaluation
        .metrics()
        .iter()
        .enumerate()
        .map(metric)
        .collect()
}

fn of_queries(evaluation: &Evaluation, column: usize) -> Vec<f64> {
    let queries = 0..evaluation.outcomes().len();
    let value = |query| {
        evaluation
            .values(query)
            .map_or(f64::NAN, |values| values[column])
    };
    queries.map(value).collect()
}

fn conventions(value: Option<&Bound<'_, PyAny>>) -> PyResult<Conventions> {
    let Some(value) = value else {
        return Ok(Conventions::trec_eval());
    };
    if !value.is_instance_of::<PyString>() {
        return settings(value, "conventions");
    }
    match &*text(value, "conventions")? {
        "trec_eval" => Ok(Conventions::trec_eval()),
        "ranx" => Ok(Conventions::ranx()),
        "recbole" => Ok(Conventions::recbole()),
        other => {
            let message = format!(
                r#"conventions must be "trec_eval", "ranx", "recbole" or a dict of settings, got {other:?}"#
            );
            Err(Failure::new(Kind::Setting, message).into())
        }
    }
}

fn read(run: &Bound<'_, PyMapping>, qrels: &Bound<'_, PyMapping>) -> PyResult<Vec<Judged>> {
    let query = |(query, grades): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        // Asked for first: a mapping such as a defaultdict would make up an answer.
        if !run.contains(&query)? {
            return Err(missing(&query, "qrels", "run"));
        }
        Ok(Judged {
            query: text(&query, "a query of qrels")?,
            ranked: ranked(&run.get_item(&query)?, &query)?,
            grades: scored(&grades, "qrels", &query)?,
        })
    };
    let judged = entries(qrels)?.into_iter().map(query);
    let judged = judged.collect::<PyResult<Vec<_>>>()?;
    // All queries of the judgements are in the run, so that one of the run without judgements makes it larger.
    if run.len()? > judged.len() {
        for query in run.keys()?.iter() {
            if !qrels.contains(&query)? {
                return Err(missing(&query, "run", "qrels"));
            }
        }
    }
    Ok(judged)
}

fn missing(query: &Bound<'_, PyAny>, there: &str, missing: &str) -> PyErr {
    Failure::new(
        Kind::Data,
        format!("query {query} of {there} is not in {missing}"),
    )
    .into()
}

type Entry<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

fn entries<'py>(mapping: &Bound<'py, PyMapping>) -> PyResult<Vec<Entry<'py>>> {
    mapping
        .items()?
        .iter()
        .map(|entry| entry.extract())
        .collect()
}

/// The answer to a query, whose items have scores or an order.
fn ranked(value: &Bound<'_, PyAny>, query: &Bound<'_, PyAny>) -> PyResult<Scored> {
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        let expected = "a mapping of items to scores, or a sequence of items, best first";
        return Err(wrong_type(&format!("run[{query}]"), expected, value));
    }
    scored(value, "run", query)
}

/// Items with their numbers; those of a list have 1 each, and stay in their order.
fn scored(value: &Bound<'_, PyAny>, what: &str, query: &Bound<'_, PyAny>) -> PyResult<Scored> {
    let what = || format!("{what}[{query}]");
    // Dicts are mappings too, and quicker to read as what they are.
    let items = match (value.cast::<PyDict>(), value.cast::<PyMapping>()) {
        (Ok(dict), _) => dict.iter().collect(),
        (_, Ok(mapping)) => entries(mapping)?,
        _ => {
            let items = texts(value, &what())?;
            return Ok(items.into_iter().map(|item| (item, 1.0)).collect());
        }
    };
    let entry = |(item, number): Entry<'_>| {
        let Ok(score) = number.extract::<f64>() else {
            return Err(wrong_type(
                &format!("{}[{item}]", what()),
                "a number",
                &number,
            ));
        };
        if score.is_nan() {
            return Err(Failure::new(
                Kind::Data,
                format!("{}[{item}] must be a number, got NaN", what()),
            )
            .into());
        }
        let item = item.extract::<PyBackedStr>();
        Ok((
            item.map_err(|_| wrong_type(&what(), "a mapping of str to numbers", value))?,
            score,
        ))
    };
    items.into_iter().map(entry).collect()
}

/// The ranked items of a query, and the grades of those that were judged.
type Listed<'a> = (Vec<&'a str>, Vec<(&'a str, f64)>);

fn evaluate_all(evaluator: &Evaluator, mut judged: Vec<Judged>) -> Result<Evaluation> {
    judged.par_iter_mut().for_each(|query| {
        // Stable, so that equal scores stay in the order in which they were given.
        // None is NaN, and 0.0 equals -0.0.
        let descending = |a: &f64, b: &f64| b.partial_cmp(a).unwrap_or(Ordering::Equal);
        query.ranked.sort_by(|a, b| descending(&a.1, &b.1));
    });
    let lists: Vec<Listed<'_>> = judged
        .par_iter()
        .map(|query| {
            let ranked = query.ranked.iter().map(|(item, _)| &**item).collect();
            let grades = query
                .grades
                .iter()
                .map(|(item, grade)| (&**item, *grade))
                .collect();
            (ranked, grades)
        })
        .collect();
    let queries: Vec<RankedQuery<'_, &str>> = lists
        .iter()
        .map(|(ranked, grades)| RankedQuery {
            ranked,
            relevance: Relevance::Grades(grades),
        })
        .collect();
    evaluator.evaluate_batch(&queries).map_err(|error| {
        // Queries have names here, not places.
        match error {
            rerec::rewards::Error::Query { query, cause } => {
                let name = &*judged[query].query;
                Failure::from(*cause).at(&format!("query {name}"))
            }
            error => error.into(),
        }
    })
}
