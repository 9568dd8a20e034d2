//! What the crates of ReRec share about text: ids and messages of a conversation, and settings as files spell them.
#![forbid(unsafe_code)]

mod choice;
mod message;
mod query_id;
mod text_id;

#[doc(hidden)]
pub use compact_str::CompactString;
pub use message::Message;
pub use query_id::QueryId;
#[doc(hidden)]
pub use serde;
