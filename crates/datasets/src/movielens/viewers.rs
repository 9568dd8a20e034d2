//! Groups of viewers: by occupation, and by gender and age.

use std::collections::BTreeMap;
use std::path::Path;

use super::edition::File;
use crate::dataset::{UserGroup, UserId};
use crate::error::Result;

/// Occupations as MovieLens-100K writes them, then by the numbers of MovieLens-1M, and those who have them; `none` and
/// `other` are nobody.
const OCCUPATIONS: [(&str, &str); 39] = [
    ("administrator", "administrators"),
    ("artist", "artists"),
    ("doctor", "doctors"),
    ("educator", "educators"),
    ("engineer", "engineers"),
    ("entertainment", "entertainers"),
    ("executive", "executives"),
    ("healthcare", "health workers"),
    ("homemaker", "homemakers"),
    ("lawyer", "lawyers"),
    ("librarian", "librarians"),
    ("marketing", "marketers"),
    ("programmer", "programmers"),
    ("retired", "retired people"),
    ("salesman", "salespeople"),
    ("scientist", "scientists"),
    ("student", "students"),
    ("technician", "technicians"),
    ("writer", "writers"),
    ("1", "educators"),
    ("2", "artists"),
    ("3", "clerks"),
    ("4", "college students"),
    ("5", "customer service agents"),
    ("6", "health workers"),
    ("7", "executives"),
    ("8", "farmers"),
    ("9", "homemakers"),
    ("10", "pupils"),
    ("11", "lawyers"),
    ("12", "programmers"),
    ("13", "retired people"),
    ("14", "salespeople"),
    ("15", "scientists"),
    ("16", "self-employed people"),
    ("17", "engineers"),
    ("18", "craftspeople"),
    ("19", "unemployed people"),
    ("20", "writers"),
];
/// From which age on, and what it is called.
const AGES: [(u8, &str); 6] = [
    (55, "over 54"),
    (45, "of 45 to 54"),
    (35, "of 35 to 44"),
    (25, "of 25 to 34"),
    (18, "of 18 to 24"),
    (0, "under 18"),
];

/// The groups of an edition with at least `min_group` members, by name.
pub(super) fn read_groups(
    folder: &Path,
    file: &File<4>,
    min_group: usize,
) -> Result<Vec<UserGroup>> {
    // Ordered by name: the draw of a group must not depend on the hashing.
    let mut groups: BTreeMap<String, Vec<UserId>> = BTreeMap::new();
    let path = file.path(folder);
    file.table(&path)?.rows(&file.columns(), |row| {
        let user = UserId::from(row.text(0)?.as_ref());
        let is_age = |age: f64| (0.0..=120.0).contains(&age);
        let age = row.number(1, "be an age from 0 to 120", is_age)? as u8;
        let gender = match row.text(2)?.as_ref() {
            "F" => "women",
            "M" => "men",
            _ => return Err(row.fault(2, "be F or M")),
        };
        let band = AGES
            .iter()
            .find(|(from, _)| age >= *from)
            .map(|(_, band)| format!("{gender} {band}"));
        let occupation = row.text(3)?;
        let trade = OCCUPATIONS
            .iter()
            .find(|(written, _)| *written == occupation)
            .map(|(_, people)| (*people).to_owned());
        for name in band.into_iter().chain(trade) {
            groups.entry(name).or_default().push(user.clone());
        }
        Ok(())
    })?;
    let large = groups
        .into_iter()
        .filter(|(_, users)| users.len() >= min_group);
    Ok(large
        .map(|(name, users)| UserGroup { name, users })
        .collect())
}
