//! The charts of runs as files: a picture and its numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::chart::{difficulty_svg, svg};
use crate::charts::{Chart, Difficulty, difficulties};
use crate::epochs::{Epoch, epochs};
use crate::error::{Error, Result};
use crate::reading::{Reading, readings};

/// Writes every chart of every run as SVG and as CSV into `output`; returns the files. Several runs have folders of their own there,
/// beside the charts with the lines of all of them.
///
/// # Errors
/// A folder without records; files that cannot be written.
pub fn write_charts(runs: &[impl AsRef<Path>], output: &Path) -> Result<Vec<PathBuf>> {
    let readings = readings(runs)?;
    let mut written = Vec::new();
    if let [reading] = &readings[..] {
        write_run(reading, output, &mut written)?;
        return Ok(written);
    }
    // Epochs of several runs end at other steps: no bands.
    write_charts_of(&overlaid(&readings), &[], output, &mut written)?;
    for reading in &readings {
        write_run(reading, &output.join(&reading.name), &mut written)?;
    }
    Ok(written)
}

/// The runs' charts of one id as one. Of classes the line of all alone is there: more would be a thicket.
fn overlaid(readings: &[Reading]) -> Vec<Chart> {
    let mut all: Vec<Chart> = Vec::new();
    for reading in readings {
        for mut chart in reading.charts() {
            let is_by_class = chart.lines.iter().any(|line| line.name == "all");
            chart
                .lines
                .retain(|line| !is_by_class || line.name == "all");
            for line in &mut chart.lines {
                line.name = format!("{}: {}", reading.name, line.name);
            }
            match all.iter_mut().find(|known| known.id == chart.id) {
                Some(known) => known.lines.append(&mut chart.lines),
                None => all.push(chart),
            }
        }
    }
    all
}

fn write_run(reading: &Reading, folder: &Path, written: &mut Vec<PathBuf>) -> Result<()> {
    let bands = epochs(&reading.metrics);
    write_charts_of(&reading.charts(), &bands, folder, written)?;
    for (place, difficulty) in difficulties(&reading.epochs).iter().enumerate() {
        // By number: a label may hold what no file name can.
        let name = format!("difficulty-{}", place + 1);
        let files = (difficulty_svg(difficulty)?, difficulty_csv(difficulty));
        write_pair(folder, &name, files, written)?;
    }
    Ok(())
}

fn write_charts_of(
    charts: &[Chart],
    bands: &[Epoch],
    folder: &Path,
    written: &mut Vec<PathBuf>,
) -> Result<()> {
    fs::create_dir_all(folder).map_err(|source| Error::Folder {
        path: folder.to_owned(),
        source,
    })?;
    for chart in charts {
        let files = (svg(chart, bands)?, csv(chart));
        write_pair(folder, &chart.id, files, written)?;
    }
    Ok(())
}

/// Writes a picture and its numbers.
fn write_pair(
    folder: &Path,
    name: &str,
    (picture, numbers): (String, String),
    written: &mut Vec<PathBuf>,
) -> Result<()> {
    for (kind, text) in [("svg", picture), ("csv", numbers)] {
        let path = folder.join(format!("{name}.{kind}"));
        rerec_files::write::<rerec_files::Error>(&path, |file| file.put(text.as_bytes()))?;
        written.push(path);
    }
    Ok(())
}

/// A row for each step, a column for each line; empty where a line has no point.
fn csv(chart: &Chart) -> String {
    let mut rows: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let columns = chart.lines.len();
    for (column, line) in chart.lines.iter().enumerate() {
        for &(step, value) in &line.points {
            let row = rows
                .entry(step as u64)
                .or_insert_with(|| vec![String::new(); columns]);
            row[column] = value.to_string();
        }
    }
    let names: Vec<String> = chart.lines.iter().map(|line| quoted(&line.name)).collect();
    let mut text = format!("step,{}\n", names.join(","));
    for (step, row) in rows {
        text += &format!("{step},{}\n", row.join(","));
    }
    text
}

fn difficulty_csv(difficulty: &Difficulty) -> String {
    let mut text = String::from("class,epoch,from,to,queries\n");
    let class = quoted(&difficulty.class);
    for (epoch, counts) in difficulty.epochs.iter().zip(&difficulty.counts) {
        let bins = counts.len() as f64;
        for (bin, count) in counts.iter().enumerate() {
            let (from, to) = (bin as f64 / bins, (bin + 1) as f64 / bins);
            text += &format!("{class},{epoch},{from},{to},{count}\n");
        }
    }
    text
}

/// As RFC 4180 wants a field that holds separators.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::Line;

    #[test]
    fn numbers_stand_under_their_names() {
        let line = |name: &str, points: &[(f64, f64)]| Line {
            name: name.to_owned(),
            points: points.to_vec(),
        };
        let chart = Chart {
            lines: vec![
                line("all, of them", &[(1.0, 0.5), (2.0, 1.0)]),
                line("b", &[(2.0, -3.0)]),
            ],
            ..Chart::default()
        };
        assert_eq!(csv(&chart), "step,\"all, of them\",b\n1,0.5,\n2,1,-3\n");
        let difficulty = Difficulty {
            class: "explicit".to_owned(),
            epochs: vec![1],
            counts: vec![vec![3, 4]],
        };
        let expected = "class,epoch,from,to,queries\nexplicit,1,0,0.5,3\nexplicit,1,0.5,1,4\n";
        assert_eq!(difficulty_csv(&difficulty), expected);
    }
}
