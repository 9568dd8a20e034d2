//! The run: warm start, reinforcement, evaluation, checkpoints.

mod attempt;
mod step;

use std::ops::ControlFlow;
use std::time::Instant;

use rerec::Assessor;
use rerec_curriculum::{Curriculum, CurriculumConfig, MetricConfig, QuerySpec};
use rerec_datasets::{Dataset, Query};
use rerec_policy::{Objective, Schedule, SupervisedStats};
use rerec_text::QueryId;

use crate::checkpoint;
use crate::config::{BestBy, TrainConfig};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::evaluator::Evaluator;
use crate::ledger::{self, Ledger};
use crate::observer::{Event, Observer, Verdict};
use crate::query_table::QueryTable;
use crate::resume::same_run;
use crate::run::Run;
use crate::state::{Best, State};
use crate::warm_start::WarmStart;
use crate::{
    Baseline, BaselineRecord, EpochRecord, Evaluation, Phase, TimingRecord, WarmStartRecord, files,
};

/// What a run is about: the data, what assesses responses, and the model to train.
#[derive(Debug)]
pub struct Task<'a> {
    /// Catalogue, queries and demonstrations.
    pub dataset: &'a Dataset,
    /// Rewards, step credits and advantages over the data's catalogue.
    pub assessor: &'a Assessor,
    /// Samples and learns.
    pub engine: Engine<'a>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It came to its end; evaluations on test queries before, between and after.
    Finished(Vec<Evaluation>),
    /// The observer ended it; a checkpoint was written, and the run can be resumed.
    Stopped,
}

/// A run in its folder.
///
/// Everything it depends on is the configuration, the task, and the state in the last checkpoint, so a resumed run gives the
/// numbers that the uninterrupted one would have given.
#[derive(Debug)]
pub struct Trainer<'a> {
    config: &'a TrainConfig,
    task: Task<'a>,
    ledger: Ledger,
    state: State,
    curriculum: Curriculum,
    objective: Objective,
    schedule: Schedule,
    queries: QueryTable<'a>,
    /// An observer asked to end reinforcement after the step under way.
    finishing: bool,
    /// Where the time of the step under way goes.
    timing: TimingRecord,
}

/// Ends the run where it stands.
enum Halt {
    Stopped,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        match error.into() {
            // A sampler reports this when the observer asked to stop.
            Error::Policy(rerec_policy::Error::Cancelled) => Self::Stopped,
            error => Self::Failed(error),
        }
    }
}

type Halting<T> = std::result::Result<T, Halt>;

impl<'a> Trainer<'a> {
    /// Begins a run in a folder of its own.
    ///
    /// # Errors
    /// [`Error::RunExists`]; a setting out of range; settings that contradict each other or the data; a query that the catalogue
    /// does not cover. Nothing is written then.
    pub fn new(config: &'a TrainConfig, task: Task<'a>) -> Result<Self> {
        config.validate()?;
        config.check_against(task.dataset)?;
        task.engine.check(&config.reinforcement)?;
        let curriculum = new_curriculum(config, &task)?;
        let queries = QueryTable::new(task.dataset)?;
        ledger::create(config)?;
        Self::assemble(config, task, State::default(), curriculum, queries)
    }

    /// Begins a run whose folder is there.
    pub(crate) fn begin(config: &'a TrainConfig, task: Task<'a>) -> Result<Self> {
        task.engine.check(&config.reinforcement)?;
        let curriculum = new_curriculum(config, &task)?;
        let queries = QueryTable::new(task.dataset)?;
        Self::assemble(config, task, State::default(), curriculum, queries)
    }

    /// Goes on from the newest checkpoint of a run, or from its beginning where it has none yet.
    ///
    /// # Errors
    /// [`Error::NoRun`], [`Error::OtherSettings`], or a checkpoint that is damaged.
    pub fn resume(config: &'a TrainConfig, mut task: Task<'a>) -> Result<Self> {
        config.validate()?;
        config.check_against(task.dataset)?;
        task.engine.check(&config.reinforcement)?;
        let folder = config.run_folder();
        same_run(&folder, Run::open(&folder)?.config(), config)?;
        let Some((state, curriculum, policy)) = checkpoint::newest(&folder)? else {
            return Self::begin(config, task);
        };
        task.engine.learner().restore(&policy)?;
        // The learner was restored: a sampler of its own has to follow.
        task.engine.synchronise()?;
        // A run that was prolonged stays so when it is resumed again.
        ledger::write_config(config)?;
        let queries = QueryTable::new(task.dataset)?;
        Self::assemble(config, task, state, curriculum, queries)
    }

