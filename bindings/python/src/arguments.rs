//! Texts, ids and settings that come from Python.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyIterator, PyList, PyString};
use rerec_files::json_cause;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Failure, Kind, wrong_type};

/// A text of Python, without a copy where it is ASCII; of another text Python keeps the UTF-8 form that is read here.
pub(crate) fn text(value: &Bound<'_, PyAny>, what: &str) -> PyResult<PyBackedStr> {
    let Ok(text) = value.cast::<PyString>() else {
        return Err(wrong_type(what, "str", value));
    };
    // The only texts of Python without a UTF-8 form have lone surrogates.
    PyBackedStr::try_from(text.clone()).map_err(|error| {
        Failure::new(Kind::Text, format!("{what} is no valid text: {error}")).into()
    })
}

/// One entry per element of a sequence; `what` names the sequence in errors.
pub(crate) fn each<T>(
    values: &Bound<'_, PyAny>,
    what: &str,
    read: impl Fn(&Bound<'_, PyAny>, &str) -> PyResult<T>,
) -> PyResult<Vec<T>> {
    // A text is a sequence of texts too, which is never what is meant.
    if values.is_instance_of::<PyString>() {
        return Err(wrong_type(what, "a sequence", values));
    }
    let values =
        PyIterator::from_object(values).map_err(|_| wrong_type(what, "a sequence", values))?;
    let place = |(place, value): (usize, PyResult<Bound<'_, PyAny>>)| {
        let value = readable_again(value?)?;
        // Named only when it is at fault: a name for each of a million would cost more than reading it.
        read(&value, "").or_else(|_| read(&value, &format!("{what}[{place}]")))
    };
    values.enumerate().map(place).collect()
}

/// A faulty element is read twice, and what an iterator has given it does not give again: a list is made of it first.
fn readable_again(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    match value.is_instance_of::<PyIterator>() {
        true => value.py().get_type::<PyList>().call1((value,)),
        false => Ok(value),
    }
}

pub(crate) fn texts(values: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<PyBackedStr>> {
    each(values, what, text)
}

/// Ids: texts, or whole numbers as they are written.
pub(crate) fn ids(values: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<String>> {
    each(values, what, |value, what| {
        if value.is_instance_of::<PyString>() {
            return Ok(text(value, what)?.to_string());
        }
        let index = value.call_method0("__index__");
        let index = index.map_err(|_| wrong_type(what, "str or int", value))?;
        Ok(index.str()?.to_string())
    })
}

/// Refuses arguments of different lengths.
pub(crate) fn same_length(what: &str, got: usize, responses: usize) -> PyResult<()> {
    if got == responses {
        return Ok(());
    }
    let message = format!("{what} must have {responses} entries, one per response, got {got}");
    Err(Failure::new(Kind::Setting, message).into())
}

/// Settings as a configuration file holds them: a dict, or a word that stands for one.
pub(crate) fn settings<T: DeserializeOwned>(value: &Bound<'_, PyAny>, what: &str) -> PyResult<T> {
    let json = value.py().import("json")?;
    let text = json.call_method1("dumps", (value,))?;
    Ok(from_json(&self::text(&text, what)?, what)?)
}

/// A setting by the name that it has in files.
pub(crate) fn word<T: DeserializeOwned>(name: &str, what: &str) -> Result<T, Failure> {
    let read = serde_json::from_value(name.into());
    read.map_err(|error| Failure::new(Kind::Setting, format!("{what}: {error}")))
}

/// The same, where nothing given stands for the defaults.
pub(crate) fn settings_or_default<T: DeserializeOwned + Default>(
    value: Option<&Bound<'_, PyAny>>,
    what: &str,
) -> PyResult<T> {
    value.map_or_else(|| Ok(T::default()), |value| settings(value, what))
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Failure> {
    let failed = |path: &str, error: &serde_json::Error| {
        let cause = json_cause(error, text.as_bytes());
        // A column of a text that the user has not seen.
        let cause = cause
            .rsplit_once(" (column ")
            .map_or(&*cause, |(cause, _)| cause);
        let place = match path {
            "." | "?" => what.to_owned(),
            path => format!("{what}.{path}"),
        };
        Failure::new(Kind::Setting, format!("{place}: {cause}"))
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| failed(&error.path().to_string(), error.inner()))?;
    // What follows the value would otherwise be lost.
    json.end().map_err(|error| failed(".", &error))?;
    Ok(value)
}

pub(crate) fn to_json(value: &impl Serialize, what: &str) -> PyResult<String> {
    serde_json::to_string(value)
        .map_err(|error| Failure::new(Kind::Setting, format!("{what}: {error}")).into())
}

/// A value as Python's own dicts, lists and numbers.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    value: &impl Serialize,
    what: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let json = py.import("json")?;
    json.call_method1("loads", (to_json(value, what)?,))
}
