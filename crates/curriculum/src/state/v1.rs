//! Version 1: everything flat, no revisions.

use std::borrow::Cow;
use std::sync::Mutex;

use serde::Deserialize;

use super::{Progress, STATE_VERSION, SavedQuery};
use crate::difficulty::{Estimate, Round};
use crate::{CurriculumConfig, QueryId};

#[derive(Deserialize)]
pub(super) struct State {
    config: CurriculumConfig,
    epoch: u32,
    steps_taken: u64,
    epoch_batches: usize,
    served: usize,
    plan: Vec<u32>,
    records: Vec<(u32, Sums)>,
    queries: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    id: QueryId,
    class: Option<String>,
    difficulty: f64,
    weight: f64,
    last_epoch: u32,
    mastered: bool,
}

impl From<Query> for SavedQuery<'_> {
    fn from(old: Query) -> Self {
        let Query {
            id,
            class,
            difficulty,
            weight,
            last_epoch,
            mastered,
        } = old;
        let estimate = Estimate { difficulty, weight };
        Self {
            id: Cow::Owned(id),
            class: class.map(Cow::Owned),
            revision: 0,
            estimate,
            change: None,
            last_epoch,
            mastered,
        }
    }
}

#[derive(Deserialize)]
struct Sums {
    rollouts: u32,
    sum: f64,
    squares: f64,
}

impl From<(u32, Sums)> for Round {
    fn from((query, old): (u32, Sums)) -> Self {
        Self {
            query,
            rollouts: old.rollouts,
            sum: old.sum,
            squares: old.squares,
        }
    }
}

impl From<State> for super::State {
    fn from(old: State) -> Self {
        let progress = Progress {
            epoch: old.epoch,
            plan: old.plan,
            served: old.served,
            epoch_batches: old.epoch_batches,
            batches: old.steps_taken,
            records: Mutex::new(old.records.into_iter().map(Round::from).collect()),
        };
        let queries = old.queries.into_iter().map(SavedQuery::from);
        Self {
            version: STATE_VERSION,
            config: old.config,
            progress,
            queries: queries.collect(),
        }
    }
}
