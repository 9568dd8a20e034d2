//! What the crates of ReRec share about text: ids and messages of a conversation.
#![forbid(unsafe_code)]

mod message;
mod query_id;
mod text_id;

#[doc(hidden)]
pub use compact_str::CompactString;
pub use message::Message;
pub use query_id::QueryId;
