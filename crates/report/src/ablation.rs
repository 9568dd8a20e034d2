//! Tables and pictures of an experiment whose arms differ in a few settings.

mod curves;
mod summary;

use std::fmt::Write;
use std::path::PathBuf;

use rerec_trainer::{Ablation, AblationConfig, World};

use self::summary::{ArmSummary, WorldSummary};
use crate::bootstrap::Estimate;
use crate::error::Result;
use crate::table::{markdown, percent};

/// Writes `ablation.md`, a picture for each world, and `outcomes.jsonl` with every number of every finished run into the experiment's
/// folder; returns the files.
///
/// # Errors
/// Files that cannot be written, or a picture that cannot be drawn.
pub fn write_ablation(ablation: &Ablation) -> Result<Vec<PathBuf>> {
    let folder = ablation.config().folder();
    let mut written = Vec::new();
    let mut write = |name: String, text: &str| -> Result<()> {
        let path = folder.join(name);
        rerec_files::write::<rerec_files::Error>(&path, |file| file.put(text.as_bytes()))?;
        written.push(path);
        Ok(())
    };
    let all = tables(ablation, &ablation.config().worlds);
    write("ablation.md".to_owned(), &all)?;
    for world in &ablation.config().worlds {
        if let Some(picture) = curves::picture(ablation, world)? {
            write(format!("{}.svg", world.name), &picture)?;
        }
    }
    write("outcomes.jsonl".to_owned(), &outcomes(ablation))?;
    Ok(written)
}

/// One line for each finished run that is reported: world, seed, arm, repetition, and its outcome.
fn outcomes(ablation: &Ablation) -> String {
    let mut text = String::new();
    for world in &ablation.config().worlds {
        for arm in &ablation.config().arms {
            for (seed, outcomes) in ablation.reported(world, arm) {
                for (repeat, outcome) in outcomes.into_iter().enumerate() {
                    let line = serde_json::json!({
                        "world": world.name, "seed": seed, "arm": arm.name, "repeat": repeat, "outcome": outcome,
                    });
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "{line}");
                }
            }
        }
    }
    text
}

/// Markdown: for each world that the experiment is [restricted](Ablation::restrict) to the arms' accuracy with intervals, their differences
/// seed by seed, by class, and each seed.
///
/// Intervals are Student's, of 95 %, over the means of the seeds; a seed of which some arm is missing is left out of the differences
/// with that arm alone.
pub fn ablation_table(ablation: &Ablation) -> String {
    tables(ablation, ablation.worlds())
}

fn tables<'a>(ablation: &Ablation, worlds: impl IntoIterator<Item = &'a World>) -> String {
    let tables = worlds.into_iter().map(|world| world_table(ablation, world));
    tables.collect::<Vec<_>>().join("\n")
}

fn world_table(ablation: &Ablation, world: &World) -> String {
    let summary = WorldSummary::new(ablation, world);
    let mut text = heading(&summary);
    if summary.arms.is_empty() {
        return text;
    }
    text.push_str(&accuracy(ablation, &summary));
    text.push_str(&training(ablation, &summary));
    text.push_str(&classes(&summary));
    text.push_str(&seeds(&summary));
    text
}

fn heading(summary: &WorldSummary<'_>) -> String {
    let WorldSummary { world, warm, .. } = summary;
    let mut text = format!("## World {}\n\n", world.name);
    let shares: Vec<f64> = warm
        .iter()
        .map(|(_, one)| one.last.overall.share())
        .collect();
    let Some(accuracy) = crate::student::student_share(&shares) else {
        text.push_str("No warm start is finished.\n");
        return text;
    };
    let (asked, guess) = warm.first().map_or((0, 0.0), |(_, one)| {
        (one.last.overall.asked, one.last.overall.guess())
    });
    let repeats = match world.repeats {
        1 => String::new(),
        repeats => format!(", each reinforced {repeats} times"),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} of {} seeds are warmed up{repeats}; {asked} held-out queries. A guess gets {:.1} % right, the warm start {}.\n",
        warm.len(),
        world.seeds.len(),
        100.0 * guess,
        interval(accuracy),
    );
    text
}

