//! Learning curves of a run.

use std::{collections::BTreeMap, fs};

use rerec_curriculum::{Curriculum, EpochStatistics};

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
    active: Vec<(f64, f64)>,
    mastered: Vec<(f64, f64)>,
}

impl Curves {
    /// The curves of the steps in `metrics.jsonl`, which is empty in a new run.
    pub(crate) fn read(folder: &RunFolder, curriculum: &Curriculum) -> Result<Self> {
        let path = folder.path().join("metrics.jsonl");
        let text = fs::read_to_string(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let mut curves = Self::default();
        for (number, line) in text.lines().enumerate() {
            let metrics: MetricsRecord =
                serde_json::from_str(line).map_err(|e| Error::InvalidFile {
                    path: path.clone(),
                    what: format!("line {}: {e}", number + 1),
                })?;
            curves.step(&metrics);
        }
        let pool = curriculum.statistics();
        if curves.reward.is_empty() {
            curves.active.push((0.0, pool.active as f64));
            curves.mastered.push((0.0, pool.mastered as f64));
        }
        Ok(curves)
    }

    pub(crate) fn step(&mut self, metrics: &MetricsRecord) {
        let at = metrics.step as f64;
        for (class, &share) in &metrics.validation {
            self.accuracy
                .entry(class.clone())
                .or_default()
                .push((at, 100.0 * share));
        }
        self.reward
            .extend(metrics.reward.total.map(|total| (at, total)));
        self.entropy.push((at, metrics.entropy));
        self.kl.push((at, metrics.kl));
        self.tokens.push((at, metrics.mean_tokens));
    }

    pub(crate) fn epoch(&mut self, steps: u64, statistics: &EpochStatistics) {
        self.active
            .push((steps as f64, statistics.pool.active as f64));
        self.mastered
            .push((steps as f64, statistics.pool.mastered as f64));
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
