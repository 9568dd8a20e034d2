//! What a curriculum is told about a query.

use rerec_text::QueryId;

/// A query as the data set lists it: its id, and what tells it from others in quotas, statistics and later editions of the data.
///
/// An id alone is a query without class and revision; a pair is an id and a class.
///
/// ```
/// use rerec_curriculum::QuerySpec;
/// let query = QuerySpec::from(("movie-17", "misinformed"));
/// assert_eq!(query.class.as_deref(), Some("misinformed"));
/// assert_eq!(QuerySpec { revision: 7, ..query.clone() }.id, query.id);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuerySpec {
    /// Stable id.
    pub id: QueryId,
    /// Class label, such as `"misinformed"`; `None` is a class of its own without a quota.
    pub class: Option<String>,
    /// A number that changes with the query's content, such as a hash of it; 0: not known.
    pub revision: u64,
}

impl From<QueryId> for QuerySpec {
    fn from(id: QueryId) -> Self {
        Self {
            id,
            class: None,
            revision: 0,
        }
    }
}

impl From<&str> for QuerySpec {
    fn from(id: &str) -> Self {
        QueryId::from(id).into()
    }
}

impl From<String> for QuerySpec {
    fn from(id: String) -> Self {
        QueryId::from(id).into()
    }
}

impl<I: Into<QueryId>, C: Into<String>> From<(I, C)> for QuerySpec {
    fn from((id, class): (I, C)) -> Self {
        Self {
            class: Some(class.into()),
            ..id.into().into()
        }
    }
}
