//! A whole run from one configuration.

use std::sync::Arc;

use rerec_datasets::Dataset;
use rerec_policy::{DecoderPolicy, Tokenizer, set_threads};
use rerec_rewards::{
    AttributeGraph, DualGraphReward, Interactions, ItemEmbeddings, ItemIndex, LightGcn,
};

use crate::{
    Outcome, Task, TrainConfig, Trainer,
    error::Result,
    observer::{Event, Observer},
};

/// Items among the most popular whose mutual likeness tells whether the preference score has contrast.
const CONTRAST_ITEMS: usize = 50;

/// Data, reward and policy of a run, built from its configuration.
#[derive(Debug)]
pub struct Job {
    config: TrainConfig,
    dataset: Dataset,
    reward: DualGraphReward,
    policy: DecoderPolicy,
}

impl Job {
    /// Reads or invents the data, trains the item embeddings and draws the model.
    ///
    /// # Errors
    /// Whatever a part reports; nothing is written.
    pub fn new(config: TrainConfig, observer: &mut dyn Observer) -> Result<Self> {
        set_threads(config.threads);
        let dataset = config.data.load(config.seed)?;
        let reward = reward(&config, &dataset, observer)?;
        let tokenizer = Tokenizer::train(&config.tokenizer, dataset.corpus())?;
        let model = config.model.with_vocab(tokenizer.vocab_size());
        let policy =
            DecoderPolicy::from_scratch(&model, tokenizer, config.policy.clone(), config.seed)?;
        Ok(Self {
            config,
            dataset,
            reward,
            policy,
        })
    }

    /// The data.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The policy.
    pub fn policy(&self) -> &DecoderPolicy {
        &self.policy
    }

    /// Runs to the end, or until the observer breaks; `resume` goes on from the run's newest checkpoint.
    ///
    /// # Errors
    /// As [`Trainer::new`], [`Trainer::resume`] and [`Trainer::run`].
    pub fn run(&mut self, resume: bool, observer: &mut dyn Observer) -> Result<Outcome> {
        let task = Task {
            dataset: &self.dataset,
            reward: &self.reward,
            policy: &mut self.policy,
        };
        let trainer = if resume {
            Trainer::resume(&self.config, task)?
        } else {
            Trainer::new(&self.config, task)?
        };
        trainer.run(observer)
    }
}

/// The dual-graph reward: the attribute graph of the catalogue, LightGCN embeddings of the ratings.
fn reward(
    config: &TrainConfig,
    dataset: &Dataset,
    observer: &mut dyn Observer,
) -> Result<DualGraphReward> {
    let pairs = dataset
        .ratings
        .iter()
        .map(|r| (r.user.as_str(), r.item.as_str()));
    let interactions = Interactions::from_pairs(pairs)?;
    let max_epochs = config.embeddings.max_epochs;
    let fitted = LightGcn::new(config.embeddings.clone())?.fit(&interactions, |report| {
        let ndcg = report.validation.map(|quality| quality.ndcg);
        // Training takes seconds: a request to end the run is heard at its first step.
        let _ = observer.event(&Event::Embeddings {
            epoch: report.epoch,
            max_epochs,
            ndcg,
        });
    })?;
    let table = fitted.item_embeddings()?;
    let catalogue = &dataset.catalogue;
    let embeddings = ItemEmbeddings::new(catalogue, &table, config.similarity)?;
    let contrast = embeddings.contrast(&most_popular(&interactions, dataset))?;
    if contrast.is_flat() {
        let _ = observer.event(&Event::Warning(&format!(
            "the preference score has little contrast: popular items have a mean cosine of {:.2} to each other; \
             set similarity.similarity to centred_cosine, or train the embeddings longer",
            contrast.mean_cosine
        )));
    }
    let graph = AttributeGraph::from_catalogue(catalogue)?;
    Ok(DualGraphReward::new(
        config.reward.clone(),
        Arc::new(catalogue.clone()),
        Some(Arc::new(graph)),
        Some(Arc::new(embeddings)),
    )?)
}

fn most_popular(interactions: &Interactions, dataset: &Dataset) -> Vec<ItemIndex> {
    let counts = interactions.popularity();
    let mut items: Vec<(u32, &String)> = counts.into_iter().zip(interactions.items()).collect();
    items.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let known = items
        .iter()
        .filter_map(|(_, id)| dataset.catalogue.index_of(id));
    known.take(CONTRAST_ITEMS).collect()
}
