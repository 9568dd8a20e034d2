//! The metadata of a GGUF file, by key.

use crate::{
    GgufFile, GgufValue,
    error::{Error, Result},
};

/// The metadata, with errors that name the key.
pub(super) struct Meta<'f>(pub(super) &'f GgufFile);

impl<'f> Meta<'f> {
    pub(super) fn get(&self, key: &str) -> Result<&'f GgufValue> {
        let value = self.0.metadata().get(key);
        value.ok_or_else(|| self.fault(key, "given"))
    }

    pub(super) fn text(&self, key: &str) -> Result<&'f str> {
        match self.get(key)? {
            GgufValue::Text(text) => Ok(text),
            other => Err(self.fault(key, &format!("text, got {other:?}"))),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<usize> {
        match self.get(key)? {
            // Sizes become i64 for libtorch, so what does not fit is rejected here.
            GgufValue::Unsigned(number) if *number <= i64::MAX as u64 => Ok(*number as usize),
            other => Err(self.fault(key, &format!("a whole number, got {other:?}"))),
        }
    }

    pub(super) fn optional(&self, key: &str) -> Result<Option<usize>> {
        let is_there = self.0.metadata().contains_key(key);
        is_there.then(|| self.number(key)).transpose()
    }

    pub(super) fn optional_text(&self, key: &str) -> Result<Option<&'f str>> {
        let is_there = self.0.metadata().contains_key(key);
        is_there.then(|| self.text(key)).transpose()
    }

    pub(super) fn optional_float(&self, key: &str) -> Result<Option<f64>> {
        let is_there = self.0.metadata().contains_key(key);
        is_there.then(|| self.float(key)).transpose()
    }

    /// A number that may be whole.
    pub(super) fn optional_float_or_number(&self, key: &str) -> Result<Option<f64>> {
        match self.0.metadata().get(key) {
            Some(GgufValue::Float(_)) => self.optional_float(key),
            _ => Ok(self.optional(key)?.map(|number| number as f64)),
        }
    }

    pub(super) fn float(&self, key: &str) -> Result<f64> {
        match self.get(key)? {
            GgufValue::Float(number) => Ok(*number),
            other => Err(self.fault(key, &format!("a number, got {other:?}"))),
        }
    }

    pub(super) fn array(&self, key: &str) -> Result<&'f [GgufValue]> {
        match self.get(key)? {
            GgufValue::Array(values) => Ok(values),
            _ => Err(self.fault(key, "an array")),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<&'f str>> {
        let text = |value: &'f GgufValue| match value {
            GgufValue::Text(text) => Ok(text.as_str()),
            other => Err(self.fault(key, &format!("an array of texts, got {other:?}"))),
        };
        self.array(key)?.iter().map(text).collect()
    }

    pub(super) fn fault(&self, key: &str, allowed: &str) -> Error {
        Error::InvalidFile {
            path: self.0.path().to_owned(),
            what: format!("{key} must be {allowed}"),
        }
    }
}
