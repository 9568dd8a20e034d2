//! Two models' answers to the same queries.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use rerec_datasets::QueryClass;
use rerec_trainer::AnswerRecord;
use serde::Serialize;

use crate::bootstrap::{Estimate, bootstrap_mean};
use crate::statistics::Pairs;

/// The second model's accuracy less the first's, query for query.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelComparison {
    /// Each class, then all queries under the name `all`.
    pub rows: Vec<ComparisonRow>,
    /// Queries that only one of the two answered, or that are not the same under one id: they are left out.
    pub unpaired: usize,
}

/// The queries of a class that both answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonRow {
    /// Its label.
    pub class: String,
    /// Queries.
    pub queries: usize,
    /// Share of right answers of the first.
    pub first: f64,
    /// Share of right answers of the second.
    pub second: f64,
    /// Second less first, with the paired bootstrap's interval over queries.
    pub difference: Estimate,
    /// Queries that only the first got right, by the first answer of each.
    pub only_first: usize,
    /// Queries that only the second got right.
    pub only_second: usize,
    /// McNemar's exact p of these two counts.
    pub p: f64,
}

impl ModelComparison {
    /// Pairs the answers by query id, where targets and number of choices agree; `seed` draws the resamples.
    pub fn of<'a>(first: &'a [AnswerRecord], second: &'a [AnswerRecord], seed: u64) -> Self {
        let scored = |records: &'a [AnswerRecord]| {
            let scored = records.iter().filter(|record| !record.answers.is_empty());
            scored
                .map(|record| (&record.query, record))
                .collect::<HashMap<_, _>>()
        };
        let (of_first, of_second) = (scored(first), scored(second));
        // The id alone may name another query of other data.
        let is_same =
            |a: &AnswerRecord, b: &AnswerRecord| a.targets == b.targets && a.choices == b.choices;
        let mut seen = HashSet::new();
        // In the order of the first, each query once.
        let pairs: Vec<(&AnswerRecord, &AnswerRecord)> = first
            .iter()
            .filter(|record| seen.insert(&record.query))
            .filter_map(|record| {
                Some((
                    *of_first.get(&record.query)?,
                    *of_second.get(&record.query)?,
                ))
            })
            .filter(|(a, b)| is_same(a, b))
            .collect();
        let classes: BTreeSet<&QueryClass> = pairs.iter().map(|(a, _)| &a.class).collect();
        let of_class = |class: &QueryClass| {
            let pairs: Vec<_> = pairs
                .iter()
                .copied()
                .filter(|(a, _)| a.class == *class)
                .collect();
            ComparisonRow::of(class.label(), &pairs, seed)
        };
        let mut rows: Vec<ComparisonRow> = classes.into_iter().map(of_class).collect();
        rows.push(ComparisonRow::of("all", &pairs, seed));
        Self {
            rows,
            unpaired: of_first.len() + of_second.len() - 2 * pairs.len(),
        }
    }
}

impl ComparisonRow {
    fn of(class: &str, records: &[(&AnswerRecord, &AnswerRecord)], seed: u64) -> Self {
        let is_right = |record: &AnswerRecord| record.answers.first().is_some_and(|a| a.right);
        let mut pairs = Pairs::default();
        for (a, b) in records {
            pairs.count(is_right(a), is_right(b));
        }
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            values.sum::<f64>() / records.len().max(1) as f64
        };
        let differences: Vec<f64> = records.iter().map(|(a, b)| b.share() - a.share()).collect();
        Self {
            class: class.to_owned(),
            queries: records.len(),
            first: mean(&mut records.iter().map(|(a, _)| a.share())),
            second: mean(&mut records.iter().map(|(_, b)| b.share())),
            difference: bootstrap_mean(&differences, seed),
            only_first: pairs.first,
            only_second: pairs.second,
            p: pairs.mcnemar(),
        }
    }
}

impl fmt::Display for ModelComparison {
    /// A Markdown table in percent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| query class | queries | first | second | difference | only first | only second | McNemar's p |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|")?;
        for row in &self.rows {
            let [first, second] = [row.first, row.second].map(|share| 100.0 * share);
            writeln!(
                f,
                "| {} | {} | {first:.1} | {second:.1} | {} | {} | {} | {:.3} |",
                row.class, row.queries, row.difference, row.only_first, row.only_second, row.p
            )?;
        }
        if self.unpaired > 0 {
            writeln!(
                f,
                "\n{} answered queries have no partner and are left out.",
                self.unpaired
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rerec_trainer::JudgedAnswer;

    fn record(query: usize, right: &[bool]) -> AnswerRecord {
        let answer = |&right: &bool| JudgedAnswer {
            right,
            ranking: Vec::new(),
            ndcg: 0.0,
            flags: Vec::new(),
            response: None,
        };
        AnswerRecord {
            query: query.to_string().into(),
            class: QueryClass::EXPLICIT,
            targets: vec!["t".into()],
            choices: 4,
            cutoff: 1,
            open: false,
            answers: right.iter().map(answer).collect(),
            error: None,
        }
    }

    #[test]
    fn queries_are_paired_by_their_ids() {
        let first: Vec<_> = (0..10).map(|n| record(n, &[n < 2])).collect();
        // The other way round, the first answered wrongly, one more query, and one that could not be scored.
        let mut second: Vec<_> = (1..11).rev().map(|n| record(n, &[n < 8])).collect();
        second.push(record(0, &[]));
        let comparison = ModelComparison::of(&first, &second, 3);
        let [_, all] = &comparison.rows[..] else {
            panic!("{comparison:?}")
        };
        assert_eq!((all.queries, comparison.unpaired), (9, 2));
        assert_eq!((all.only_first, all.only_second), (0, 6));
        // 2 / 2^6.
        assert!((all.p - 0.03125).abs() < 1e-12);
        assert!((all.difference.value - 6.0 / 9.0).abs() < 1e-12);
        assert!(all.difference.low > 0.2 && all.difference.high <= 1.0);
    }

    #[test]
    fn several_answers_are_compared_by_their_means() {
        let (first, second) = ([record(0, &[true, false])], [record(0, &[true, true])]);
        let all = &ModelComparison::of(&first, &second, 3).rows[1];
        assert_eq!(
            (all.first, all.second, all.difference.value),
            (0.5, 1.0, 0.5)
        );
        assert_eq!((all.only_first, all.only_second, all.p), (0, 0, 1.0));
    }
}
