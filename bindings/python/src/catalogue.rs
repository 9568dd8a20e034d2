//! Catalogues.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;
use rerec::rewards::{self, AttributeGraph, Item, TitleLookup, TitleMatch, TitleMatcher};

use crate::arguments::{each, ids, settings, text, to_python};
use crate::error::{Failure, Result};

/// The items that can be recommended, each with an id that no other has.
///
/// Args:
///     items: Titles, which are then ids too, or dicts with the keys `id`, `title` and, where they are known, `aliases` (list
///         of str), `year` (int) and `attributes` (list of `{"relation": str, "value": str}`).
///
/// Raises:
///     RewardError: An id comes twice, or an id, title, alias or attribute is blank.
///     SettingError: A dict with an unknown key or a value of another type.
///
/// Example:
///     >>> catalogue = Catalogue(["Heat (1995)", "Casino (1995)"])
///     >>> len(catalogue), catalogue.find("heat")
///     (2, 'Heat (1995)')
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) inner: Arc<rewards::Catalogue>,
}

impl From<rewards::Catalogue> for Catalogue {
    fn from(inner: rewards::Catalogue) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl Catalogue {
    /// A catalogue of the same items, with the attributes that a graph knows of them.
    pub(crate) fn with_attributes_of(&self, graph: &AttributeGraph) -> Result<Self> {
        let item = |(index, item): (_, &Item)| Item {
            attributes: graph.attributes(index).cloned().collect(),
            ..item.clone()
        };
        let items = self.inner.iter().map(item).collect();
        Ok(rewards::Catalogue::new(items)?.into())
    }
}

#[pymethods]
impl Catalogue {
    #[new]
    #[pyo3(signature = (items: "collections.abc.Iterable[str | collections.abc.Mapping[str, object]]"))]
    fn new(items: &Bound<'_, PyAny>) -> PyResult<Self> {
        let items = each(items, "items", |value, what| {
            if value.is_instance_of::<PyString>() {
                let title = text(value, what)?;
                return Ok(Item::new(&*title, &*title));
            }
            settings(value, what)
        })?;
        Ok(rewards::Catalogue::new(items)
            .map_err(Failure::from)?
            .into())
    }

    /// Reads a catalogue, one item as a JSON object a line.
    ///
    /// Raises:
    ///     DataError: The file cannot be read, or a line is no item; the message names the line.
    #[staticmethod]
    #[pyo3(signature = (path: "str | os.PathLike[str]"))]
    fn read(path: PathBuf) -> Result<Self> {
        Ok(rerec_datasets::read_catalogue(&path)?.into())
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __repr__(&self) -> String {
        format!("Catalogue({} items)", self.inner.len())
    }

    fn __contains__(&self, id: &str) -> bool {
        self.inner.index_of(id).is_some()
    }

    /// The ids of all items, in their order.
    #[getter]
    fn ids(&self) -> Vec<&str> {
        self.inner
            .items()
            .iter()
            .map(|item| item.id.as_str())
            .collect()
    }

    /// The items as dicts, in their order; a catalogue is made of them again.
    #[getter]
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.inner.items(), "items")
    }

    /// The id of the item that a text names, by its title in any spelling that the reward accepts: another place of the article,
    /// no year, no accents, an alternative title. `None` for an unknown title.
    ///
    /// Args:
    ///     title: The text.
    ///     candidates: Ids of the items to choose from; they tell items of one title apart.
    ///
    /// Raises:
    ///     RewardError: Several items have this title; a candidate is not in the catalogue.
    #[pyo3(signature = (title, candidates: "collections.abc.Iterable[str] | None" = None))]
    fn find(&self, title: &str, candidates: Option<&Bound<'_, PyAny>>) -> PyResult<Option<&str>> {
        let candidates = candidates.map(|ids| self.indices(ids)).transpose()?;
        let matcher = TitleMatcher::new(&self.inner, TitleMatch::Title);
        match matcher.lookup(title, candidates.as_deref()) {
            TitleLookup::Found(item) => Ok(Some(self.inner.get(item).id.as_str())),
            TitleLookup::Unknown => Ok(None),
            TitleLookup::Ambiguous(_) => {
                let title = title.to_owned();
                Err(Failure::from(rerec::Error::AmbiguousTitle {
                    what: "titles",
                    title,
                })
                .into())
            }
        }
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>,)> {
        Ok((self.items(py)?,))
    }
}

impl Catalogue {
    pub(crate) fn indices(&self, ids: &Bound<'_, PyAny>) -> PyResult<Vec<rewards::ItemIndex>> {
        let ids = self::ids(ids, "ids")?;
        Ok(self.inner.indices_of(ids).map_err(Failure::from)?)
    }

    pub(crate) fn index(&self, id: &str) -> Result<rewards::ItemIndex> {
        let mut found = self.inner.indices_of([id])?;
        // One id gives one place, or an error.
        Ok(found.remove(0))
    }
}
