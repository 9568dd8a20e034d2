//! Which runs an experiment has, and which of them can be made now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{AblationConfig, Arm, ArmOutcome, World, folder_name};
use crate::config::TrainConfig;
use crate::error::{Error, Result};
use crate::run::{Kept, Run};

/// One run of an experiment: the warm start of a world and seed, or an arm that begins from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AblationRun {
    /// Name of the world.
    pub world: String,
    /// Decides data and warm start.
    pub seed: u64,
    /// The arm; none for the warm start.
    pub arm: Option<ArmRun>,
}

/// An arm of one world and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmRun {
    /// Its name.
    pub name: String,
    /// Its peak learning rate; none for the configuration's.
    pub learning_rate: Option<f64>,
    /// The repetition, from 0.
    pub repeat: u64,
}

impl AblationRun {
    fn warm_start(world: &World, seed: u64) -> Self {
        let world = world.name.clone();
        let arm = None;
        Self { world, seed, arm }
    }

    /// The warm start that it begins from.
    fn warm(&self) -> Self {
        let arm = None;
        Self {
            arm,
            ..self.clone()
        }
    }

    fn of_arm(
        world: &World,
        seed: u64,
        arm: &Arm,
        learning_rate: Option<f64>,
        repeat: u64,
    ) -> Self {
        let name = arm.name.clone();
        Self {
            arm: Some(ArmRun {
                name,
                learning_rate,
                repeat,
            }),
            ..Self::warm_start(world, seed)
        }
    }
}

impl fmt::Display for AblationRun {
    /// `rare-41/warm`, `rare-41/ReRec-0.0005-0`: the folder below the experiment's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}/", self.world, self.seed)?;
        match &self.arm {
            None => f.write_str("warm"),
            Some(ArmRun {
                name,
                learning_rate,
                repeat,
            }) => {
                let name = folder_name(name);
                let rate =
                    learning_rate.map_or("as-configured".to_owned(), |rate| rate.to_string());
                write!(f, "{name}-{rate}-{repeat}")
            }
        }
    }
}

/// An experiment and what has come of its runs so far.
#[derive(Debug)]
pub struct Ablation {
    config: AblationConfig,
    /// By the run's folder below the experiment's.
    outcomes: BTreeMap<String, ArmOutcome>,
    /// The worlds whose runs are made.
    chosen: BTreeSet<String>,
}

