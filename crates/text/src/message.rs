//! One message of a conversation.

use serde::{Deserialize, Serialize};

/// One message of a conversation, as chat templates, prompts and data sets know it.
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
    /// What is said.
    pub content: String,
}

impl Message {
    /// What somebody in a role says.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }

    /// What the system message says.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new("system", content)
    }

    /// What the user says.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }

    /// What the assistant says.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new("assistant", content)
    }
}
