//! The bytes of tokens.

pub(crate) mod lossy;
pub(crate) mod spans;
#[cfg(feature = "vocabulary")]
mod spelling;
#[cfg(feature = "vocabulary")]
pub(crate) mod vocabulary;
