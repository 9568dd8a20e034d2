//! The run: warm start, reinforcement, evaluation, checkpoints.

mod evaluate;
mod persist;
mod step;

use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

use rerec_curriculum::{Curriculum, QuerySpec};
use rerec_datasets::{Dataset, Query};
use rerec_policy::{Objective, Policy, Schedule, SupervisedStats};
use rerec_rewards::{ItemIndex, Reward};

use self::evaluate::by_class;
use crate::{
    EpochRecord, Evaluation, Phase, TrainConfig,
    credit::Crediter,
    curves::Curves,
    error::{Error, Result},
    observer::{Event, Observer},
    run_folder::{JsonLines, RunFolder},
    state::State,
    warm_start::WarmStart,
};

/// What a run is about: the data, the reward, and the policy to train.
pub struct Task<'a> {
    /// Catalogue, queries and demonstrations.
    pub dataset: &'a Dataset,
    /// Scores responses over the data's catalogue.
    pub reward: &'a dyn Reward,
    /// Learns.
    pub policy: &'a mut dyn Policy,
}

impl std::fmt::Debug for Task<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It came to its end; accuracy on test queries before, between and after.
    Finished(Vec<Evaluation>),
    /// The observer ended it; a checkpoint was written, and the run can be resumed.
    Stopped,
}

/// A run in its folder.
///
/// Everything it depends on is the configuration, the task, and the state in the last checkpoint, so a
/// resumed run gives the numbers the uninterrupted one would have given.
pub struct Trainer<'a> {
    config: &'a TrainConfig,
    task: Task<'a>,
    folder: RunFolder,
    state: State,
    curriculum: Curriculum,
    crediter: Crediter,
    objective: Objective,
    schedule: Schedule,
    queries: HashMap<&'a str, PreparedQuery<'a>>,
    metrics: JsonLines,
    rollouts: JsonLines,
    epochs: JsonLines,
    curves: Curves,
}

impl std::fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A query with its items as positions in the catalogue.
struct PreparedQuery<'a> {
    query: &'a Query,
    targets: Arc<[ItemIndex]>,
    candidates: Option<Arc<[ItemIndex]>>,
}

/// Ends the run where it stands.
enum Halt {
    Stopped,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        match error.into() {
            Error::Policy(rerec_policy::Error::Cancelled) => Self::Stopped,
            error => Self::Failed(error),
        }
    }
}

type Step<T> = std::result::Result<T, Halt>;

fn go_on(flow: ControlFlow<()>) -> Step<()> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Halt::Stopped),
    }
}

impl<'a> Trainer<'a> {
    /// Begins a run in a folder of its own.
    ///
    /// # Errors
    /// [`Error::RunExists`], a setting out of range, or a query that the catalogue does not cover.
    pub fn new(config: &'a TrainConfig, task: Task<'a>) -> Result<Self> {
        let curriculum = new_curriculum(config, task.dataset)?;
        let trainer_parts = Parts::new(config, &task)?;
        let folder = RunFolder::create(config.run_folder())?;
        folder.write("config.toml", &persist::config_text(config, folder.path())?)?;
        trainer_parts.assemble(config, task, folder, State::default(), curriculum)
    }

    /// Goes on from the newest checkpoint of a run.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`], [`Error::OtherSettings`], or a checkpoint that is damaged.
    pub fn resume(config: &'a TrainConfig, task: Task<'a>) -> Result<Self> {
        let folder = RunFolder::open(config.run_folder());
        let (state, curriculum) = persist::restore(config, task.policy, &folder)?;
        Parts::new(config, &task)?.assemble(config, task, folder, state, curriculum)
    }

