//! The accuracy table.

use std::collections::BTreeSet;
use std::fmt::Write;

use rerec_trainer::{Evaluation, Phase, Scores};

/// A Markdown table of accuracies on test queries in percent: a row for each class, a column for each evaluation, and what a
/// guess gets right on average. Evaluations on validation queries are not in it.
pub fn accuracy_table(evaluations: &[Evaluation]) -> String {
    let columns: Vec<&Evaluation> = evaluations
        .iter()
        .filter(|evaluation| evaluation.phase != Phase::Reinforcement)
        .collect();
    let mut table = String::from("| query class | queries | guess |");
    for evaluation in &columns {
        // Writing to a string cannot fail.
        let _ = write!(table, " {} |", evaluation.phase.label());
    }
    table.push_str("\n|---|---:|---:|");
    table.push_str(&"---:|".repeat(columns.len()));
    let classes: BTreeSet<_> = columns.iter().flat_map(|e| e.classes.keys()).collect();
    for class in classes {
        let of_class = |e: &&Evaluation| e.classes.get(class).copied().unwrap_or_default();
        let cells: Vec<Scores> = columns.iter().map(of_class).collect();
        row(&mut table, class.label(), &cells);
    }
    let overall: Vec<Scores> = columns.iter().map(|e| e.overall).collect();
    row(&mut table, "all", &overall);
    table.push('\n');
    if let Some(last) = columns.last() {
        table.push_str(&notes(last.open, last.unscored));
    }
    table
}

fn row(table: &mut String, label: &str, cells: &[Scores]) {
    // Columns may differ by queries that could not be scored.
    let asked = cells.iter().map(|a| a.asked).max().unwrap_or(0);
    let guess = cells.last().map_or(0.0, |accuracy| accuracy.guess());
    let _ = write!(table, "\n| {label} | {asked} | {:.1} |", 100.0 * guess);
    for accuracy in cells {
        let _ = write!(table, " {:.1} |", 100.0 * accuracy.share());
    }
}

/// What the numbers alone would hide: queries that are open, and queries that are in no number.
pub(crate) fn notes(open: usize, unscored: usize) -> String {
    let mut notes = String::new();
    // Writing to a string cannot fail.
    if open > 0 {
        let _ = writeln!(
            notes,
            "\n{open} of the queries name no candidates: they choose from the whole catalogue."
        );
    }
    if unscored > 0 {
        let _ = writeln!(
            notes,
            "\n{unscored} queries could not be scored and are left out: their data are at fault."
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rerec_datasets::QueryClass;

    #[test]
    fn shares_are_percent_and_what_was_left_out_is_said() {
        let accuracy = |by_chance| Scores {
            right: 3,
            asked: 4,
            by_chance,
            ..Scores::default()
        };
        let evaluation = |phase| Evaluation {
            phase,
            step: 7,
            overall: accuracy(0.8),
            classes: [(QueryClass::IMPLICIT, accuracy(0.4))].into(),
            open: 1,
            unscored: 2,
            without_answer: 0,
            outside_candidates: 0,
            truncated: 0,
            mean_tokens: 10.0,
            outcomes: Default::default(),
        };
        let expected = "| query class | queries | guess | reinforced |\n|---|---:|---:|---:|\n\
                        | implicit | 4 | 10.0 | 75.0 |\n| all | 4 | 20.0 | 75.0 |\n\n\
                        1 of the queries name no candidates: they choose from the whole catalogue.\n\n\
                        2 queries could not be scored and are left out: their data are at fault.\n";
        let evaluations = [evaluation(Phase::Reinforcement), evaluation(Phase::Final)];
        assert_eq!(accuracy_table(&evaluations), expected);
    }
}
