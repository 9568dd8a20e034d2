//! The charts of runs as files: a picture and its numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::chart::{difficulty_svg, svg};
use crate::charts::{Chart, Difficulty, difficulties};
use crate::epochs::epochs;
use crate::error::{Error, Result};
use crate::reading::{Reading, readings};

/// Writes every chart of every run as SVG and as CSV into `output`, where several runs have folders of their own; returns the files.
///
/// # Errors
/// A folder without records; files that cannot be written.
pub fn write_charts(runs: &[impl AsRef<Path>], output: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for reading in readings(runs)? {
        let folder = match runs.len() {
            1 => output.to_owned(),
            _ => output.join(&reading.name),
        };
        fs::create_dir_all(&folder).map_err(|source| Error::Folder {
            path: folder.clone(),
            source,
        })?;
        write_run(&reading, &folder, &mut written)?;
    }
    Ok(written)
}

fn write_run(reading: &Reading, folder: &Path, written: &mut Vec<PathBuf>) -> Result<()> {
    let mut write = |name: String, text: &str| -> Result<()> {
        let path = folder.join(name);
        rerec_files::write::<rerec_files::Error>(&path, |file| file.put(text.as_bytes()))?;
        written.push(path);
        Ok(())
    };
    let bands = epochs(&reading.metrics);
    for chart in reading.charts() {
        write(format!("{}.svg", chart.id), &svg(&chart, &bands)?)?;
        write(format!("{}.csv", chart.id), &csv(&chart))?;
    }
    for (place, difficulty) in difficulties(&reading.epochs).iter().enumerate() {
        // By number: a label may hold what no file name can.
        let name = format!("difficulty-{}", place + 1);
        write(format!("{name}.svg"), &difficulty_svg(difficulty)?)?;
        write(format!("{name}.csv"), &difficulty_csv(difficulty))?;
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
