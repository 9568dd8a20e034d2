//! Which settings of a run may change when it is resumed.

use std::path::Path;

use toml::{Table, Value};

use crate::config::TrainConfig;
use crate::error::{Error, Result};

/// Refuses settings under which the run could not have come to where it stands. Settings are compared as typed values, so that
/// one which was added with a default after the run began is no difference.
pub(crate) fn same_run(folder: &Path, then: &TrainConfig, now: &TrainConfig) -> Result<()> {
    let comparable = then.with_changeable_settings_of(now);
    if comparable == *now {
        return Ok(());
    }
    // For the message alone: settings that were read from TOML can be written as such.
    let table = |config: &TrainConfig| Table::try_from(config).unwrap_or_default();
    let mut differences = Vec::new();
    collect("", &table(&comparable), &table(now), &mut differences);
    Err(Error::OtherSettings {
        path: folder.to_owned(),
        what: differences.join("; "),
    })
}

fn collect(section: &str, then: &Table, now: &Table, differences: &mut Vec<String>) {
    let added = now.keys().filter(|key| !then.contains_key(*key));
    for key in then.keys().chain(added) {
        match (then.get(key), now.get(key)) {
            (Some(Value::Table(a)), Some(Value::Table(b))) => {
                collect(&format!("{section}{key}."), a, b, differences);
            }
            (a, b) if a != b => {
                let show =
                    |value: Option<&Value>| value.map_or("left out".to_owned(), Value::to_string);
                differences.push(format!("{section}{key} was {}, is {}", show(a), show(b)));
            }
            _ => {}
        }
    }
}
