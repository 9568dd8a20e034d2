//! The identity of a query.

use std::{borrow::Borrow, fmt, ops::Deref};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// A query's stable name: unique in the data set and the same in every run.
///
/// Ids of up to 24 bytes are held inline, so batches are cheap to hand out. An id stands for its text in comparisons and in
/// maps: a map with ids as keys is asked with a `&str`, and `&id` goes where a `&str` is wanted.
///
/// ```
/// use std::collections::HashMap;
/// use rerec_text::QueryId;
///
/// let id = QueryId::from("movie-17");
/// assert_eq!(id, "movie-17");
/// let steps = HashMap::from([(id, 3)]);
/// assert_eq!(steps["movie-17"], 3);
/// assert!(steps.keys().all(|id| id.starts_with("movie")));
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

impl Deref for QueryId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for QueryId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

// Sound because the derived Hash, Eq and Ord of the wrapper are those of the text.
impl Borrow<str> for QueryId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for QueryId {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for QueryId {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
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

impl From<&QueryId> for QueryId {
    fn from(id: &QueryId) -> Self {
        id.clone()
    }
}
