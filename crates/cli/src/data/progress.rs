//! How far the loading of data is.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use rerec_datasets::Progress;

/// How often a line is printed where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

/// One bar at a time on a terminal; elsewhere a line every ten seconds.
#[derive(Debug)]
pub(crate) struct LoadingBar {
    stage: RefCell<String>,
    bar: RefCell<ProgressBar>,
    said: Cell<Instant>,
}

impl LoadingBar {
    pub(crate) fn new() -> Self {
        Self {
            stage: RefCell::default(),
            bar: RefCell::new(ProgressBar::hidden()),
            said: Cell::new(Instant::now()),
        }
    }

    pub(crate) fn show(&self, progress: Progress<'_>) {
        let Some(Stage { name, done, total }) = Stage::of(progress) else {
            return;
        };
        if *self.stage.borrow() != name {
            self.finish();
            let bar = ProgressBar::new(total)
                .with_style(style())
                .with_prefix(name.clone());
            self.bar.replace(bar);
            self.stage.replace(name.clone());
        }
        let bar = self.bar.borrow();
        bar.set_position(done);
        if bar.is_hidden() && self.said.get().elapsed() >= PAUSE {
            self.said.set(Instant::now());
            eprintln!("{name}: {} %", 100 * done / total.max(1));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.borrow().finish_and_clear();
    }
}

struct Stage {
    name: String,
    done: u64,
    total: u64,
}

impl Stage {
    fn of(progress: Progress<'_>) -> Option<Self> {
        let (name, done, total) = match progress {
            Progress::Reading { path, done, total } => {
                let file = path.file_name().unwrap_or(path.as_os_str());
                (format!("reading {}", file.display()), done, total)
            }
            Progress::Composing { split, done, total } => (format!("{split} queries"), done, total),
            Progress::Varying { done, total } => ("other words".to_owned(), done, total),
            _ => return None,
        };
        Some(Self { name, done, total })
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:>24} {bar:28} {percent:>3} %  {elapsed} (left {eta})")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn stages_are_named_by_file_and_split() {
        let reading = Progress::Reading {
            path: Path::new("data/ratings.csv"),
            done: 3,
            total: 4,
        };
        let stage = Stage::of(reading).unwrap();
        assert_eq!(
            (stage.name.as_str(), stage.done, stage.total),
            ("reading ratings.csv", 3, 4)
        );
    }

    #[test]
    fn each_stage_has_a_bar_of_its_own() {
        let bar = LoadingBar::new();
        for (split, done) in [("train", 5), ("test", 1)] {
            bar.show(Progress::Composing {
                split,
                done,
                total: 10,
            });
            let shown = bar.bar.borrow();
            assert_eq!(
                (shown.prefix(), shown.position()),
                (format!("{split} queries"), done)
            );
        }
        bar.finish();
        assert!(bar.bar.borrow().is_finished());
    }
}
