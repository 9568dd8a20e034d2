//! Two evaluations on the same queries.

use std::collections::BTreeSet;

use rerec_trainer::{Evaluation, Phase};
use serde::Serialize;

use crate::glance::of_phase;
use crate::reading::Reading;
use crate::statistics::Pairs;

/// Two evaluations, query for query.
#[derive(Debug, Serialize)]
pub(crate) struct Paired {
    /// What was compared.
    pub(crate) first: String,
    pub(crate) second: String,
    /// Each class, then all.
    pub(crate) rows: Vec<PairedRow>,
}

/// The queries of a class that both evaluations asked.
#[derive(Debug, Serialize)]
pub(crate) struct PairedRow {
    pub(crate) class: String,
    pub(crate) queries: usize,
    /// Right in both, only in the first, only in the second.
    pub(crate) both: usize,
    pub(crate) only_first: usize,
    pub(crate) only_second: usize,
    /// Share of the second less that of the first, with its 95 % interval.
    pub(crate) difference: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// McNemar's exact p.
    pub(crate) p: f64,
}

/// Compares two evaluations; none where they share no query whose outcome was written down.
pub(crate) fn paired(first: &Evaluation, second: &Evaluation) -> Option<Paired> {
    let mut all = Pairs::default();
    let classes: BTreeSet<_> = first.outcomes.keys().collect();
    let mut rows = Vec::new();
    for class in classes {
        let Some(others) = second.outcomes.get(class) else {
            continue;
        };
        let mut pairs = Pairs::default();
        for (query, &right) in &first.outcomes[class] {
            if let Some(&other) = others.get(query) {
                pairs.count(right, other);
                all.count(right, other);
            }
        }
        rows.push(row(class.label(), pairs));
    }
    rows.push(row("all", all));
    rows.retain(|row| row.queries > 0);
    (!rows.is_empty()).then(|| Paired {
        first: first.phase.label().to_owned(),
        second: second.phase.label().to_owned(),
        rows,
    })
}

fn row(class: &str, pairs: Pairs) -> PairedRow {
    let (low, high) = pairs.interval();
    PairedRow {
        class: class.to_owned(),
        queries: pairs.queries(),
        both: pairs.both,
        only_first: pairs.first,
        only_second: pairs.second,
        difference: pairs.difference(),
        low,
        high,
        p: pairs.mcnemar(),
    }
}

/// The first run against each other one on the same data, on test queries after reinforcement.
pub(crate) fn between(runs: &[&Reading]) -> Vec<Paired> {
    let Some((first, others)) = runs.split_first() else {
        return Vec::new();
    };
    let last = |run: &&Reading| of_phase(&run.evaluations, Phase::Final).cloned();
    // An id names another query in other data.
    let data = |run: &Reading| {
        let config = run.config.as_ref();
        config.map(|config| (config.data.clone(), config.seed))
    };
    let compare = |other: &&Reading| {
        if data(first) != data(other) {
            return None;
        }
        let paired = paired(&last(first)?, &last(other)?)?;
        Some(Paired {
            first: first.name.clone(),
            second: other.name.clone(),
            ..paired
        })
    };
    others.iter().filter_map(compare).collect()
}

/// An evaluation of nothing.
#[cfg(test)]
pub(crate) fn evaluation(phase: Phase) -> Evaluation {
    Evaluation {
        phase,
        step: 0,
        overall: Default::default(),
        classes: Default::default(),
        open: 0,
        unscored: 0,
        without_answer: 0,
        outside_candidates: 0,
        truncated: 0,
        mean_tokens: 0.0,
        outcomes: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(phase: Phase, outcomes: &[(&str, bool)]) -> Evaluation {
        let outcomes = outcomes.iter().map(|&(query, right)| (query.into(), right));
        Evaluation {
            outcomes: [("explicit".into(), outcomes.collect())].into(),
            ..evaluation(phase)
        }
    }

    #[test]
    fn queries_are_compared_where_both_were_asked() {
        let before = answered(Phase::WarmStart, &[("a", true), ("b", false), ("c", false)]);
        let after = answered(Phase::Final, &[("b", true), ("c", false), ("d", true)]);
        let paired = paired(&before, &after).unwrap();
        assert_eq!(
            (&*paired.first, &*paired.second),
            ("warm start", "reinforced")
        );
        let [class, all] = &paired.rows[..] else {
            panic!("{paired:?}")
        };
        assert_eq!((&*class.class, &*all.class), ("explicit", "all"));
        // b and c: one right before of neither, one right after.
        assert_eq!((all.queries, all.only_first, all.only_second), (2, 0, 1));
        assert_eq!((all.difference, all.p), (0.5, 1.0));
    }

    #[test]
    fn without_outcomes_there_is_nothing_to_compare() {
        let empty = answered(Phase::Final, &[]);
        assert!(paired(&empty, &empty).is_none());
    }
}