    fn assemble(
        config: &'a TrainConfig,
        task: Task<'a>,
        state: State,
        curriculum: Curriculum,
        queries: QueryTable<'a>,
    ) -> Result<Self> {
        let rl = &config.reinforcement;
        Ok(Self {
            ledger: Ledger::open(&config.run_folder(), state.lengths, state.steps)?,
            objective: Objective::new(config.objective.clone())?,
            schedule: Schedule::new(rl.learning_rate, rl.warmup, rl.schedule)?,
            queries,
            config,
            task,
            state,
            curriculum,
            finishing: false,
            timing: TimingRecord::default(),
        })
    }

    /// Runs to the end, or until the observer stops it.
    ///
    /// # Errors
    /// Whatever a part reports; the last checkpoint is still there then.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        match self.phases(observer) {
            Ok(()) => Ok(Outcome::Finished(self.state.evaluations)),
            Err(Halt::Failed(error)) => Err(error),
            // This may be in the middle of a step: its queries are still pending, and the step is
            // repeated on resume.
            Err(Halt::Stopped) => {
                self.checkpoint(observer)?;
                Ok(Outcome::Stopped)
            }
        }
    }

    fn phases(&mut self, observer: &mut dyn Observer) -> Halting<()> {
        // Every phase skips what the state says is done, so that a resumed run continues where it
        // stopped.
        self.rank_by_baselines()?;
        if self.config.evaluation.untrained {
            self.report(Phase::Untrained, observer)?;
        }
        self.warm_start(observer)?;
        // Without a warm start this is the model as it was given.
        if self.config.evaluation.untrained || self.state.warm_steps > 0 {
            self.report(Phase::WarmStart, observer)?;
        }
        self.anchor(observer)?;
        if self.state.unvalidated {
            self.validate_and_save(observer)?;
        }
        while let Some(batch) = self.next_batch(observer)? {
            self.step(&batch, observer)?;
        }
        self.report(Phase::Final, observer)?;
        Ok(self.checkpoint(observer)?)
    }

    /// What is compared with the model's answers to the test queries; written once.
    fn rank_by_baselines(&self) -> Result<()> {
        let (config, dataset) = (self.config, self.task.dataset);
        let path = self.ledger.folder().join(files::BASELINES);
        let (queries, baselines) = (&dataset.splits.test, &config.evaluation.baselines);
        if queries.is_empty() || baselines.is_empty() || path.is_file() {
            return Ok(());
        }
        let record = |&baseline: &Baseline| {
            let cutoff = config.reward.cutoff;
            let answers = baseline.answers(dataset, queries, cutoff, config.seed)?;
            Ok(BaselineRecord::of(baseline, &answers))
        };
        let records = baselines.iter().map(record).collect::<Result<Vec<_>>>()?;
        Ok(rerec_datasets::write_jsonl(&path, records)?)
    }

    fn warm_start(&mut self, observer: &mut dyn Observer) -> Halting<()> {
        let lessons = WarmStart::new(&self.config.warm_start, self.task.dataset, self.config.seed)?;
        let total = self.config.warm_start.all_steps();
        let mut saved = Instant::now();
        while self.state.warm_steps < total {
            let step = self.state.warm_steps;
            let (batch, rate) = (lessons.batch(step), lessons.learning_rate(step));
            let begun = Instant::now();
            let SupervisedStats { loss, .. } =
                self.task.engine.learner().supervise(&batch, rate)?;
            self.state.warm_steps += 1;
            let step = step + 1;
            self.ledger.warm_step(&WarmStartRecord {
                step,
                loss,
                learning_rate: rate,
                seconds: begun.elapsed().as_secs_f64(),
            })?;
            let verdict = observer.event(&Event::WarmStart { step, total, loss });
            self.heed(verdict)?;
            // After the last step the anchored weights are saved.
            let minutes = saved.elapsed().as_secs_f64() / 60.0;
            if step < total && minutes >= self.config.checkpoints.warm_start_minutes {
                self.checkpoint(observer)?;
                saved = Instant::now();
            }
        }
        Ok(())
    }

    /// Makes the warm start's weights the reference, once.
    fn anchor(&mut self, observer: &mut dyn Observer) -> Halting<()> {
        if !self.state.anchored {
            // Before the first step: the point from which the validation curve starts.
            self.validate(observer)?;
            self.task.engine.learner().anchor()?;
            self.task.engine.synchronise()?;
            self.state.anchored = true;
            // At once: a crash must neither repeat the warm start nor anchor later weights.
            self.checkpoint(observer)?;
        }
        Ok(())
    }

    /// The next queries to train on; none when reinforcement is over.
    fn next_batch(&mut self, observer: &mut dyn Observer) -> Halting<Option<Vec<QueryId>>> {
        let limits = &self.config.reinforcement;
        let is_over = limits
            .max_steps
            .is_some_and(|most| self.state.steps >= most);
        let patience = self.config.evaluation.patience;
        let is_stale = patience.is_some_and(|most| self.state.evaluations_since_best >= most);
        if is_stale && !is_over {
            self.tell_of_patience(observer);
        }
        if is_over || is_stale || self.finishing {
            return Ok(None);
        }
        while self.state.pending.is_empty() {
            if self.curriculum.epoch() > limits.epochs || self.curriculum.is_finished() {
                return Ok(None);
            }
            match self.curriculum.next_batch() {
                // Remembered until its step is done: a checkpoint in between serves it again.
                Some(ids) => self.state.pending = ids,
                None => self.end_epoch(observer)?,
            }
        }
        Ok(Some(self.state.pending.clone()))
    }

    fn tell_of_patience(&self, observer: &mut dyn Observer) {
        let (step, count) = (self.state.steps, self.state.evaluations_since_best);
        let best = self.state.best.map_or(0, |best| best.step);
        let text = format!(
            "no evaluation was better for {count} in a row: reinforcement ends at step {step}; the best was at step {best}"
        );
        // The run is about to end in any case.
        let _ = observer.event(&Event::Warning(&text));
    }

    fn end_epoch(&mut self, observer: &mut dyn Observer) -> Halting<()> {
        let ended = EpochRecord {
            step: self.state.steps,
            statistics: self.curriculum.end_epoch(),
        };
        self.ledger.epoch(&ended)?;
        let verdict = observer.event(&Event::Epoch(&ended.statistics));
        self.heed(verdict)
    }

    /// Evaluates on the test queries, once for each phase. After reinforcement that means once for each length of the run: one
    /// that was prolonged is evaluated anew.
    fn report(&mut self, phase: Phase, observer: &mut dyn Observer) -> Halting<()> {
        let step = self.state.steps;
        let is_same =
            |e: &Evaluation| e.phase == phase && (phase != Phase::Final || e.step == step);
        let queries = &self.task.dataset.splits.test;
        if queries.is_empty() || self.state.evaluations.iter().any(is_same) {
            return Ok(());
        }
        let evaluation = match self.repeated(phase) {
            Some(same) => {
                self.ledger.evaluation(&same)?;
                same
            }
            None => self.evaluate(phase, queries, observer)?,
        };
        // A final evaluation that is there already is that of a shorter run.
        self.state.evaluations.retain(|e| e.phase != phase);
        self.state.evaluations.push(evaluation);
        Ok(())
    }

    /// The evaluation before, where nothing was learned since: the same weights give the same answers.
    fn repeated(&self, phase: Phase) -> Option<Evaluation> {
        let learned = match phase {
            Phase::Untrained | Phase::Reinforcement => true,
            Phase::WarmStart => self.state.warm_steps > 0,
            Phase::Final => self.state.steps > 0,
        };
        let before = self.state.evaluations.last().filter(|_| !learned)?;
        Some(Evaluation {
            phase,
            ..before.clone()
        })
    }

    /// Evaluates on validation queries, and notes whether no earlier evaluation was better.
    fn validate(&mut self, observer: &mut dyn Observer) -> Halting<()> {
        let queries = &self.task.dataset.splits.validation;
        // Always the first ones, so that evaluations can be compared with each other.
        let asked = queries.len().min(self.config.evaluation.validation_queries);
        if asked == 0 {
            return Ok(());
        }
        let evaluation = self.evaluate(Phase::Reinforcement, &queries[..asked], observer)?;
        let Some(by) = self.config.checkpoints.best else {
            return Ok(());
        };
        let value = match by {
            BestBy::Accuracy => evaluation.overall.share(),
            BestBy::Ndcg => evaluation.overall.ndcg,
            BestBy::Mrr => evaluation.overall.mrr,
        };
        // Ties keep the earlier one.
        self.state.evaluations_since_best += 1;
        if self.state.best.is_none_or(|best| value > best.value) {
            self.state.evaluations_since_best = 0;
            let (step, checkpoint) = (self.state.steps, 0);
            self.state.best = Some(Best {
                step,
                value,
                checkpoint,
            });
        }
        Ok(())
    }

    fn evaluate(
        &mut self,
        phase: Phase,
        queries: &[Query],
        observer: &mut dyn Observer,
    ) -> Halting<Evaluation> {
        let evaluator = Evaluator {
            reward: self.task.assessor.reward(),
            catalogue: &self.task.dataset.catalogue,
            cutoff: self.config.reward.cutoff,
        };
        let mut verdicts = Verdicts::default();
        let watch =
            &mut |progress| verdicts.hear(observer.event(&Event::Evaluating(phase, progress)));
        let (at, most) = (
            (phase, self.state.steps),
            self.config.reinforcement.max_new_tokens,
        );
        let evaluated = evaluator.evaluate(self.task.engine.sampler(), queries, most, at, watch);
        // Set before the error is returned: a request to finish must survive a cancelled
        // evaluation.
        self.finishing |= verdicts.finish;
        let evaluation = evaluated?;
        self.ledger.evaluation(&evaluation)?;
        let verdict = observer.event(&Event::Evaluated(&evaluation));
        // A request to stop is heard at the next event: the evaluation that was paid for is kept.
        self.finishing |= verdict == Verdict::Finish;
        Ok(evaluation)
    }

    fn checkpoint(&mut self, observer: &mut dyn Observer) -> Result<()> {
        // Synced first: the lines that a checkpoint counts must be on the disk before it is.
        self.state.lengths = self.ledger.lengths()?;
        let learner = self.task.engine.learned();
        checkpoint::save(
            self.ledger.folder(),
            &mut self.state,
            &self.curriculum,
            learner,
        )?;
        self.finishing |= observer.event(&Event::Checkpoint) == Verdict::Finish;
        Ok(())
    }

    fn heed(&mut self, verdict: Verdict) -> Halting<()> {
        self.finishing |= verdict == Verdict::Finish;
        match verdict {
            Verdict::Stop => Err(Halt::Stopped),
            Verdict::Continue | Verdict::Finish => Ok(()),
        }
    }
}

/// What an observer says while responses are sampled: to stop breaks off, to finish is remembered.
#[derive(Default)]
struct Verdicts {
    finish: bool,
}

impl Verdicts {
    fn hear(&mut self, verdict: Verdict) -> ControlFlow<()> {
        self.finish |= verdict == Verdict::Finish;
        match verdict {
            Verdict::Stop => ControlFlow::Break(()),
            Verdict::Continue | Verdict::Finish => ControlFlow::Continue(()),
        }
    }
}

/// The curriculum over the train queries. It is told the range of what it will be given, so that difficulties lie in [0, 1]
/// whatever the reward's weights.
fn new_curriculum(config: &TrainConfig, task: &Task<'_>) -> Result<Curriculum> {
    let most = config.reinforcement.queries.unwrap_or(usize::MAX);
    let queries = task.dataset.splits.train.iter().take(most);
    let specs = queries.map(|query| QuerySpec::from((query.id.clone(), query.class.label())));
    let (lowest, highest) = task.assessor.metric_range();
    let metric = MetricConfig {
        lowest,
        highest,
        rescale: true,
    };
    let config = CurriculumConfig {
        metric,
        ..config.curriculum.clone()
    };
    Ok(Curriculum::new(config, specs)?)
}
