//! Records in the form that verl trains on, for use beside other trainers.

mod source;

use rerec_rewards::{Catalogue, ItemId};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::query::Query;
use crate::query_class::QueryClass;

pub use source::VerlConfig;

/// One training record of verl, as a line of JSONL.
///
/// Columns that other tools have added are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerlRecord {
    /// Which reward function verl calls.
    pub data_source: String,
    /// The conversation that the model continues.
    pub prompt: Vec<Message>,
    /// A label of the task.
    #[serde(default)]
    pub ability: String,
    /// The right answers.
    pub reward_model: VerlReward,
    /// What a reward function may need besides.
    pub extra_info: VerlExtra,
    /// Every other column.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// The right answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerlReward {
    /// `rule`: the reward is computed, not modelled.
    pub style: String,
    /// The titles of the targets; a list, as a title may hold any separator.
    pub ground_truth: Vec<String>,
}

/// What a reward function may need besides the right answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerlExtra {
    /// The split that the record belongs to.
    pub split: String,
    /// The id of the query.
    pub query: QueryId,
    /// Its class.
    pub class: QueryClass,
    /// The ids of the targets.
    pub targets: Vec<ItemId>,
    /// The ids of the candidates; none: the whole catalogue.
    #[serde(default)]
    pub candidates: Option<Vec<ItemId>>,
    /// The ids of the history.
    #[serde(default)]
    pub history: Vec<ItemId>,
}

impl VerlRecord {
    /// A query as a record.
    ///
    /// ```
    /// use rerec_datasets::{Dataset, Query, VerlRecord, WorldConfig};
    ///
    /// let world = Dataset::quickstart(1, &WorldConfig::default())?;
    /// let query = &world.splits.test[0];
    /// let record = VerlRecord::new(query, &world.catalogue, "quickstart", "test")?;
    /// assert_eq!(record.prompt, query.conversation);
    /// assert_eq!(Query::from(record), *query);
    /// # Ok::<(), rerec_datasets::Error>(())
    /// ```
    ///
    /// # Errors
    /// A target that is not in the catalogue.
    pub fn new(
        query: &Query,
        catalogue: &Catalogue,
        data_source: &str,
        split: &str,
    ) -> Result<Self> {
        let targets = catalogue.indices_of(&query.targets)?;
        let titles = targets
            .into_iter()
            .map(|target| catalogue.get(target).title.clone());
        Ok(Self {
            data_source: data_source.to_owned(),
            prompt: query.conversation.clone(),
            ability: "recommendation".to_owned(),
            reward_model: VerlReward {
                style: "rule".to_owned(),
                ground_truth: titles.collect(),
            },
            extra_info: VerlExtra {
                split: split.to_owned(),
                query: query.id.clone(),
                class: query.class.clone(),
                targets: query.targets.clone(),
                candidates: query.candidates.clone(),
                history: query.history.clone(),
            },
            rest: serde_json::Map::new(),
        })
    }
}

impl From<VerlRecord> for Query {
    fn from(record: VerlRecord) -> Self {
        let extra = record.extra_info;
        Self {
            id: extra.query,
            class: extra.class,
            conversation: record.prompt,
            targets: extra.targets,
            candidates: extra.candidates,
            history: extra.history,
        }
    }
}