impl Ablation {
    /// Reads what is there of an experiment.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn open(config: AblationConfig) -> Result<Self> {
        let mut ablation = Self {
            chosen: config
                .world_names()
                .iter()
                .map(|&name| name.to_owned())
                .collect(),
            config,
            outcomes: BTreeMap::new(),
        };
        // Rates that are chosen by the outcomes of some runs decide which other runs there are.
        while ablation.read_more()? {}
        Ok(ablation)
    }

    /// Leaves the runs of all other worlds as they are: what is due, and the counts of runs, are of these alone. Outcomes of all
    /// worlds stay known.
    ///
    /// # Errors
    /// A world that the experiment does not have.
    pub fn restrict(&mut self, worlds: &[String]) -> Result<()> {
        for name in worlds {
            self.config.world(name)?;
        }
        self.chosen = worlds.iter().cloned().collect();
        Ok(())
    }

    /// The worlds that it is restricted to, or all.
    pub fn worlds(&self) -> impl Iterator<Item = &World> {
        let chosen = |world: &&World| self.chosen.contains(&world.name);
        self.config.worlds.iter().filter(chosen)
    }

    fn read_more(&mut self) -> Result<bool> {
        let before = self.outcomes.len();
        for run in self.due() {
            self.read(&run)?;
        }
        Ok(self.outcomes.len() > before)
    }

    /// Reads the outcome of a run; whether it is finished.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn read(&mut self, run: &AblationRun) -> Result<bool> {
        let outcome = ArmOutcome::read(&self.folder(run))?;
        let finished = outcome.is_some();
        self.outcomes
            .extend(outcome.map(|outcome| (run.to_string(), outcome)));
        Ok(finished)
    }

    /// The settings.
    pub fn config(&self) -> &AblationConfig {
        &self.config
    }

    /// The folder of a run.
    pub fn folder(&self, run: &AblationRun) -> PathBuf {
        self.config.folder().join(run.to_string())
    }

    /// What came of a run, where it is finished.
    pub fn outcome(&self, run: &AblationRun) -> Option<&ArmOutcome> {
        self.outcomes.get(&run.to_string())
    }

    /// The runs that are not finished and wait for no other, seed by seed: what is reported grows evenly.
    pub fn due(&self) -> Vec<AblationRun> {
        let waits = |run: &AblationRun| self.outcome(run).is_none() && self.is_ready(run);
        self.known().into_iter().filter(waits).collect()
    }

    /// The runs that are known so far: while the learning rate of an arm is not chosen, its reported ones are not.
    fn known(&self) -> Vec<AblationRun> {
        let of_seed = |(world, seed, tuning)| {
            let arms = self.config.arms.iter();
            let arms = arms.flat_map(move |arm| self.runs_of(world, seed, tuning, arm));
            [AblationRun::warm_start(world, seed)]
                .into_iter()
                .chain(arms)
        };
        self.seeds().into_iter().flat_map(of_seed).collect()
    }

    /// How many runs there are in all, finished ones included.
    pub fn runs(&self) -> usize {
        let (rates, arms) = (self.config.learning_rates.len(), self.config.arms.len());
        let runs = |&(world, _, tuning): &(&World, u64, bool)| match tuning {
            true => 1 + arms * rates,
            false => 1 + arms * world.repeats as usize,
        };
        self.seeds().iter().map(runs).sum()
    }

    /// How many runs are finished.
    pub fn finished(&self) -> usize {
        let known = self.known();
        known
            .iter()
            .filter(|run| self.outcome(run).is_some())
            .count()
    }

    /// How many runs are not finished: warm starts, and arms.
    pub fn left(&self) -> (usize, usize) {
        let all = self.runs() - self.finished();
        let is_left = |&(world, seed, _): &(&World, u64, bool)| {
            let warm = AblationRun::warm_start(world, seed);
            self.outcome(&warm).is_none()
        };
        let warm = self.seeds().into_iter().filter(is_left).count();
        (warm, all - warm)
    }

    /// World, seed, and whether it is one on which learning rates are chosen; these come first.
    fn seeds(&self) -> Vec<(&World, u64, bool)> {
        let tunes = self.config.learning_rates.len() > 1;
        let worlds: Vec<&World> = self.worlds().collect();
        let tuning = worlds.iter().filter(|_| tunes).flat_map(|&world| {
            let seeds = world.tuning_seeds.iter();
            seeds.map(move |&seed| (world, seed, true))
        });
        let most = worlds.iter().map(|world| world.seeds.len()).max();
        // World by world within each place, so that all worlds have as many seeds done.
        let reported = (0..most.unwrap_or(0)).flat_map(|place| {
            worlds
                .iter()
                .filter_map(move |&world| Some((world, *world.seeds.get(place)?, false)))
        });
        tuning.chain(reported).collect()
    }

    /// The runs of an arm on one seed; none while its learning rate is not chosen.
    fn runs_of(&self, world: &World, seed: u64, tuning: bool, arm: &Arm) -> Vec<AblationRun> {
        let run = |rate, repeat| AblationRun::of_arm(world, seed, arm, rate, repeat);
        if tuning {
            let rates = self.config.learning_rates.iter();
            return rates.map(|&rate| run(Some(rate), 0)).collect();
        }
        match self.rate(world, arm) {
            Some(rate) => (0..world.repeats).map(|repeat| run(rate, repeat)).collect(),
            None => Vec::new(),
        }
    }

    /// The runs that are reported of an arm, by seed; a seed's are in the order of their repetitions. Seeds that are not finished
    /// are left out.
    pub fn reported(&self, world: &World, arm: &Arm) -> Vec<(u64, Vec<&ArmOutcome>)> {
        let finished = |&seed: &u64| {
            let runs = self.runs_of(world, seed, false, arm);
            let outcomes: Option<Vec<_>> = runs.iter().map(|run| self.outcome(run)).collect();
            let outcomes = outcomes.filter(|outcomes| !outcomes.is_empty())?;
            Some((seed, outcomes))
        };
        world.seeds.iter().filter_map(finished).collect()
    }

    /// What came of a world's warm starts, by seed.
    pub fn warm_starts(&self, world: &World) -> Vec<(u64, &ArmOutcome)> {
        let warm = |&seed: &u64| Some((seed, self.outcome(&AblationRun::warm_start(world, seed))?));
        world.seeds.iter().filter_map(warm).collect()
    }

    /// The learning rate with the best mean accuracy on the tuning seeds, the first of equals; none while it is not known, and none
    /// within where it is the configuration's.
    pub fn rate(&self, world: &World, arm: &Arm) -> Option<Option<f64>> {
        let rates = &self.config.learning_rates;
        if rates.len() <= 1 {
            return Some(rates.first().copied());
        }
        let mut best: Option<(f64, f64)> = None;
        for &rate in rates {
            let accuracy = self.tuned(world, arm, rate)?;
            if best.is_none_or(|(_, most)| accuracy > most) {
                best = Some((rate, accuracy));
            }
        }
        best.map(|(rate, _)| Some(rate))
    }

    /// Mean accuracy of an arm on the tuning seeds under a learning rate; none while it is not known.
    pub fn tuned(&self, world: &World, arm: &Arm, rate: f64) -> Option<f64> {
        let seeds = &world.tuning_seeds;
        let share = |&seed: &u64| {
            let run = AblationRun::of_arm(world, seed, arm, Some(rate), 0);
            Some(self.outcome(&run)?.last.overall.share())
        };
        let shares: Option<Vec<f64>> = seeds.iter().map(share).collect();
        shares.map(|shares| shares.iter().sum::<f64>() / seeds.len().max(1) as f64)
    }

    /// Whether all that it begins from is finished.
    fn is_ready(&self, run: &AblationRun) -> bool {
        run.arm.is_none() || (self.outcome(&run.warm()).is_some() && self.is_timed(run))
    }

    /// Whether the run that says how long this one lasts is finished, or none is needed.
    fn is_timed(&self, run: &AblationRun) -> bool {
        let lasting = run.arm.as_ref().and_then(|arm| self.lasting(run, arm));
        lasting.is_none_or(|timed| self.outcome(&timed).is_some())
    }

    /// The run that lasts as long as a supervised one shall.
    fn lasting(&self, run: &AblationRun, arm: &ArmRun) -> Option<AblationRun> {
        let config = self.config.arm(&arm.name).ok()?;
        let other = self
            .config
            .arm(config.supervised_as_long_as.as_deref()?)
            .ok()?;
        let world = self.config.world(&run.world).ok()?;
        let rate = match world.tuning_seeds.contains(&run.seed) {
            true => arm.learning_rate,
            false => self.rate(world, other)?,
        };
        let repeat = arm.repeat;
        Some(AblationRun::of_arm(world, run.seed, other, rate, repeat))
    }

    /// The configuration that a run begins from.
    ///
    /// # Errors
    /// A world that the experiment does not have.
    pub fn base(&self, run: &AblationRun) -> Result<&Path> {
        Ok(self.config.base(self.config.world(&run.world)?))
    }

    /// The settings of a run on top of that configuration, as `rerec train --set` takes them.
    ///
    /// # Errors
    /// A warm start without checkpoint; an arm that is not there.
    pub fn settings(&self, run: &AblationRun) -> Result<Vec<String>> {
        let world = self.config.world(&run.world)?;
        let mut set = [&self.config.set[..], &world.set].concat();
        match &run.arm {
            None => set.push("reinforcement.epochs=0".to_owned()),
            Some(arm) => self.push_arm(run, arm, &mut set)?,
        }
        let folder = self.folder(run);
        let (parent, name) = (folder.parent(), folder.file_name());
        let text = |part: Option<&std::ffi::OsStr>| {
            part.unwrap_or_default().to_string_lossy().into_owned()
        };
        set.extend([
            format!("seed={}", run.seed),
            format!("runs={:?}", text(parent.map(|path| path.as_os_str()))),
            format!("name={:?}", text(name)),
        ]);
        Ok(set)
    }

    fn push_arm(&self, run: &AblationRun, arm: &ArmRun, set: &mut Vec<String>) -> Result<()> {
        let config = self.config.arm(&arm.name)?;
        set.extend(config.set.iter().cloned());
        let warm = run.warm();
        let model = Run::open(self.folder(&warm))?.model(Kept::Last)?;
        set.push(format!("model={}", inline(&model)?));
        let section = match &config.supervised_as_long_as {
            None => {
                set.push("warm_start.steps=0".to_owned());
                "reinforcement"
            }
            Some(_) => {
                let steps = self.supervised_steps(run, arm, &warm)?;
                set.push(format!("warm_start.steps={steps}"));
                set.push("reinforcement.epochs=0".to_owned());
                let configured = TrainConfig::from_file(self.base(run)?, set)?;
                // The warm start can read by now.
                let reads = configured.warm_start.reading.is_some();
                set.extend(reads.then(|| "warm_start.reading.steps=0".to_owned()));
                "warm_start"
            }
        };
        set.extend(
            arm.learning_rate
                .map(|rate| format!("{section}.learning_rate={rate}")),
        );
        // The first repetition has the seed of a run that is not repeated.
        if arm.repeat > 0 {
            let seed = run.seed.wrapping_add(arm.repeat.wrapping_mul(1_000_003));
            set.push(format!("reinforcement.seed={seed}"));
        }
        Ok(())
    }

    /// How many steps of supervised training take as long as the run that sets the time.
    fn supervised_steps(&self, run: &AblationRun, arm: &ArmRun, warm: &AblationRun) -> Result<u64> {
        let timed = self.lasting(run, arm);
        let seconds = timed
            .and_then(|run| self.outcome(&run))
            .map(|one| one.seconds);
        let step = self.outcome(warm).and_then(|one| one.supervised_step);
        match (seconds, step) {
            (Some(seconds), Some(step)) if step > 0.0 => {
                Ok((seconds / step).round().max(1.0) as u64)
            }
            _ => Err(Error::contradiction(format!(
                "{run} goes on as long as another run, whose time or whose warm start's is not known"
            ))),
        }
    }
}

/// A value as an inline table of TOML.
fn inline(value: &impl Serialize) -> Result<String> {
    let value = toml::Value::try_from(value);
    let value = value.map_err(|error| Error::contradiction(error.to_string()))?;
    Ok(value.to_string())
}
