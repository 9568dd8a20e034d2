//! One message of a conversation.

use serde::{Deserialize, Serialize};

/// One message of a conversation, as chat templates, prompts and data sets use it.
///
/// It owns its texts, so that it can be read from any JSON, escaped characters included.
///
/// ```
/// use rerec_text::Message;
/// let read: Message = serde_json::from_str(r#"{"role": "user", "content": "two\nlines"}"#)?;
/// assert_eq!(read, Message::user("two\nlines"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// `system`, `user` or `assistant`, or whatever else the chat template knows.
    pub role: String,
    /// The text of the message.
    pub content: String,
}

impl Message {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }

    /// A message of the system.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new("system", content)
    }

    /// A message of the user.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }

    /// A message of the assistant.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new("assistant", content)
    }
}
