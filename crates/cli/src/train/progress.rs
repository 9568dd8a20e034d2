//! Progress bars of a run.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use rerec_report::{Worry, worries_of_steps};
use rerec_trainer::{Event, MetricsRecord, Observer, Phase, Verdict};

/// Steps before anything is said to stand out.
const FIRST_WORRIES: usize = 5;

/// One bar at a time, for whatever goes on; lines of text above it for what is done.
#[derive(Debug)]
pub(crate) struct Bars {
    stop: Arc<AtomicBool>,
    bar: ProgressBar,
    stage: &'static str,
    /// The steps of this process.
    steps: Vec<MetricsRecord>,
    /// Titles of the worries that were told.
    told: BTreeSet<String>,
}

impl Bars {
    pub(crate) fn new(stop: Arc<AtomicBool>) -> Self {
        Self {
            stop,
            bar: ProgressBar::hidden(),
            stage: "",
            steps: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    /// Takes the steps that a resumed run has made before.
    pub(crate) fn recall(&mut self, steps: Vec<MetricsRecord>) {
        self.steps = steps;
    }

    /// Prints a line above the bar, or plainly where there is no terminal.
    pub(crate) fn say(&self, line: &str) {
        // A hidden bar prints no lines at all.
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The bar of this stage, at `done` of `total`.
    fn show(&mut self, stage: &'static str, done: u64, total: u64, note: String) {
        if self.stage != stage || self.bar.is_finished() {
            self.bar.finish_and_clear();
            self.stage = stage;
            self.bar = bar(stage);
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.set_message(note);
    }

    fn step(&mut self, metrics: &MetricsRecord, steps_left: usize) {
        // Anew at each step, since the pool of the curriculum shrinks and grows.
        let total = metrics.step + steps_left as u64;
        let note = format!("epoch {}  {}", metrics.epoch, line(metrics));
        self.show("reinforcement", metrics.step, total, note);
        // Without a terminal every fifth step prints a line instead.
        if self.bar.is_hidden() && metrics.step.is_multiple_of(5) {
            eprintln!("step {} of {total}  {}", metrics.step, line(metrics));
        }
        self.steps.push(metrics.clone());
        self.tell_worries();
    }

    /// Says what stands out, each thing once, when there are steps enough to tell.
    fn tell_worries(&mut self) {
        if self.steps.len() < FIRST_WORRIES {
            return;
        }
        for Worry { title, text, .. } in worries_of_steps(&self.steps) {
            if self.told.insert(title.clone()) {
                self.say(&format!("warning: {title}: {text}"));
            }
        }
    }
}

impl Observer for Bars {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        match event {
            Event::Embeddings {
                epoch,
                max_epochs,
                ndcg,
            } => {
                let note = ndcg
                    .map(|x| format!("held-out NDCG@10 {x:.3}"))
                    .unwrap_or_default();
                self.show("item embeddings", *epoch as u64, *max_epochs as u64, note);
            }
            Event::Warning(text) => self.say(&format!("warning: {text}")),
            Event::WarmStart { step, total, loss } => {
                self.show("warm start", *step, *total, format!("loss {loss:.3}"));
                if self.bar.is_hidden() && step.is_multiple_of(50) {
                    eprintln!("warm start, step {step} of {total}: loss {loss:.3}");
                }
            }
            Event::Evaluating(phase, progress) if *phase != Phase::Reinforcement => {
                self.show(
                    "evaluation",
                    progress.done as u64,
                    progress.total as u64,
                    String::new(),
                );
            }
            Event::Evaluated(e) => {
                let step = match e.phase {
                    Phase::Reinforcement => format!(", step {}", e.step),
                    _ => String::new(),
                };
                self.say(&format!(
                    "{}{step}: {:.1} % of {} queries right, {:.0} tokens per response",
                    e.phase.label(),
                    100.0 * e.overall.share(),
                    e.overall.asked,
                    e.mean_tokens
                ));
            }
            Event::Step {
                metrics,
                steps_left,
            } => self.step(metrics, *steps_left),
            Event::Epoch(s) => self.say(&format!(
                "epoch {} over: {} queries active, {} mastered, {} returned, mean difficulty {:.2}",
                s.epoch, s.pool.active, s.pool.mastered, s.returned, s.pool.mean_difficulty
            )),
            _ => {}
        }
        match self.stop.load(Ordering::SeqCst) {
            true => Verdict::Stop,
            false => Verdict::Continue,
        }
    }
}

fn line(metrics: &MetricsRecord) -> String {
    format!(
        "reward {:.3}  right {:.0} %  {:.0} tokens  KL {:.3}",
        metrics.reward.total.unwrap_or(f64::NAN),
        100.0 * metrics.accuracy,
        metrics.mean_tokens,
        metrics.update.kl
    )
}

/// A bar with its stage's name, the time that passed, and an estimate of the time that is left.
pub(crate) fn bar(stage: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_style(style()).with_prefix(stage);
    // A step may take minutes without an event: the clock goes on by itself.
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:>16} {bar:28} {pos}/{len}  {elapsed} (left {eta})  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
