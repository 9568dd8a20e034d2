//! The bytes of tokens.

pub(crate) mod lossy;
pub(crate) mod spans;
#[cfg(feature = "tokenizers")]
mod spelling;
#[cfg(feature = "tokenizers")]
pub(crate) mod vocabulary;
