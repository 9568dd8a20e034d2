//! A small invented world, and what its tests look at.
// Each test file uses some of it.
#![allow(dead_code, clippy::unwrap_used)]

use rerec_datasets::{Dataset, DemonstratorConfig, Query, QueryConfig, WorldConfig};
use rerec_rewards::{Catalogue, ItemId};

pub(crate) fn config() -> WorldConfig {
    WorldConfig {
        queries: QueryConfig {
            train: 300,
            validation: 50,
            test: 50,
            ..QueryConfig::default()
        },
        ..WorldConfig::default()
    }
}

pub(crate) fn world(seed: u64) -> Dataset {
    Dataset::quickstart(seed, &config()).unwrap()
}

pub(crate) fn queries(dataset: &Dataset) -> impl Iterator<Item = &Query> {
    let splits = &dataset.splits;
    splits
        .train
        .iter()
        .chain(&splits.validation)
        .chain(&splits.test)
}

pub(crate) fn text(query: &Query) -> &str {
    &query.conversation[0].content
}

pub(crate) fn candidates(query: &Query) -> &[ItemId] {
    query.candidates.as_deref().unwrap()
}

pub(crate) fn title<'a>(catalogue: &'a Catalogue, id: &ItemId) -> &'a str {
    &catalogue.get(catalogue.index_of(id).unwrap()).title
}

/// An annotator without haste.
pub(crate) fn patient() -> DemonstratorConfig {
    DemonstratorConfig {
        haste_first: 0.0,
        haste_later: 0.0,
        ..DemonstratorConfig::default()
    }
}

/// The world with the demonstrations of such an annotator.
pub(crate) fn annotated(seed: u64, demonstrator: DemonstratorConfig) -> Dataset {
    let config = WorldConfig {
        demonstrator,
        ..config()
    };
    Dataset::quickstart(seed, &config).unwrap()
}

/// What a careful reader writes: no haste, no credulity.
pub(crate) fn careful(seed: u64) -> Dataset {
    let credulity = 0.0;
    annotated(
        seed,
        DemonstratorConfig {
            credulity,
            ..patient()
        },
    )
}
