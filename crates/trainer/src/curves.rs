//! Learning curves of a run.

use std::{collections::BTreeMap, fs};

use serde::de::DeserializeOwned;

use crate::{
    EpochRecord, MetricsRecord,
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
    /// Groups of a step by what their spread is made of.
    with_hit: Vec<(f64, f64)>,
    shaped_only: Vec<(f64, f64)>,
    without_signal: Vec<(f64, f64)>,
    /// Queries of the curriculum after each epoch.
    active: Vec<(f64, f64)>,
    mastered: Vec<(f64, f64)>,
    entropy: Vec<(f64, f64)>,
    kl: Vec<(f64, f64)>,
    tokens: Vec<(f64, f64)>,
}

impl Curves {
    /// The curves of a run that begins with `queries` queries, none of them mastered.
    pub(crate) fn of_pool(queries: usize) -> Self {
        Self {
            active: vec![(0.0, queries as f64)],
            mastered: vec![(0.0, 0.0)],
            ..Self::default()
        }
    }

    /// Adds the steps and epochs in the run's files, which are empty in a new run.
    pub(crate) fn read(&mut self, folder: &RunFolder) -> Result<()> {
        each_line(folder, "metrics.jsonl", |metrics| self.step(&metrics))?;
        each_line(folder, "epochs.jsonl", |epoch| self.epoch(&epoch))
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
        self.with_hit.push((at, metrics.groups_with_hit as f64));
        self.shaped_only
            .push((at, metrics.groups_shaped_only as f64));
        self.without_signal
            .push((at, metrics.groups_without_signal as f64));
        self.entropy.push((at, metrics.entropy));
        self.kl.push((at, metrics.kl));
        self.tokens.push((at, metrics.mean_tokens));
    }

    pub(crate) fn epoch(&mut self, epoch: &EpochRecord) {
        let (at, pool) = (epoch.step as f64, &epoch.statistics.pool);
        self.active.push((at, pool.active as f64));
        self.mastered.push((at, pool.mastered as f64));
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
                title: "Groups by what they teach from",
                lines: vec![
                    Line::new("a right answer", &self.with_hit),
                    Line::new("shaping alone", &self.shaped_only),
                    Line::new("nothing: all alike", &self.without_signal),
                ],
            },
            Panel {
                title: "Queries of the curriculum, epoch by epoch",
                lines: vec![
                    Line::new("in the pool", &self.active),
                    Line::new("mastered", &self.mastered),
                ],
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

fn each_line<T: DeserializeOwned>(
    folder: &RunFolder,
    name: &str,
    mut take: impl FnMut(T),
) -> Result<()> {
    let path = folder.path().join(name);
    let text = fs::read_to_string(&path).map_err(|source| Error::Io {
        path: path.clone(),
        source,
    })?;
    for (number, line) in text.lines().enumerate() {
        take(serde_json::from_str(line).map_err(|e| Error::InvalidFile {
            path: path.clone(),
            what: format!("line {}: {e}", number + 1),
        })?);
    }
    Ok(())
}
