//! The year behind a name, as people write it.

use rerec_text::year;

/// What stands behind a name and may give its year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct YearBehind<'a> {
    /// The inside of a bracket, or the year itself; empty where there is neither.
    written: &'a str,
    /// Where a year without brackets begins, in bytes after the name: it may as well begin the next name.
    pub(super) bare: Option<usize>,
}

/// How far behind a name its year is looked for, in bytes: markup and a few words, whatever the text.
const REACH: usize = 96;
/// The longest bracket that is taken to speak of the name before it: "(2015 live-action film, dir. Kenneth Branagh)".
const BRACKET: usize = 80;
/// Words between a name and its year, as in "Cinderella, the 2015 film" or "Cinderella, the remake from 2015".
const FILLERS: [&str; 20] = [
    "the",
    "a",
    "film",
    "movie",
    "picture",
    "version",
    "remake",
    "adaptation",
    "original",
    "series",
    "show",
    "anime",
    "book",
    "novel",
    "from",
    "of",
    "released",
    "made",
    "in",
    "by",
];

impl<'a> YearBehind<'a> {
    /// Reads what follows a name.
    ///
    /// Passed over are spaces, quotes and markup that close (`**Cinderella** (2015)`, `\textit{Cinderella} (2015)`), commas, dashes,
    /// an article that the catalogue put behind the name, and words such as "film".
    pub(crate) fn of(after: &'a str) -> Self {
        let reach = within(after, REACH);
        let (mut rest, mut is_first) = (reach, true);
        loop {
            rest = skip_signs(rest);
            // The first bracket ends the search, also one without a year.
            if let Some(written) = bracket(rest) {
                let bare = None;
                return Self { written, bare };
            }
            if year_at_start(rest).is_some() {
                return Self {
                    written: &rest[..4],
                    bare: Some(reach.len() - rest.len()),
                };
            }
            // Each round passes over a word at least, within the reach.
            let Some(behind) = filler(rest, is_first) else {
                let (written, bare) = ("", None);
                return Self { written, bare };
            };
            (rest, is_first) = (behind, false);
        }
    }

    /// Whether it is a bracket with a year, and no sentence in brackets.
    pub(crate) fn is_in_brackets(&self) -> bool {
        let is_sentence = self.written.ends_with(['.', '!', '?']);
        self.bare.is_none() && !is_sentence && years(self.written).next().is_some()
    }

    /// Whether this is a year that stands there; `None` where no year does. Another year is another item.
    pub(super) fn agrees_with(&self, year: u16) -> Option<bool> {
        let mut found = years(self.written).peekable();
        found.peek()?;
        // Either year of a range such as "1998–2002" will do.
        Some(found.any(|found| found == year))
    }
}

/// At most so many bytes of a text, whole characters only.
fn within(text: &str, most: usize) -> &str {
    let end = text.len().min(most);
    // At most three steps back: a character has no more than four bytes.
    let end = (0..=end).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// The text without spaces, markup, quotes, commas and dashes in front. A line end or a full stop ends what belongs to a name.
fn skip_signs(mut text: &str) -> &str {
    loop {
        let mut chars = text.chars();
        text = match chars.next() {
            Some('<') => match text.split_once('>') {
                // A tag such as </i>, and no "<" of a comparison.
                Some((tag, rest))
                    if tag[1..].starts_with(|c: char| c == '/' || c.is_ascii_alphabetic()) =>
                {
                    rest
                }
                _ => return text,
            },
            Some('\\') => {
                let word = chars
                    .as_str()
                    .trim_start_matches(|c: char| c.is_ascii_alphabetic());
                match word.len() == chars.as_str().len() {
                    // `\,` and `\ ` are spaces.
                    true => word.strip_prefix([',', ' ', ';', ':', '!']).unwrap_or(word),
                    false => word,
                }
            }
            Some('&') if text.starts_with("&nbsp;") => &text["&nbsp;".len()..],
            Some(c) if c.is_whitespace() && !is_line_end(c) => chars.as_str(),
            Some(
                '*'
                | '_'
                | '`'
                | '~'
                | '$'
                | '{'
                | '}'
                | '|'
                | '"'
                | '\''
                | '”'
                | '’'
                | '“'
                | '‘'
                | '»'
                | '«'
                | '›'
                | '‹'
                | '」'
                | '』'
                | '》'
                | '〉'
                | ','
                | '，'
                | '、'
                | ':'
                | '：'
                | '-'
                | '\u{2010}'..='\u{2015}'
                | '\u{2212}'
                | '\u{200B}'..='\u{200F}'
                | '\u{FEFF}',
            ) => chars.as_str(),
            _ => return text,
        };
    }
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// What stands in a bracket at the start of a text, an unclosed one to its end.
fn bracket(text: &str) -> Option<&str> {
    let inside = text.strip_prefix(['(', '[', '（', '［', '【', '〔', '〈', '《'])?;
    // An unclosed bracket must not make the rest of a response its inside.
    let inside = within(inside, BRACKET);
    let end = inside.find([')', ']', '）', '］', '】', '〕', '〉', '》', '\n']);
    Some(&inside[..end.unwrap_or(inside.len())])
}

/// Every year of a text.
fn years(text: &str) -> impl Iterator<Item = u16> + '_ {
    let mut before = None;
    text.char_indices().filter_map(move |(at, c)| {
        // Four digits in the middle of a number or a word are no year.
        let goes_on = before.replace(c).is_some_and(char::is_alphanumeric);
        let starts = c.is_ascii_digit() && !goes_on;
        starts.then(|| year_at_start(&text[at..])).flatten()
    })
}

/// A year that a text begins with, and no part of a longer number or word.
fn year_at_start(text: &str) -> Option<u16> {
    // Checked: the fourth byte may lie inside a character.
    let (digits, rest) = text.split_at_checked(4)?;
    let year = year(digits)?;
    let ends = rest.starts_with('年') || !rest.starts_with(char::is_alphanumeric);
    // "2015.5" and "1995,000" are other numbers.
    let is_part = rest
        .strip_prefix(['.', ','])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    (ends && !is_part).then_some(year)
}

/// What follows a word that may stand between a name and its year. "in" is none where it comes first: "I saw Cinderella in 1998".
fn filler(text: &str, is_first: bool) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let known = FILLERS
        .iter()
        .any(|filler| filler.eq_ignore_ascii_case(word))
        || is_moved_article(word);
    (known && !(is_first && word.eq_ignore_ascii_case("in"))).then_some(rest)
}