    /// Runs to the end, or until the observer breaks.
    ///
    /// # Errors
    /// Whatever a part reports; the last checkpoint is still there then.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        match self.phases(observer) {
            Ok(()) => Ok(Outcome::Finished(self.state.evaluations)),
            Err(Halt::Failed(error)) => Err(error),
            Err(Halt::Stopped) => {
                self.checkpoint(observer)?;
                Ok(Outcome::Stopped)
            }
        }
    }

    fn phases(&mut self, observer: &mut dyn Observer) -> Step<()> {
        self.report(Phase::Untrained, observer)?;
        self.warm_start(observer)?;
        self.report(Phase::WarmStart, observer)?;
        self.anchor(observer)?;
        while let Some(batch) = self.next_batch(observer)? {
            self.step(&batch, observer)?;
        }
        self.report(Phase::Final, observer)?;
        self.curves.draw(&self.folder)?;
        self.checkpoint(observer)?;
        Ok(())
    }

    fn warm_start(&mut self, observer: &mut dyn Observer) -> Step<()> {
        let lessons = WarmStart::new(&self.config.warm_start, self.task.dataset, self.config.seed)?;
        let total = self.config.warm_start.steps;
        while self.state.warm_steps < total {
            let step = self.state.warm_steps;
            let SupervisedStats { loss, .. } = self
                .task
                .policy
                .supervise(&lessons.batch(step), lessons.learning_rate(step))?;
            self.state.warm_steps += 1;
            go_on(observer.event(&Event::WarmStart {
                step: step + 1,
                total,
                loss,
            }))?;
        }
        Ok(())
    }

    /// Makes the warm start's weights the reference, once, and begins the curves.
    fn anchor(&mut self, observer: &mut dyn Observer) -> Step<()> {
        if !self.state.anchored {
            self.state.warm_validation = by_class(&self.validate(observer)?);
            self.curves.validated(0, &self.state.warm_validation);
            self.task.policy.anchor()?;
            self.state.anchored = true;
            self.checkpoint(observer)?;
        }
        Ok(())
    }

    /// The next queries to train on; none when reinforcement is over.
    fn next_batch(&mut self, observer: &mut dyn Observer) -> Step<Option<Vec<String>>> {
        let limits = &self.config.reinforcement;
        if limits
            .max_steps
            .is_some_and(|most| self.state.steps >= most)
        {
            return Ok(None);
        }
        while self.state.pending.is_empty() {
            if self.curriculum.epoch() > limits.epochs || self.curriculum.is_finished() {
                return Ok(None);
            }
            match self.curriculum.next_batch() {
                // Remembered until its step is done: a checkpoint in between serves it again.
                Some(ids) => {
                    self.state.pending = ids.iter().map(|id| id.as_str().to_owned()).collect()
                }
                None => {
                    let ended = EpochRecord {
                        step: self.state.steps,
                        statistics: self.curriculum.end_epoch(),
                    };
                    self.epochs.push(&ended)?;
                    self.curves.epoch(&ended);
                    go_on(observer.event(&Event::Epoch(&ended.statistics)))?;
                }
            }
        }
        Ok(Some(self.state.pending.clone()))
    }
}

/// What is built alike for a new run and a resumed one.
struct Parts<'a> {
    crediter: Crediter,
    objective: Objective,
    schedule: Schedule,
    queries: HashMap<&'a str, PreparedQuery<'a>>,
}

impl<'a> Parts<'a> {
    fn new(config: &TrainConfig, task: &Task<'a>) -> Result<Self> {
        let splits = &task.dataset.splits;
        let all = splits
            .train
            .iter()
            .chain(&splits.validation)
            .chain(&splits.test);
        let queries = all
            .map(|query| Ok((query.id.as_str(), PreparedQuery::new(query, task.dataset)?)))
            .collect::<Result<_>>()?;
        let rl = &config.reinforcement;
        Ok(Self {
            crediter: Crediter::new(&config.advantage, &task.dataset.catalogue)?,
            objective: Objective::new(config.objective.clone())?,
            schedule: Schedule::new(rl.learning_rate, rl.warmup, rl.schedule)?,
            queries,
        })
    }

    fn assemble(
        self,
        config: &'a TrainConfig,
        task: Task<'a>,
        folder: RunFolder,
        state: State,
        curriculum: Curriculum,
    ) -> Result<Trainer<'a>> {
        let metrics = folder.lines("metrics.jsonl", state.metrics_len)?;
        let rollouts = folder.lines("rollouts.jsonl", state.rollouts_len)?;
        let epochs = folder.lines("epochs.jsonl", state.epochs_len)?;
        let mut curves = Curves::of_pool(curriculum.queries().len());
        curves.validated(0, &state.warm_validation);
        curves.read(&folder)?;
        let Self {
            crediter,
            objective,
            schedule,
            queries,
        } = self;
        Ok(Trainer {
            config,
            task,
            folder,
            state,
            curriculum,
            crediter,
            objective,
            schedule,
            queries,
            metrics,
            rollouts,
            epochs,
            curves,
        })
    }
}

impl<'a> PreparedQuery<'a> {
    fn new(query: &'a Query, dataset: &Dataset) -> Result<Self> {
        if query.conversation.len() != 1 {
            return Err(Error::Conversation {
                query: query.id.to_string(),
            });
        }
        let index = |ids: &[rerec_rewards::ItemId]| -> Result<Vec<ItemIndex>> {
            let one = |id: &rerec_rewards::ItemId| {
                dataset
                    .catalogue
                    .index_of(id)
                    .ok_or_else(|| Error::UnknownItem {
                        query: query.id.to_string(),
                        item: id.to_string(),
                    })
            };
            ids.iter().map(one).collect()
        };
        let targets = index(&query.targets)?.into();
        Ok(Self {
            query,
            targets,
            candidates: query
                .candidates
                .as_deref()
                .map(index)
                .transpose()?
                .map(Into::into),
        })
    }
}

fn new_curriculum(config: &TrainConfig, dataset: &Dataset) -> Result<Curriculum> {
    let most = config.reinforcement.queries.unwrap_or(usize::MAX);
    let queries = dataset.splits.train.iter().take(most);
    let specs = queries.map(|q| QuerySpec::from((q.id.as_str(), q.class.label())));
    Ok(Curriculum::new(config.curriculum.clone(), specs)?)
}
