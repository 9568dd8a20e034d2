//! Learning curves of a run.

use std::{collections::BTreeMap, fs};

use crate::{
    MetricsRecord,
    chart::{self, Line, Panel},
    error::{Error, Result},
    run_folder::RunFolder,
};

/// What the picture shows, gathered step by step.
#[derive(Debug, Default)]
pub(crate) struct Curves {
    /// Validation accuracy by class, in percent.
    accuracy: BTreeMap<String, Vec<(f64, f64)>>,
    reward: Vec<(f64, f64)>,
    entropy: Vec<(f64, f64)>,
    kl: Vec<(f64, f64)>,
    tokens: Vec<(f64, f64)>,
}

impl Curves {
    /// Adds the steps in `metrics.jsonl`, which is empty in a new run.
    pub(crate) fn read(&mut self, folder: &RunFolder) -> Result<()> {
        let path = folder.path().join("metrics.jsonl");
        let text = fs::read_to_string(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        for (number, line) in text.lines().enumerate() {
            let metrics: MetricsRecord =
                serde_json::from_str(line).map_err(|e| Error::InvalidFile {
                    path: path.clone(),
                    what: format!("line {}: {e}", number + 1),
                })?;
            self.step(&metrics);
        }
        Ok(())
    }

    /// Adds shares of right answers on validation queries after `step` steps.
    pub(crate) fn validated(&mut self, step: u64, shares: &BTreeMap<String, f64>) {
        for (class, &share) in shares {
            let line = self.accuracy.entry(class.clone()).or_default();
            line.push((step as f64, 100.0 * share));
        }
    }

    pub(crate) fn step(&mut self, metrics: &MetricsRecord) {
        let at = metrics.step as f64;
        self.validated(metrics.step, &metrics.validation);
        self.reward
            .extend(metrics.reward.total.map(|total| (at, total)));
        self.entropy.push((at, metrics.entropy));
        self.kl.push((at, metrics.kl));
        self.tokens.push((at, metrics.mean_tokens));
    }

    /// Draws `curves.svg`.
    pub(crate) fn draw(&self, folder: &RunFolder) -> Result<()> {
        if self.reward.len() < 2 {
            return Ok(());
        }
        let classes = self
            .accuracy
            .iter()
            .map(|(class, points)| Line::new(class, points));
        let mut classes: Vec<Line<'_>> = classes.collect();
        // The line over all queries leads the legend.
        classes.sort_by_key(|line| line.name != "all");
        let panels = [
            Panel {
                title: "Accuracy on validation queries (%)",
                lines: classes,
            },
            Panel {
                title: "Mean reward of the rollouts",
                lines: vec![Line::new("reward", &self.reward)],
            },
            Panel {
                title: "Length of the responses (tokens)",
                lines: vec![Line::new("tokens", &self.tokens)],
            },
            Panel {
                title: "Entropy and KL (nats a token)",
                lines: vec![
                    Line::new("entropy", &self.entropy),
                    Line::new("KL to warm start", &self.kl),
                ],
            },
        ];
        folder.write(
            "curves.svg",
            &chart::svg(&panels).map_err(|what| Error::Picture {
                path: folder.path().join("curves.svg"),
                what,
            })?,
        )
    }
}