/// Articles of other languages that catalogues put behind a name: "Dolce Vita, La (1960)".
fn is_moved_article(word: &str) -> bool {
    let articles = [
        "an", "le", "la", "les", "l", "il", "lo", "el", "los", "las", "der", "die", "das", "den",
        "het", "de",
    ];
    articles
        .iter()
        .any(|article| article.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn year_of(after: &str) -> Option<u16> {
        years(YearBehind::of(after).written).next()
    }

    #[test]
    fn a_year_behind_anything_that_closes_a_name() {
        for after in [
            " (2015) is",
            "** (2015) is",
            "\" (2015)",
            "” (2015)",
            "’ (2015)",
            "» (2015)",
            "</i> (2015)",
            "_ _(2015)_",
            "} (2015)",
            " [2015]",
            "  (2015)",
            "\u{a0}(2015)",
            "（2015）",
            "（2015年）",
            "【2015】",
            " 2015 is",
            ", 2015,",
            " - 2015",
            " – 2015",
            " — (2015)",
            ": 2015",
            " (2015 film)",
            " (film, 2015)",
            " (the 2015 film)",
            " (2015, dir. Branagh)",
            " (US, 2015)",
            " (c. 2015)",
            ", the 2015 film",
            " from 2015",
            " film (2015)",
            ", the film of 2015",
            ", The (2015)",
            ", La (2015)",
            " **(2015)**",
            " <b>2015</b>",
            "\\textit{} (2015)",
            "}~(2015)",
            "$ (2015)",
            "`(2015)`",
            "&nbsp;(2015)",
            "\\,(2015)",
            " released in 2015",
            "》（2015）",
            " (2015",
            " (April 2015)",
        ] {
            assert_eq!(year_of(after), Some(2015), "{after}");
        }
    }

    #[test]
    fn what_is_no_year_of_the_name() {
        for after in [
            "",
            " is",
            ". 2015 was",
            "\n(2015)",
            " in 2015",
            " 2015s",
            " 20150",
            " 2.015",
            " (TV)",
            " (2)",
            " and Up (2015)",
            " is from 2015",
            " (Up)",
            " 0013",
            " 9999",
            " < 2015",
            " came in 2015",
        ] {
            assert_eq!(year_of(after), None, "{after}");
        }
    }

    #[test]
    fn a_bracket_may_hold_several_years() {
        let both = YearBehind::of(" (1950, restored 2015)");
        assert_eq!(
            (
                both.agrees_with(1950),
                both.agrees_with(2015),
                both.agrees_with(1999)
            ),
            (Some(true), Some(true), Some(false))
        );
        assert_eq!(YearBehind::of(" it is").agrees_with(1950), None);
    }

    #[test]
    fn a_bare_year_says_where_it_begins() {
        assert_eq!(YearBehind::of(", 2001: A Space Odyssey").bare, Some(2));
        assert_eq!(YearBehind::of("** (2001)").bare, None);
    }

    #[test]
    fn no_text_is_read_far() {
        let long = "*".repeat(1 << 20) + "(2015)";
        assert_eq!(year_of(&long), None);
        assert_eq!(year_of(&("é".repeat(1000) + "(2015)")), None);
    }
}
