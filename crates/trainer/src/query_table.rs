//! The queries of a run by their ids.

use std::collections::HashMap;

use rerec_datasets::{Dataset, Query};
use rerec_rewards::{Catalogue, ItemId, ItemIndex, Sample};

use crate::QueryRecord;
use crate::error::{Error, Result};

/// A query with its items as positions in the catalogue.
#[derive(Debug)]
pub(crate) struct PreparedQuery<'a> {
    pub(crate) query: &'a Query,
    pub(crate) targets: Vec<ItemIndex>,
    pub(crate) candidates: Option<Vec<ItemIndex>>,
}

impl<'a> PreparedQuery<'a> {
    pub(crate) fn new(query: &'a Query, catalogue: &Catalogue) -> Result<Self> {
        let index = |id: &ItemId| {
            catalogue.index_of(id).ok_or_else(|| Error::UnknownItem {
                query: query.id.clone(),
                item: id.clone(),
            })
        };
        let indices = |ids: &[ItemId]| ids.iter().map(index).collect::<Result<Vec<_>>>();
        Ok(Self {
            query,
            targets: indices(&query.targets)?,
            candidates: query.candidates.as_deref().map(indices).transpose()?,
        })
    }

    /// A response to it, as the reward reads it.
    pub(crate) fn sample<'s>(&'s self, response: &'s str) -> Sample<'s> {
        Sample {
            query: self.query.id.as_str(),
            response,
            targets: &self.targets,
            candidates: self.candidates.as_deref(),
        }
    }

    /// The query as it is written down, its items by their titles.
    pub(crate) fn record(&self, catalogue: &Catalogue) -> QueryRecord {
        let title = |&item: &ItemIndex| catalogue.get(item).title.clone();
        let titles = |items: &[ItemIndex]| items.iter().map(title).collect();
        QueryRecord {
            query: self.query.id.clone(),
            conversation: self.query.conversation.clone(),
            targets: titles(&self.targets),
            candidates: self.candidates.as_deref().map(titles),
        }
    }
}

/// The train queries of a run.
#[derive(Debug)]
pub(crate) struct QueryTable<'a>(HashMap<&'a str, PreparedQuery<'a>>);

impl<'a> QueryTable<'a> {
    pub(crate) fn new(dataset: &'a Dataset) -> Result<Self> {
        let queries = dataset.splits.train.iter().map(|query| {
            let prepared = PreparedQuery::new(query, &dataset.catalogue)?;
            Ok((query.id.as_str(), prepared))
        });
        Ok(Self(queries.collect::<Result<_>>()?))
    }

    pub(crate) fn get(&self, id: &str) -> Result<&PreparedQuery<'a>> {
        self.0
            .get(id)
            .ok_or_else(|| Error::UnknownQuery { query: id.into() })
    }
}
