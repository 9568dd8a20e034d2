//! Query ids and what a curriculum is told about a query.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// A query's stable name: unique in the data set and the same in every run.
///
/// Ids of up to 24 bytes are held inline, so batches are cheap to hand out.
///
/// ```
/// use rerec_curriculum::QueryId;
/// assert_eq!(QueryId::from("movie-17").as_str(), "movie-17");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueryId(CompactString);

impl QueryId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for QueryId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<String> for QueryId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

/// A query as the data set lists it: its id, and what tells it from others in quotas, statistics and later editions of the data.
///
/// Anything that makes an id is a query without class and revision; a pair is an id and a class.
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

impl<I: Into<QueryId>> From<I> for QuerySpec {
    fn from(id: I) -> Self {
        Self {
            id: id.into(),
            class: None,
            revision: 0,
        }
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
