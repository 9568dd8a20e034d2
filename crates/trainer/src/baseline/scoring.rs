//! What a baseline thinks of an item.

use std::cmp::Reverse;
use std::collections::HashMap;

use rand::RngExt;
use rerec_datasets::{Dataset, Query, Retriever};
use rerec_policy::random_stream;
use rerec_rewards::{
    Catalogue, EmbeddingTable, Interactions, ItemId, ItemIndex, LightGcn, LightGcnConfig,
};
use rerec_text::fold;

use super::Baseline;
use crate::error::Result;
use crate::evaluation::mean;

/// A baseline, ready to rank.
pub(super) struct Scorer<'d> {
    catalogue: &'d Catalogue,
    popularity: Vec<usize>,
    kind: Kind,
}

enum Kind {
    Random,
    Popularity,
    Embeddings(EmbeddingTable),
    Words(Retriever),
    /// Folded attribute values of each item, each between spaces.
    Attributes(Vec<Vec<String>>),
}

impl<'d> Scorer<'d> {
    pub(super) fn new(
        baseline: Baseline,
        dataset: &'d Dataset,
        lightgcn: LightGcnConfig,
    ) -> Result<Self> {
        let catalogue = &dataset.catalogue;
        let kind = match baseline {
            Baseline::Random => Kind::Random,
            Baseline::Popularity => Kind::Popularity,
            Baseline::Lightgcn => Kind::Embeddings(choice_embeddings(dataset, lightgcn)?),
            Baseline::Bm25 => Kind::Words(Retriever::new(catalogue)),
            Baseline::Overlap => {
                let values = catalogue.items().iter().map(|item| {
                    let values = item.attributes.iter();
                    values.map(|attribute| words(&attribute.value)).collect()
                });
                Kind::Attributes(values.collect())
            }
        };
        Ok(Self {
            catalogue,
            popularity: dataset.popularity(),
            kind,
        })
    }

    /// The offered items, best first.
    pub(super) fn ranked(&self, offered: &[ItemIndex], query: &Query, seed: u64) -> Vec<ItemIndex> {
        let scores = self.scores(offered, query);
        // In the order of the catalogue, so that the order in which candidates are given decides nothing.
        let mut items: Vec<(ItemIndex, f64)> = offered.iter().copied().zip(scores).collect();
        items.sort_by_key(|(item, _)| item.position());
        let mut random = random_stream(seed, "baseline", query.id.as_str(), 0);
        let mut items: Vec<_> = items
            .into_iter()
            .map(|(item, score)| (item, score, random.random::<u64>()))
            .collect();
        items.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.2.cmp(&b.2)));
        items.into_iter().map(|(item, ..)| item).collect()
    }

    fn scores(&self, offered: &[ItemIndex], query: &Query) -> Vec<f64> {
        let popularity = || {
            offered
                .iter()
                .map(|item| self.popularity[item.position()] as f64)
                .collect()
        };
        match &self.kind {
            Kind::Random => vec![0.0; offered.len()],
            Kind::Popularity => popularity(),
            Kind::Embeddings(_) if query.history.is_empty() => popularity(),
            Kind::Embeddings(embeddings) => {
                let id = |item: &ItemIndex| &self.catalogue.get(*item).id;
                let score = |item| likeness(embeddings, id(item), &query.history);
                offered.iter().map(score).collect()
            }
            Kind::Words(retriever) => {
                let text = question(query, self.catalogue);
                let found = retriever.search(&text, self.catalogue.len());
                let scores: HashMap<ItemIndex, f32> = found.into_iter().collect();
                let score = |item| scores.get(item).copied().unwrap_or(0.0);
                offered.iter().map(|item| score(item).into()).collect()
            }
            Kind::Attributes(values) => {
                let text = words(&question(query, self.catalogue));
                let named = |value: &&String| text.contains(value.as_str());
                let count = |item: &ItemIndex| values[item.position()].iter().filter(named).count();
                offered.iter().map(|item| count(item) as f64).collect()
            }
        }
    }
}

/// LightGCN on the data's choices.
pub(crate) fn choice_embeddings(
    dataset: &Dataset,
    config: LightGcnConfig,
) -> Result<EmbeddingTable> {
    let interactions = Interactions::from_pairs(dataset.choices())?;
    let fitted = LightGcn::new(config)?.fit(&interactions, |_| ())?;
    Ok(fitted.item_embeddings()?)
}

/// Mean dot product with the liked items: LightGCN's score for a user whose embedding is the mean of theirs. An item that nobody
/// chose comes last.
pub(crate) fn likeness(embeddings: &EmbeddingTable, item: &ItemId, liked: &[ItemId]) -> f64 {
    let Some(own) = embeddings.row(item.as_str()) else {
        return f64::NEG_INFINITY;
    };
    let liked = liked.iter().filter_map(|id| embeddings.row(id.as_str()));
    mean(liked.map(|other| f64::from(own.dot(&other))))
}

/// What a user says, without the list of options: lines that begin with a candidate's title, behind a number or a dash, are left out,
/// and titles elsewhere are cut out. Every option names itself there, which tells nothing of what is asked for.
fn question(query: &Query, catalogue: &Catalogue) -> String {
    let titles = query.candidates.iter().flatten();
    let title = |id: &ItemId| Some(catalogue.get(catalogue.index_of(id)?).title.as_str());
    let mut titles: Vec<&str> = titles.filter_map(title).collect();
    // Longer ones first: a title may hold another.
    titles.sort_by_key(|title| Reverse(title.len()));
    let said = query
        .conversation
        .iter()
        .flat_map(|message| message.content.lines());
    let lines = said.filter(|line| {
        let entry =
            line.trim_start_matches(|c: char| c.is_ascii_digit() || "[]().-*• \t".contains(c));
        !titles
            .iter()
            .any(|title| entry.starts_with(title) || line.starts_with(title))
    });
    let cut = |line: &str| {
        titles
            .iter()
            .fold(line.to_owned(), |line, title| line.replace(title, " "))
    };
    lines.map(cut).collect::<Vec<_>>().join("\n")
}

/// Folded words, each between two spaces, so that a value is found as whole words alone.
fn words(text: &str) -> String {
    let folded = fold(text);
    let words = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.fold(String::from(" "), |text, word| text + word + " ")
}
