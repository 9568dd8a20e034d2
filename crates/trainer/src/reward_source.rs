//! Where the reward's graph and embeddings come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rerec_datasets::{Dataset, Query};
use rerec_rewards::{
    AttributeGraph, Catalogue, ConditionCredit, DualGraphConfig, DualGraphReward, EmbeddingTable,
    EpochReport, Interactions, ItemEmbeddings, ItemId, ItemIndex, JoinBy, LightGcn, LightGcnConfig,
    MissingPolicy, MixedReward, Reward, SimilarityConfig,
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};
use crate::observer::{Event, Observer};

/// Items among the most popular whose mutual likeness tells whether the preference score has contrast.
const CONTRAST_ITEMS: usize = 50;

/// Where an item-attribute graph comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraphSource {
    /// The attributes of the catalogue's items.
    #[default]
    Catalogue,
    /// A GEXF, TSV or JSON Lines file, joined with the catalogue by title.
    File(PathBuf),
    /// No graph: the reward has no query alignment score.
    None,
}

/// Where item embeddings come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingSource {
    /// LightGCN, trained on the data's [choices](Dataset::choices) when the run begins and kept in its folder.
    Lightgcn(LightGcnConfig),
    /// A safetensors, npy or TSV file with the ids of the catalogue.
    File(PathBuf),
    /// No embeddings: the reward has no preference alignment score.
    None,
}

impl Default for EmbeddingSource {
    fn default() -> Self {
        Self::Lightgcn(LightGcnConfig::default())
    }
}

impl EmbeddingSource {
    /// The seed, where embeddings are trained here.
    pub(crate) fn seed_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Lightgcn(config) => Some(&mut config.seed),
            Self::File(_) | Self::None => None,
        }
    }
}

/// The dual-graph reward with the sources of its two alignment scores.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RewardSource {
    /// Weights, cut-off and how answers are read.
    pub dual_graph: DualGraphConfig,
    /// Weight of the share of a query's own conditions that the answer meets; 0: no such term.
    pub condition_weight: f64,
    /// The graph.
    pub graph: GraphSource,
    /// The embeddings.
    pub embeddings: EmbeddingSource,
    /// How embeddings are compared.
    pub similarity: SimilarityConfig,
}

impl RewardSource {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting out of range; a `condition_weight` beside no graph.
    pub fn validate(&self) -> Result<()> {
        self.dual_graph.validate()?;
        let weight = self.condition_weight;
        check(weight.is_finite(), "condition_weight", weight, "finite")?;
        if weight != 0.0 && self.graph == GraphSource::None {
            return Err(Error::contradiction(
                "condition_weight asks which conditions an item meets, but graph = \"none\" tells no attributes",
            ));
        }
        if let EmbeddingSource::Lightgcn(config) = &self.embeddings {
            LightGcn::new(config.clone())?;
        }
        Ok(())
    }

    /// Reads or trains the parts and composes the reward. Embeddings that are trained are written to `keep`, and read from there
    /// the next time.
    ///
    /// A part that the data have nothing for, no attributes or no ratings, is left out with a warning.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit the catalogue; ratings that cannot be trained on; a `condition_weight` without a
    /// graph, or without a query that states a condition which the graph knows.
    pub fn build(
        &self,
        data: &Dataset,
        keep: Option<&Path>,
        observer: &mut dyn Observer,
    ) -> Result<Arc<dyn Reward>> {
        let graph = self.graph(&data.catalogue, observer)?.map(Arc::new);
        let credit = self.condition_credit(data, graph.as_ref(), observer)?;
        let embeddings = self.embeddings(data, keep, observer)?;
        let reward = DualGraphReward::new(
            self.dual_graph.clone(),
            Arc::new(data.catalogue.clone()),
            graph,
            embeddings.map(Arc::new),
        )?;
        let Some(credit) = credit else {
            return Ok(Arc::new(reward));
        };
        let reward = MixedReward::new(reward).with_term(self.condition_weight, credit)?;
        Ok(Arc::new(reward))
    }

