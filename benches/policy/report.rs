//! The measurements as a report.

use std::{collections::BTreeSet, fs, io::Write, path::Path};

use serde::de::DeserializeOwned;

use crate::{
    Result, THREADS, chart,
    cost::{CostPoint, Sweep},
    machine::processor,
    measure::{Measurement, Side},
};

/// Writes `report.md`, `cost.svg` where costs were measured, and the report on the standard output too.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let mut measurements: Vec<Measurement> = Vec::new();
    for kind in ["generate", "step", "lora"] {
        measurements.extend(read(&folder.join(kind).with_extension("jsonl"))?);
    }
    let costs: Vec<CostPoint> = read(&folder.join("cost.jsonl"))?;
    let mut report = head(&measurements);
    if !measurements.is_empty() {
        report += &comparison_table(&measurements);
    }
    if !costs.is_empty() {
        report += &cost_table(&costs);
        fs::write(folder.join("cost.svg"), chart::svg(&costs)?)?;
    }
    fs::write(folder.join("report.md"), &report)?;
    Ok(write!(std::io::stdout(), "{report}")?)
}

/// The lines of a file; none where it is missing.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path)?;
    let line = |(number, line)| {
        serde_json::from_str(line)
            .map_err(|e| format!("{} line {}: {e}", path.display(), number + 1).into())
    };
    text.lines().enumerate().map(line).collect()
}

fn head(measurements: &[Measurement]) -> String {
    let implementations: BTreeSet<&str> = measurements
        .iter()
        .map(|m| m.implementation.as_str())
        .collect();
    let mut line = vec![processor(), format!("{THREADS} threads")];
    line.extend(implementations.into_iter().map(str::to_owned));
    format!("{}.\n", line.join("; "))
}

/// One line a case, in the order of the measurements. The ratios are medians of those of each round.
fn comparison_table(measurements: &[Measurement]) -> String {
    let mut table = String::from(
        "\nSeconds: median (least). Sampling is the part of a step that samples. Memory: largest resident set of the process, \
         median.\n\n\
         | case | seconds, ours | theirs | times as fast | tokens/s, ours | theirs | sampling s, ours | theirs | GB, ours | \
         theirs | ratio |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut seen = BTreeSet::new();
    for m in measurements.iter().filter(|m| seen.insert(&m.case)) {
        table += &comparison_row(&m.case, measurements);
    }
    table
}

fn comparison_row(case: &str, measurements: &[Measurement]) -> String {
    let of = |side| {
        Rounds(
            measurements
                .iter()
                .filter(|m| m.case == case && m.side == side)
                .collect(),
        )
    };
    let (ours, theirs) = (of(Side::Ours), of(Side::Theirs));
    let seconds = |m: &Measurement| m.times.seconds;
    let gigabytes = |m: &Measurement| m.peak_bytes as f64 / 1e9;
    let speed = |m: &Measurement| m.tokens as f64 / m.times.seconds;
    let both =
        |show: &dyn Fn(&Rounds<'_>) -> String| format!("{} | {}", show(&ours), show(&theirs));
    format!(
        "| {case} | {} | {:.2} | {} | {} | {} | {:.2} |\n",
        both(&|rounds| format!(
            "{:.1} ({:.1})",
            rounds.median(seconds),
            rounds.least(seconds)
        )),
        theirs.median_ratio(&ours, seconds),
        both(&|rounds| format!("{:.0}", rounds.median(speed))),
        both(&|rounds| rounds.sampling()),
        both(&|rounds| format!("{:.2}", rounds.median(gigabytes))),
        ours.median_ratio(&theirs, gigabytes),
    )
}

/// One side of a case.
struct Rounds<'a>(Vec<&'a Measurement>);

impl Rounds<'_> {
    fn median(&self, value: impl Fn(&Measurement) -> f64) -> f64 {
        median(self.0.iter().map(|m| value(m)).collect())
    }

    fn least(&self, value: impl Fn(&Measurement) -> f64) -> f64 {
        self.0.iter().map(|m| value(m)).fold(f64::NAN, f64::min)
    }

    /// Of `self / other` in each round that has both.
    fn median_ratio(&self, other: &Self, value: impl Fn(&Measurement) -> f64) -> f64 {
        let ratio = |m: &&Measurement| {
            let beside = other.0.iter().find(|o| o.round == m.round)?;
            Some(value(m) / value(beside))
        };
        median(self.0.iter().filter_map(ratio).collect())
    }

    /// Median seconds of sampling within steps.
    fn sampling(&self) -> String {
        let seconds: Vec<f64> = self.0.iter().filter_map(|m| m.generation_seconds).collect();
        if seconds.is_empty() {
            "–".to_owned()
        } else {
            format!("{:.1}", median(seconds))
        }
    }
}

