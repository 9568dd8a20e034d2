//! The accuracy table.

use std::{collections::BTreeSet, fmt::Write};

use rerec_datasets::Query;

use crate::{Accuracy, Evaluation};

/// A Markdown table of accuracies in percent on `queries`: a row for each class, a column for each evaluation, and
/// what a guess among the candidates would reach.
pub fn accuracy_table(evaluations: &[Evaluation], queries: &[Query]) -> String {
    let candidates = queries.iter().flat_map(|q| q.candidates.iter().flatten());
    let candidates = candidates.count() as f64 / queries.len().max(1) as f64;
    let mut table = String::from("| query class | queries | guess |");
    for e in evaluations {
        let _ = write!(table, " {} |", e.phase.label());
    }
    table.push_str("\n|---|---:|---:|");
    table.push_str(&"---:|".repeat(evaluations.len()));
    let classes: BTreeSet<_> = evaluations
        .iter()
        .flat_map(|e| e.classes.keys().cloned())
        .collect();
    for class in classes {
        let cells: Vec<Accuracy> = evaluations
            .iter()
            .map(|e| e.classes.get(&class).copied().unwrap_or_default())
            .collect();
        row(&mut table, class.label(), &cells, candidates);
    }
    let overall: Vec<Accuracy> = evaluations.iter().map(|e| e.overall).collect();
    row(&mut table, "all", &overall, candidates);
    table.push('\n');
    table
}

fn row(table: &mut String, label: &str, cells: &[Accuracy], candidates: f64) {
    let asked = cells.iter().map(|a| a.asked).max().unwrap_or(0);
    let _ = write!(table, "\n| {label} | {asked} | {:.1} |", 100.0 / candidates);
    for accuracy in cells {
        let _ = write!(table, " {:.1} |", 100.0 * accuracy.share());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;
    use rerec_datasets::QueryClass;

    #[test]
    fn shares_are_percent() {
        let right = Accuracy { right: 3, asked: 4 };
        let evaluation = Evaluation {
            phase: Phase::Final,
            step: 7,
            overall: right,
            classes: [(QueryClass::IMPLICIT, right)].into(),
            without_answer: 0,
            mean_tokens: 10.0,
        };
        let query = Query {
            id: "q".into(),
            class: QueryClass::IMPLICIT,
            conversation: Vec::new(),
            targets: vec!["0".into()],
            candidates: Some(["0", "1", "2", "3", "4"].map(Into::into).into()),
            history: Vec::new(),
        };
        let expected = "| query class | queries | guess | reinforced |\n|---|---:|---:|---:|\n\
                        | implicit | 4 | 20.0 | 75.0 |\n| all | 4 | 20.0 | 75.0 |\n";
        assert_eq!(accuracy_table(&[evaluation], &[query]), expected);
    }
}
