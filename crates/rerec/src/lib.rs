#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod assessment;
mod assessor;
mod choice;
mod crediter;
mod error;
mod estimate;
mod length;
mod metric;
mod parts;
mod penalty;

pub use assessment::{AssessedGroup, AssessedResponse, Assessment, Step};
pub use assessor::{Assessor, AssessorConfig, Group, ResponseText};
pub use choice::{Choice, Titles};
pub use crediter::{Crediter, QueryCrediter};
pub use error::{Error, Result};
pub use length::{LengthPenalty, OverlongPenalty};
pub use metric::CurriculumMetric;
pub use parts::{NormalisedParts, RewardParts};
pub use penalty::{AdvantagePenalty, PenaltyIn};

pub use rerec_advantage as advantage;
pub use rerec_curriculum as curriculum;
pub use rerec_rewards as rewards;
pub use rerec_text as text;
