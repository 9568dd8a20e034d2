//! An experiment: arms that differ in a few settings, in several worlds, each over several seeds.

mod outcome;
mod reading;
mod schedule;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::outcome::ArmOutcome;
pub use self::schedule::{Ablation, AblationRun, ArmRun};
use crate::config::{TrainConfig, check_folder_name};
use crate::error::{Error, Result, check};

/// Which runs are compared, and in what they differ. Settings are written as on the command line: `"reinforcement.samples=5"`.
///
/// For each world and seed there is one warm start, from which all arms begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationConfig {
    /// Name of the experiment: its runs go to `<runs>/<name>`. Letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The configuration that runs begin from, relative to the folder of this file.
    pub config: PathBuf,
    /// Folder of all runs, relative to the working directory. Default `runs`.
    #[serde(default = "default_runs")]
    pub runs: PathBuf,
    /// Settings of all runs. Default none.
    #[serde(default)]
    pub set: Vec<String>,
    /// Where the arms are compared, at least one.
    pub worlds: Vec<World>,
    /// What is compared, at least one.
    pub arms: Vec<Arm>,
    /// Arms that the others are compared with, seed by seed. Default none.
    #[serde(default)]
    pub references: Vec<String>,
    /// Peak learning rates that each arm may choose from, on the tuning seeds of each world. Default: the configuration's.
    #[serde(default)]
    pub learning_rates: Vec<f64>,
    /// Accuracies on validation queries, in (0, 1]: the table says after how many steps they are reached. Default none.
    #[serde(default)]
    pub reach: Vec<f64>,
}

/// Data, model and training that all arms share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Its name, of the same characters as the experiment's.
    pub name: String,
    /// Another experiment with a world of this name, relative to the folder of this file: this world takes its configuration, where it
    /// has none of its own, and its settings. Default none.
    #[serde(default)]
    pub from: Option<PathBuf>,
    /// The configuration that its runs begin from. Default: the experiment's.
    #[serde(default)]
    pub config: Option<PathBuf>,
    /// Settings of its runs, after the experiment's and those of the world that it is taken `from`. Default none.
    #[serde(default)]
    pub set: Vec<String>,
    /// Seeds that are reported, at least one.
    pub seeds: Vec<u64>,
    /// Seeds on which learning rates are chosen; they are not reported. Needed where there are several rates.
    #[serde(default)]
    pub tuning_seeds: Vec<u64>,
    /// How often each arm reinforces the same warm start, under seeds of its own: tells the spread of training from that of
    /// worlds. Default 1, at least 1.
    #[serde(default = "one")]
    pub repeats: u64,
}

/// One way to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name, as the tables show it.
    pub name: String,
    /// In what it differs: settings after the world's. Default nothing.
    #[serde(default)]
    pub set: Vec<String>,
    /// Goes on with supervised training, for as many steps as take the time that this arm takes. Default: it is reinforced.
    #[serde(default)]
    pub supervised_as_long_as: Option<String>,
}

/// A path that a file gives relative to its own folder.
fn beside(file: &Path, given: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(given)
}

fn default_runs() -> PathBuf {
    "runs".into()
}

fn one() -> u64 {
    1
}

impl World {
    /// Settings and configuration of the world that this one, of the experiment at `path`, is taken from.
    fn take_over(&mut self, path: &Path) -> Result<()> {
        let Some(from) = &self.from else {
            return Ok(());
        };
        let other = AblationConfig::parse(&beside(path, from))?;
        let world = other.world(&self.name)?;
        // Taken from a third file, its settings would have to be looked for there.
        let setting = format!("worlds.{}.from", self.name);
        let has_own = world.from.is_none();
        check(
            has_own,
            &setting,
            from.display(),
            "an experiment that has the world's settings itself",
        )?;
        self.set.splice(..0, world.set.iter().cloned());
        self.config
            .get_or_insert_with(|| other.base(world).to_owned());
        Ok(())
    }
}

impl AblationConfig {
    /// Reads a file and checks it, and the settings of every arm in every world.
    ///
    /// # Errors
    /// Names the file, key, value and range of what is wrong.
    pub fn from_file(path: &Path) -> Result<Self> {
        let mut config = Self::parse(path)?;
        for world in &mut config.worlds {
            world.take_over(path)?;
        }
        config.validate()?;
        Ok(config)
    }

