//! Groups of viewers: by occupation, and by gender and age.

use std::collections::BTreeMap;
use std::path::Path;

use super::table::Table;
use crate::dataset::{UserGroup, UserId};
use crate::error::Result;

/// Occupations as the file writes them, and those who have them; `none` and `other` are nobody.
const OCCUPATIONS: [(&str, &str); 19] = [
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

/// The groups of `ml-100k.user` with at least `min_group` members, by name.
pub(super) fn read_groups(path: &Path, min_group: usize) -> Result<Vec<UserGroup>> {
    let table = Table::read(path, ["user_id", "age", "gender", "occupation"])?;
    let mut groups: BTreeMap<String, Vec<UserId>> = BTreeMap::new();
    for row in table.rows() {
        let user = UserId::from(row.required(0)?);
        let age: u8 = row.number(1, "be an age from 0 to 120", |age| *age <= 120)?;
        let gender = match row.text(2) {
            "F" => "women",
            "M" => "men",
            _ => return Err(row.fault(2, "be F or M")),
        };
        let band = AGES
            .iter()
            .find(|(from, _)| age >= *from)
            .map(|(_, band)| format!("{gender} {band}"));
        let occupation = row.required(3)?;
        let trade = OCCUPATIONS
            .iter()
            .find(|(written, _)| *written == occupation);
        for name in band
            .into_iter()
            .chain(trade.map(|(_, people)| (*people).to_owned()))
        {
            groups.entry(name).or_default().push(user.clone());
        }
    }
    let large = groups
        .into_iter()
        .filter(|(_, users)| users.len() >= min_group);
    Ok(large
        .map(|(name, users)| UserGroup { name, users })
        .collect())
}
