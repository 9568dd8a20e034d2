//! Records in the form that verl trains on, for use beside other trainers.

mod source;

use rerec_rewards::{Attribute, Catalogue, ItemId};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::dataset::UserId;
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
    pub rest: Map<String, Value>,
}

/// The right answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerlReward {
    /// `rule`: the reward is computed, not modelled.
    pub style: String,
    /// The titles of the targets; a list, as a title may hold any separator.
    pub ground_truth: Vec<String>,
    /// Every other key.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
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
    /// What is asked for, [`Query::conditions`]. Not under that name, which other tools have for things of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query_conditions: Vec<Attribute>,
    /// The ids of the history.
    #[serde(default)]
    pub history: Vec<ItemId>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// When the target was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// Every other key.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
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
                rest: Map::new(),
            },
            extra_info: VerlExtra {
                split: split.to_owned(),
                query: query.id.clone(),
                class: query.class.clone(),
                targets: query.targets.clone(),
                candidates: query.candidates.clone(),
                query_conditions: query.conditions.clone(),
                history: query.history.clone(),
                user: query.user.clone(),
                time: query.time,
                rest: Map::new(),
            },
            rest: Map::new(),
        })
    }

    /// The record with what another record held beside the query, in that record's shape, such as `{"data_source": "shop",
    /// "extra_info": {"index": 3}}`. What a query says itself is not replaced.
    ///
    /// ```
    /// use rerec_datasets::{Dataset, VerlRecord, WorldConfig};
    ///
    /// let world = Dataset::quickstart(1, &WorldConfig::default())?;
    /// let record = VerlRecord::new(&world.splits.test[0], &world.catalogue, "quickstart", "test")?;
    /// let held = serde_json::json!({"data_source": "shop", "extra_info": {"index": 3}, "note": "checked"});
    /// let record = record.with_extra(held.as_object().expect("an object"));
    /// assert_eq!(record.data_source, "shop");
    /// assert_eq!(record.extra_info.rest["index"], 3);
    /// assert_eq!(record.rest["note"], "checked");
    /// # Ok::<(), rerec_datasets::Error>(())
    /// ```
    pub fn with_extra(mut self, extra: &Map<String, Value>) -> Self {
        for (key, value) in extra.clone() {
            match (key.as_str(), value) {
                ("data_source", Value::String(text)) => self.data_source = text,
                ("ability", Value::String(text)) => self.ability = text,
                ("reward_model", Value::Object(mut reward)) => {
                    if let Some(Value::String(style)) = reward.remove("style") {
                        self.reward_model.style = style;
                    }
                    self.reward_model.rest = reward;
                }
                ("extra_info", Value::Object(extra)) => self.extra_info.rest = extra,
                (_, value) => drop(self.rest.insert(key, value)),
            }
        }
        self
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
            conditions: extra.query_conditions,
            history: extra.history,
            user: extra.user,
            time: extra.time,
        }
    }
}
