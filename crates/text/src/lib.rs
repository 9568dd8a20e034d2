//! What the crates of ReRec share about text: query ids, messages of a conversation, and settings as files spell them.
#![forbid(unsafe_code)]

mod choice;
mod message;
mod query_id;

pub use message::Message;
pub use query_id::QueryId;
#[doc(hidden)]
pub use serde;