    /// A file as it is written, but with the paths of its configurations from the working directory.
    fn parse(path: &Path) -> Result<Self> {
        let text = rerec_files::read_text(path)?;
        let mut config: Self = toml::from_str(&text).map_err(|source| Error::ConfigFile {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let own = config.worlds.iter_mut().filter_map(|w| w.config.as_mut());
        for base in own.chain([&mut config.config]) {
            *base = beside(path, base);
        }
        Ok(config)
    }

    /// The folder of its runs.
    pub fn folder(&self) -> PathBuf {
        self.runs.join(&self.name)
    }

    fn validate(&self) -> Result<()> {
        check_folder_name("name", &self.name)?;
        let worlds = self.worlds.iter().map(|world| world.name.clone());
        check_different("worlds", worlds)?;
        check_different("arms", self.arms.iter().map(|arm| folder_name(&arm.name)))?;
        for world in &self.worlds {
            self.validate_world(world)?;
        }
        for name in &self.references {
            self.arm(name)?;
        }
        for arm in &self.arms {
            self.validate_time(arm)?;
        }
        for &share in &self.reach {
            check(share > 0.0 && share <= 1.0, "reach", share, "in (0, 1]")?;
        }
        self.validate_runs()
    }

    fn validate_world(&self, world: &World) -> Result<()> {
        let World { name, seeds, .. } = world;
        check_folder_name("worlds.name", name)?;
        let setting = |key: &str| format!("worlds.{name}.{key}");
        let (count, tuned) = (seeds.len(), world.tuning_seeds.len());
        check(count >= 1, &setting("seeds"), count, "at least one seed")?;
        let repeats = world.repeats;
        check(repeats >= 1, &setting("repeats"), repeats, "at least 1")?;
        let chosen = self.learning_rates.len() > 1;
        let allowed = "at least one where there are several learning_rates";
        check(
            !chosen || tuned >= 1,
            &setting("tuning_seeds"),
            tuned,
            allowed,
        )?;
        let all: Vec<u64> = seeds.iter().chain(&world.tuning_seeds).copied().collect();
        let different: BTreeSet<u64> = all.iter().copied().collect();
        let allowed = "each once, in seeds and tuning_seeds together";
        check(
            different.len() == all.len(),
            &setting("seeds"),
            format!("{all:?}"),
            allowed,
        )
    }

    pub(crate) fn arm(&self, name: &str) -> Result<&Arm> {
        let found = self.arms.iter().find(|arm| arm.name == name);
        found.ok_or_else(|| Error::InvalidSetting {
            setting: "arm".to_owned(),
            allowed: format!("one of {:?}", names(&self.arms)),
            got: name.to_owned(),
        })
    }

    pub(crate) fn world(&self, name: &str) -> Result<&World> {
        let found = self.worlds.iter().find(|world| world.name == name);
        found.ok_or_else(|| Error::InvalidSetting {
            setting: "world".to_owned(),
            allowed: format!("one of {:?}", self.world_names()),
            got: name.to_owned(),
        })
    }

    pub(crate) fn world_names(&self) -> Vec<&str> {
        self.worlds.iter().map(|world| &*world.name).collect()
    }

    /// The configuration that the runs of a world begin from.
    pub(crate) fn base<'a>(&'a self, world: &'a World) -> &'a Path {
        world.config.as_ref().unwrap_or(&self.config)
    }

    /// A supervised arm lasts as long as one that has a time of its own.
    fn validate_time(&self, arm: &Arm) -> Result<()> {
        let Some(other) = &arm.supervised_as_long_as else {
            return Ok(());
        };
        let setting = format!("arms.{}.supervised_as_long_as", arm.name);
        let reinforced = self.arm(other)?.supervised_as_long_as.is_none();
        check(reinforced, &setting, other, "an arm that is reinforced")
    }

    /// Every arm's settings are read once in every world, so that none is found to be wrong after hours.
    fn validate_runs(&self) -> Result<()> {
        for world in &self.worlds {
            for arm in &self.arms {
                let set = [&self.set[..], &world.set, &arm.set].concat();
                TrainConfig::from_file(self.base(world), &set)?;
            }
        }
        Ok(())
    }
}

/// An arm's name with `_` for everything that a folder's name should not hold.
pub(crate) fn folder_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(plain).collect()
}

fn names(arms: &[Arm]) -> Vec<&str> {
    arms.iter().map(|arm| &*arm.name).collect()
}

fn check_different(setting: &str, names: impl Iterator<Item = String>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        let is_new = seen.insert(name.clone());
        check(is_new, setting, name, "named differently")?;
    }
    check(!seen.is_empty(), setting, "none", "at least one")
}
