//! LightGCN.

use numpy::ToPyArray;
use pyo3::prelude::*;
use rerec::rewards::{self, EmbeddingTable, Interactions, LightGcnConfig};

use crate::arguments::{ids, settings_or_default, to_python};
use crate::arrays::{Matrix, matrix};
use crate::error::{Failure, Kind, Result};
use crate::pool;

/// A light graph convolution network on who chose what (He et al. 2020): vectors of users and items whose products rank well.
///
/// Args:
///     settings: Any of `dimension` (default 64), `layers` (3), `learning_rate` (0.005), `batch_size` (2048), `max_epochs`,
///         `patience`, `validation_fraction`, `seed` and the further settings of a run's `[embeddings.lightgcn]`.
///
/// Raises:
///     SettingError: An unknown setting.
///     RewardError: A setting out of range.
///
/// Example:
///     >>> model = LightGCN({"dimension": 8, "max_epochs": 2, "seed": 7})
///     >>> model.fit(["ann", "ann", "bob"], ["heat", "thief", "heat"]).items.shape
///     (2, 8)
#[pyclass(frozen, module = "rerec", name = "LightGCN")]
#[derive(Debug)]
pub(crate) struct LightGcn {
    config: LightGcnConfig,
}

#[pymethods]
impl LightGcn {
    #[new]
    #[pyo3(signature = (settings: "collections.abc.Mapping[str, object] | None" = None))]
    fn new(settings: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let config: LightGcnConfig = settings_or_default(settings, "settings")?;
        rewards::LightGcn::new(config.clone()).map_err(Failure::from)?;
        Ok(Self { config })
    }

    /// Trains on pairs: `users[i]` chose `items[i]`. The result depends on settings and pairs alone, not on their order, nor on the
    /// number of threads.
    ///
    /// Args:
    ///     users: Ids, str or int; an array of integers too.
    ///     items: Ids of the same length.
    ///
    /// Raises:
    ///     RewardError: No pair; training diverged.
    ///     SettingError: Not as many users as items.
    #[pyo3(signature = (users: "collections.abc.Iterable[str | int] | numpy.typing.NDArray[numpy.integer[typing.Any]]", items: "collections.abc.Iterable[str | int] | numpy.typing.NDArray[numpy.integer[typing.Any]]"))]
    fn fit(
        &self,
        py: Python<'_>,
        users: &Bound<'_, PyAny>,
        items: &Bound<'_, PyAny>,
    ) -> PyResult<FittedLightGcn> {
        let (users, items) = (ids(users, "users")?, ids(items, "items")?);
        if users.len() != items.len() {
            let message = format!(
                "users and items must be of one length, got {} and {}",
                users.len(),
                items.len()
            );
            return Err(Failure::new(Kind::Setting, message).into());
        }
        let fitted = pool::run(py, || -> rewards::Result<_> {
            let pairs = Interactions::from_pairs(users.into_iter().zip(items))?;
            rewards::LightGcn::new(self.config.clone())?.fit(&pairs, |_| ())
        })?;
        Ok(FittedLightGcn::of(&fitted.map_err(Failure::from)?)?)
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>,)> {
        Ok((to_python(py, &self.config, "settings")?,))
    }
}

/// What training gave: one vector per user and item, those of the epoch that ranked held-out pairs best.
#[pyclass(frozen, module = "rerec", name = "FittedLightGCN")]
#[derive(Debug)]
pub(crate) struct FittedLightGcn {
    users: EmbeddingTable,
    items: EmbeddingTable,
    /// Mean loss of each epoch.
    #[pyo3(get)]
    losses: Vec<f64>,
    /// The epoch whose vectors these are, from 1.
    #[pyo3(get)]
    best_epoch: usize,
}

impl FittedLightGcn {
    fn of(fitted: &rewards::FittedLightGcn) -> Result<Self> {
        Ok(Self {
            users: fitted.user_embeddings()?,
            items: fitted.item_embeddings()?,
            losses: fitted.history().iter().map(|epoch| epoch.loss).collect(),
            best_epoch: fitted.best_epoch(),
        })
    }
}

/// Ids and vectors of one side.
type Side<'py> = (Vec<String>, Bound<'py, PyAny>);

#[pymethods]
impl FittedLightGcn {
    /// From its parts, as pickle keeps them.
    #[new]
    #[pyo3(signature = (users: "tuple[list[str], numpy.typing.NDArray[numpy.float32]]", items: "tuple[list[str], numpy.typing.NDArray[numpy.float32]]", losses, best_epoch))]
    fn new(
        users: Side<'_>,
        items: Side<'_>,
        losses: Vec<f64>,
        best_epoch: usize,
    ) -> PyResult<Self> {
        let table = |(ids, values): Side<'_>, what: &str| -> PyResult<_> {
            let values = matrix(&values, what)?.as_array().to_owned();
            Ok(EmbeddingTable::new(ids, values).map_err(Failure::from)?)
        };
        Ok(Self {
            users: table(users, "users[1]")?,
            items: table(items, "items[1]")?,
            losses,
            best_epoch,
        })
    }

    /// Ids of the users, row by row.
    #[getter]
    fn user_ids(&self) -> Vec<&str> {
        self.users.ids().iter().map(String::as_str).collect()
    }

    /// Ids of the items, row by row.
    #[getter]
    fn item_ids(&self) -> Vec<&str> {
        self.items.ids().iter().map(String::as_str).collect()
    }

    /// Vectors of the users, a copy of shape [users, d].
    #[getter]
    fn users<'py>(&self, py: Python<'py>) -> Matrix<'py, f32> {
        self.users.values().to_pyarray(py).into()
    }

    /// Vectors of the items, a copy of shape [items, d].
    #[getter]
    fn items<'py>(&self, py: Python<'py>) -> Matrix<'py, f32> {
        self.items.values().to_pyarray(py).into()
    }

    #[allow(clippy::type_complexity, reason = "what the constructor takes")]
    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> (
        (Vec<&str>, Matrix<'py, f32>),
        (Vec<&str>, Matrix<'py, f32>),
        Vec<f64>,
        usize,
    ) {
        let users = (self.user_ids(), self.users(py));
        let items = (self.item_ids(), self.items(py));
        (users, items, self.losses.clone(), self.best_epoch)
    }
}
