#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod article;
mod boundary;
mod bracket;
mod choice;
mod error;
mod fold;
mod markup;
mod message;
mod names;
mod query_id;
mod spelling;
mod text_id;
mod title;
mod tokens;
mod year;

pub use boundary::is_boundary;
#[doc(hidden)]
pub use compact_str::CompactString;
pub use error::{Error, Result};
pub use fold::{Fold, Folded, composed, fold};
pub use markup::{ends_in_reference, layers, unwrapped, without_markup};
pub use message::Message;
pub use names::{ItemNames, small_words};
pub use query_id::QueryId;
#[doc(hidden)]
pub use serde;
pub use title::{Title, is_padding, without_article, year_of};
pub use tokens::lossy::{LossyText, lossy_text};
pub use tokens::spans::TokenSpans;
#[cfg(feature = "vocabulary")]
pub use tokens::vocabulary::TokenBytes;
pub use year::year;
