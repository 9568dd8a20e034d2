//! Articles, and where catalogues put them.

/// Words that catalogues move behind a comma: "Postino, Il".
const ARTICLES: [&str; 31] = [
    "the", "a", "an", "le", "la", "les", "l", "un", "une", "il", "lo", "gli", "i", "una", "el",
    "los", "las", "der", "die", "das", "den", "ein", "eine", "het", "de", "o", "os", "as", "um",
    "uma", "det",
];

/// In characters, with an apostrophe or a full stop.
const LONGEST: usize = 5;

pub(crate) fn is_article(word: &str) -> bool {
    let word = word.strip_suffix(APOSTROPHES).unwrap_or(word);
    ARTICLES
        .iter()
        .any(|article| word.eq_ignore_ascii_case(article))
}

const APOSTROPHES: [char; 2] = ['\'', '’'];

/// "Lord of the Rings, The: The Two Towers" -> "The Lord of the Rings: The Two Towers".
pub(crate) fn article_first(name: &str) -> Option<String> {
    let name = name.trim_start();
    name.match_indices(',').find_map(|(comma, _)| {
        let (before, rest) = (name[..comma].trim_end(), name[comma + 1..].trim_start());
        let ends =
            |&(_, c): &(usize, char)| c.is_whitespace() || matches!(c, ':' | '_' | '(' | '[');
        // No further than an article reaches, so that the work is linear in the name.
        let end = rest.char_indices().take(LONGEST + 1).find(ends);
        let (article, behind) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        let next = behind.trim_start();
        // More words right behind it mean that the article was not moved: in "Good, the Bad and the
        // Ugly, The" only the last comma counts.
        let closed = next.is_empty() || next.starts_with([':', '_', '(', '[', '-', '–']);
        // "Avventura, L'" is "L'Avventura".
        let gap = if article.ends_with(APOSTROPHES) {
            ""
        } else {
            " "
        };
        (closed && is_article(article) && !before.is_empty())
            .then(|| format!("{article}{gap}{before}{behind}"))
    })
}

/// An English article in front, and what follows it.
pub(crate) fn english_article(name: &str) -> Option<(&str, &str)> {
    let (article, rest) = name.split_once(' ')?;
    let mut english = ["the", "a", "an"].iter();
    let is_english = english.any(|word| article.eq_ignore_ascii_case(word));
    (is_english && !rest.trim().is_empty()).then(|| (article, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_move_to_the_front() {
        for (name, expected) in [
            ("Postino, Il", Some("Il Postino")),
            ("Avventura, L'", Some("L'Avventura")),
            ("Rings, The: Towers", Some("The Rings: Towers")),
            ("Rings, The - Towers", Some("The Rings - Towers")),
            (
                "Good, the Bad and the Ugly, The",
                Some("The Good, the Bad and the Ugly"),
            ),
            ("Good, the Bad", None),
            (", The", None),
            ("Heat", None),
        ] {
            assert_eq!(article_first(name).as_deref(), expected, "{name}");
        }
    }
}
