//! Settings given on the command line.

use toml::{Table, Value};

use crate::error::{Error, Result};

/// Sets one `dotted.key=value`; the value is read as TOML, or as a string where it is none.
pub(super) fn set(table: &mut Table, given: &str) -> Result<()> {
    let fault = |what: &str| Error::Override {
        given: given.to_owned(),
        what: what.to_owned(),
    };
    let (key, text) = given
        .split_once('=')
        .ok_or_else(|| fault("must be key=value"))?;
    let (key, text) = (key.trim(), text.trim());
    // A shell takes quotes away: `name=third` is a string, `seed=3` a number.
    let value = toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts
        .pop()
        .filter(|part| !part.is_empty())
        .ok_or_else(|| fault("has no key"))?;
    let mut at = table;
    for part in parts {
        // Missing sections are created. An unknown one is refused when the settings are read, as an
        // unknown key.
        let entry = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = entry
            .as_table_mut()
            .ok_or_else(|| fault(&format!("{part} is not a section")))?;
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_reach_into_sections() {
        let mut table: Table = toml::from_str("a = 1\n[b]\nc = 'x'").unwrap();
        for given in ["a=2", "b.c = y", "b.d.e=[1, 2]"] {
            set(&mut table, given).unwrap();
        }
        let expected: Table = toml::from_str("a = 2\n[b]\nc = 'y'\n[b.d]\ne = [1, 2]").unwrap();
        assert_eq!(table, expected);
    }

    #[test]
    fn faulty_overrides_are_named() {
        let mut table: Table = toml::from_str("a = 1").unwrap();
        let refused = |given: &str, table: &mut Table| set(table, given).unwrap_err().to_string();
        assert_eq!(
            refused("epochs", &mut table),
            "override \"epochs\": must be key=value"
        );
        assert_eq!(
            refused("a.b=1", &mut table),
            "override \"a.b=1\": a is not a section"
        );
    }
}
