//! Charts of whatever numbers the records have, by their names.

use std::collections::BTreeMap;

use rerec_trainer::{Evaluation, MetricsRecord, Scores};
use serde_json::Value;

use super::{Chart, Line, OTHER, OUTCOME};

/// What an evaluation names but does not measure, and what the accuracies show.
const NO_MEASURES: [&str; 6] = ["step", "open", "unscored", "right", "asked", "by_chance"];

/// A chart for every other number of the evaluations: counts as shares of the queries, means as they are, by class where they are.
pub(super) fn validation_measures(validations: &[&Evaluation]) -> Vec<Chart> {
    let mut found = Measures::default();
    for evaluation in validations {
        let (step, asked) = (evaluation.step as f64, evaluation.overall.asked);
        let Ok(Value::Object(fields)) = serde_json::to_value(evaluation) else {
            continue;
        };
        for (name, value) in &fields {
            match value {
                Value::Number(count) if count.is_u64() => {
                    let share =
                        Value::from(100.0 * value.as_f64().unwrap_or(0.0) / asked.max(1) as f64);
                    found.put(&format!("{name} (%)"), "all", step, &share);
                }
                value => found.put(name, "all", step, value),
            }
        }
        found.put_scores("all", step, &evaluation.overall);
        // In the order of the accuracies, so that a class has one colour in all charts.
        for (class, scores) in &evaluation.classes {
            found.put_scores(class.label(), step, scores);
        }
    }
    let chart = |(name, lines): (String, Vec<Line>)| {
        let id = name.replace(" (%)", "").replace('_', "-");
        let title = match name.as_str() {
            "ndcg" | "mrr" => name.to_uppercase(),
            name => capitalised(name),
        };
        let title = format!("Validation: {title}");
        let chart = Chart::new(&format!("validation-{id}"), &title, OUTCOME, lines);
        match name.ends_with("(%)") {
            true => chart.up_to(100.0),
            false => chart,
        }
    };
    found.0.into_iter().map(chart).collect()
}

fn capitalised(name: &str) -> String {
    let name = name.replace('_', " ");
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// Lines by the names of their charts, each in the order of its first point.
#[derive(Default)]
struct Measures(BTreeMap<String, Vec<Line>>);

impl Measures {
    /// Adds a point, unless the value is no number or no measure.
    fn put(&mut self, chart: &str, line: &str, step: f64, value: &Value) {
        let name = chart.strip_suffix(" (%)").unwrap_or(chart);
        let Some(value) = value.as_f64().filter(|_| !NO_MEASURES.contains(&name)) else {
            return;
        };
        let lines = self.0.entry(chart.to_owned()).or_default();
        match lines.iter_mut().find(|known| known.name == line) {
            Some(known) => known.points.push((step, value)),
            None => lines.push(Line {
                name: line.to_owned(),
                points: vec![(step, value)],
            }),
        }
    }

    /// Adds the scores of all queries, or of a class.
    fn put_scores(&mut self, line: &str, step: f64, scores: &Scores) {
        if let Ok(Value::Object(measures)) = serde_json::to_value(scores) {
            for (measure, value) in &measures {
                self.put(measure, line, step, value);
            }
        }
    }
}

/// What other charts draw, and what is no measure.
pub(super) const DRAWN: [&str; 19] = [
    "step",
    "epoch",
    "queries",
    "learning_rate",
    "reward",
    "accuracy",
    "groups_with_hit",
    "groups_shaped_only",
    "groups_without_signal",
    "steps_penalised",
    "mean_tokens",
    "truncated",
    "entropy",
    "loss",
    "kl",
    "clip_fraction",
    "max_log_ratio",
    "grad_norm",
    "warnings",
];

/// A chart for every number that records have and no chart above draws: one chart for each number, or for all numbers of a section.
pub(super) fn others(metrics: &[MetricsRecord]) -> Vec<Chart> {
    let mut found = Measures::default();
    for record in metrics {
        let Ok(Value::Object(fields)) = serde_json::to_value(record) else {
            continue;
        };
        let step = record.step as f64;
        let is_drawn = |name: &String| DRAWN.contains(&name.as_str());
        for (name, value) in fields.iter().filter(|(name, _)| !is_drawn(name)) {
            match value {
                Value::Object(inner) => inner.iter().for_each(|(line, value)| {
                    found.put(name, &line.replace('_', " "), step, value);
                }),
                value => found.put(name, &name.replace('_', " "), step, value),
            }
        }
    }
    let chart = |(id, lines): (String, Vec<Line>)| {
        Chart::new(&id.replace('_', "-"), &capitalised(&id), OTHER, lines).signed()
    };
    found.0.into_iter().map(chart).collect()
}
