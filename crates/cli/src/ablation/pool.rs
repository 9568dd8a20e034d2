//! Runs of an experiment, several at a time, each a process of its own.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rerec_trainer::{Ablation, AblationRun};
use rustix::process::{Pid, Signal, kill_process};

use crate::error::Failure;

/// How often it is looked whether a run has ended.
const PAUSE: Duration = Duration::from_millis(200);

/// A run that has ended well.
pub(super) struct Finished {
    pub(super) run: AblationRun,
    /// Since this process began it.
    pub(super) took: Duration,
}

/// The runs that go on.
pub(super) struct Pool {
    most: usize,
    stop: Arc<AtomicBool>,
    running: Vec<Running>,
}

struct Running {
    run: AblationRun,
    begun: Instant,
    child: Child,
    log: PathBuf,
}

impl Pool {
    /// At most `most` runs at a time; none is begun, and all are asked to end, once `stop` is raised.
    pub(super) fn new(most: usize, stop: Arc<AtomicBool>) -> Self {
        Self {
            most,
            stop,
            running: Vec::new(),
        }
    }

    /// Begins runs that are due, and waits for one of them; none when nothing is left to do.
    ///
    /// # Errors
    /// A run that failed, or that could not be begun; a request to stop. All others have ended by then, with a checkpoint.
    pub(super) fn next_finished(
        &mut self,
        ablation: &Ablation,
    ) -> Result<Option<Finished>, Failure> {
        let finished = self.wait(ablation);
        if finished.is_err() {
            self.end_all();
        }
        finished
    }

    fn wait(&mut self, ablation: &Ablation) -> Result<Option<Finished>, Failure> {
        self.begin_due(ablation)?;
        while !self.running.is_empty() {
            if self.stop.load(Ordering::SeqCst) {
                return Err(Failure::Stopped {
                    run: ablation.config().folder(),
                });
            }
            if let Some((place, status)) = self.ended()? {
                return self.running.swap_remove(place).outcome(status).map(Some);
            }
            sleep(PAUSE);
        }
        Ok(None)
    }

    fn begin_due(&mut self, ablation: &Ablation) -> Result<(), Failure> {
        for run in ablation.due() {
            if self.running.len() >= self.most {
                break;
            }
            if !self.running.iter().any(|one| one.run == run) {
                self.running.push(Running::begin(ablation, run)?);
            }
        }
        Ok(())
    }

    fn ended(&mut self) -> Result<Option<(usize, ExitStatus)>, Failure> {
        for (place, one) in self.running.iter_mut().enumerate() {
            let status = one.child.try_wait().map_err(Failure::Process)?;
            if let Some(status) = status {
                return Ok(Some((place, status)));
            }
        }
        Ok(None)
    }

    /// Asks all runs to stop with a checkpoint, and waits until they have.
    fn end_all(&mut self) {
        for one in &mut self.running {
            // One that has just ended needs no signal.
            if let Some(pid) = Pid::from_raw(one.child.id() as i32) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for mut one in self.running.drain(..) {
            let _ = one.child.wait();
        }
    }
}

impl Running {
    fn begin(ablation: &Ablation, run: AblationRun) -> Result<Self, Failure> {
        let folder = ablation.folder(&run);
        let log = folder.with_file_name(format!("{}.log", name_of(&folder)));
        let parent = folder.parent().unwrap_or(Path::new("."));
        let fault = |source| Failure::Folder {
            path: parent.to_owned(),
            source,
        };
        fs::create_dir_all(parent).map_err(fault)?;
        let mut command = Command::new(std::env::current_exe().map_err(Failure::Process)?);
        command.arg("train").arg(ablation.base(&run)?);
        for setting in ablation.settings(&run)? {
            command.arg("--set").arg(setting);
        }
        if folder.is_dir() {
            command.arg("--resume");
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&log);
        let file = file.map_err(Failure::Process)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            // Ctrl-C reaches this process alone, which passes it on once: a second one would end a run without a checkpoint.
            .process_group(0);
        let begun = Instant::now();
        let child = command.spawn().map_err(Failure::Process)?;
        Ok(Self {
            run,
            begun,
            child,
            log,
        })
    }

    fn outcome(self, status: ExitStatus) -> Result<Finished, Failure> {
        match status.success() {
            true => Ok(Finished {
                took: self.begun.elapsed(),
                run: self.run,
            }),
            false => Err(Failure::AblationRun {
                run: self.run.to_string(),
                status,
                log: self.log,
            }),
        }
    }
}

fn name_of(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