    /// Partial credit by conditions, where it has a weight.
    fn condition_credit(
        &self,
        data: &Dataset,
        graph: Option<&Arc<AttributeGraph>>,
        observer: &mut dyn Observer,
    ) -> Result<Option<ConditionCredit>> {
        if self.condition_weight == 0.0 {
            return Ok(None);
        }
        let Some(graph) = graph else {
            return Err(Error::contradiction(
                "condition_weight asks which conditions an item meets, but there is no graph that tells its attributes",
            ));
        };
        let queries: Vec<&Query> = data.splits.queries().collect();
        let stated = queries
            .iter()
            .map(|query| (query.id.as_str(), &*query.conditions));
        let credit = ConditionCredit::new(graph.clone(), stated);
        warn_of_conditions(&credit, &queries, &data.catalogue, observer)?;
        Ok(Some(credit))
    }

    fn graph(
        &self,
        catalogue: &Catalogue,
        observer: &mut dyn Observer,
    ) -> Result<Option<AttributeGraph>> {
        let has_attributes = || {
            catalogue
                .items()
                .iter()
                .any(|item| !item.attributes.is_empty())
        };
        match &self.graph {
            GraphSource::Catalogue if has_attributes() => {
                Ok(Some(AttributeGraph::from_catalogue(catalogue)?))
            }
            GraphSource::Catalogue => {
                warn(
                    observer,
                    "no item of the catalogue has attributes: the reward has no query alignment score",
                );
                Ok(None)
            }
            GraphSource::File(path) => {
                let joined = AttributeGraph::read(path, catalogue, JoinBy::Title)?;
                if joined.report.id_space.looks_wrong() {
                    let path = path.display();
                    warn(
                        observer,
                        &format!(
                            "{path}: items that share attributes are no more alike than at random; do its names belong to this catalogue?"
                        ),
                    );
                }
                Ok(Some(joined.graph))
            }
            GraphSource::None => Ok(None),
        }
    }

    fn embeddings(
        &self,
        data: &Dataset,
        keep: Option<&Path>,
        observer: &mut dyn Observer,
    ) -> Result<Option<ItemEmbeddings>> {
        let table = match &self.embeddings {
            EmbeddingSource::None => return Ok(None),
            EmbeddingSource::Lightgcn(_) if data.ratings.is_empty() => {
                warn(
                    observer,
                    "the data have no ratings: the reward has no preference alignment score",
                );
                return Ok(None);
            }
            EmbeddingSource::Lightgcn(_) if data.choices().next().is_none() => {
                warn(
                    observer,
                    &format!(
                        "none of the {} ratings reaches liked_from ({}): the reward has no preference alignment score",
                        data.ratings.len(),
                        data.liked_from
                    ),
                );
                return Ok(None);
            }
            EmbeddingSource::Lightgcn(config) => trained(config, data, keep, observer)?,
            EmbeddingSource::File(path) => EmbeddingTable::read(path)?,
        };
        let embeddings = ItemEmbeddings::new(&data.catalogue, &table, self.similarity)?;
        self.warn_of_unscored(&embeddings, data, observer);
        warn_if_flat(&embeddings, data, observer)?;
        Ok(Some(embeddings))
    }
}

impl RewardSource {
    /// Says beforehand how many queries have a target without an embedding: each of their responses would fail to be scored.
    fn warn_of_unscored(
        &self,
        embeddings: &ItemEmbeddings,
        data: &Dataset,
        observer: &mut dyn Observer,
    ) {
        if self.similarity.missing != MissingPolicy::Error {
            return;
        }
        let is_unknown = |id: &ItemId| {
            let item = data.catalogue.index_of(id);
            item.is_some_and(|item| !embeddings.contains(item))
        };
        let unscored = data
            .splits
            .queries()
            .filter(|query| query.targets.iter().any(is_unknown));
        let count = unscored.count();
        if count > 0 {
            warn(
                observer,
                &format!(
                    "{count} queries cannot be scored: nobody chose their targets, which have no embedding; \
                     `similarity.missing = {{ score = 0.0 }}` scores them without a preference"
                ),
            );
        }
    }
}

