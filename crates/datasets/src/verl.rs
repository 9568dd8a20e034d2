//! Records in the form that verl trains on, for use beside other trainers.

use rerec_rewards::{Catalogue, ItemId};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::query::{Query, QueryClass};

/// One training record of verl, as a line of JSONL.
///
/// Unknown keys are ignored: other tools add columns of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerlRecord {
    /// Which reward function verl calls.
    pub data_source: String,
    /// The chat that the model continues.
    pub prompt: Vec<ChatMessage>,
    /// A label of the task.
    #[serde(default)]
    pub ability: String,
    /// The right answers.
    pub reward_model: VerlReward,
    /// What a reward function may need besides.
    pub extra_info: VerlExtra,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Its text.
    pub content: String,
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
    pub query: String,
    /// Its class.
    pub class: QueryClass,
    /// The ids of the targets.
    pub targets: Vec<ItemId>,
    /// The ids of the candidates.
    pub candidates: Vec<ItemId>,
    /// The ids of the history.
    #[serde(default)]
    pub history: Vec<ItemId>,
}

impl VerlRecord {
    /// A query as a record, its prompt as one user message.
    ///
    /// ```
    /// use rerec_datasets::{Dataset, VerlRecord, WorldConfig};
    ///
    /// let world = Dataset::quickstart(&WorldConfig::default())?;
    /// let query = &world.splits.test[0];
    /// let record = VerlRecord::new(query, &world.catalogue, "quickstart", "test")?;
    /// assert_eq!(record.prompt[0].content, query.prompt);
    /// assert_eq!(record.query()?, *query);
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
        let ground_truth = targets
            .into_iter()
            .map(|target| catalogue.get(target).title.clone())
            .collect();
        Ok(Self {
            data_source: data_source.to_owned(),
            prompt: vec![ChatMessage {
                role: "user".to_owned(),
                content: query.prompt.clone(),
            }],
            ability: "recommendation".to_owned(),
            reward_model: VerlReward {
                style: "rule".to_owned(),
                ground_truth,
            },
            extra_info: VerlExtra {
                split: split.to_owned(),
                query: query.id.clone(),
                class: query.class,
                targets: query.targets.clone(),
                candidates: query.candidates.clone(),
                history: query.history.clone(),
            },
        })
    }

    /// The query of the record.
    ///
    /// # Errors
    /// A prompt that is not exactly one user message.
    pub fn query(&self) -> Result<Query> {
        let extra = &self.extra_info;
        match self.prompt.as_slice() {
            [message] if message.role == "user" => Ok(Query {
                id: extra.query.clone(),
                class: extra.class,
                prompt: message.content.clone(),
                targets: extra.targets.clone(),
                candidates: extra.candidates.clone(),
                history: extra.history.clone(),
            }),
            _ => Err(Error::VerlRecord {
                id: extra.query.clone(),
                fault: "the prompt must be exactly one user message",
            }),
        }
    }
}
