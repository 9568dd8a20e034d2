//! Rows of different lengths in one flat buffer.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The reward of every token of a batch, one row per response.
pub type TokenRewards = Ragged<f64>;

/// Which tokens of a batch take part, one row per response.
pub type TokenMask = Ragged<bool>;

/// Rows of different lengths, stored as flat values and row offsets: row `i` is
/// `values[offsets[i]..offsets[i + 1]]`.
///
/// ```
/// use rerec_advantage::Ragged;
///
/// let mut rewards = Ragged::from_rows([[0.05, 0.035].as_slice(), &[1.05]]);
/// rewards.push_row(&[0.05]);
/// assert_eq!(rewards.offsets(), [0, 2, 3, 4]);
/// assert_eq!(rewards.row(1), Some([1.05].as_slice()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RaggedParts<T>")]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Ragged<T> {
    values: Vec<T>,
    offsets: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RaggedParts<T> {
    values: Vec<T>,
    offsets: Vec<usize>,
}

impl<T> TryFrom<RaggedParts<T>> for Ragged<T> {
    type Error = Error;

    fn try_from(parts: RaggedParts<T>) -> Result<Self> {
        Self::new(parts.values, parts.offsets)
    }
}

impl<T> Default for Ragged<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            // The first offset is there before the first row: `len` counts those after it.
            offsets: vec![0],
        }
    }
}

impl<T> Ragged<T> {
    /// Takes a flat buffer and its row offsets.
    ///
    /// # Errors
    /// Offsets that do not begin at 0, fall, or do not end at `values.len()`.
    pub fn new(values: Vec<T>, offsets: Vec<usize>) -> Result<Self> {
        // Offsets may come from a file. That they rise and end with the values is what indexing relies on everywhere else.
        let tiled = offsets.first() == Some(&0)
            && offsets.last() == Some(&values.len())
            && offsets.is_sorted();
        if tiled {
            Ok(Self { values, offsets })
        } else {
            Err(Error::Offsets {
                values: values.len(),
                offsets,
            })
        }
    }

    /// No row yet, and room for some.
    pub(crate) fn with_capacity(rows: usize, values: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let values = Vec::with_capacity(values);
        Self { values, offsets }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values, row after row.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Where each row begins, and at last where the final one ends.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// Row `index`, if there is one.
    pub fn row(&self, index: usize) -> Option<&[T]> {
        self.values.get(self.span(index)?)
    }

    /// The rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> {
        self.offsets
            .windows(2)
            .map(|pair| &self.values[pair[0]..pair[1]])
    }

    /// The lengths of the rows, in order.
    pub fn row_lengths(&self) -> impl ExactSizeIterator<Item = usize> {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// Appends a row that `fill` writes to the end of the flat buffer.
    pub(crate) fn push_row_with(&mut self, fill: impl FnOnce(&mut Vec<T>)) {
        fill(&mut self.values);
        self.offsets.push(self.values.len());
    }

    pub(crate) fn row_mut(&mut self, index: usize) -> Option<&mut [T]> {
        let span = self.span(index)?;
        self.values.get_mut(span)
    }

    fn span(&self, index: usize) -> Option<Range<usize>> {
        Some(*self.offsets.get(index)?..*self.offsets.get(index + 1)?)
    }
}

impl<T: Clone> Ragged<T> {
    /// Copies rows into one flat buffer.
    pub fn from_rows<R: AsRef<[T]>>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut ragged = Self::default();
        for row in rows {
            ragged.push_row(row.as_ref());
        }
        ragged
    }

    /// Appends a row.
    pub fn push_row(&mut self, row: &[T]) {
        self.push_row_with(|values| values.extend_from_slice(row));
    }

    /// Rows of the same lengths as `like`, every value `value`.
    pub(crate) fn filled_like<U>(like: &Ragged<U>, value: T) -> Self {
        Self {
            values: vec![value; like.values.len()],
            offsets: like.offsets.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_that_do_not_tile_are_refused() {
        for offsets in [vec![], vec![0], vec![1, 2], vec![0, 3], vec![0, 2, 1, 2]] {
            assert!(Ragged::new(vec![1.0, 2.0], offsets).is_err());
        }
        assert!(Ragged::<f64>::new(vec![], vec![0]).is_ok());
    }

    #[test]
    fn survives_json_and_refuses_bad_json() {
        let rewards = Ragged::from_rows([vec![1.0, 2.0], vec![], vec![3.0]]);
        let text = serde_json::to_string(&rewards).unwrap();
        assert_eq!(
            serde_json::from_str::<TokenRewards>(&text).unwrap(),
            rewards
        );
        let bad = r#"{"values": [1.0], "offsets": [0, 2]}"#;
        assert!(serde_json::from_str::<TokenRewards>(bad).is_err());
    }

    #[test]
    fn rows_out_of_range_are_none() {
        assert_eq!(Ragged::from_rows([[1]]).row(1), None);
        assert_eq!(Ragged::<u8>::default().row(0), None);
    }
}
