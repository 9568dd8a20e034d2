//! Labels of queries.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a query: a label under which tables count it.
///
/// RecBench+'s five (arXiv 2503.09382) are constants; any other label is a class too. Classes are ordered as RecBench+ lists
/// its own, then by label.
///
/// ```
/// use rerec_datasets::QueryClass;
///
/// assert_eq!(QueryClass::from("misinformed"), QueryClass::MISINFORMED);
/// let mut classes = [QueryClass::from("bundles"), QueryClass::INTEREST, QueryClass::EXPLICIT];
/// classes.sort();
/// assert_eq!(classes.map(|class| class.label().to_owned()), ["explicit", "interest", "bundles"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueryClass(Cow<'static, str>);

impl QueryClass {
    /// The wanted values are named: "a western film directed by Ada Lorne".
    pub const EXPLICIT: Self = Self(Cow::Borrowed("explicit"));
    /// A value is replaced by another item that has it: "by the director of "Velmora Nights"".
    pub const IMPLICIT: Self = Self(Cow::Borrowed("implicit"));
    /// An anchor item is named together with a wrong value for it.
    pub const MISINFORMED: Self = Self(Cow::Borrowed("misinformed"));
    /// Only liked items are given; what they share is wanted.
    pub const INTEREST: Self = Self(Cow::Borrowed("interest"));
    /// Only a group of users is named; its taste is wanted.
    pub const DEMOGRAPHICS: Self = Self(Cow::Borrowed("demographics"));
    /// Nothing is said of the class.
    pub const UNLABELLED: Self = Self(Cow::Borrowed("unlabelled"));
    /// RecBench+'s five, in its order.
    pub const RECBENCH: [Self; 5] = [
        Self::EXPLICIT,
        Self::IMPLICIT,
        Self::MISINFORMED,
        Self::INTEREST,
        Self::DEMOGRAPHICS,
    ];

    /// The name used in files and tables.
    pub fn label(&self) -> &str {
        &self.0
    }

    /// Its place among RecBench+'s five; 5 for any other.
    fn rank(&self) -> usize {
        let place = Self::RECBENCH.iter().position(|class| class == self);
        place.unwrap_or(Self::RECBENCH.len())
    }
}

impl Ord for QueryClass {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.rank(), self.label()).cmp(&(other.rank(), other.label()))
    }
}

impl PartialOrd for QueryClass {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for QueryClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for QueryClass {
    fn from(label: &str) -> Self {
        // A million queries have few classes: the usual ones share their labels.
        let known = Self::RECBENCH
            .into_iter()
            .find(|class| class.label() == label);
        known.unwrap_or_else(|| Self(Cow::Owned(label.to_owned())))
    }
}

impl From<String> for QueryClass {
    fn from(label: String) -> Self {
        Self(Cow::Owned(label))
    }
}
