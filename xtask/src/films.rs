//! The table of films with the people who made them, which is made from a database in a wheel.

use std::path::Path;
use std::process::Output;

use crate::disk;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::pins::FILMS;
use crate::progress::say;
use crate::python::{DISK_FAULTS, PYTHON, spawn_error};

/// Where configurations look for it.
const FOLDER: &str = "data/films";
const TABLE: &str = "people.jsonl";

/// The only file of the wheel.
const DATABASE: &str = "movies.db";

const SCRIPT: &str = include_str!("films.py");

/// Makes the table, unless it is there.
pub(crate) fn fetch(environment: &Environment) -> Result<()> {
    let folder = environment.root.join(FOLDER);
    match FILMS.is_installed(&folder) {
        true => Ok(()),
        false => FILMS.install_with(environment, &folder, |folder| tabulate(environment, folder)),
    }
}

/// Puts the table in the place of the database.
fn tabulate(environment: &Environment, folder: &Path) -> Result<()> {
    let [database, table] = [DATABASE, TABLE].map(|name| folder.join(name));
    say(format_args!("Writing {FOLDER}/{TABLE}"));
    let mut python = environment.command(PYTHON);
    // Isolated: a sqlite3.py of the user's is not meant.
    python.args(["-I", "-c", SCRIPT]).arg(&database).arg(&table);
    let output = python.output().map_err(spawn_error)?;
    match output.status.success() && table.is_file() {
        true => disk::remove(&database),
        false => Err(diagnose(&output, &table)),
    }
}

/// Finds the cause in what Python printed.
fn diagnose(output: &Output, table: &Path) -> Error {
    let wheel = FILMS.wheels.first().map_or("", |wheel| wheel.file);
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("No module named '_sqlite3'") || text.contains("No module named 'sqlite3'") {
        return Error::NoSqlite { wheel };
    }
    if DISK_FAULTS.iter().any(|fault| text.contains(fault)) {
        return Error::NoSpaceLeft {
            place: table.to_owned(),
        };
    }
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    Error::Database {
        wheel,
        database: DATABASE,
        reason: last.unwrap_or("no message").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::fake::Machine;

    /// Runs the second half of the set-up on a folder that the wheel was unpacked into.
    fn tabulated(machine: &Machine) -> Result<()> {
        fs::write(machine.path("root/movies.db"), "database").unwrap();
        tabulate(&machine.environment, &machine.environment.root)
    }

    fn failure_of(script: &str) -> String {
        let machine = Machine::new();
        machine.program("python3", script);
        let failure = tabulated(&machine).unwrap_err().to_string();
        assert!(!failure.contains('\n'), "{failure}");
        failure
    }

    #[test]
    fn the_table_takes_the_place_of_the_database() -> Result<()> {
        let machine = Machine::new();
        // python3 -I -c SCRIPT DATABASE TABLE
        machine.program("python3", "[ \"$2\" = -c ] && /bin/cp \"$4\" \"$5\"");
        tabulated(&machine)?;
        let root = &machine.environment.root;
        assert_eq!(fs::read_to_string(root.join(TABLE)).unwrap(), "database");
        assert!(!root.join(DATABASE).exists());
        Ok(())
    }

    #[test]
    fn what_python_lacks_is_named() {
        let no_sqlite =
            failure_of("echo \"ModuleNotFoundError: No module named '_sqlite3'\" >&2; exit 1");
        let cause = "python3 has no module sqlite3, which reads the films in bokeh_sampledata-2026.1-py3-none-any.whl; install ";
        assert!(no_sqlite.starts_with(cause), "{no_sqlite}");
        let other = failure_of("echo 'sqlite3.DatabaseError: file is not a database' >&2; exit 1");
        assert_eq!(
            other,
            "python3 could not read movies.db in bokeh_sampledata-2026.1-py3-none-any.whl: \
             sqlite3.DatabaseError: file is not a database"
        );
        let full = failure_of("echo 'OSError: [Errno 28] No space left on device' >&2; exit 1");
        assert!(
            full.starts_with("disk full: no space left to write "),
            "{full}"
        );
        assert!(failure_of("exit 0").ends_with(": no message"));
    }

    #[test]
    fn without_python_nothing_is_made() {
        let machine = Machine::new();
        let failure = tabulated(&machine).unwrap_err();
        assert!(matches!(failure, Error::NoPython), "{failure}");
        assert!(!machine.environment.root.join(TABLE).exists());
    }

    /// The script itself, on a database of two films.
    #[test]
    fn names_are_parted_and_actors_of_many_films_come_first() {
        const MAKE: &str = "
import sqlite3, sys
films = sqlite3.connect(sys.argv[1])
films.execute('CREATE TABLE omdb (ID, imdbID, Title, Year, Director, \"Cast\", Language, Country)')
films.executemany('INSERT INTO omdb VALUES (?, ?, ?, ?, ?, ?, ?, ?)', [
    (2, 'tt2', 'Second', 1990, 'Ada Lorne', 'Max Ilyn', None, ''),
    (1, 'tt1', 'Première', 1980, 'Ada Lorne, Bo Bex', 'Cy Cole, Davy Dee, Jr., Max Ilyn', 'French', 'Belgium, France'),
])
films.commit()
";
        let folder = tempfile::tempdir().unwrap();
        let [database, table] = [DATABASE, TABLE].map(|name| folder.path().join(name));
        let python = |script, files: &[&Path]| {
            let mut python = Command::new(PYTHON);
            python.args(["-I", "-c", script]).args(files).output()
        };
        match python(MAKE, &[&database]) {
            Ok(output) if output.status.success() => {}
            other => {
                say(format_args!("skipped: no python3 with sqlite3 ({other:?})"));
                return;
            }
        }
        let output = python(SCRIPT, &[&database, &table]).unwrap();
        assert!(output.status.success(), "{output:?}");
        let expected = r#"{"imdb": "tt1", "title": "Première", "year": 1980, "director": ["Ada Lorne", "Bo Bex"], "actor": ["Max Ilyn", "Cy Cole", "Davy Dee Jr."], "language": ["French"], "country": ["Belgium", "France"]}
{"imdb": "tt2", "title": "Second", "year": 1990, "director": ["Ada Lorne"], "actor": ["Max Ilyn"], "language": [], "country": []}
"#;
        assert_eq!(fs::read_to_string(&table).unwrap(), expected);
    }
}
