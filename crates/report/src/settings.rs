//! The settings of a run that differ from their defaults.

use rerec_trainer::TrainConfig;
use serde::Serialize;
use toml::{Table, Value};

/// A setting and its value, as it would be given on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// The settings without which the run would be another one: those that have no default, or another value.
///
/// Each setting is left out in turn; where the others read to the same settings, it was the default.
pub(crate) fn chosen(config: &TrainConfig) -> Vec<Setting> {
    let Ok(table) = Table::try_from(config) else {
        return Vec::new();
    };
    let mut keys = Vec::new();
    leaves(&Value::Table(table.clone()), "", &mut keys);
    keys.retain(|setting| {
        // The page names the run and its folder; sections take the run's seed over.
        let is_known = ["name", "runs"].contains(&&*setting.key) || setting.key.ends_with(".seed");
        !is_known && !is_default(&table, &setting.key, config)
    });
    keys
}

/// What was run, in a few words: "a fresh model on quickstart data by raae, seed 5".
pub(crate) fn subject(config: &TrainConfig) -> String {
    let table = Table::try_from(config).unwrap_or_default();
    let section = |path: &[&str]| {
        let found = path
            .iter()
            .try_fold(&table, |table, key| table.get(*key)?.as_table());
        found.cloned().unwrap_or_default()
    };
    let text = |table: Table, key: &str| {
        let text = table.get(key).and_then(Value::as_str);
        text.unwrap_or("unknown").to_owned()
    };
    let data = section(&["data"])
        .keys()
        .next()
        .cloned()
        .unwrap_or_default();
    let model = text(section(&["model"]), "kind");
    let estimator = text(section(&["advantage", "estimator"]), "estimator");
    format!(
        "a {model} model on {data} data by {estimator}, seed {}",
        config.seed
    )
}

fn leaves(value: &Value, path: &str, found: &mut Vec<Setting>) {
    match value {
        Value::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                let inner = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                leaves(value, &inner, found);
            }
        }
        other => found.push(Setting {
            key: path.to_owned(),
            value: match other {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        }),
    }
}

/// Whether the setting, or a whole section that holds it, can be left out: the kind of a section has a default only with it.
fn is_default(table: &Table, key: &str, config: &TrainConfig) -> bool {
    let sections = key.match_indices('.').map(|(end, _)| &key[..end]);
    sections.chain([key]).any(|left_out| {
        let mut without = table.clone();
        remove(&mut without, left_out);
        let read: Result<TrainConfig, _> = Value::Table(without).try_into();
        read.is_ok_and(|read| read == *config)
    })
}

fn remove(table: &mut Table, key: &str) {
    match key.split_once('.') {
        None => {
            table.remove(key);
        }
        Some((section, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(section) {
                remove(inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_left_out_and_choices_stay() {
        let text = std::fs::read_to_string("../../configs/quickstart.toml").unwrap();
        let config: TrainConfig = toml::from_str(&text).unwrap();
        let chosen = chosen(&config);
        let value = |key: &str| {
            let setting = chosen.iter().find(|setting| setting.key == key);
            setting.map(|setting| setting.value.as_str())
        };
        assert_eq!(value("reinforcement.samples"), Some("8"));
        assert_eq!(value("similarity.similarity"), Some("centred_cosine"));
        assert_eq!(value("reward.weights.query"), Some("0.1"));
        assert_eq!(
            subject(&config),
            "a fresh model on quickstart data by raae, seed 1"
        );
        // As by default: two threads, a format weight of 0.1, RAAE.
        for default in [
            "threads",
            "reward.weights.format",
            "advantage.estimator.estimator",
        ] {
            assert_eq!(value(default), None, "{default}");
        }
    }
}
