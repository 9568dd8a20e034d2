//! The files behind the reward, joined to one catalogue.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rerec_files::{json_cause, lines, read_text};
use rerec_rewards::{
    AlignmentConfig, AttributeGraph, Catalogue, EmbeddingTable, GraphFile, Item, ItemEmbeddings,
    JoinBy, SimilarityConfig, Triple,
};

use super::RewardArgs;
use crate::error::Failure;
use crate::filter::warn_of_header;

/// What all lines share; the catalogue is absent where each line has its own.
pub(super) struct Sources {
    pub(super) catalogue: Option<Arc<Catalogue>>,
    pub(super) graph: Option<Arc<AttributeGraph>>,
    pub(super) embeddings: Option<Arc<ItemEmbeddings>>,
}

impl Sources {
    pub(super) fn read(args: &RewardArgs) -> Result<Self, Failure> {
        // Read before the catalogue, which may have to be made of its ids.
        let table = args
            .embeddings
            .as_deref()
            .map(EmbeddingTable::read)
            .transpose()?;
        let catalogue = args.catalogue(table.as_ref())?;
        let (graph, embeddings) = match &catalogue {
            Some(catalogue) => (
                args.graph(catalogue)?,
                args.embeddings(catalogue, table.as_ref())?,
            ),
            None => (None, None),
        };
        Ok(Self {
            catalogue: catalogue.map(Arc::new),
            graph,
            embeddings,
        })
    }
}

impl RewardArgs {
    /// The given catalogue, or the items of the graph and then those of the embeddings, by name.
    fn catalogue(&self, table: Option<&EmbeddingTable>) -> Result<Option<Catalogue>, Failure> {
        let items = if let Some(path) = &self.catalogue {
            read_items(path)?
        } else if self.graph.is_some() || table.is_some() {
            let vectors: HashSet<&str> = table
                .into_iter()
                .flat_map(EmbeddingTable::ids)
                .map(String::as_str)
                .collect();
            let triples = self.graph.as_deref().map(read_graph).transpose()?;
            let triples = triples
                // Without a catalogue the embeddings tell which nodes of a GEXF file are items.
                .map(|file| file.triples(|name| vectors.contains(name)))
                .transpose()?;
            let mut items = Triple::items(&triples.unwrap_or_default());
            // Vectors of items of the graph belong to these; the others bring items of their own.
            let known: HashSet<String> = items.iter().map(|item| item.title.clone()).collect();
            let ids = table
                .into_iter()
                .flat_map(EmbeddingTable::ids)
                .filter(|id| !known.contains(*id));
            items.extend(ids.map(|id| Item::new(id.as_str(), id.as_str())));
            items
        } else {
            return Ok(None);
        };
        Ok(Some(Catalogue::new(items)?))
    }

    /// The graph of the file or, beside a catalogue alone, of the attributes that its items carry.
    fn graph(&self, catalogue: &Catalogue) -> Result<Option<Arc<AttributeGraph>>, Failure> {
        // Where the catalogue was made of the graph, its items carry the graph's facts already.
        let graph = match (&self.graph, &self.catalogue) {
            (Some(path), Some(_)) => joined(path, catalogue)?,
            _ if catalogue
                .items()
                .iter()
                .any(|item| !item.attributes.is_empty()) =>
            {
                AttributeGraph::from_catalogue(catalogue)?
            }
            _ => return Ok(None),
        };
        let config = AlignmentConfig {
            missing: self.missing(),
            ..AlignmentConfig::default()
        };
        Ok(Some(Arc::new(graph.with_alignment(config)?)))
    }

    fn embeddings(
        &self,
        catalogue: &Catalogue,
        table: Option<&EmbeddingTable>,
    ) -> Result<Option<Arc<ItemEmbeddings>>, Failure> {
        let config = SimilarityConfig {
            similarity: self.similarity,
            missing: self.missing(),
        };
        let embeddings = table
            .map(|table| ItemEmbeddings::new(catalogue, table, config))
            .transpose()?;
        if let Some(embeddings) = &embeddings {
            warn_if_flat(embeddings, catalogue)?;
        }
        Ok(embeddings.map(Arc::new))
    }
}

/// Warns of vectors that all point the same way.
fn warn_if_flat(embeddings: &ItemEmbeddings, catalogue: &Catalogue) -> Result<(), Failure> {
    // Enough for the mean, and quick whatever the size of the catalogue.
    const COMPARED: usize = 1024;
    let step = embeddings.covered().div_ceil(COMPARED).max(1);
    let items = catalogue.iter().map(|(index, _)| index);
    let items = items
        .filter(|&item| embeddings.contains(item))
        .step_by(step);
    let items: Vec<_> = items.collect();
    if items.len() < 2 {
        return Ok(());
    }
    let contrast = embeddings.contrast(&items)?;
    if contrast.is_flat() {
        eprintln!(
            "rerec: the embeddings of two items have a cosine of {:.2} on average, so that preference scores tell little: try --similarity centred_cosine",
            contrast.mean_cosine
        );
    }
    Ok(())
}

fn read_graph(path: &Path) -> Result<GraphFile, Failure> {
    let file = GraphFile::read(path)?;
    warn_of_header(path, file.header());
    Ok(file)
}

fn joined(path: &Path, catalogue: &Catalogue) -> Result<AttributeGraph, Failure> {
    let joined = AttributeGraph::join(&read_graph(path)?, catalogue, JoinBy::Title)?;
    if joined.report.id_space.looks_wrong() {
        eprintln!(
            "rerec: {}: items that share attributes are no more alike than at random; do its names belong to this catalogue?",
            path.display()
        );
    }
    Ok(joined.graph)
}

fn read_items(path: &Path) -> Result<Vec<Item>, Failure> {
    let text = read_text(path)?;
    let item = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Failure::CatalogueLine {
            path: path.to_owned(),
            line: number,
            cause: json_cause(&error, line.as_bytes()),
        })
    };
    lines(&text).map(item).collect()
}
