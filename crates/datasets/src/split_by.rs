//! What the splits of a dataset keep apart.

use serde::{Deserialize, Serialize};

/// What train, validation and test queries must not share; [`Inspection`](crate::Inspection) checks it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// Items: no target of one split is a target in another.
    #[default]
    Target,
    /// Users: nobody asks in two splits. Targets may be the same.
    User,
    /// Time: what train queries ask for was chosen before anything that validation queries ask for, and that before anything of test
    /// queries. Targets and users may be the same.
    Time,
}
