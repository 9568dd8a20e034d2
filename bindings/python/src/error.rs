//! The crates' errors as exceptions of Python, with the same sentences.

use std::error::Error;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use rerec::{advantage, curriculum, rewards};

/// An error of one of the crates.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

/// The exceptions of `rerec.errors`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Advantage,
    Curriculum,
    Data,
    Reward,
    Setting,
    Text,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The same error with the place that it is about.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    fn of(kind: Kind, error: &dyn Error) -> Self {
        Self::new(kind, with_causes(error))
    }
}

/// The message, followed by those of its causes that it does not repeat.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

macro_rules! failures {
    ($($error:ty => $kind:ident),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(Kind::$kind, &error)
            }
        }
    )*};
}

failures! {
    advantage::Error => Advantage,
    curriculum::Error => Curriculum,
    rerec_datasets::Error => Data,
    rewards::Error => Reward,
    rerec::text::Error => Text
}

impl From<rerec::Error> for Failure {
    fn from(error: rerec::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&rerec::Error> for Failure {
    fn from(error: &rerec::Error) -> Self {
        use rerec::Error;
        let kind = match error {
            Error::Reward(_) | Error::UnknownTitle { .. } | Error::AmbiguousTitle { .. } => {
                Kind::Reward
            }
            Error::NoMetric { .. } => Kind::Curriculum,
            Error::InvalidSetting { .. }
            | Error::NeedsCritic { .. }
            | Error::GreedyIsApart { .. } => Kind::Setting,
            _ => Kind::Advantage,
        };
        Self::of(kind, error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| match failure.kind.class(py) {
            Ok(class) => Self::from_type(class.clone(), failure.message),
            Err(error) => error,
        })
    }
}

impl Kind {
    fn class(self, py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
        static CLASSES: [PyOnceLock<Py<PyType>>; 6] = [const { PyOnceLock::new() }; 6];
        let name = match self {
            Self::Advantage => "AdvantageError",
            Self::Curriculum => "CurriculumError",
            Self::Data => "DataError",
            Self::Reward => "RewardError",
            Self::Setting => "SettingError",
            Self::Text => "TextError",
        };
        CLASSES[self as usize].import(py, "rerec.errors", name)
    }
}

/// Says which argument has which wrong type.
pub(crate) fn wrong_type(what: &str, expected: &str, got: &Bound<'_, PyAny>) -> PyErr {
    let name = got.get_type().name();
    let name = name.map_or_else(|_| "something else".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("{what} must be {expected}, got {name}"))
}