/// A table, and room below it.
fn table(head: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    markdown(head, rows) + "\n"
}

fn accuracy(ablation: &Ablation, summary: &WorldSummary<'_>) -> String {
    let references = &ablation.config().references;
    let mut head = ["arm", "seeds", "accuracy (%)", "gain", "worst gain"]
        .map(str::to_owned)
        .to_vec();
    head.extend(references.iter().map(|name| format!("less {name}")));
    let row = |arm: &ArmSummary<'_>| {
        let mut row = vec![
            arm.arm.name.clone(),
            arm.seeds.len().to_string(),
            cell(arm.accuracy()),
            cell(arm.gain(summary)),
            arm.worst_gain(summary).map_or("-".to_owned(), percent),
        ];
        row.extend(references.iter().map(|name| {
            let other = summary.other(arm, name);
            cell(other.and_then(|other| arm.accuracy_less(other)))
        }));
        row
    };
    table(&head, summary.arms.iter().map(row))
}

fn training(ablation: &Ablation, summary: &WorldSummary<'_>) -> String {
    let AblationConfig {
        references, reach, ..
    } = ablation.config();
    let mut head = ["arm", "learning rate", "area under the curve (%)"]
        .map(str::to_owned)
        .to_vec();
    head.extend(references.iter().map(|name| format!("area less {name}")));
    let beside = [
        "groups with a hit, first 10 steps (%)",
        "tokens",
        "entropy",
        "std of seeds",
        "std of repeats",
    ];
    head.extend(beside.map(str::to_owned));
    head.extend(
        reach
            .iter()
            .map(|share| format!("steps to {:.0} %", 100.0 * share)),
    );
    let row = |arm: &ArmSummary<'_>| {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let rate = ablation.rate(summary.world, arm.arm).flatten();
        let mut row = vec![
            arm.arm.name.clone(),
            rate.map_or("as configured".to_owned(), |rate| rate.to_string()),
            cell(arm.area()),
        ];
        row.extend(references.iter().map(|name| {
            let other = summary.other(arm, name);
            cell(other.and_then(|other| arm.area_less(other)))
        }));
        row.extend([
            number(arm.hits(10).map(|share| 100.0 * share), 0),
            number(arm.tokens(), 0),
            number(arm.entropy(), 2),
            number(arm.seed_deviation().map(|share| 100.0 * share), 1),
            number(arm.repeat_deviation().map(|share| 100.0 * share), 1),
        ]);
        row.extend(reach.iter().map(|&share| arm.steps_to(share)));
        row
    };
    table(&head, summary.arms.iter().map(row))
}

fn classes(summary: &WorldSummary<'_>) -> String {
    let classes = summary.classes();
    let mut head = vec!["arm".to_owned()];
    head.extend(classes.iter().map(ToString::to_string));
    let row = |arm: &ArmSummary<'_>| {
        let mut row = vec![arm.arm.name.clone()];
        row.extend(classes.iter().map(|class| cell(arm.of_class(class))));
        row
    };
    table(&head, summary.arms.iter().map(row))
}

fn seeds(summary: &WorldSummary<'_>) -> String {
    let head = ["seed", "warm start", "titles read by number (%)"];
    let mut head: Vec<String> = head.map(str::to_owned).to_vec();
    head.extend(summary.arms.iter().map(|arm| arm.arm.name.clone()));
    let row = |&(seed, warm): &(u64, &rerec_trainer::ArmOutcome)| {
        let read = summary.titles_read(seed);
        let mut row = vec![
            seed.to_string(),
            percent(warm.last.overall.share()),
            read.map_or("-".to_owned(), percent),
        ];
        row.extend(summary.arms.iter().map(|arm| {
            let share = arm.of_seed(seed);
            share.map_or("-".to_owned(), percent)
        }));
        row
    };
    table(&head, summary.warm.iter().map(row))
}

fn interval(estimate: Estimate) -> String {
    match estimate.low.is_finite() {
        true => estimate.to_string(),
        false => percent(estimate.value),
    }
}

fn cell(estimate: Option<Estimate>) -> String {
    estimate.map_or("-".to_owned(), interval)
}
