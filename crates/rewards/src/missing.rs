use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What a score is where the data has nothing to score with: an item without attributes or
/// embedding, or targets that share no attribute.
///
/// A constant is a choice that somebody made and wrote down; nothing is 0 by accident.
///
/// ```
/// # use rerec_rewards::MissingPolicy;
/// let neutral: MissingPolicy = serde_json::from_str(r#"{"score": 0.5}"#)?;
/// assert_eq!(neutral, MissingPolicy::Score(0.5));
/// assert_eq!(MissingPolicy::default(), MissingPolicy::Error);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingPolicy {
    /// A typed error that names the item.
    #[default]
    Error,
    /// This score, within [-1, 1].
    Score(f64),
}

impl MissingPolicy {
    pub(crate) fn validated(self) -> Result<Self> {
        match self {
            Self::Score(score) if !(-1.0..=1.0).contains(&score) => Err(Error::InvalidSetting {
                setting: "missing score",
                got: score.to_string(),
                allowed: "[-1, 1]",
            }),
            _ => Ok(self),
        }
    }

    /// The chosen score in place of an error that says that data are missing; any other error stays.
    pub(crate) fn or_score(self, score: Result<f64>) -> Result<f64> {
        match (self, score) {
            (Self::Score(chosen), Err(error)) if error.is_missing_data() => Ok(chosen),
            (_, score) => score,
        }
    }
}
