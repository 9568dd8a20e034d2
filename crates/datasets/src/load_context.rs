//! What whoever loads data hands in: a tokenizer, and somebody to tell how far it is.

use std::fmt;
use std::path::Path;

/// How far the loading of data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A file is being read.
    Reading {
        /// The file.
        path: &'a Path,
        /// Bytes read; rows of a Parquet file.
        done: u64,
        /// All there are.
        total: u64,
    },
    /// Queries are being composed.
    Composing {
        /// `train`, `validation` or `test`.
        split: &'a str,
        /// Queries tried.
        done: u64,
        /// Queries wanted.
        total: u64,
    },
    /// An endpoint is being asked for other words.
    Varying {
        /// Sentences that have their words.
        done: u64,
        /// Sentences.
        total: u64,
    },
}

/// What [`DataSource::load_with`](crate::DataSource::load_with) uses besides the configuration.
#[derive(Clone, Copy)]
pub struct LoadContext<'a> {
    /// Tokens of a text, for [`history_tokens`](crate::QueryConfig::history_tokens). Default [`estimated_tokens`].
    pub count_tokens: &'a dyn Fn(&str) -> usize,
    /// Is told how far it is, many times a second. Default: nobody.
    pub progress: &'a dyn Fn(Progress<'_>),
}

impl Default for LoadContext<'_> {
    fn default() -> Self {
        Self {
            count_tokens: &estimated_tokens,
            progress: &unobserved,
        }
    }
}

impl fmt::Debug for LoadContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadContext")
    }
}

fn unobserved(_: Progress<'_>) {}

/// The tokens of a text where no tokenizer is at hand: one for each three bytes, rounded up. Of English titles tokenizers of some ten
/// thousand tokens make fewer.
///
/// ```
/// assert_eq!(rerec_datasets::estimated_tokens("Heat (1995)"), 4);
/// ```
pub fn estimated_tokens(text: &str) -> usize {
    text.len().div_ceil(3)
}
