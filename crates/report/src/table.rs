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
    let mut head = ["query class", "queries", "guess"]
        .map(str::to_owned)
        .to_vec();
    head.extend(columns.iter().map(|e| e.phase.label().to_owned()));
    let classes: BTreeSet<_> = columns.iter().flat_map(|e| e.classes.keys()).collect();
    let of_class = |class| {
        let scores = |e: &&Evaluation| e.classes.get(class).copied().unwrap_or_default();
        let cells: Vec<Scores> = columns.iter().map(scores).collect();
        row(class.label(), &cells)
    };
    let overall: Vec<Scores> = columns.iter().map(|e| e.overall).collect();
    let rows = classes.into_iter().map(of_class);
    let mut table = markdown(&head, rows.chain([row("all", &overall)]));
    if let Some(last) = columns.last() {
        table.push_str(&notes(last.open, last.unscored));
    }
    table
}

fn row(label: &str, cells: &[Scores]) -> Vec<String> {
    // Columns may differ by queries that could not be scored.
    let asked = cells.iter().map(|a| a.asked).max().unwrap_or(0);
    let guess = cells.last().map_or(0.0, |accuracy| accuracy.guess());
    let mut row = vec![label.to_owned(), asked.to_string(), percent(guess)];
    row.extend(cells.iter().map(|accuracy| percent(accuracy.share())));
    row
}

/// A table of Markdown whose first column is text and whose others are numbers.
pub(crate) fn markdown(head: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let numbers = "---:|".repeat(head.len().saturating_sub(1));
    let mut text = format!("{}|---|{numbers}\n", line(head));
    for row in rows {
        text.push_str(&line(&row));
    }
    text
}

/// A share or a difference of shares in percent, without the sign.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
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
