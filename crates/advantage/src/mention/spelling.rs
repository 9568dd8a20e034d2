//! The ways in which one title is written.

use std::collections::HashSet;

use super::names::split_year;

/// Words that catalogues move behind a comma: "Postino, Il".
const ARTICLES: [&str; 32] = [
    "the", "a", "an", "le", "la", "les", "l'", "l’", "un", "une", "il", "lo", "gli", "i", "una",
    "el", "los", "las", "der", "die", "das", "den", "ein", "eine", "het", "de", "o", "os", "as",
    "um", "uma", "det",
];

/// Other spellings of a title, the one without its year first.
///
/// They differ in what catalogues and readers write differently: the year, the place of the
/// article, a title in brackets, `_` for `:`, a lost colon, `&` for "and", a lost English article
/// where two words are left.
pub(super) fn spellings(title: &str) -> Vec<String> {
    let whole = split_year(title).map_or(title, |(whole, _)| whole);
    let mut spellings = vec![whole.to_owned()];
    for name in names(whole) {
        let name = name.replace("_ ", ": ").replace('_', " ");
        for arrangement in articles(&name) {
            signs(arrangement, &mut spellings);
        }
    }
    let mut seen = HashSet::from([title.to_owned()]);
    spellings.retain(|spelling| seen.insert(spelling.clone()));
    spellings
}

/// The title without the brackets behind it, and what stands in each: "Seven (a.k.a. Se7en)".
fn names(whole: &str) -> Vec<&str> {
    let (mut names, mut rest) = (Vec::new(), whole);
    while let Some((before, inside)) = split_brackets(rest) {
        let inside = without_also_known_as(inside);
        // "(2)" would be found in every list.
        if inside.contains(char::is_alphabetic) {
            names.push(inside);
        }
        rest = before;
    }
    names.push(rest);
    names
}

/// Splits a last pair of brackets from the text before it.
fn split_brackets(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end();
    let (open, close) = match text.chars().next_back()? {
        ')' => ('(', ')'),
        ']' => ('[', ']'),
        _ => return None,
    };
    let mut depth = 0_usize;
    let start = text.char_indices().rev().find_map(|(at, c)| {
        depth += usize::from(c == close);
        depth -= usize::from(c == open);
        (depth == 0).then_some(at)
    })?;
    let (before, inside) = (&text[..start], &text[start + 1..text.len() - 1]);
    (!before.trim().is_empty()).then(|| (before.trim_end(), inside.trim()))
}

fn without_also_known_as(name: &str) -> &str {
    let without = |words: &&str| {
        let (head, rest) = name.split_at_checked(words.len())?;
        head.eq_ignore_ascii_case(words).then(|| rest.trim_start())
    };
    let words = ["a.k.a.", "a.k.a ", "aka ", "also known as "];
    words.iter().find_map(without).unwrap_or(name)
}

/// A name with its article where it is, in front, behind a comma, and lost.
fn articles(name: &str) -> Vec<String> {
    let moved = article_first(name);
    let mut arrangements = vec![name.to_owned()];
    if let Some((article, rest)) = leading_article(moved.as_deref().unwrap_or(name)) {
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

/// "Lord of the Rings, The: The Two Towers" -> "The Lord of the Rings: The Two Towers".
fn article_first(name: &str) -> Option<String> {
    name.match_indices(", ").find_map(|(comma, _)| {
        let (before, rest) = (name[..comma].trim(), name[comma + 2..].trim_start());
        let end = rest.find([':', ' ']).unwrap_or(rest.len());
        let (article, behind) = rest.split_at(end);
        let closed = behind.is_empty() || behind.starts_with([':']) || behind.starts_with(" - ");
        let gap = if article.ends_with(['\'', '’']) {
            ""
        } else {
            " "
        };
        (closed && is_article(article) && !before.is_empty())
            .then(|| format!("{article}{gap}{before}{behind}"))
    })
}

/// An English article in front, and what follows it.
fn leading_article(name: &str) -> Option<(&str, &str)> {
    let (article, rest) = name.split_once(' ')?;
    let english = ["the", "a", "an"].iter();
    let is_english = english
        .into_iter()
        .any(|word| article.eq_ignore_ascii_case(word));
    (is_english && !rest.trim().is_empty()).then(|| (article, rest.trim_start()))
}

pub(super) fn is_article(word: &str) -> bool {
    ARTICLES
        .iter()
        .any(|article| word.eq_ignore_ascii_case(article))
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
            if let Some(yearless) = split_year(title) {
                assert_eq!(found[0], yearless.0);
            }
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{title}");
        }
    }

    #[test]
    fn brackets_that_hold_no_other_title() {
        assert_eq!(names("(500) Days"), ["(500) Days"]);
        assert_eq!(names("a) b)"), ["a) b)"]);
        assert_eq!(names("A (b (c)) [d]"), ["d", "b (c)", "A"]);
    }
}
