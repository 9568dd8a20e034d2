//! The ways in which one title is written.

use std::collections::HashSet;

use crate::article::{article_first, english_article};
use crate::title::Parts;

/// Other spellings of a title, the one without its year first.
///
/// They differ in what catalogues and readers write differently: the year, the place of the
/// article, a title in brackets, `_` for `:`, a lost colon, `&` for "and", a lost English article
/// where two words are left.
pub(crate) fn spellings(title: &str) -> Vec<String> {
    let Parts {
        whole, bare, names, ..
    } = Parts::read(title);
    let mut spellings = vec![whole.into_owned()];
    for name in names.into_iter().chain([bare]) {
        let name = name.replace("_ ", ": ").replace('_', " ");
        for arrangement in arrangements(&name) {
            signs(arrangement, &mut spellings);
        }
    }
    let mut seen = HashSet::from([title.to_owned()]);
    spellings.retain(|spelling| seen.insert(spelling.clone()));
    spellings
}

/// A name with its article where it is, in front, behind a comma, and lost.
fn arrangements(name: &str) -> Vec<String> {
    let moved = article_first(name);
    let mut arrangements = vec![name.to_owned()];
    if let Some((article, rest)) = english_article(moved.as_deref().unwrap_or(name)) {
        // A single word such as "Edge" is too common to stand for "The Edge".
        if rest.contains(' ') {
            arrangements.push(rest.to_owned());
        }
        if moved.is_none() {
            arrangements.push(format!("{rest}, {article}"));
        }
    }
    arrangements.extend(moved);
    arrangements
}

/// Adds a name as it is, without its colons, and with the other of `&` and "and".
fn signs(name: String, spellings: &mut Vec<String>) {
    let colonless = name.contains(": ").then(|| name.replace(": ", " "));
    for name in [name].into_iter().chain(colonless) {
        if name.contains(" & ") {
            spellings.push(name.replace(" & ", " and "));
        } else if name.contains(" and ") {
            spellings.push(name.replace(" and ", " & "));
        }
        spellings.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_of_a_title() {
        for (title, expected) in [
            ("Heat", &[][..]),
            ("(1995)", &[]),
            ("Jumanji (1995)", &["Jumanji"]),
            ("Edge, The (1997)", &["Edge, The", "The Edge"]),
            ("The Edge", &["Edge, The"]),
            (
                "Breakfast Club, The (1985)",
                &[
                    "Breakfast Club, The",
                    "Breakfast Club",
                    "The Breakfast Club",
                ],
            ),
            ("Postino, Il (1994)", &["Postino, Il", "Il Postino"]),
            ("Avventura, L' (1960)", &["Avventura, L'", "L'Avventura"]),
            (
                "Seven (a.k.a. Se7en) (1995)",
                &["Seven (a.k.a. Se7en)", "Se7en", "Seven"],
            ),
            ("Cure, The [Kyua] (2)", &["Kyua", "Cure, The", "The Cure"]),
            (
                "Mission_ Impossible (1996)",
                &[
                    "Mission_ Impossible",
                    "Mission: Impossible",
                    "Mission Impossible",
                ],
            ),
            ("Thelma & Louise", &["Thelma and Louise"]),
            ("Pride and Prejudice", &["Pride & Prejudice"]),
            (
                "Rings, The: Towers",
                &[
                    "Rings Towers",
                    "Rings: Towers",
                    "Rings, The Towers",
                    "The Rings Towers",
                    "The Rings: Towers",
                ],
            ),
        ] {
            let mut found = spellings(title);
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{title}");
        }
    }
}
