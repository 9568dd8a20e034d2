//! The picture of an experiment's world.

use std::collections::BTreeMap;

use rerec_trainer::{Ablation, ArmOutcome, World};

use super::summary::WorldSummary;
use crate::chart;
use crate::charts::{Chart, Line};
use crate::error::Result;
use crate::student::mean;

/// Accuracy on validation queries and shares of groups, a line for each arm: the mean over all runs that came so far. None before two
/// points are there.
pub(super) fn picture(ablation: &Ablation, world: &World) -> Result<Option<String>> {
    let summary = WorldSummary::new(ablation, world);
    let chart = |title: &str, points: &dyn Fn(&ArmOutcome) -> Vec<(u64, f64)>| {
        let lines = summary.arms.iter().map(|arm| {
            let runs = arm.seeds.iter().flat_map(|(_, outcomes)| outcomes);
            Line {
                name: arm.arm.name.clone(),
                points: averaged(runs.map(|outcome| points(outcome))),
            }
        });
        Chart {
            title: title.to_owned(),
            least: Some(0.0),
            most: Some(100.0),
            lines: lines.filter(|line| line.points.len() > 1).collect(),
            ..Chart::default()
        }
    };
    let groups = |kind: usize| move |one: &ArmOutcome| steps(&one.groups, kind);
    let charts = [
        chart("Accuracy on validation queries (%)", &|one| {
            one.curve.clone()
        }),
        chart("Groups with a right answer (%)", &groups(0)),
        chart("Groups that differ by shaping alone (%)", &groups(1)),
        chart("Groups that teach nothing (%)", &groups(2)),
    ];
    let shown: Vec<&Chart> = charts
        .iter()
        .filter(|chart| !chart.lines.is_empty())
        .collect();
    match shown.is_empty() {
        true => Ok(None),
        false => chart::picture(&shown, &[]).map(Some),
    }
}

fn steps(groups: &[[f64; 3]], kind: usize) -> Vec<(u64, f64)> {
    (1..)
        .zip(groups.iter().map(|shares| shares[kind]))
        .collect()
}

/// The mean at each step, in percent.
fn averaged(runs: impl Iterator<Item = Vec<(u64, f64)>>) -> Vec<(f64, f64)> {
    let mut values: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (step, share) in runs.flatten() {
        values.entry(step).or_default().push(share);
    }
    let point = |(step, shares): (u64, Vec<f64>)| Some((step as f64, 100.0 * mean(&shares)?));
    values.into_iter().filter_map(point).collect()
}
