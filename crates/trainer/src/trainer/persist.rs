//! What of a run survives its process.

use std::{fs, path::Path};

use rerec_curriculum::Curriculum;
use rerec_policy::Policy;
use toml::Table;

use super::{Observer, Trainer};
use crate::{
    TrainConfig, checkpoint,
    error::{Error, Result},
    observer::Event,
    run_folder::RunFolder,
    state::{STATE_VERSION, State},
};

impl Trainer<'_> {
    pub(super) fn checkpoint(&mut self, observer: &mut dyn Observer) -> Result<()> {
        self.state.metrics_len = self.metrics.len();
        self.state.rollouts_len = self.rollouts.len();
        self.state.epochs_len = self.epochs.len();
        checkpoint::save(self.folder.path(), |folder| {
            let policy = folder.join("policy");
            fs::create_dir(&policy).map_err(|source| Error::Io {
                path: policy.clone(),
                source,
            })?;
            self.task.policy.save(&policy)?;
            self.curriculum.save(&folder.join("curriculum.json"))?;
            write_json(&folder.join("state.json"), &self.state)
        })?;
        // A request to end the run is heard at the next event.
        let _ = observer.event(&Event::Checkpoint);
        Ok(())
    }
}

/// State and curriculum of the newest checkpoint; the policy takes back its weights.
pub(super) fn restore(
    config: &TrainConfig,
    policy: &mut dyn Policy,
    folder: &RunFolder,
) -> Result<(State, Curriculum)> {
    if !folder.path().is_dir() {
        return Err(Error::NoCheckpoint {
            path: folder.path().to_owned(),
        });
    }
    same_settings(config, folder)?;
    let newest = checkpoint::newest(folder.path())?;
    let path = newest.join("state.json");
    let text = fs::read_to_string(&path).map_err(|source| Error::Io {
        path: path.clone(),
        source,
    })?;
    let fault = |what: String| Error::InvalidFile {
        path: path.clone(),
        what,
    };
    let state: State = serde_json::from_str(&text).map_err(|e| fault(e.to_string()))?;
    if state.version != STATE_VERSION {
        return Err(fault(format!(
            "has version {}, expected {STATE_VERSION}",
            state.version
        )));
    }
    let curriculum = Curriculum::load(&newest.join("curriculum.json"))?;
    policy.restore(&newest.join("policy"))?;
    Ok((state, curriculum))
}

/// The configuration as a file.
pub(super) fn config_text(config: &TrainConfig, folder: &Path) -> Result<String> {
    toml::to_string(config).map_err(|e| Error::InvalidFile {
        path: folder.join("config.toml"),
        what: e.to_string(),
    })
}

fn same_settings(config: &TrainConfig, folder: &RunFolder) -> Result<()> {
    let path = folder.path().join("config.toml");
    let text = fs::read_to_string(&path).map_err(|source| Error::Io {
        path: path.clone(),
        source,
    })?;
    let parse = |text: &str| {
        let fault = |source| Error::ConfigFile {
            path: path.clone(),
            source: Box::new(source),
        };
        toml::from_str::<Table>(text).map_err(fault)
    };
    let (then, now) = (parse(&text)?, parse(&config_text(config, folder.path())?)?);
    match first_difference("", &then, &now) {
        Some(what) => Err(Error::OtherSettings {
            path: folder.path().to_owned(),
            what,
        }),
        None => Ok(()),
    }
}

fn first_difference(section: &str, then: &Table, now: &Table) -> Option<String> {
    let keys = then
        .keys()
        .chain(now.keys().filter(|key| !then.contains_key(*key)));
    keys.filter(|key| then.get(*key) != now.get(*key))
        .find_map(|key| match (then.get(key), now.get(key)) {
            (Some(toml::Value::Table(a)), Some(toml::Value::Table(b))) => {
                first_difference(&format!("{section}{key}."), a, b)
            }
            (a, b) => {
                let show =
                    |v: Option<&toml::Value>| v.map_or("left out".to_owned(), ToString::to_string);
                Some(format!("{section}{key} was {}, is {}", show(a), show(b)))
            }
        })
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::InvalidFile {
        path: path.to_owned(),
        what: e.to_string(),
    })?;
    fs::write(path, text).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}
