//! Learning curves of a run.

use std::collections::BTreeMap;

use rerec_trainer::{EpochRecord, Evaluation, MetricsRecord, Phase, Run};

use crate::chart::{self, Line, Panel};
use crate::error::Result;

type Points = Vec<(f64, f64)>;

/// The learning curves of a run: one point per step, evaluation or epoch.
#[derive(Debug, Default)]
pub struct Curves {
    /// Validation accuracy by class, in percent.
    accuracy: BTreeMap<String, Points>,
    /// The same over all classes.
    overall: Points,
    reward: Points,
    /// Groups of a step by what their spread is made of.
    with_hit: Points,
    shaped_only: Points,
    without_signal: Points,
    /// Queries of the curriculum after each epoch.
    active: Points,
    mastered: Points,
    entropy: Points,
    kl: Points,
    tokens: Points,
}

impl Curves {
    /// Reads the records of a run.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn of(run: &Run) -> Result<Self> {
        let mut curves = Self::default();
        run.metrics()?.iter().for_each(|step| curves.step(step));
        run.epochs()?.iter().for_each(|epoch| curves.epoch(epoch));
        let evaluations = run.evaluations()?;
        // The test queries are asked between phases only: columns of the table, but no curve.
        let validations = evaluations
            .iter()
            .filter(|e| e.phase == Phase::Reinforcement);
        validations.for_each(|evaluation| curves.validation(evaluation));
        Ok(curves)
    }

    /// Steps of reinforcement that they cover.
    pub fn steps(&self) -> usize {
        // Every step has a point here, but none in the reward where nothing was scored.
        self.with_hit.len()
    }

    fn step(&mut self, metrics: &MetricsRecord) {
        let at = metrics.step as f64;
        self.reward
            .extend(metrics.reward.total.map(|total| (at, total)));
        for (line, value) in [
            (&mut self.with_hit, metrics.groups_with_hit as f64),
            (&mut self.shaped_only, metrics.groups_shaped_only as f64),
            (
                &mut self.without_signal,
                metrics.groups_without_signal as f64,
            ),
            (&mut self.entropy, metrics.entropy),
            (&mut self.kl, metrics.update.kl),
            (&mut self.tokens, metrics.mean_tokens),
        ] {
            line.push((at, value));
        }
    }

    fn epoch(&mut self, epoch: &EpochRecord) {
        let (at, pool) = (epoch.step as f64, &epoch.statistics.pool);
        if self.active.is_empty() {
            // Before the first epoch every query was in the pool.
            self.active
                .push((0.0, (pool.active + pool.mastered) as f64));
            self.mastered.push((0.0, 0.0));
        }
        self.active.push((at, pool.active as f64));
        self.mastered.push((at, pool.mastered as f64));
    }

    fn validation(&mut self, evaluation: &Evaluation) {
        let point = |share: f64| (evaluation.step as f64, 100.0 * share);
        self.overall.push(point(evaluation.overall.share()));
        for (class, accuracy) in &evaluation.classes {
            let line = self.accuracy.entry(class.label().to_owned()).or_default();
            line.push(point(accuracy.share()));
        }
    }

    /// A picture of all curves.
    ///
    /// # Errors
    /// [`Error::Chart`](crate::Error::Chart).
    pub fn svg(&self) -> Result<String> {
        chart::svg(&[
            self.accuracy_panel(),
            Panel::new("Mean reward of the rollouts", [("reward", &self.reward)]),
            Panel::new(
                "Groups by what they teach from",
                [
                    ("a right answer", &self.with_hit),
                    ("shaping alone", &self.shaped_only),
                    ("nothing: all alike", &self.without_signal),
                ],
            ),
            Panel::new(
                "Queries of the curriculum, epoch by epoch",
                [("in the pool", &self.active), ("mastered", &self.mastered)],
            ),
            Panel::new(
                "Length of the responses (tokens)",
                [("tokens", &self.tokens)],
            ),
            Panel::new(
                "Entropy and KL (nats per token)",
                [("entropy", &self.entropy), ("KL to warm start", &self.kl)],
            ),
        ])
    }

    fn accuracy_panel(&self) -> Panel<'_> {
        let all = Line::new("all", &self.overall);
        let classes = self
            .accuracy
            .iter()
            .map(|(class, points)| Line::new(class, points));
        Panel {
            title: "Accuracy on validation queries (%)",
            lines: std::iter::once(all).chain(classes).collect(),
            highest: Some(100.0),
        }
    }
}