/// NaN of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2);
    let lower = values.get(values.len().saturating_sub(1) / 2);
    upper.zip(lower).map_or(f64::NAN, |(a, b)| (a + b) / 2.0)
}

fn cost_table(costs: &[CostPoint]) -> String {
    let mut table = String::from("\n");
    let mut seen = BTreeSet::new();
    for c in costs.iter().filter(|c| seen.insert(c.precision.name())) {
        table += &format!(
            "Matrix products in {} reach {:.0} GFLOP/s where both are large and square, {:.0} in the shape of the feed-forward \
             layer.\n",
            c.precision.name(),
            c.peak_flops / 1e9,
            c.layer_flops / 1e9
        );
    }
    table += "\nSeconds of one training step on a group of responses to one prompt, and where they go.\n\n\
              | precision | varied | prompt | group | response | vocabulary | seconds | forward | head, backward | optimiser | \
              GFLOP, weights | attention | GFLOP/s | of peak |\n\
              |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    costs
        .iter()
        .map(cost_row)
        .fold(table, |table, row| table + &row)
}

fn cost_row(c: &CostPoint) -> String {
    let (shape, parts) = (&c.shape, &c.parts);
    let flops = (c.matmul_flop + c.attention_flop) / parts.seconds();
    format!(
        "| {} | {} | {} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} % |\n",
        c.precision.name(),
        c.sweep.name(),
        shape.prompt,
        shape.samples,
        shape.response,
        shape.vocab,
        parts.seconds(),
        parts.forward,
        parts.backward,
        parts.optimizer,
        c.matmul_flop / 1e9,
        c.attention_flop / 1e9,
        flops / 1e9,
        100.0 * flops / c.peak_flops,
    )
}

impl Sweep {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ResponseLength => "response length",
            Self::GroupSize => "group size",
            Self::Vocabulary => "vocabulary",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Times;

    fn measurement(side: Side, round: usize, seconds: f64, gigabytes: f64) -> Measurement {
        Measurement {
            case: "step, f32".to_owned(),
            round,
            side,
            implementation: String::new(),
            tokens: 100,
            peak_bytes: (gigabytes * 1e9) as u64,
            times: Times {
                seconds,
                cpu_seconds: seconds,
            },
            generation_seconds: Some(seconds / 4.0),
        }
    }

    #[test]
    fn the_ratio_is_the_median_of_those_of_each_round() {
        let measurements = [
            measurement(Side::Ours, 1, 10.0, 2.0),
            measurement(Side::Theirs, 1, 40.0, 4.0),
            measurement(Side::Ours, 2, 20.0, 2.0),
            measurement(Side::Theirs, 2, 50.0, 5.0),
            measurement(Side::Ours, 3, 10.0, 2.0),
            measurement(Side::Theirs, 3, 30.0, 8.0),
        ];
        // The ratios are 4, 2.5 and 3: another median than that of 40 s and 10 s.
        assert_eq!(
            comparison_row("step, f32", &measurements),
            "| step, f32 | 10.0 (10.0) | 40.0 (30.0) | 3.00 | 10 | 2 | 2.5 | 10.0 | 2.00 | 5.00 | 0.40 |\n"
        );
    }

    #[test]
    fn every_case_has_one_row() {
        let generation = Measurement {
            case: "generation, f32".to_owned(),
            generation_seconds: None,
            ..measurement(Side::Ours, 1, 10.0, 2.0)
        };
        let step = |side| measurement(side, 1, 10.0, 2.0);
        let table = comparison_table(&[generation, step(Side::Ours), step(Side::Theirs)]);
        assert_eq!(table.matches("| generation, f32 |").count(), 1);
        assert_eq!(table.matches("| step, f32 |").count(), 1);
        assert!(
            table.contains("| 10.0 (10.0) | 10.0 (10.0) | 1.00 |"),
            "{table}"
        );
    }

    #[test]
    fn a_line_that_is_no_measurement_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step.jsonl");
        let good = serde_json::to_string(&measurement(Side::Ours, 1, 1.0, 1.0)).unwrap();
        fs::write(&path, format!("{good}\nnonsense\n")).unwrap();
        let error = write(folder.path()).unwrap_err().to_string();
        assert!(error.contains("step.jsonl line 2: "), "{error}");
    }
}