/// Says beforehand for how many queries the credit by conditions is none, and for how many it misleads; none for all is an error.
fn warn_of_conditions(
    credit: &ConditionCredit,
    queries: &[&Query],
    catalogue: &Catalogue,
    observer: &mut dyn Observer,
) -> Result<()> {
    // The least share that a target of the query earns.
    let least = |query: &&Query| -> Option<f64> {
        let targets = query.targets.iter().map(|id| catalogue.index_of(id));
        let shares = targets.map(|target| credit.share(query.id.as_str(), target));
        shares.reduce(|a, b| Some(a?.min(b?))).flatten()
    };
    let shares: Vec<Option<f64>> = queries.iter().map(least).collect();
    let all = shares.len();
    let without = shares.iter().filter(|share| share.is_none()).count();
    let misled = shares.iter().flatten().filter(|&&share| share < 1.0);
    let misled = misled.count();
    if without == all {
        return Err(Error::contradiction(
            "condition_weight asks which conditions an item meets, but no query states a condition that an item of the graph meets",
        ));
    }
    if without > 0 {
        warn(
            observer,
            &format!(
                "{without} of {all} queries state no condition that the graph knows: condition_weight weighs their query alignment score"
            ),
        );
    }
    if misled > 0 {
        warn(
            observer,
            &format!(
                "the targets of {misled} of {all} queries do not meet all of their conditions: a wrong item may earn more credit by them"
            ),
        );
    }
    Ok(())
}

fn warn(observer: &mut dyn Observer, what: &str) {
    // A request to end the run is heard at its first step.
    let _ = observer.event(&Event::Warning(what));
}

/// LightGCN's item embeddings, trained on pairs of user and item; `watch` hears of each epoch.
pub(crate) fn lightgcn_embeddings<'p>(
    pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    config: LightGcnConfig,
    watch: impl FnMut(&EpochReport),
) -> Result<EmbeddingTable> {
    let interactions = Interactions::from_pairs(pairs)?;
    let fitted = LightGcn::new(config)?.fit(&interactions, watch)?;
    Ok(fitted.item_embeddings()?)
}

/// LightGCN's item embeddings: those kept from an earlier call, or trained now.
fn trained(
    config: &LightGcnConfig,
    data: &Dataset,
    keep: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<EmbeddingTable> {
    if let Some(path) = keep.filter(|path| path.is_file()) {
        return Ok(EmbeddingTable::read(path)?);
    }
    let max_epochs = config.max_epochs;
    // Somebody who gave one star did choose the item, but not to have more like it.
    let table = lightgcn_embeddings(data.choices(), config.clone(), |report| {
        let _ = observer.event(&Event::Embeddings {
            epoch: report.epoch,
            max_epochs,
            ndcg: report.validation.map(|quality| quality.ndcg),
        });
    })?;
    if let Some(path) = keep {
        table.write(path)?;
    }
    Ok(table)
}

/// Warns of embeddings in which popular items are all alike: the preference score is then a bonus for popularity.
fn warn_if_flat(
    embeddings: &ItemEmbeddings,
    data: &Dataset,
    observer: &mut dyn Observer,
) -> Result<()> {
    let items = most_chosen(data, embeddings);
    if items.len() < 2 {
        return Ok(());
    }
    let contrast = embeddings.contrast(&items)?;
    if contrast.is_flat() {
        warn(
            observer,
            &format!(
                "the preference score has little contrast: popular items have a mean cosine of {:.2} to each other; \
                 set similarity.similarity to centred_cosine, or train the embeddings longer",
                contrast.mean_cosine
            ),
        );
    }
    Ok(())
}

/// The items that were chosen most often and have an embedding; the first of the catalogue where there are no choices.
fn most_chosen(data: &Dataset, embeddings: &ItemEmbeddings) -> Vec<ItemIndex> {
    let counts = data.popularity();
    let known = data.catalogue.iter().map(|(item, _)| item);
    let mut items: Vec<ItemIndex> = known.filter(|&item| embeddings.contains(item)).collect();
    items.sort_by_key(|item| std::cmp::Reverse(counts[item.position()]));
    items.truncate(CONTRAST_ITEMS);
    items
}
