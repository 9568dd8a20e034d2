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
        // Sections take the run's seed over.
        let is_derived = setting.key.ends_with(".seed");
        !is_derived && !is_default(&table, &setting.key, config)
    });
    keys
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

fn is_default(table: &Table, key: &str, config: &TrainConfig) -> bool {
    let mut without = table.clone();
    remove(&mut without, key);
    let read: Result<TrainConfig, _> = Value::Table(without).try_into();
    read.is_ok_and(|read| read == *config)
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
        // As by default: two threads, a format weight of 0.1, RAAE.
        for default in [
            "threads",
            "reward.weights.format",
            "advantage.estimator.kind",
        ] {
            assert_eq!(value(default), None, "{default}");
        }
    }
}
