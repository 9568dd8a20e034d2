//! What the crates of ReRec share about text: query ids and messages of a conversation.
#![forbid(unsafe_code)]

mod message;
mod query_id;

pub use message::Message;
pub use query_id::QueryId;
