//! A run at a glance: what was run, how it went, what to worry about.

use std::collections::{BTreeMap, BTreeSet};

use rerec_datasets::QueryClass;
use rerec_trainer::{BaselineRecord, Evaluation, MetricsRecord, Phase, Scores};
use serde::Serialize;

use crate::comparison::{Paired, paired};
use crate::reading::Reading;
use crate::rollouts::Rollouts;
use crate::settings::{Setting, chosen, subject};
use crate::statistics::wilson;
use crate::worries::{Worry, worries};

/// What is seen first of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Glance {
    /// What was run; none where its settings cannot be read.
    pub(crate) subject: Option<String>,
    /// How far it is.
    pub(crate) state: String,
    /// Settings that differ from their defaults.
    pub(crate) settings: Vec<Setting>,
    pub(crate) worries: Vec<Worry>,
    /// What could not be read.
    pub(crate) notes: Vec<String>,
    pub(crate) table: Table,
    /// Reinforcement against what was before it, query for query.
    pub(crate) gain: Option<Paired>,
}

/// Accuracies on test queries: a row for each class, a cell for each baseline and phase.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
}

/// A class of queries, or all of them.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) class: String,
    pub(crate) asked: usize,
    /// What a guess gets right, in [0, 1].
    pub(crate) guess: f64,
    pub(crate) cells: Vec<Cell>,
}

/// A share of right answers with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Cell {
    pub(crate) right: usize,
    pub(crate) asked: usize,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Cell {
    fn of((right, asked): (usize, usize)) -> Self {
        let (low, high) = wilson(right, asked);
        Self {
            right,
            asked,
            low,
            high,
        }
    }
}

impl Glance {
    pub(crate) fn of(reading: &Reading, rollouts: &Rollouts, notes: Vec<String>) -> Self {
        let evaluations = &reading.evaluations;
        Self {
            subject: reading.config.as_ref().map(subject),
            state: state(reading),
            settings: reading.config.as_ref().map_or_else(Vec::new, chosen),
            worries: worries(&reading.metrics, evaluations, rollouts.preference),
            notes,
            table: Table::of(&reading.baselines, evaluations),
            gain: gain(evaluations),
        }
    }
}

fn state(reading: &Reading) -> String {
    let Some(&MetricsRecord { step, epoch, .. }) = reading.metrics.last() else {
        return "before its first step of reinforcement".to_owned();
    };
    let ended = of_phase(&reading.evaluations, Phase::Final);
    let is_finished = ended.is_some_and(|evaluation| evaluation.step == step);
    let state = if is_finished {
        "finished"
    } else {
        "under way or stopped"
    };
    format!("{state} at step {step}, in epoch {epoch} of the curriculum")
}

/// The newest evaluation of a phase: a run that was prolonged has several final ones.
pub(crate) fn of_phase(evaluations: &[Evaluation], phase: Phase) -> Option<&Evaluation> {
    evaluations.iter().rev().find(|one| one.phase == phase)
}

fn gain(evaluations: &[Evaluation]) -> Option<Paired> {
    let of = |phase| of_phase(evaluations, phase);
    let before = of(Phase::WarmStart).or_else(|| of(Phase::Untrained))?;
    paired(before, of(Phase::Final)?)
}

/// A column of the table.
struct Column<'a> {
    head: &'static str,
    overall: Scores,
    classes: &'a BTreeMap<QueryClass, Scores>,
}

impl Table {
    /// Baselines first, then the phases of the run.
    fn of(baselines: &[BaselineRecord], evaluations: &[Evaluation]) -> Self {
        let baselines = baselines.iter().map(|one| Column {
            head: one.baseline.label(),
            overall: one.overall,
            classes: &one.classes,
        });
        let phases = [Phase::Untrained, Phase::WarmStart, Phase::Final];
        let phases = phases.into_iter().filter_map(|phase| {
            let evaluation = of_phase(evaluations, phase)?;
            Some(Column {
                head: phase.label(),
                overall: evaluation.overall,
                classes: &evaluation.classes,
            })
        });
        let columns: Vec<Column<'_>> = baselines.chain(phases).collect();
        let classes: BTreeSet<_> = columns.iter().flat_map(|one| one.classes.keys()).collect();
        let of_class = |class| {
            let scores = columns.iter().map(|one| one.classes.get(class).copied());
            row(class.label(), scores.map(Option::unwrap_or_default))
        };
        let mut rows: Vec<Row> = classes.into_iter().map(of_class).collect();
        if !columns.is_empty() {
            rows.push(row("all", columns.iter().map(|one| one.overall)));
        }
        Self {
            columns: columns.iter().map(|one| one.head).collect(),
            rows,
        }
    }
}

fn row(class: &str, scores: impl Iterator<Item = Scores> + Clone) -> Row {
    Row {
        class: class.to_owned(),
        // Columns may differ by queries that could not be scored.
        asked: scores.clone().map(|one| one.asked).max().unwrap_or(0),
        guess: scores.clone().last().map_or(0.0, Scores::guess),
        cells: scores.map(|one| Cell::of((one.right, one.asked))).collect(),
    }
}
