//! Which queries an epoch serves, and in which order.

use rustc_hash::FxHashSet;

use crate::config::{CurriculumConfig, Recheck, TooFew};
use crate::order::{Candidates, Order, arrange};
use crate::pool::{Pool, QueryState};

/// Positions of the queries that `epoch` serves, in order. `carried` queries, left over from the epoch before, come first.
pub(crate) fn plan(
    config: &CurriculumConfig,
    order: &dyn Order,
    pool: &Pool,
    epoch: u32,
    carried: &[u32],
) -> Vec<u32> {
    let selected = keep_to_quotas(config, pool, select(config, pool, epoch));
    let carried: Vec<u32> = carried
        .iter()
        .copied()
        // Carried queries that were mastered meanwhile, or exceed a quota, are not served for being carried.
        .filter(|p| selected.binary_search(p).is_ok())
        .collect();
    let already: FxHashSet<u32> = carried.iter().copied().collect();
    let rest: Vec<u32> = selected
        .into_iter()
        .filter(|p| !already.contains(p))
        .collect();
    let candidates = Candidates {
        pool,
        members: &rest,
        seed: config.seed,
        epoch,
    };
    let mut plan = carried;
    plan.extend(arrange(order, &candidates));
    plan
}

/// The queries of an epoch before quotas, ascending.
fn select(config: &CurriculumConfig, pool: &Pool, epoch: u32) -> Vec<u32> {
    let selected = active_and_due(config, pool, epoch);
    // A data set of less than one batch need not fill one.
    let missing = config
        .batch_size
        .min(pool.len())
        .saturating_sub(selected.len());
    match config.too_few {
        _ if missing == 0 => selected,
        TooFew::Stop => Vec::new(),
        TooFew::All => pool.positions(|_| true),
        TooFew::Review => {
            let others = (0..pool.len() as u32).filter(|p| selected.binary_search(p).is_err());
            let others = others.collect();
            with_reviews(pool, selected, others, missing)
        }
    }
}

/// The active queries, and the mastered ones that are to be tried again; ascending.
fn active_and_due(config: &CurriculumConfig, pool: &Pool, epoch: u32) -> Vec<u32> {
    match config.recheck {
        Recheck::Never => pool.positions(|query| !query.mastered),
        Recheck::Every(period) => {
            let due = |query: &QueryState| epoch.saturating_sub(query.last_epoch) >= period;
            pool.positions(|query| !query.mastered || due(query))
        }
        Recheck::Share(share) => {
            let active = pool.positions(|query| !query.mastered);
            // Rounded up: a small pool would otherwise never look back.
            let reviews = (share * active.len() as f64).ceil() as usize;
            with_reviews(
                pool,
                active,
                pool.positions(|query| query.mastered),
                reviews,
            )
        }
    }
}

/// The selected queries and the `count` of `others` tried longest ago, ascending.
fn with_reviews(pool: &Pool, mut selected: Vec<u32>, others: Vec<u32>, count: usize) -> Vec<u32> {
    selected.extend(longest_waiting(pool, others, count));
    selected.sort_unstable();
    selected
}

/// The `count` of `positions` that were tried longest ago, ties in data-set order.
fn longest_waiting(pool: &Pool, mut positions: Vec<u32>, count: usize) -> Vec<u32> {
    if count < positions.len() {
        // Selecting is linear, where sorting a mastered pool of millions for a few reviews is not. The position in the key makes
        // the choice one and the same on every run.
        positions.select_nth_unstable_by_key(count, |&position| {
            (pool.query(position).last_epoch, position)
        });
        positions.truncate(count);
    }
    positions
}

fn keep_to_quotas(config: &CurriculumConfig, pool: &Pool, selected: Vec<u32>) -> Vec<u32> {
    if config.quotas.is_empty() {
        return selected;
    }
    let mut of_class = vec![Vec::new(); pool.classes().len()];
    for position in selected {
        of_class[usize::from(pool.query(position).class)].push(position);
    }
    let mut kept: Vec<u32> = (pool.classes().iter().zip(of_class))
        .flat_map(|(class, positions)| {
            longest_waiting(pool, positions, config.quota(class.as_deref()))
        })
        .collect();
    // Grouped by class until now; ties of the order fall to the order of the data set.
    kept.sort_unstable();
    kept
}
